"""A certificate with any one bit flipped is a verdict or a refusal in every verifier, and never a traceback."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509

from agent.errors import SenderFault
from agent.evidence import cms
from agent.evidence.bmff import Source
from agent.evidence.certificates import trust_chain
from agent.evidence.photo_report import verify_photo
from agent.evidence.report import Verdict
from agent.evidence.verify import SegmentFile, Sidecars, verify_recording
from agent.wire.envelope import seal
from agent.wire.notes import NOTE_TYPE, open_note
from agent.wire.signing import certificate_key, load_certificate, load_pem_certificates
from tests.agent.evidence import photos
from tests.agent.evidence.agreement import SOUND
from tests.agent.evidence.attacks import AUTHORITY, folder, new
from tests.agent.evidence.bench import NOW
from tests.agent.evidence.test_explanations import note
from tests.agent.evidence.test_standalone import alone as alone

BENCH = new()
SIGNER = BENCH.signer
FOLDER = folder(BENCH, BENCH.sealed())
NOISE = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
pytestmark = NOISE  # a serial number that is not positive is read with a warning
VERSION_AT = 12  # behind two SEQUENCE heads of four bytes and the tag of [0], the INTEGER's one byte
STEP = 41  # bits; every bit of a certificate is tried at the door, some of them through the whole house


def flips(data: bytes, certificate: bytes, step: int = STEP) -> Iterator[bytes]:
    """`data` with one bit of `certificate` in it flipped: all of its version, some of the rest."""
    at = data.index(certificate)
    version = range(8 * VERSION_AT, 8 * (VERSION_AT + 1))
    for bit in [*version, *range(0, 8 * len(certificate), step)]:
        changed = bytearray(data)
        changed[at + bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def test_flips_hit_the_version() -> None:
    leaf = SIGNER.chain[0]
    assert leaf[VERSION_AT - 4 : VERSION_AT + 1].hex() == "a003020102"
    with pytest.raises(x509.InvalidVersion):
        x509.load_der_x509_certificate(next(flips(leaf, leaf)))


def test_every_flipped_bit_of_a_certificate_is_read_or_refused() -> None:
    leaf, rest = SIGNER.chain[0], SIGNER.chain[1:]
    for changed in flips(leaf, leaf, step=1):
        try:
            certificate_key(load_certificate(changed))
            load_pem_certificates(b"-----BEGIN CERTIFICATE-----\n" + changed)
        except SenderFault:
            pass
        with pytest.raises(SenderFault):
            trust_chain([changed, *rest], [AUTHORITY.root])


@pytest.mark.parametrize("name", ["segment-0001.mp4", "SHA256SUMS.p7s"])
@pytest.mark.parametrize("number", [0, 1])
def test_flipped_bit_in_a_recordings_certificate_is_a_verdict(
    alone: ModuleType, tmp_path: Path, name: str, number: int
) -> None:
    for file, data in FOLDER.items():
        (tmp_path / file).write_bytes(data)
    for changed in flips(FOLDER[name], SIGNER.chain[number], 8 * STEP):
        (tmp_path / name).write_bytes(changed)
        assert _judged({**FOLDER, name: changed}) not in SOUND
        assert alone.verify(tmp_path, [AUTHORITY.root])[0] not in SOUND


def _judged(folder: dict[str, bytes]) -> Verdict:
    files = [SegmentFile("segment-0001.mp4", Source.of_bytes(folder["segment-0001.mp4"]))]
    beside = Sidecars(*(folder.get(name) for name in ("journal.jsonl", "SHA256SUMS", "SHA256SUMS.p7s")))
    return verify_recording(files, [AUTHORITY.root], NOW, beside).verdict


def test_flipped_bit_in_a_photos_certificate_is_a_verdict() -> None:
    photo = photos.photo(SIGNER)
    for certificate in SIGNER.chain:
        for changed in flips(photo, certificate):
            assert verify_photo("a.jpg", changed, [AUTHORITY.root], NOW).verdict not in SOUND


@pytest.mark.parametrize("number", [0, 1])
def test_flipped_bit_in_a_sums_signature_certificate_opens_as_nothing(number: int) -> None:
    signature = FOLDER["SHA256SUMS.p7s"]
    for changed in flips(signature, SIGNER.chain[number], 8):
        try:
            chain = cms.open_detached(changed, FOLDER["SHA256SUMS"])
        except SenderFault:
            continue
        with pytest.raises(SenderFault):
            trust_chain(chain, [AUTHORITY.root])


def test_flipped_bit_in_the_frame_of_a_sums_signature_is_altered_in_both(alone: ModuleType) -> None:
    """Version, digest algorithms, content type, the lengths: what openssl refuses, and whatever it does not."""
    signature, sums = FOLDER["SHA256SUMS.p7s"], FOLDER["SHA256SUMS"]
    told: list[tuple[str, str]] = []
    begin = signature.index(SIGNER.chain[0])
    end = signature.index(SIGNER.chain[1]) + len(SIGNER.chain[1])
    for at in [*range(begin), *range(end, len(signature))]:
        for bit in range(8):
            changed = bytearray(signature)
            changed[at] ^= 1 << bit
            with pytest.raises(SenderFault):
                cms.open_detached(bytes(changed), sums)
            told.clear()
            alone.check_signature(bytes(changed), sums, [AUTHORITY.root], set(), None, lambda *it: told.append(it))
            assert [verdict for verdict, _ in told] == ["altered"], at
    alone.check_signature(signature, sums, [AUTHORITY.root], set(), None, lambda *it: told.append(it))
    assert len(told) == 1


def test_flipped_bit_in_a_notes_certificate_is_refused() -> None:
    """Signed over the damage, so that nothing refuses it before the certificate is read."""
    leaf, issuing = SIGNER.chain
    for changed in flips(leaf, leaf, 8):
        forged = seal(NOTE_TYPE, note(BENCH).encode((changed, issuing)), [SIGNER])
        try:
            chain = open_note(forged).chain
        except SenderFault:
            continue
        with pytest.raises(SenderFault):
            trust_chain(chain, [AUTHORITY.root])
