"""A district's evidence authority and a recording device on the test bench, with a clock that is stepped by hand."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.evidence.journal import FragmentMoment, JournalEvent, JournalRecord, Reason
from agent.evidence.segment import Closing, SegmentEmitter, SegmentOrigin, SessionKey
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import DeviceId, Digest, recording_id
from agent.wire.instant import Instant, TimeState
from agent.wire.signing import KeySigner
from tests.support.media import FRAGMENT_MS, Media, make_media

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)  # foreign verifiers ask for validity today, whenever the tests run
DEVICE = DeviceId("REC-0001")
UNIT = "星河区综合行政执法局"
BOOT = "5f0c7c1e-4d0c-4a53-9df0-2b6f6f6e0001"
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
EVIDENCE_USAGE = (DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION)
START = Instant(NOW, 10_000_000_000, BOOT, TimeState.NTP, 40)


def private_key(seed: str) -> ec.EllipticCurvePrivateKey:
    """The same P-256 key for the same seed."""
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(seed.encode()).digest()) >> 1, ec.SECP256R1())


@dataclass(frozen=True)
class Authority:
    """Root and issuing CA of an invented district."""

    root: x509.Certificate
    issuing: x509.Certificate
    issuing_key: ec.EllipticCurvePrivateKey

    @property
    def root_pem(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)

    def signer(
        self,
        name: str = DEVICE,
        *,
        begin: datetime = BEGIN,
        days: int = 9000,
        usage: Sequence[x509.ObjectIdentifier] = EVIDENCE_USAGE,
        key_of: str = "",
        critical: str = "",
    ) -> KeySigner:
        key = private_key(f"leaf {key_of or name}")
        builder = (
            _certificate(name, "recorder", self.issuing.subject, begin, days, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signing=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage(list(usage)), critical=False)
        )
        if critical:  # an extension that nobody knows
            unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(critical), b"\x05\0")
            builder = builder.add_extension(unknown, critical=True)
        leaf = _signed(builder, key, self.issuing_key)
        return KeySigner(key, (leaf.public_bytes(Encoding.DER), self.issuing.public_bytes(Encoding.DER)))


def make_authority(district: str = "xinghe") -> Authority:
    root_key, issuing_key = private_key(f"root {district}"), private_key(f"issuing {district}")
    root_name = _name(f"Liuhen {district} Evidence Root", "authority")
    root = _signed(_authority(f"Liuhen {district} Evidence Root", root_name, BEGIN, root_key, 1), root_key, root_key)
    issuing = _authority(f"Liuhen {district} Issuing CA", root.subject, BEGIN, issuing_key, 0)
    return Authority(root, _signed(issuing, issuing_key, root_key), issuing_key)


@dataclass
class Bench:
    """A device that records the test media into segments in memory."""

    signer: KeySigner
    media: Media = field(default_factory=make_media)
    session: SessionKey = field(default_factory=lambda: SessionKey(private_key("session")))
    number: int = 1
    now: Instant = START
    sequence: int = 1
    head: Digest = GENESIS
    previous: Digest = GENESIS
    segment: int = 1
    synthetic: bool = False
    source: str = "bench"
    unit: str = UNIT
    records: list[JournalRecord] = field(default_factory=list)

    def pass_time(self, milliseconds: int) -> None:
        wall = self.now.wall + timedelta(milliseconds=milliseconds)
        self.now = replace(self.now, wall=wall, monotonic_ns=self.now.monotonic_ns + milliseconds * 1_000_000)

    def origin(self) -> SegmentOrigin:
        context = {"source": self.source, "synthetic": self.synthetic, "version": "0.1.0"}
        return SegmentOrigin(
            recording_id(DEVICE, self.number),
            self.segment,
            DEVICE,
            self.unit,
            self.now,
            self.previous,
            self.sequence,
            self.head,
            context,
        )

    def live(self, *, events: dict[int, tuple[JournalEvent, ...]] | None = None) -> tuple[SegmentEmitter, bytes]:
        """An unsealed segment of all fragments of the media, and its emitter."""
        emitter = SegmentEmitter(self.origin(), self.signer, self.session)
        data = emitter.opening(self.media.init)
        for number, media in enumerate(self.media.fragments):
            captured = self.now
            self.pass_time(FRAGMENT_MS)
            signed = emitter.fragment(
                media, FragmentMoment(captured, FRAGMENT_MS, self.now, (events or {}).get(number, ()))
            )
            self.records.append(signed.record)
            data += signed.data
        self.sequence += len(self.media.fragments)
        self.head = emitter.head
        self.segment += 1
        return emitter, data

    def sealed(self, reason: Reason = Reason.STOPPED, **options: object) -> bytes:
        emitter, data = self.live(**options)  # type: ignore[arg-type]
        patch = emitter.seal(Closing(self.now, reason))
        return data[: patch.offset] + patch.data + data[patch.offset + len(patch.data) :]


def patched(data: bytes, offset: int, new: bytes) -> bytes:
    """`data` with `new` written in place."""
    return data[:offset] + new + data[offset + len(new) :]


def flipped(data: bytes, offset: int) -> bytes:
    """`data` with one bit changed."""
    return patched(data, offset, bytes([data[offset] ^ 1]))


def _authority(
    name: str, issuer: x509.Name, begin: datetime, key: ec.EllipticCurvePrivateKey, length: int
) -> x509.CertificateBuilder:
    return (
        _certificate(name, "authority", issuer, begin, 10000, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=length), critical=True)
        .add_extension(_usage(signing=False), critical=True)
    )


def _certificate(
    name: str, role: str, issuer: x509.Name, begin: datetime, days: int, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name, role))
        .issuer_name(issuer)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .serial_number(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]))
        .public_key(key)
    )


def _signed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
    return builder.add_extension(authority, critical=False).sign(issuer, hashes.SHA256(), ecdsa_deterministic=True)


def _name(name: str, role: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Liuhen test bench"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _usage(*, signing: bool) -> x509.KeyUsage:
    return x509.KeyUsage(signing, False, False, False, False, not signing, not signing, False, False)
