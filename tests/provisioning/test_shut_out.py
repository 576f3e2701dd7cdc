"""Taking a device out at a running Mosquitto: judged by what is delivered, and by what a broken list would do."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from agent.errors import SenderFault
from agent.key_files import read_private_key
from provisioning.authority import keys
from provisioning.center import shut_out
from provisioning.center.broker_config import ACCESS_FILE, CRL_FILE, PID_FILE
from provisioning.center.broker_folder import behind
from provisioning.center.canary import Identity, is_let_in
from provisioning.center.force import broker_site, put_in_force
from provisioning.center.force import shut_out as revoke
from provisioning.center.keeping import Keeper
from provisioning.fleet.inventory import Planned, open_inventory
from provisioning.fleet.states import State
from tests.provisioning.district import PLACE, UNIT, Client, TestDistrict, broker_process, eventually, running, today
from tests.support.broker import free_port, needs_mosquitto

pytestmark = [needs_mosquitto, pytest.mark.xdist_group("shut-out")]
A, B, R = "REC-0001", "REC-0002", "receiver-1"
EVENTS = f"gov/{PLACE}/v1/rec/{A}/evt"


class Post:
    """One Mosquitto with two devices and a receiver that hears everything."""

    def __init__(self, base: Path) -> None:
        self.district = TestDistrict(base, free_port())
        self.folders = {name: self.district.device(name) for name in (A, B)} | {R: self.district.receiver()}
        self.process = broker_process(self.district)
        self.site = broker_site(base / "broker", "localhost", self.district.port)

    def client(self, name: str) -> Client:
        return Client(self.district.port, self.folders[name] / "root.pem", self.folders[name], name)

    def let_in(self, name: str) -> bool:
        folder = self.folders[name]
        return is_let_in(self.site.door, Identity(name, folder / "tls.pem", folder / "tls.key"))


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path)
    with running(made.process, made.district.port):
        eventually(lambda: (made.site.folder / PID_FILE).exists(), "pid file")
        yield made


def test_threat_stolen_recorder_is_cut_off_while_it_is_connected_and_the_others_go_on(post: Post) -> None:
    receiver, device, other = (post.client(name).connect() for name in (R, A, B))
    receiver.subscribe("#")
    device.publish(EVENTS, b"before")
    assert receiver.next("before")[1] == b"before"
    with open_inventory(post.district.authority.folder, "示例") as inventory:
        inventory.plan(Planned(A, "", UNIT), today()) if inventory.find(A) is None else None
    revoke(post.district.authority, A, "遗失", post.site, today())
    eventually(lambda: not device.paho.is_connected(), "the session of the revoked device ends")
    device.paho.publish(EVENTS, b"after", 1)
    assert not post.let_in(A)
    other.publish(EVENTS.replace(A, B), b"good")
    assert receiver.next("good")[1] == b"good"
    assert receiver.received.empty()
    assert post.let_in(B)
    with open_inventory(post.district.authority.folder, "示例") as inventory:
        assert inventory.device(A).state is State.LOST
        acts = [row.act().act for row in inventory.records.audit_rows()]
    assert acts[-1] == "session-silenced"
    for client in (receiver, device, other):
        client.close()


def test_revoking_again_looks_again_and_signs_nothing_new(post: Post) -> None:
    first = revoke(post.district.authority, A, "遗失", post.site, today())
    crl = (post.site.folder / CRL_FILE).read_bytes()
    assert revoke(post.district.authority, A, "别的", post.site, today()) == first
    assert (post.site.folder / CRL_FILE).read_bytes() == crl


def lists(post: Post) -> dict[str, bytes]:
    """Lists that must not reach a broker."""
    authority = post.district.authority
    issuing = x509.load_pem_x509_certificate((authority.folder / "issuing.pem").read_bytes())
    key, now = read_private_key(authority.folder / "issuing.key"), today()
    canary = post.site.canary(shut_out.CANARY_GOOD).certificate.read_bytes()
    good = x509.load_pem_x509_certificates(canary)[0].serial_number

    def made(
        signer: object = key, until: timedelta = timedelta(days=9), scope: bool = False, listed: tuple[int, ...] = ()
    ) -> bytes:
        builder = x509.CertificateRevocationListBuilder().issuer_name(issuing.subject)
        builder = builder.last_update(now - timedelta(days=20)).next_update(now + until)
        builder = builder.add_extension(x509.CRLNumber(99), critical=False)
        revoked = (it.certificate.serial_number for it in authority.register().entries if it.revoked_at is not None)
        for serial in (*revoked, *listed):
            gone = x509.RevokedCertificateBuilder().serial_number(serial)
            builder = builder.add_revoked_certificate(gone.revocation_date(now).build())
        if scope:
            url = [x509.UniformResourceIdentifier("http://crl.example/x.crl")]
            point = x509.IssuingDistributionPoint(url, None, False, False, None, False, False)
            builder = builder.add_extension(point, critical=True)
        return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)  # type: ignore[arg-type]

    return {
        "garbage": b"no list at all",
        "empty": b"",
        "missing": made()[:-60],
        "wrong signer": made(keys.new_key()),
        "over": made(until=timedelta(days=-1)),
        "other scope": made(scope=True),
        "good one listed": made(listed=(good,)),
    }


def test_threat_broken_list_neither_fails_open_nor_locks_the_fleet_out(post: Post) -> None:
    revoke(post.district.authority, A, "遗失", post.site, today())
    before = {name: (post.site.folder / name).read_bytes() for name in (CRL_FILE, ACCESS_FILE)}
    for name, crl in lists(post).items():
        with pytest.raises(SenderFault, match="吊销列表不能使用"):
            shut_out.put_in_force(
                post.site, {CRL_FILE: crl, ACCESS_FILE: b"topic readwrite #\n"}, post.district.authority, today()
            )
        post.site.reload()
        assert {name: (post.site.folder / name).read_bytes() for name in before} == before, name
        assert (post.let_in(A), post.let_in(B)) == (False, True), name


@pytest.mark.parametrize(("name", "expected"), [("garbage", (True, True)), ("over", (False, False))])
def test_without_the_judgement_a_broken_list_does_let_in_or_lock_out(
    post: Post, name: str, expected: tuple[bool, bool]
) -> None:
    """What the judgement is for: this is Mosquitto, and it shows that the test above can fail."""
    revoke(post.district.authority, A, "遗失", post.site, today())
    (post.site.folder / CRL_FILE).write_bytes(lists(post)[name])
    post.site.reload()
    eventually(lambda: (post.let_in(A), post.let_in(B)) == expected, "the broker has reloaded")


def test_broker_that_does_not_reload_gets_its_old_files_back_and_the_command_says_so(
    post: Post,
) -> None:
    before = {name: (post.site.folder / name).read_bytes() for name in (CRL_FILE, ACCESS_FILE)}
    deaf = shut_out.BrokerSite(post.site.folder, post.site.door, lambda: None, 0.3)
    canary = post.site.folder / f"{shut_out.CANARY_REVOKED}.pem"
    canary.write_bytes((post.site.folder / f"{shut_out.CANARY_GOOD}.pem").read_bytes())
    (post.site.folder / f"{shut_out.CANARY_REVOKED}.key").write_bytes(
        (post.site.folder / f"{shut_out.CANARY_GOOD}.key").read_bytes()
    )
    with pytest.raises(SenderFault):
        put_in_force(deaf, post.district.authority, today())
    assert {name: (post.site.folder / name).read_bytes() for name in before} == before
    assert post.let_in(B)


def test_revoked_canary_that_is_let_in_is_a_broker_that_heeds_no_list(post: Post) -> None:
    eventually(lambda: shut_out.canaries(post.site), "both canaries as they should be")
    for ending in ("pem", "key"):
        good = (post.site.folder / f"{shut_out.CANARY_GOOD}.{ending}").read_bytes()
        (post.site.folder / f"{shut_out.CANARY_REVOKED}.{ending}").write_bytes(good)
    assert not shut_out.canaries(post.site)


def test_list_is_renewed_at_half_of_its_life_and_not_before(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, free_port())
    district.broker()
    crl = tmp_path / "broker" / CRL_FILE
    first = crl.read_bytes()
    for days, same in ((29, True), (31, False)):
        district.moment = lambda days=days: today() + timedelta(days=days)  # type: ignore[misc]
        district.broker()
        assert (crl.read_bytes() == first) is same


def test_broker_that_is_not_there_is_named(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, free_port())
    district.device(A)
    district.broker()
    site = broker_site(tmp_path / "broker", "localhost", district.port)
    assert behind(district.authority, site.folder, today()) == ""
    with pytest.raises(SenderFault, match="没有运行"):
        revoke(district.authority, A, "遗失", site, today())
    assert district.authority.trust().credentials
    assert behind(district.authority, site.folder, today()) == ""


def test_broker_that_was_down_at_the_revocation_does_not_start_with_the_files_of_before(tmp_path: Path) -> None:
    """Nobody could look; but whoever stole the recorder must not be let in when the broker comes back."""
    post = Post(tmp_path)
    old = (post.site.folder / ACCESS_FILE).read_bytes(), (post.site.folder / CRL_FILE).read_bytes()
    with pytest.raises(SenderFault, match="启动即生效"):
        revoke(post.district.authority, A, "遗失", post.site, today())
    with running(post.process, post.district.port):
        assert (post.let_in(A), post.let_in(B)) == (False, True)
    for name, content in zip((ACCESS_FILE, CRL_FILE), old, strict=True):
        new = (post.site.folder / name).read_bytes()
        (post.site.folder / name).write_bytes(content)
        assert behind(post.district.authority, post.site.folder, today()), name
        (post.site.folder / name).write_bytes(new)


def test_broker_that_the_bench_did_not_name_follows_the_register_by_itself(post: Post) -> None:
    said: list[str] = []
    keeper = Keeper(post.district.authority, said.append, post.site)
    put_in_force(post.site, post.district.authority, today())
    assert (keeper.look(today()), said) == (False, [])
    revoke(post.district.authority, A, "遗失", None, today())
    assert post.let_in(A), "the broker does not know yet"
    assert keeper.look(today())
    assert (post.let_in(A), post.let_in(B)) == (False, True)
    assert ("已更新" in said[0], keeper.look(today())) == (True, False)
    late = today() + timedelta(days=31)
    keeper.site = replace(post.site, patience_s=0.5)
    before = (post.site.folder / CRL_FILE).read_bytes()
    assert keeper.look(late) is False, "a list that begins in the future is judged and not put in place"
    assert (post.site.folder / CRL_FILE).read_bytes() == before
    keeper.look(late)
    assert len([line for line in said if "没有跟上" in line]) == 1, "a fault that stays is told once"


def test_broker_that_has_not_read_the_new_list_yet_is_not_taken_for_one_that_has(post: Post) -> None:
    """Its canaries show what was before: a good one is let in, an old revoked one is not."""
    before = {name: (post.site.folder / name).read_bytes() for name in (CRL_FILE, ACCESS_FILE)}
    deaf = shut_out.BrokerSite(post.site.folder, post.site.door, lambda: None, 0.3)
    with pytest.raises(SenderFault, match="没有重读"):
        revoke(post.district.authority, A, "遗失", deaf, today())
    assert {name: (post.site.folder / name).read_bytes() for name in before} == before
    revoke(post.district.authority, A, "遗失", post.site, today())
    assert not post.let_in(A)
