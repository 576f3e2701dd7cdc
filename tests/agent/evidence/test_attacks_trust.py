"""Attacks with certificates, clocks and sidecars: our verdict, and what c2pa-python, encypher-c2pa, openssl say."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.evidence.bmff import Source
from agent.evidence.journal import FragmentMoment, Reason
from agent.evidence.report import Report, Verdict
from agent.evidence.segment import Closing, SegmentEmitter
from agent.evidence.sidecars import journal_lines, sha256sums, sign_sums
from agent.evidence.verify import SegmentFile, Sidecars, verify_recording
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest
from agent.wire.instant import TimeState
from agent.wire.signing import KeySigner
from tests.agent.evidence.agreement import Judges
from tests.agent.evidence.bench import BEGIN, NOW, Authority, Bench, make_authority, patched, private_key
from tests.agent.evidence.foreign import run
from tests.agent.evidence.telling import Centre
from tests.support.media import FRAGMENT_MS

AUTHORITY = make_authority()
JUDGES = Judges(AUTHORITY)


def _at(bench: Bench, wall: datetime, **changes: object) -> Bench:
    bench.now = replace(bench.now, wall=wall, **changes)  # type: ignore[arg-type]
    return bench


# Certificates.


def _self_signed(bench: Bench) -> KeySigner:
    device = x509.load_der_x509_certificate(bench.signer.chain[0])
    key = private_key("an invented forger")
    builder = x509.CertificateBuilder(extensions=list(device.extensions)).subject_name(device.subject)
    builder = builder.issuer_name(device.subject).not_valid_before(BEGIN).not_valid_after(BEGIN + timedelta(days=9000))
    made = builder.serial_number(7).public_key(key.public_key()).sign(key, hashes.SHA256())
    return KeySigner(key, (made.public_bytes(Encoding.DER),))


def test_self_signed_certificate_is_untrusted() -> None:
    bench = Bench(AUTHORITY.signer())
    bench.signer = _self_signed(bench)
    JUDGES.all_refuse(bench.sealed(), Verdict.UNTRUSTED)


def test_certificate_of_another_district_is_untrusted() -> None:
    JUDGES.all_refuse(Bench(make_authority("beidou").signer()).sealed(), Verdict.UNTRUSTED)


@pytest.mark.parametrize(
    "usage",
    [[ExtendedKeyUsageOID.CLIENT_AUTH], [ExtendedKeyUsageOID.SERVER_AUTH], [ExtendedKeyUsageOID.CODE_SIGNING]],
    ids=["client", "server", "code"],
)
def test_certificate_for_another_purpose_is_untrusted(usage: list[x509.ObjectIdentifier]) -> None:
    JUDGES.all_refuse(Bench(AUTHORITY.signer(usage=usage)).sealed(), Verdict.UNTRUSTED)


def test_certificate_authority_itself_cannot_sign_recordings() -> None:
    signer = KeySigner(AUTHORITY.issuing_key, (AUTHORITY.issuing.public_bytes(Encoding.DER),))
    JUDGES.all_refuse(Bench(signer).sealed(), Verdict.UNTRUSTED)


def test_certificate_expired_before_the_recording_is_untrusted() -> None:
    JUDGES.all_refuse(Bench(AUTHORITY.signer(days=30)).sealed(), Verdict.UNTRUSTED)


def test_certificate_expired_since_counts_for_us_though_the_others_judge_by_today() -> None:
    """Without a trusted time-stamp they take today for the time of signing, we what the device signed; the report says
    that nobody else vouches for it."""
    bench = _at(Bench(AUTHORITY.signer(days=30)), BEGIN + timedelta(days=3))
    data = bench.sealed()
    assert JUDGES.verdicts(data) == (Verdict.COMPLETE, False, False)
    assert any("尚无可信时间戳" in line for line in JUDGES.report(data).time.lines)


def test_another_devices_certificate_under_this_name_is_untrusted_though_c2pa_does_not_compare_names() -> None:
    JUDGES.only_we_object(Bench(AUTHORITY.signer("REC-0002")).sealed(), Verdict.UNTRUSTED)


@pytest.mark.parametrize(
    ("revoked", "verdict"),
    [(timedelta(days=-1), Verdict.UNTRUSTED), (timedelta(days=1), Verdict.COMPLETE)],
    ids=["before", "after"],
)
def test_revoked_certificate_by_our_trust_list_which_the_others_do_not_know(
    revoked: timedelta, verdict: Verdict
) -> None:
    data = Bench(AUTHORITY.signer()).sealed()
    centre = Centre(AUTHORITY, revoked_at=NOW + revoked)
    assert centre.report(data).verdict is verdict
    JUDGES.all_accept(data)


def test_journal_rechained_and_sealed_by_a_stranger_is_untrusted() -> None:
    """The strongest forgery without a key of the district: everything made anew, consistent to the last byte."""
    forger = Bench(make_authority("beidou").signer())
    forger.pass_time(60_000)
    JUDGES.all_refuse(forger.sealed(), Verdict.UNTRUSTED)


# The clock. The others read no wall clock of a device; where they refuse it is for the certificate's dates today.


def test_clock_rolled_back_inside_a_recording_is_told_and_changes_no_order() -> None:
    bench = Bench(AUTHORITY.signer())
    emitter = SegmentEmitter(bench.origin(), bench.signer, bench.session)
    data = emitter.opening(bench.media.init)
    for number, media in enumerate(bench.media.fragments):
        if number == 3:
            _at(bench, bench.now.wall - timedelta(days=400))
        captured = bench.now
        bench.pass_time(FRAGMENT_MS)
        data += emitter.fragment(media, FragmentMoment(captured, FRAGMENT_MS, bench.now)).data
    patch = emitter.seal(Closing(bench.now, Reason.STOPPED))
    data = patched(data, patch.offset, patch.data)
    JUDGES.all_accept(data)
    assert any("跳变 1 次" in line for line in JUDGES.report(data).time.lines)


def test_clock_rolled_back_before_the_certificate_is_untrusted_though_the_others_read_no_clock() -> None:
    JUDGES.only_we_object(_at(Bench(AUTHORITY.signer()), BEGIN - timedelta(days=9)).sealed(), Verdict.UNTRUSTED)


def test_clock_rolled_back_before_a_revocation_is_told_as_nobodys_word_but_the_devices() -> None:
    """A stolen device with its clock set back: the trust list alone cannot prove it, and the report says so."""
    data = _at(Bench(AUTHORITY.signer()), NOW - timedelta(days=30)).sealed()
    report = Centre(AUTHORITY, revoked_at=NOW - timedelta(days=1)).report(data)
    assert any("只有设备自己的时钟为证" in line for line in report.trust.lines)


def test_clock_rolled_back_between_recordings_is_told_by_their_chain() -> None:
    one = Bench(AUTHORITY.signer())
    data = one.sealed()
    two = _at(Bench(AUTHORITY.signer(), number=2, previous=one.head), NOW - timedelta(days=3))
    report = Centre(AUTHORITY).device_report([data], [two.sealed()], known=False)
    assert any("往回拨过" in line for line in report.time.lines)


def test_clock_never_set_is_told() -> None:
    bench = _at(Bench(AUTHORITY.signer()), datetime(1970, 1, 1, tzinfo=UTC), state=TimeState.UNSET, error_ms=None)
    data = bench.sealed()
    assert JUDGES.report(data).verdict is Verdict.COMPLETE
    assert any("时钟当时未校准" in line for line in JUDGES.report(data).time.lines)


# Whole recordings: each file is whole in itself, and the others judge one file.


def test_whole_recording_removed_is_missing_though_every_file_left_is_accepted_by_the_others() -> None:
    centre, previous, recordings, now = Centre(AUTHORITY), GENESIS, [], Bench(AUTHORITY.signer()).now
    for number in (1, 2, 3):
        bench = Bench(AUTHORITY.signer(), number=number, previous=previous, now=now)
        bench.pass_time(60_000)
        recordings.append([bench.sealed()])
        centre.follow(bench)
        previous, now = bench.head, bench.now
    for gone in range(3):
        left = [it for number, it in enumerate(recordings) if number != gone]
        assert centre.device_report(*left).verdict is Verdict.MISSING
    for segments in recordings:
        JUDGES.all_accept(segments[0])


# Sidecars. For these the others are sha256sum and openssl.


class _Folder:
    """A recording with its sidecars on disk."""

    def __init__(self, place: Path, authority: Authority) -> None:
        self.place, self.bench = place, Bench(authority.signer())
        data = self.bench.sealed()
        files = {"segment-0001.mp4": data, "journal.jsonl": journal_lines(self.bench.records)}
        sums = sha256sums({name: Digest(hashlib.sha256(it).hexdigest()) for name, it in files.items()})
        files |= {"SHA256SUMS": sums, "SHA256SUMS.p7s": sign_sums(sums, self.bench.signer)}
        for name, content in files.items():
            (place / name).write_bytes(content)
        (place / "root.pem").write_bytes(authority.root_pem)

    def report(self) -> Report:
        data = (self.place / "segment-0001.mp4").read_bytes()
        journal, sums, signature = (
            (self.place / name).read_bytes() for name in ("journal.jsonl", "SHA256SUMS", "SHA256SUMS.p7s")
        )
        files = [SegmentFile("segment-0001.mp4", Source.of_bytes(data))]
        return verify_recording(files, [AUTHORITY.root], NOW, Sidecars(journal, sums, signature))

    def sums_agree(self) -> bool:
        return run("sh", "-c", f"cd {self.place} && sha256sum --check --strict --status SHA256SUMS").returncode == 0

    def signature_agrees(self) -> bool:
        names = {name: self.place / name for name in ("SHA256SUMS", "SHA256SUMS.p7s", "root.pem")}
        done = run(
            "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", names["SHA256SUMS.p7s"],
            "-content", names["SHA256SUMS"], "-CAfile", names["root.pem"], "-purpose", "any", "-out", "/dev/null",
        )  # fmt: skip
        return done.returncode == 0

    def verdicts(self) -> tuple[Verdict, bool, bool]:
        return self.report().verdict, self.sums_agree(), self.signature_agrees()

    def edit(self, name: str, old: bytes, new: bytes) -> None:
        content = (self.place / name).read_bytes()
        assert old in content
        (self.place / name).write_bytes(content.replace(old, new, 1))


@pytest.fixture
def folder(tmp_path: Path) -> _Folder:
    return _Folder(tmp_path, AUTHORITY)


def test_untouched_folder_is_accepted_by_all(folder: _Folder) -> None:
    assert folder.verdicts() == (Verdict.COMPLETE, True, True)


def test_journal_file_edited_is_altered(folder: _Folder) -> None:
    folder.edit("journal.jsonl", b'"sequence":2', b'"sequence":3')
    assert folder.verdicts() == (Verdict.ALTERED, False, True)


def test_journal_file_and_sums_edited_together_are_altered(folder: _Folder) -> None:
    old = hashlib.sha256((folder.place / "journal.jsonl").read_bytes()).hexdigest()
    folder.edit("journal.jsonl", b'"sequence":2', b'"sequence":3')
    new = hashlib.sha256((folder.place / "journal.jsonl").read_bytes()).hexdigest()
    folder.edit("SHA256SUMS", old.encode(), new.encode())
    assert folder.verdicts() == (Verdict.ALTERED, True, False)


def test_sidecars_edited_and_signed_by_a_stranger_are_altered(folder: _Folder) -> None:
    folder.edit("journal.jsonl", b'"sequence":2', b'"sequence":3')
    sums = sha256sums({name: Digest(hashlib.sha256((folder.place / name).read_bytes()).hexdigest())
                       for name in ("segment-0001.mp4", "journal.jsonl")})  # fmt: skip
    (folder.place / "SHA256SUMS").write_bytes(sums)
    (folder.place / "SHA256SUMS.p7s").write_bytes(sign_sums(sums, make_authority("beidou").signer()))
    assert folder.verdicts() == (Verdict.ALTERED, True, False)


def test_sums_signed_by_another_device_are_untrusted_though_openssl_does_not_compare_names(folder: _Folder) -> None:
    sums = (folder.place / "SHA256SUMS").read_bytes()
    (folder.place / "SHA256SUMS.p7s").write_bytes(sign_sums(sums, AUTHORITY.signer("REC-0002")))
    assert folder.verdicts() == (Verdict.UNTRUSTED, True, True)


def test_film_left_out_of_the_sums_is_altered_though_sha256sum_does_not_miss_it(folder: _Folder) -> None:
    lines = (folder.place / "SHA256SUMS").read_bytes().splitlines(keepends=True)
    sums = b"".join(line for line in lines if b"segment" not in line)
    (folder.place / "SHA256SUMS").write_bytes(sums)
    (folder.place / "SHA256SUMS.p7s").write_bytes(sign_sums(sums, folder.bench.signer))
    assert folder.verdicts() == (Verdict.ALTERED, True, True)


def test_signature_bit_flipped_is_altered(folder: _Folder) -> None:
    signature = bytearray((folder.place / "SHA256SUMS.p7s").read_bytes())
    signature[-1] ^= 1
    (folder.place / "SHA256SUMS.p7s").write_bytes(signature)
    assert folder.verdicts() == (Verdict.ALTERED, True, False)
