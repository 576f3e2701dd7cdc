"""Certificate paths that are built of honest parts and must not be believed, before both verifiers."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from agent.evidence.bmff import Source
from agent.evidence.grounds import Grounds
from agent.evidence.sidecars import journal_lines, sha256sums, sign_sums
from agent.evidence.verify import SegmentFile, Sidecars, verify_recording
from agent.wire.identifiers import Digest, District
from agent.wire.signing import KeySigner
from agent.wire.trust import Role, trust_list
from tests.agent.evidence.bench import (
    BEGIN,
    DEVICE,
    NOW,
    Authority,
    Bench,
    make_authority,
    private_key,
)
from tests.agent.evidence.telling import credential
from tests.agent.evidence.test_standalone import alone as alone

AUTHORITY = make_authority()


def _built(
    subject: x509.Name, issuer: x509.Certificate, key: str, issuer_key: str, days: int, extensions: Sequence[object]
) -> x509.Certificate:
    own, above = private_key(key), private_key(issuer_key)
    builder = x509.CertificateBuilder(extensions=list(extensions)).subject_name(subject).issuer_name(issuer.subject)  # type: ignore[arg-type]
    builder = builder.not_valid_before(BEGIN).not_valid_after(BEGIN + timedelta(days=days)).serial_number(77)
    builder = builder.public_key(own.public_key())
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
    above_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key())
    return builder.add_extension(above_id, critical=False).sign(above, hashes.SHA256())


def _extensions(of: x509.Certificate) -> list[x509.Extension[x509.ExtensionType]]:
    mine = (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier)
    return [it for it in of.extensions if not isinstance(it.value, mine)]


def _signer(*chain: x509.Certificate) -> KeySigner:
    return KeySigner(private_key(f"leaf {DEVICE}"), tuple(it.public_bytes(Encoding.DER) for it in chain))


def _leaf(issuer: x509.Certificate, issuer_key: str, *, may_certify: bool = False) -> x509.Certificate:
    honest = x509.load_der_x509_certificate(AUTHORITY.signer().chain[0])
    extensions = [it for it in _extensions(honest) if not may_certify or not isinstance(it.value, x509.KeyUsage)]
    if may_certify:
        usage = x509.KeyUsage(True, False, False, False, False, True, False, False, False)
        extensions.append(x509.Extension(x509.KeyUsage.oid, True, usage))
    return _built(honest.subject, issuer, f"leaf {DEVICE}", issuer_key, 9000, extensions)


def _sub_authority(days: int = 9000) -> x509.Certificate:
    issuing = AUTHORITY.issuing
    return _built(issuing.subject, issuing, "sub", "issuing xinghe", days, _extensions(issuing))


def _verdicts(alone: ModuleType, tmp_path: Path, data: bytes, roots: Sequence[x509.Certificate]) -> tuple[str, str]:
    """What both verifiers say of one segment."""
    place = tmp_path / "segment-0001.mp4"
    place.write_bytes(data)
    ours = verify_recording([SegmentFile(place.name, Source.of_bytes(data))], roots, NOW).verdict.value
    return ours, alone.verify(place, list(roots))[0]


def _refused(alone: ModuleType, tmp_path: Path, signer: KeySigner) -> bool:
    said = _verdicts(alone, tmp_path, Bench(signer).sealed(), [AUTHORITY.root])
    return said == ("untrusted", "untrusted")


def test_leaf_built_like_these_is_believed(alone: ModuleType, tmp_path: Path) -> None:
    """The others differ from this one in nothing but what their names say."""
    good = Bench(_signer(_leaf(AUTHORITY.issuing, "issuing xinghe"), AUTHORITY.issuing)).sealed()
    assert _verdicts(alone, tmp_path, good, [AUTHORITY.root]) == ("complete", "complete")


def test_leaf_that_may_sign_certificates_is_untrusted(alone: ModuleType, tmp_path: Path) -> None:
    leaf = _leaf(AUTHORITY.issuing, "issuing xinghe", may_certify=True)
    assert _refused(alone, tmp_path, _signer(leaf, AUTHORITY.issuing))


def test_path_longer_than_the_authority_may_make_is_untrusted(alone: ModuleType, tmp_path: Path) -> None:
    """The issuing authority is allowed no authority below it (RFC 5280, 4.2.1.9)."""
    sub = _sub_authority()
    assert _refused(alone, tmp_path, _signer(_leaf(sub, "sub"), sub, AUTHORITY.issuing))


def test_issuing_authority_that_was_over_before_the_recording_makes_it_untrusted(
    alone: ModuleType, tmp_path: Path
) -> None:
    old = _built(
        AUTHORITY.issuing.subject, AUTHORITY.root, "issuing xinghe", "root xinghe", 30, _extensions(AUTHORITY.issuing)
    )
    assert _refused(alone, tmp_path, _signer(_leaf(old, "issuing xinghe"), old))


@pytest.mark.parametrize("turned", [False, True])
def test_two_roots_of_one_name_are_both_tried(alone: ModuleType, tmp_path: Path, turned: bool) -> None:
    """An authority that was made anew bears the old one's name."""
    root = AUTHORITY.root
    other = _built(root.subject, root, "another root", "another root", 9000, _extensions(root))
    roots = [root, other][:: -1 if turned else 1]
    data = Bench(Authority(root, AUTHORITY.issuing, AUTHORITY.issuing_key).signer()).sealed()
    assert _verdicts(alone, tmp_path, data, roots) == ("complete", "complete")


@pytest.mark.parametrize("revoked", [False, True])
def test_sums_that_a_revoked_key_of_the_device_signed_are_untrusted(revoked: bool) -> None:
    """The film is signed with the key that the device got after it; only the list is signed with the old one."""
    old, bench = AUTHORITY.signer(), Bench(AUTHORITY.signer(key_of="renewed"))
    film = bench.sealed()
    journal = journal_lines(bench.records)
    digests = {"segment-0001.mp4": film, "journal.jsonl": journal}
    sums = sha256sums({name: Digest(hashlib.sha256(data).hexdigest()) for name, data in digests.items()})
    listed = [
        credential(old, DEVICE, Role.RECORDER, NOW - timedelta(days=1) if revoked else None),
        credential(bench.signer, DEVICE, Role.RECORDER),
    ]
    trust = trust_list(District("xinghe"), 1, NOW, listed)
    files = [SegmentFile("segment-0001.mp4", Source.of_bytes(film))]
    beside = Sidecars(journal, sums, sign_sums(sums, old))
    report = verify_recording(files, [AUTHORITY.root], NOW, beside, grounds=Grounds(trust))
    assert report.verdict.value == ("untrusted" if revoked else "complete")
