"""New keys in use: an evidence key by the device's own request, both chains good; a TLS key on the bench's order."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from agent import durable, key_rotation
from agent.adapters.database import QUOTA_BYTES, open_database
from agent.adapters.state_lock import hold
from agent.adapters.store import DeviceMemory
from agent.app import own_signer
from agent.config import AgentConfig, read_config
from agent.errors import OperatorFault, SenderFault
from agent.key_files import read_certificates, read_private_key
from agent.wire.enrolment import Refusal, parse_reply, refusal
from agent.wire.envelope import open_envelope, open_trust_list, seal
from agent.wire.identifiers import device_id
from agent.wire.rotation import ROTATION_REQUEST_TYPE, RotationRequest
from agent.wire.signing import CertifiedSigner, KeySigner, load_pem_certificates
from agent.wire.status import STATUS_TYPE
from agent.wire.trust import Role
from provisioning.authority import cert_book, keys
from provisioning.authority.certificates import Profile
from provisioning.authority.register import Entry
from provisioning.authority.revocation_list import SUPERSEDED_GRACE, current_list
from provisioning.fleet import est, rotation
from provisioning.fleet.enrolment import Desk
from provisioning.fleet.est import respond
from provisioning.fleet.est_messages import Answered, Asked
from provisioning.fleet.states import State
from tests.provisioning.bench_room import NewDevice, bench, planned, serial
from tests.provisioning.district import sealed_status, today
from tests.support.commands import run_here

A = "REC-0001"


class InUse:
    """REC-0001, or another, in its own folder, enrolled at `desk`."""

    def __init__(self, desk: Desk, folder: Path, number: int = 1) -> None:
        self.desk, self.folder = desk, durable.make_directory(folder)
        wanted = planned(number)
        desk.inventory.plan(wanted, today())
        device = NewDevice(desk, desk.card(wanted.device, today()), today())
        reply = desk.answer(device.request(), today())
        answer = device.granted(reply)
        files = {"tls.pem": answer.tls, "evidence.pem": answer.evidence, **answer.files}
        files |= {"root.pem": desk.certificates[0].decode(), "issuing.pem": desk.certificates[1].decode()}
        for name, text in files.items():
            durable.write_bytes(folder / name, text.encode())
        durable.write_bytes(folder / "trust.dsse", parse_reply(reply).trust)
        for name, key in (("tls.key", device.tls), ("evidence.key", device.evidence)):
            durable.write_bytes(folder / name, keys.private_pem(key), durable.PRIVATE)

    @property
    def config(self) -> AgentConfig:
        return read_config(self.folder / "agent.toml")

    @property
    def pair(self) -> tuple[bytes, bytes]:
        return (self.folder / "evidence.key").read_bytes(), (self.folder / "evidence.pem").read_bytes()

    def request(self, at: timedelta = timedelta()) -> bytes:
        return key_rotation.rotation_request(self.config, serial(1), today() + at)

    def rotate(self) -> key_rotation.Rotated:
        reply = rotation.rotate_evidence(self.desk, self.request(), today())
        return key_rotation.install(self.config, reply, today())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bench(tmp_path / "ca", now=today()) as opened:
        yield opened


@pytest.fixture
def device(desk: Desk, tmp_path: Path) -> InUse:
    return InUse(desk, tmp_path / "device")


def evidence_entries(desk: Desk) -> list[Entry]:
    return [it for it in desk.authority.register().entries if it.profile is Profile.EVIDENCE]


def status(device: InUse, session: int) -> bytes:
    return sealed_status(own_signer(device.config), A, session)  # type: ignore[arg-type]


def test_what_the_old_key_signed_and_what_the_new_one_signs_are_both_good(device: InUse) -> None:
    before, old = status(device, 1), device.pair
    done = device.rotate()
    after = status(device, 2)
    assert own_signer(device.config).key_id == done.key
    assert not set(device.pair) & set(old)
    assert not list(device.folder.glob("*.new"))
    root = read_certificates(device.folder / "root.pem")[0]
    trust = open_trust_list((device.folder / "trust.dsse").read_bytes(), root)
    for said in (before, after):
        assert open_envelope(said, STATUS_TYPE, trust, today()).signer(Role.RECORDER).subject == A
    assert [it.superseded_at is None for it in evidence_entries(device.desk)] == [False, True]


def test_old_evidence_certificate_never_comes_onto_the_revocation_list_and_both_go_with_the_device(
    device: InUse,
) -> None:
    device.rotate()
    records, later = device.desk.sitting.records, today() + SUPERSEDED_GRACE + timedelta(days=1)
    assert current_list(device.desk.sitting, later).entries == 0
    cert_book.revoke(records, A, "遗失", later, "示例")
    assert current_list(device.desk.sitting, later).entries == 3
    assert all(it.revoked_at for it in evidence_entries(device.desk))


def test_without_the_root_key_nothing_is_rotated(device: InUse, tmp_path: Path) -> None:
    """The new key would stand in the register and on no list: nobody could believe the device any more."""
    desk, asked = device.desk, device.request()
    key = desk.authority.folder / "root.key"
    key.rename(tmp_path / "carried off")
    rows = len(desk.sitting.records.audit_rows())
    with pytest.raises(OperatorFault, match="没有换钥"):
        rotation.rotate_evidence(desk, asked, today())
    assert (len(evidence_entries(desk)), len(desk.sitting.records.audit_rows())) == (1, rows)
    (tmp_path / "carried off").rename(key)
    key_rotation.install(device.config, rotation.rotate_evidence(desk, asked, today()), today())


def test_copy_of_a_key_gets_no_certificate_once_the_next_one_is_in_use(device: InUse) -> None:
    """The bench ordered a new key because the old one may have been copied; whoever has the copy asks as well."""
    desk = device.desk
    old = read_certificates(device.folder / "tls.pem")[0]

    def ask(shown: x509.Certificate, key: ec.EllipticCurvePrivateKey, days: int, path: str = est.RENEW) -> Answered:
        request = x509.load_pem_x509_csr(keys.signing_request(key, A)).public_bytes(Encoding.DER)
        asked = Asked("GET" if path == est.DUE else "POST", path, base64.encodebytes(request), der_of(shown))
        return respond(asked, desk, today() + timedelta(days=days))

    lost, taken, copied = keys.new_key(), keys.new_key(), keys.new_key()
    assert [ask(old, key, 0).status for key in (lost, taken)] == [200, 200], "the device lost the first answer"
    new = cert_book.live(desk.sitting.records, A, Profile.TLS_CLIENT)
    assert new is not None
    assert ask(new.certificate, taken, 1, est.DUE).status == 204
    refused = ask(old, copied, 5)
    assert (refused.status, "不再凭旧证书" in refused.body.decode()) == (403, True)
    assert ask(old, taken, 5).status == 200, "the answer for the key in use is given again"
    assert cert_book.live(desk.sitting.records, A, Profile.TLS_CLIENT) == new


def test_another_certificate_for_the_key_of_a_good_one_is_not_taken_for_it(device: InUse) -> None:
    held = read_certificates(device.folder / "tls.pem")[0]
    signer = keys.new_key()
    builder = x509.CertificateBuilder().subject_name(held.subject).issuer_name(held.issuer)
    builder = builder.public_key(held.public_key()).serial_number(held.serial_number)  # type: ignore[arg-type]
    forged = builder.not_valid_before(held.not_valid_before_utc).not_valid_after(held.not_valid_after_utc)
    asked = Asked("GET", est.DUE, b"", der_of(forged.sign(signer, hashes.SHA256())))
    assert respond(asked, device.desk, today()).status == 403
    assert respond(replace(asked, peer=der_of(held)), device.desk, today()).status == 204


def der_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def test_answer_that_got_lost_is_given_again_also_days_later_and_an_older_key_gets_nothing_new(device: InUse) -> None:
    first = device.request()
    old = own_signer(device.config)
    assert device.request() == first, "the same request is sent again"
    rotation.rotate_evidence(device.desk, first, today())
    reply = rotation.rotate_evidence(device.desk, first, today())
    late = device.request(timedelta(days=3))
    assert late != first
    reply = rotation.rotate_evidence(device.desk, late, today() + timedelta(days=3))
    key_rotation.install(device.config, reply, today())
    assert len(evidence_entries(device.desk)) == 2
    word = RotationRequest(device_id(A), serial(1), keys.signing_request(keys.new_key(), A).decode(), today())
    with pytest.raises(SenderFault, match="现在的证据密钥"):
        rotation.rotate_evidence(device.desk, seal(ROTATION_REQUEST_TYPE, word.encode(), [old]), today())


@pytest.mark.parametrize("change", ["hardware", "old", "name", "stranger", "tls key", "other device", "garbage"])
def test_threat_malicious_technician_gets_no_evidence_key_without_the_devices_own_signature(
    device: InUse, tmp_path: Path, change: str
) -> None:
    signer: CertifiedSigner | KeySigner = own_signer(device.config)
    pem = keys.signing_request(keys.new_key(), "REC-0002" if change == "name" else A).decode()
    word = RotationRequest(device_id(A), serial(2 if change == "hardware" else 1), pem, today())
    if change == "old":
        word = replace(word, made_at=today() - timedelta(days=3))
    if change in ("stranger", "tls key"):
        key = keys.new_key() if change == "stranger" else read_private_key(device.folder / "tls.key")
        signer = KeySigner(key)
    if change == "other device":
        signer = own_signer(InUse(device.desk, tmp_path / "other", 2).config)
    data = b"{}" if change == "garbage" else seal(ROTATION_REQUEST_TYPE, word.encode(), [signer])
    with pytest.raises(SenderFault, match="已拒绝"):
        rotation.rotate_evidence(device.desk, data, today())
    assert b'"refused"' in respond(Asked("POST", est.ROTATE, data), device.desk, today()).body
    assert len([it for it in evidence_entries(device.desk) if it.subject == A]) == 1


def test_power_cut_between_the_two_renames_is_finished_by_whoever_opens_the_key(device: InUse) -> None:
    old_key, _ = device.pair
    device.rotate()
    new_key, chain = device.pair
    durable.write_bytes(device.folder / "evidence.key.new", new_key, durable.PRIVATE)
    durable.write_bytes(device.folder / "evidence.key", old_key, durable.PRIVATE)
    own_signer(device.config)
    assert device.pair == (new_key, chain)


def test_rotation_cut_off_before_its_request_was_removed_stands_in_nobodys_way(device: InUse) -> None:
    request, place = device.request(), device.folder / key_rotation.REQUEST
    reply = rotation.rotate_evidence(device.desk, request, today())
    done = key_rotation.install(device.config, reply, today())
    durable.write_bytes(place, request, durable.PRIVATE)
    assert key_rotation.install(device.config, reply, today()) == done
    assert not place.exists()
    durable.write_bytes(place, request, durable.PRIVATE)
    assert device.rotate().key not in ("", done.key)


def test_a_running_agent_an_open_recording_or_another_answer_changes_nothing(device: InUse, tmp_path: Path) -> None:
    before = device.pair
    with pytest.raises(OperatorFault, match="--out"):
        key_rotation.install(device.config, b"{}", today())
    reply = rotation.rotate_evidence(device.desk, device.request(), today())
    durable.make_directory(device.config.state_dir)
    with hold(device.config.state_dir), pytest.raises(OperatorFault, match="正在运行"):
        key_rotation.install(device.config, reply, today())
    with bench(tmp_path / "foreign", now=today()) as foreign:
        other = InUse(foreign, tmp_path / "other")
        strange = rotation.rotate_evidence(foreign, other.request(), today())
    for bad in (strange, b"{}", refusal(Refusal.STATE), b"\xff"):
        with pytest.raises(SenderFault):
            key_rotation.install(device.config, bad, today())
    assert device.pair == before
    database, _ = open_database(device.config.state_dir / "agent.db", QUOTA_BYTES)
    DeviceMemory(database).reserve_recording(1)
    database.close()
    with pytest.raises(OperatorFault, match="没有结束"):
        key_rotation.install(device.config, reply, today())
    assert device.pair == before


def test_a_tls_key_that_the_bench_ordered_is_taken_at_the_next_look_and_once(device: InUse) -> None:
    desk, shown = device.desk, load_pem_certificates((device.folder / "tls.pem").read_bytes())[0]
    peer = shown.public_bytes(Encoding.DER)
    assert respond(Asked("GET", est.DUE, b"", peer), desk, today()).status == 204
    assert respond(Asked("GET", est.DUE, b""), desk, today()).status == 401
    rotation.order(desk.inventory, A, today())
    assert [it.ordered for it in rotation.due(desk.inventory, today())] == [True]
    assert respond(Asked("GET", est.DUE, b"", peer), desk, today()).status == 200
    request = keys.signing_request(keys.new_key(), A)
    assert respond(Asked("POST", est.RENEW, request, peer), desk, today() + timedelta(seconds=1)).status == 200
    assert rotation.due(desk.inventory, today()) == ()
    year = today() + timedelta(days=250)
    assert [(it.profile, it.ordered) for it in rotation.due(desk.inventory, year)] == [(Profile.TLS_CLIENT, False)]
    desk.inventory.move(A, State.LOST, "示例", today())
    with pytest.raises(OperatorFault, match="不能换钥"):
        rotation.order(desk.inventory, A, today())


def test_by_hand_with_files_the_way_the_help_says(device: InUse, tmp_path: Path) -> None:
    (tmp_path / "serial").write_text(serial(1))
    config, authority = str(device.folder / "agent.toml"), str(device.desk.authority.folder)
    device.desk.sitting.publish()
    ask, answer = str(tmp_path / "ask.dsse"), str(tmp_path / "answer.json")
    words = ("rotate", "--config", config, "--out", ask, "--serial-file", str(tmp_path / "serial"))
    assert "liuhen-provision rotate" in run_here("agent.cli", *words).stdout
    done = run_here("provisioning.cli", "rotate", A, "--request", ask, "--out", answer, "--authority", authority)
    assert done.returncode == 0, done.stderr
    said = run_here("agent.cli", "rotate", "--config", config, "--answer", answer)
    assert (said.returncode, "证据密钥已更换" in said.stdout) == (0, True), said.stderr
    assert run_here("provisioning.cli", "rotate", "--authority", authority).returncode == 2
    assert "已令" in run_here("provisioning.cli", "rotate", A, "--authority", authority).stdout
    assert "已下令" in run_here("provisioning.cli", "rotate", "--due", "--authority", authority).stdout
