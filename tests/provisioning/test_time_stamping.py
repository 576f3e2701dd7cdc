"""Time-stamps put into sealed recordings: what they prove, to us and to strangers, and what is refused."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from rfc3161_client import TimestampRequestBuilder

from agent.adapters.time_stamp_tokens import token_reader
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.evidence import cose, der, manifest, time_stamps
from agent.evidence.bmff import Source
from agent.evidence.grounds import Grounds
from agent.evidence.how_to import HOW_TO_NAME
from agent.evidence.journal import Reason
from agent.evidence.manifest_reading import read_manifest
from agent.evidence.places import SegmentFile
from agent.evidence.report import Report, Status, Verdict
from agent.evidence.sidecars import journal_lines, sha256sums, sign_sums
from agent.evidence.token_form import token_path
from agent.evidence.verify import Sidecars, verify_recording
from agent.wire.identifiers import Digest, District
from agent.wire.instant import TimeState
from agent.wire.trust import Role, TrustList, trust_list
from provisioning.authority.authority import init_authority
from provisioning.center.export import Office, Wish, export_recording
from provisioning.center.export_certificate import Responsibility
from provisioning.center.export_ledger import LEDGER_NAME
from provisioning.center.stamping_authority import by_command, over_http
from provisioning.center.time_stamping import Authority, stamp_recording, stamp_segment
from provisioning.fleet.stamper import write_stamper_folder
from tests.agent.evidence.bench import DEVICE, NOW, Bench, flipped, make_authority
from tests.agent.evidence.foreign import c2pa_state, encypher_accepts, run
from tests.agent.evidence.telling import credential
from tests.agent.evidence.test_how_to import MAX_PAGE_LINES, follow
from tests.agent.evidence.test_standalone import ALONE
from tests.provisioning.district import today
from tests.provisioning.grounds import no_grounds
from tests.support.tsa import Tsa, make_tsa

AUTHORITY = make_authority()
HOUR = timedelta(hours=1)
Change = Callable[[list[bytes], list[bytes]], None]


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Tsa:
    return make_tsa(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def other_tsa(tmp_path_factory: pytest.TempPathFactory) -> Tsa:
    return make_tsa(tmp_path_factory.mktemp("other"))


def asking(tsa: Tsa, hours_ago: int = 0) -> Authority:
    return Authority(lambda request: tsa.answer(request, hours_ago), [tsa.root])


def recording(
    folder: Path, *, days: int = 9000, begin: datetime | None = None, segments: int = 1, unset: bool = False
) -> Path:
    """A recording with its sidecars, as a device leaves it; `unset`: its clock stood in 1970."""
    options = {"days": days} | ({"begin": begin} if begin else {})
    bench = Bench(AUTHORITY.signer(**options))
    if begin:
        bench.now = replace(bench.now, wall=(begin + HOUR).replace(microsecond=0))
    if unset:
        wall = datetime(1970, 1, 1, 1, tzinfo=UTC)
        bench.now = replace(bench.now, wall=wall, state=TimeState.UNSET, error_ms=None)
    ends = [Reason.CONTINUED] * (segments - 1) + [Reason.STOPPED]
    files = {f"segment-{number:04d}.mp4": bench.sealed(reason) for number, reason in enumerate(ends, start=1)}
    files["journal.jsonl"] = journal_lines(bench.records)
    files["SHA256SUMS"] = sha256sums({name: Digest(hashlib.sha256(data).hexdigest()) for name, data in files.items()})
    files["SHA256SUMS.p7s"] = sign_sums(files["SHA256SUMS"], bench.signer)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def report(
    folder: Path,
    *roots: x509.Certificate,
    now: datetime = NOW,
    segment: bytes | None = None,
    trust: TrustList | None = None,
) -> Report:
    data = segment or (folder / "segment-0001.mp4").read_bytes()
    parts = Sidecars(*((folder / name).read_bytes() for name in ("journal.jsonl", "SHA256SUMS", "SHA256SUMS.p7s")))
    files = [SegmentFile("segment-0001.mp4", Source.of_bytes(data))]
    return verify_recording(files, [AUTHORITY.root], now, parts, grounds=Grounds(trust, stamps=token_reader(roots)))


def stamped(folder: Path, tsa: Tsa) -> bytes:
    stamp_segment(folder / "segment-0001.mp4", asking(tsa))
    return (folder / "segment-0001.mp4").read_bytes()


def manifest_at(data: bytes) -> int:
    return int.from_bytes(data[:4])


def box_of(data: bytes) -> bytes:
    return data[manifest_at(data) : manifest_at(data) + manifest.RESERVED_BYTES]


def with_box(data: bytes, box: bytes) -> bytes:
    at = manifest_at(data)
    return data[:at] + box + data[at + len(box) :]


def test_stamped_recording_keeps_size_and_signature_and_is_complete_and_witnessed(tmp_path: Path, tsa: Tsa) -> None:
    folder = recording(tmp_path / "R")
    before = (folder / "segment-0001.mp4").read_bytes()
    after = stamped(folder, tsa)
    assert len(after) == len(before)
    changed = [at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert manifest_at(before) < changed[0] <= changed[-1] < manifest_at(before) + manifest.RESERVED_BYTES
    assert read_manifest(box_of(after)).countersigned == read_manifest(box_of(before)).countersigned
    seen = report(folder, tsa.root)
    assert (seen.verdict, seen.time.status) == (Verdict.COMPLETE, Status.PASSED)
    assert "witnessed" in seen.time.lines[0]
    root = AUTHORITY.root_pem + tsa.root_pem
    assert c2pa_state(after, root, explicit=False) == "Trusted"
    assert encypher_accepts(after, AUTHORITY.root_pem, tsa.root_pem)


def test_authority_of_openssl_that_sends_its_chain_unsorted_is_understood(tmp_path: Path) -> None:
    tsa, folder = make_tsa(tmp_path / "tsa", chain=True), recording(tmp_path / "R")
    sent = _certificates(tsa.answer(TimestampRequestBuilder().data(b"said").build().as_bytes()))
    assert len(sent) == 2
    assert sent != sorted(sent)
    after = stamped(folder, tsa)
    assert report(folder, tsa.root).time.status is Status.PASSED
    assert c2pa_state(after, AUTHORITY.root_pem + tsa.root_pem, explicit=False) == "Trusted"


def test_the_districts_own_authority_is_certified_for_nothing_else_and_its_word_is_understood(tmp_path: Path) -> None:
    district = init_authority(tmp_path / "ca", "xinghe", "星河区", today())
    made = write_stamper_folder(district, "tsa-1", tmp_path / "tsa", today())
    assert made.changed
    assert not write_stamper_folder(district, "tsa-1", tmp_path / "tsa", today()).changed
    root = tmp_path / "tsa" / "root.pem"
    verify = ["openssl", "verify", "-CAfile", root, "-untrusted", tmp_path / "tsa" / "issuing.pem"]
    assert run(*verify, "-purpose", "timestampsign", tmp_path / "tsa" / "tsa.pem").returncode == 0
    assert run(*verify, "-purpose", "sslclient", tmp_path / "tsa" / "tsa.pem").returncode != 0
    assert district.trust().credentials == {}, "it signs no document of the district"
    own = Tsa(tmp_path / "tsa", x509.load_pem_x509_certificate(root.read_bytes()))
    folder = recording(tmp_path / "R")
    after = stamped(folder, own)
    assert report(folder, own.root).time.status is Status.PASSED
    assert c2pa_state(after, AUTHORITY.root_pem + own.root_pem, explicit=False) == "Trusted"


def test_taking_the_token_out_gives_back_the_very_file(tmp_path: Path, tsa: Tsa) -> None:
    folder = recording(tmp_path / "R")
    before = (folder / "segment-0001.mp4").read_bytes()
    after = stamped(folder, tsa)
    assert time_stamps.unstamped(box_of(after)) == box_of(before)
    source = time_stamps.as_sealed(Source.of_bytes(after), manifest_at(after))
    assert b"".join(source.chunks(0, source.size)) == before
    for size in (1, 7, 4096, 16384, 20000):
        pieces = [source.read_at(at, size) for at in range(0, source.size, size)]
        assert b"".join(pieces) == before


def test_by_hand_the_kept_box_leads_back_to_the_signed_sums(tmp_path: Path, tsa: Tsa) -> None:
    folder = recording(tmp_path / "R")
    listed = (folder / "SHA256SUMS").read_text().splitlines()[1].split()[0]
    at = manifest_at(stamped(folder, tsa))
    assert (folder / "segment-0001.mp4.unstamped").stat().st_size == 16384
    line = f"(head -c {at} F; cat F.unstamped; tail -c +$(({at}+16385)) F) | sha256sum".replace("F", "segment-0001.mp4")
    assert run("sh", "-c", f"cd {folder} && {line}").stdout.split()[0] == listed


def test_by_hand_the_sums_signature_was_stamped_too(tmp_path: Path, tsa: Tsa) -> None:
    folder = recording(tmp_path / "R")
    stamp_recording(folder, asking(tsa))
    command = ["openssl", "ts", "-verify", "-data", folder / "SHA256SUMS.p7s", "-in", folder / "SHA256SUMS.p7s.tsr"]
    assert run(*command, "-CAfile", tsa.root_file).returncode == 0
    (folder / "SHA256SUMS.p7s").write_bytes(flipped((folder / "SHA256SUMS.p7s").read_bytes(), 900))
    assert run(*command, "-CAfile", tsa.root_file).returncode != 0


def test_expired_device_is_trusted_through_a_token_from_before(tmp_path: Path, tsa: Tsa) -> None:
    now = datetime.now(UTC)
    folder = recording(tmp_path / "R", days=1, begin=now - HOUR - timedelta(days=1))  # expired an hour ago
    segment = folder / "segment-0001.mp4"
    roots = AUTHORITY.root_pem + tsa.root_pem
    assert c2pa_state(segment.read_bytes(), roots, explicit=False) != "Trusted"
    assert not encypher_accepts(segment.read_bytes(), AUTHORITY.root_pem, tsa.root_pem)
    bare = report(folder, tsa.root, now=now)
    assert (bare.verdict, bare.time.status) == (Verdict.COMPLETE, Status.NOTED)
    assert "只有设备自报" in bare.time.lines[0]
    stamp_recording(folder, asking(tsa, hours_ago=3))  # two hours before it expired
    assert c2pa_state(segment.read_bytes(), roots, explicit=False) == "Trusted"
    assert encypher_accepts(segment.read_bytes(), AUTHORITY.root_pem, tsa.root_pem)
    seen = report(folder, tsa.root, now=now)
    assert (seen.verdict, seen.time.status) == (Verdict.COMPLETE, Status.PASSED)


def test_device_without_a_clock_is_judged_by_the_day_of_its_token(tmp_path: Path, tsa: Tsa) -> None:
    """Its certificate has ended since; nobody but the authority knows when it signed."""
    now = datetime.now(UTC)
    folder = recording(tmp_path / "R", days=1, begin=now - HOUR - timedelta(days=1), unset=True)
    assert report(folder, tsa.root, now=now).verdict is Verdict.UNTRUSTED
    stamp_recording(folder, asking(tsa, hours_ago=3))
    seen = report(folder, tsa.root, now=now)
    assert seen.verdict is not Verdict.UNTRUSTED
    assert any("时间戳见证时证书有效" in line for line in seen.time.lines)


def test_token_from_after_the_expiry_proves_nothing_and_that_is_said(tmp_path: Path, tsa: Tsa) -> None:
    now = datetime.now(UTC)
    folder = recording(tmp_path / "R", days=1, begin=now - HOUR - timedelta(days=1))
    stamp_recording(folder, asking(tsa))
    seen = report(folder, tsa.root, now=now)
    assert seen.time.status is Status.NOTED
    assert "晚于证书有效期" in seen.time.lines[0]


def test_token_about_another_signature_is_altered(tmp_path: Path, tsa: Tsa) -> None:
    folder = recording(tmp_path / "R")
    token = asking(tsa).stamp(b"something else")[0]
    data = (folder / "segment-0001.mp4").read_bytes()
    forged = with_box(data, time_stamps.stamped(box_of(data), _token(token)))
    seen = report(folder, tsa.root, segment=forged)
    assert seen.verdict is Verdict.ALTERED
    assert [place.kind for place in seen.places] == ["manifest"]


def test_token_of_an_unknown_authority_is_noted_and_counts_for_nothing(
    tmp_path: Path, tsa: Tsa, other_tsa: Tsa
) -> None:
    folder = recording(tmp_path / "R")
    stamped(folder, tsa)
    (folder / "x").mkdir()
    stranger = x509.load_pem_x509_certificate(make_authority("beidou").root_pem)
    seen = report(folder, stranger)
    assert (seen.verdict, seen.time.status) == (Verdict.COMPLETE, Status.NOTED)
    assert "没有给出其根证书" in seen.time.lines[0]
    assert "witnessed" not in "".join(seen.time.lines)
    same_name = report(folder, other_tsa.root)  # an authority that only calls itself the same
    assert same_name.verdict is Verdict.ALTERED


def test_every_flipped_bit_of_a_token_is_noticed(tmp_path: Path, tsa: Tsa) -> None:
    folder = recording(tmp_path / "R")
    data = stamped(folder, tsa)
    token = read_manifest(box_of(data)).token
    assert token is not None
    begin = data.index(token)
    for at in range(begin, begin + len(token), 23):
        seen = report(folder, tsa.root, segment=flipped(data, at))
        assert seen.verdict is Verdict.ALTERED or seen.time.status is not Status.PASSED, at
    for at in (begin + len(token) + 10, begin + len(token) + 5000):  # the padding behind it
        assert report(folder, tsa.root, segment=flipped(data, at)).verdict is Verdict.ALTERED


@pytest.mark.parametrize("keep", [0, 1, 100, 600, -1])
def test_cut_token_is_altered(tmp_path: Path, tsa: Tsa, keep: int) -> None:
    folder = recording(tmp_path / "R")
    data = (folder / "segment-0001.mp4").read_bytes()
    message = read_manifest(box_of(data)).countersigned
    token = _token(asking(tsa).stamp(message)[0])
    forged = with_box(data, time_stamps.stamped(box_of(data), token[:keep]))
    assert report(folder, tsa.root, segment=forged).verdict is Verdict.ALTERED


def hiding(box: bytes) -> bytes:
    """The stamped manifest box with something beside the token."""
    signed, encoded = time_stamps.signature_in(box[time_stamps.STORE_AT :])
    header = dict(signed.unprotected)
    header["sigTst2"] = {**header["sigTst2"], "note": "hidden"}
    header["pad"] = header["pad"][
        : -len(cose.encode(signed.protected_bytes, header, None, signed.signature)) + len(encoded)
    ]
    hidden = cose.encode(signed.protected_bytes, header, None, signed.signature)
    assert len(hidden) == len(encoded)
    return box[: -len(encoded)] + hidden


def test_nothing_else_may_hide_behind_a_token(tmp_path: Path, tsa: Tsa) -> None:
    """A header with more in it than the token: read as damaged, though the signature does not cover it."""
    folder = recording(tmp_path / "R")
    data = stamped(folder, tsa)
    box = box_of(data)
    assert report(folder, tsa.root, segment=with_box(data, hiding(box))).verdict is Verdict.ALTERED


def _alone(folder: Path) -> int:
    """The exit code of the verifier in one file."""
    (folder.parent / "root.pem").write_bytes(AUTHORITY.root_pem)
    return run(sys.executable, "-I", ALONE, folder, "--root", folder.parent / "root.pem").returncode


def test_the_verifier_in_one_file_accepts_a_stamped_recording_and_no_other_change(tmp_path: Path, tsa: Tsa) -> None:
    folder = recording(tmp_path / "R")
    data = stamped(folder, tsa)
    assert _alone(folder) == 0
    token = read_manifest(box_of(data)).token
    assert token is not None
    begin = data.index(token)
    forged = [
        flipped(data, begin + len(token) + 5000),  # the padding behind the token
        with_box(data, hiding(box_of(data))),
        flipped(data, manifest_at(data) + 400),
        data + b"\0\0\0\x08free",
    ]
    for at, changed in enumerate(forged):
        (folder / "segment-0001.mp4").write_bytes(changed)
        assert _alone(folder) == Verdict.ALTERED.exit_code, at


def test_exported_stamped_recording_is_verified_by_the_page_that_lies_in_it(tmp_path: Path, tsa: Tsa) -> None:
    folder = recording(tmp_path / "R", segments=2)
    stamp_recording(folder, asking(tsa))
    office = Office("receiver-1", AUTHORITY.signer("receiver-1"), AUTHORITY.root, tmp_path / LEDGER_NAME, no_grounds)
    wish = Wish(Responsibility("示例-000003", "示例区法院调取", "示例-000004"))
    for name in folder.glob("*.unstamped"):
        name.unlink()  # not needed: the device's box can be had from the stamped one
    export_recording(folder, tmp_path / "out", wish, office, NOW + timedelta(days=1))
    page = tmp_path / "out" / HOW_TO_NAME
    assert len(page.read_text(encoding="utf-8").splitlines()) <= MAX_PAGE_LINES
    assert list(follow(tmp_path / "out").values()) == [(0, True)] * 11
    assert (tmp_path / "out" / "SHA256SUMS.p7s.tsr").is_file()
    changed = tmp_path / "out" / "segment-0002.mp4"
    changed.write_bytes(flipped(changed.read_bytes(), 10))
    assert [answer for command, answer in follow(tmp_path / "out").items() if "unstamped; do" in command] == [
        (0, False)
    ]


@pytest.mark.parametrize(("hours", "before"), [(1, True), (-1, False)])
def test_time_stamp_tells_what_was_signed_before_the_key_was_revoked(
    tmp_path: Path, tsa: Tsa, hours: int, before: bool
) -> None:
    """The stamp is of now: a revocation of an hour later came after it, whatever the device's clock says."""
    folder = recording(tmp_path / "R")
    stamped(folder, tsa)
    revoked = credential(AUTHORITY.signer(), DEVICE, Role.RECORDER, datetime.now(UTC) + hours * HOUR)
    seen = report(folder, tsa.root, trust=trust_list(District("xinghe"), 1, NOW, [revoked]))
    assert ("已有见证" in "".join(seen.trust.lines)) is before


def test_other_changes_to_a_stamped_file_are_still_altered(tmp_path: Path, tsa: Tsa) -> None:
    folder = recording(tmp_path / "R")
    data = stamped(folder, tsa)
    for at in (10, manifest_at(data) + 400, len(data) // 2, len(data) - 1):
        assert report(folder, tsa.root, segment=flipped(data, at)).verdict is Verdict.ALTERED
    assert report(folder, tsa.root, segment=data + b"\0\0\0\x08free").verdict is Verdict.ALTERED


def test_answer_that_does_not_verify_changes_nothing(tmp_path: Path, tsa: Tsa, other_tsa: Tsa) -> None:
    folder = recording(tmp_path / "R")
    before = (folder / "segment-0001.mp4").read_bytes()
    wrong = [
        Authority(tsa.answer, [other_tsa.root]),
        Authority(lambda request: tsa.answer(request)[:-20], [tsa.root]),
        Authority(lambda _: b"", [tsa.root]),
        Authority(lambda _: bytes(100_000), [tsa.root]),
        Authority(lambda _: asking(tsa).stamp(b"x")[0], [tsa.root]),
    ]
    for authority in wrong:
        with pytest.raises(SenderFault):
            stamp_recording(folder, authority)
    assert (folder / "segment-0001.mp4").read_bytes() == before
    assert {place.name for place in folder.iterdir()} == {
        "segment-0001.mp4", "journal.jsonl", "SHA256SUMS", "SHA256SUMS.p7s",
    }  # fmt: skip


def test_certificate_that_is_not_for_time_stamping_is_refused(tmp_path: Path) -> None:
    wrong = make_tsa(tmp_path / "wrong", usage=ExtendedKeyUsageOID.CODE_SIGNING)
    with pytest.raises((SenderFault, subprocess.CalledProcessError)):
        stamp_recording(recording(tmp_path / "R"), asking(wrong))


def test_token_made_after_the_authoritys_own_certificate_ended_is_refused(tmp_path: Path) -> None:
    folder = recording(tmp_path / "R")
    with pytest.raises((SenderFault, subprocess.CalledProcessError)):
        stamp_recording(folder, asking(make_tsa(tmp_path / "expired", days=-1)))
    assert (folder / "SHA256SUMS.p7s").is_file()
    assert report(folder).verdict is Verdict.COMPLETE


def test_second_run_changes_nothing(tmp_path: Path, tsa: Tsa) -> None:
    folder = recording(tmp_path / "R")
    assert [outcome.at is None for outcome in stamp_recording(folder, asking(tsa))] == [False, False]
    after = {place.name: place.read_bytes() for place in folder.iterdir()}
    assert [outcome.at for outcome in stamp_recording(folder, asking(tsa))] == [None]
    assert {place.name: place.read_bytes() for place in folder.iterdir()} == after


@pytest.mark.parametrize("written", [1, 300, 9000, 16383])
def test_power_cut_while_stamping_is_mended_by_the_next_run(tmp_path: Path, tsa: Tsa, written: int) -> None:
    folder = recording(tmp_path / "R")
    before = (folder / "segment-0001.mp4").read_bytes()
    after = stamped(folder, tsa)
    at = manifest_at(before)
    torn = before[:at] + box_of(after)[:written] + before[at + written :]
    (folder / "segment-0001.mp4").write_bytes(torn)
    (folder / "segment-0001.mp4.stamping").write_bytes(box_of(after))
    stamp_segment(folder / "segment-0001.mp4", asking(tsa))
    seen = report(folder, tsa.root)
    assert (seen.verdict, seen.time.status) == (Verdict.COMPLETE, Status.PASSED)
    assert not list(folder.glob("*.stamping"))


def _nobody(_: bytes) -> bytes:
    raise EnvironmentFault("nobody is there")


@pytest.mark.parametrize("beside", ["its own", "another's", "too short"])
def test_damaged_manifest_is_not_made_good_by_files_that_lie_beside_it(tmp_path: Path, tsa: Tsa, beside: str) -> None:
    """What was tampered with stays as it was found, whoever laid a box there, and whether the authority answers."""
    folder, segment = recording(tmp_path / "R"), tmp_path / "R" / "segment-0001.mp4"
    good = segment.read_bytes()
    other = recording(tmp_path / "S")
    sources = {"its own": folder, "another's": other}
    old = box_of(good) if beside == "its own" else box_of((other / "segment-0001.mp4").read_bytes())
    new = box_of(stamped(sources.get(beside, other), tsa))
    tampered = flipped(good, manifest_at(good) + 3000)
    segment.write_bytes(tampered)
    (folder / "segment-0001.mp4.unstamped").write_bytes(b"x" if beside == "too short" else old)
    (folder / "segment-0001.mp4.stamping").write_bytes(new)
    for authority in (Authority(_nobody, [tsa.root]), asking(tsa)):
        with pytest.raises(SenderFault, match="原样未动"):
            stamp_segment(segment, authority)
    assert segment.read_bytes() == tampered


def test_unsealed_segment_is_not_stamped(tmp_path: Path, tsa: Tsa) -> None:
    segment = tmp_path / "segment-0001.mp4"
    segment.write_bytes(Bench(AUTHORITY.signer()).live()[1])
    with pytest.raises(OperatorFault, match="尚未封存"):
        stamp_segment(segment, asking(tsa))


def test_too_large_a_token_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    box = box_of((recording(tmp_path / "R") / "segment-0001.mp4").read_bytes())
    with pytest.raises(SenderFault, match="放不下"):
        time_stamps.stamped(box, bytes(15_000))


def test_the_commands_stamp_over_http_and_through_a_command(tmp_path: Path, tsa: Tsa) -> None:
    first, second = recording(tmp_path / "A"), recording(tmp_path / "B")
    command = [sys.executable, "-m", "provisioning.center.cli", "timestamp", "--tsa-root", tsa.root_file, "--json"]
    with tsa.serving() as address:
        over = run(*command, first, "--tsa", address)
    assert over.returncode == 0, over.stderr
    assert len(json.loads(over.stdout)["files"]) == 2
    through = run(*command, second, "--tsa-command", " ".join(tsa.command()))
    assert through.returncode == 0, through.stderr
    (tmp_path / "root.pem").write_bytes(AUTHORITY.root_pem)
    verify = [sys.executable, "-m", "agent.verify_cli", first, second, "--roots", tmp_path / "root.pem"]
    verify += ["--tsa-root", tsa.root_file]
    seen = run(*verify)
    assert seen.returncode == 0, seen.stdout
    assert seen.stdout.count("witnessed") == 2
    (second / "SHA256SUMS.p7s.tsr").unlink()
    refused = run(*command, second, "--tsa", "http://127.0.0.1:9/")
    assert (refused.returncode, refused.stderr.count("\n")) == (4, 1)


@pytest.mark.parametrize("line", ["false", "no-such-program", "sh -c 'echo no >&2; exit 3'"])
def test_authority_that_does_not_answer_is_an_environment_fault(line: str) -> None:
    with pytest.raises(EnvironmentFault, match="时间戳服务没有回答"):
        by_command(line)(b"request")


def test_addresses_other_than_http_are_refused() -> None:
    with pytest.raises(OperatorFault, match="http"):
        over_http("file:///etc/passwd")


def _certificates(response: bytes) -> list[bytes]:
    token = list(der.children(der.only(response, der.SEQUENCE)))[1]
    wrapped = list(der.children(der.only(token, der.SEQUENCE)))[1]
    signed = list(der.children(der.only(der.only(wrapped, der.CONTEXT_0), der.SEQUENCE)))
    return list(der.children(der.only(signed[3], der.CONTEXT_0)))


def _token(response: bytes) -> bytes:
    from rfc3161_client import decode_timestamp_response

    return decode_timestamp_response(response).time_stamp_token()


def rebuilt(token: bytes, change: Change) -> bytes:
    """`token` after `change` had the fields of its SignedData and of its SignerInfo."""
    kind, wrapped = der.children(der.only(token, der.SEQUENCE))
    signed = list(der.children(der.only(der.only(wrapped, der.CONTEXT_0), der.SEQUENCE)))
    signer = list(der.children(der.only(der.only(signed.pop(), der.SET), der.SEQUENCE)))
    change(signed, signer)
    signed.append(der.element(der.SET, der.element(der.SEQUENCE, *signer)))
    return der.element(der.SEQUENCE, kind, der.element(der.CONTEXT_0, der.element(der.SEQUENCE, *signed)))


HIDDEN = der.element(der.OCTETS, b"HIDDEN MESSAGE " * 100)


def _unchanged(signed: list[bytes], signer: list[bytes]) -> None:
    """As the authority made it."""


def _unsigned_attribute(signed: list[bytes], signer: list[bytes]) -> None:
    kind = bytes.fromhex("06092a864886f70d01090e")
    signer.append(der.element(0xA1, der.element(der.SEQUENCE, kind, der.element(der.SET, HIDDEN))))


def _revocation_list(signed: list[bytes], signer: list[bytes]) -> None:
    signed.append(der.element(0xA1, der.element(der.SEQUENCE, HIDDEN)))


def _stray_certificate(signed: list[bytes], signer: list[bytes]) -> None:
    signed[3] = der.element(der.CONTEXT_0, der.only(signed[3], der.CONTEXT_0), AUTHORITY.signer().chain[0])


def _same_certificate_twice(signed: list[bytes], signer: list[bytes]) -> None:
    signed[3] = der.element(der.CONTEXT_0, 2 * der.only(signed[3], der.CONTEXT_0))


def _other_version(signed: list[bytes], signer: list[bytes]) -> None:
    signed[0] = bytes.fromhex("020104")


def _digest_parameters(signed: list[bytes], signer: list[bytes]) -> None:
    signer[2] = der.element(der.SEQUENCE, der.only(signer[2], der.SEQUENCE)[:11], HIDDEN)
    signed[1] = der.element(der.SET, signer[2])


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "change",
    [_unsigned_attribute, _revocation_list, _stray_certificate, _same_certificate_twice, _other_version,
     _digest_parameters],
)  # fmt: skip
def test_nothing_rides_along_inside_a_token(tmp_path: Path, tsa: Tsa, change: Change, known: bool) -> None:
    """Neither with the authority's root, nor without it: what nobody signed is not "complete"."""
    folder = recording(tmp_path / "R")
    before = (folder / "segment-0001.mp4").read_bytes()
    token = read_manifest(box_of(stamped(folder, tsa))).token
    assert token is not None
    assert rebuilt(token, _unchanged) == token
    forged = with_box(before, time_stamps.stamped(box_of(before), rebuilt(token, change)))
    assert report(folder, *([tsa.root] if known else []), segment=forged).verdict is Verdict.ALTERED


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_every_flipped_bit_inside_a_token_is_refused(tmp_path: Path, tsa: Tsa) -> None:
    """Nineteen were accepted: versions, algorithm ids, and one (a string's tag) ended in a traceback."""
    found = read_manifest(box_of(stamped(recording(tmp_path / "R"), tsa)))
    token = found.token
    assert token is not None
    assert token_path(token)[0] is not None
    read = token_reader([tsa.root])
    assert read(token, found.countersigned).authority == "Liuhen bench TSA"
    for bit in range(8 * len(token)):
        changed = bytearray(token)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SenderFault):
            read(bytes(changed), found.countersigned)


def test_signature_that_cannot_be_read_is_told_in_one_line(tmp_path: Path, tsa: Tsa) -> None:
    folder = recording(tmp_path / "R")
    (folder / "SHA256SUMS.p7s").unlink()
    (folder / "SHA256SUMS.p7s").mkdir()
    with pytest.raises(EnvironmentFault, match=r"SHA256SUMS\.p7s.*重试"):
        stamp_recording(folder, asking(tsa))
