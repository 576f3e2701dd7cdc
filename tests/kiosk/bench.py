"""A fictional district for tests: a root, people with keys, a trust list, documents and a kiosk's folder."""

import datetime as dt
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from agent.wire.disclosures import DISCLOSURE_TYPE, Disclosure, DisclosureKind
from agent.wire.envelope import seal
from agent.wire.identifiers import District
from agent.wire.signing import KeySigner
from agent.wire.trust import TRUST_TYPE, Credential, Role, TrustList, trust_list

NOW = dt.datetime(2026, 11, 22, 2, 0, tzinfo=dt.UTC)
XINGHE = District("xinghe")
HALL = "hall-1"
SAMPLE = Path(__file__).parents[2] / "provisioning/rehearsal/sample"


@dataclass(frozen=True)
class Person:
    subject: str
    role: Role
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def signer(self) -> KeySigner:
        return KeySigner(self.key, (self.certificate.public_bytes(Encoding.DER),))

    @property
    def credential(self) -> Credential:
        return Credential(self.subject, self.role, self.certificate.public_bytes(Encoding.PEM).decode())

    def write(self, folder: Path) -> tuple[Path, Path]:
        folder.mkdir(parents=True, exist_ok=True)
        key, chain = folder / "key.pem", folder / "chain.pem"
        key.touch(0o600)
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        chain.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        return key, chain


def certificate(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    starts, ends = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
    return builder.not_valid_before(starts).not_valid_after(ends).sign(key, hashes.SHA256())


def person(subject: str, role: Role) -> Person:
    key = ec.generate_private_key(ec.SECP256R1())
    return Person(subject, role, key, certificate(subject, key))


@dataclass
class Bench:
    """`editor` and `reviewer` are two people; `editor_too` is the reviewer's second key, as editor."""

    root: Person = field(default_factory=lambda: person("Liuhen xinghe Evidence Root", Role.COMMANDER))
    editor: Person = field(default_factory=lambda: person("示例-000101", Role.EDITOR))
    reviewer: Person = field(default_factory=lambda: person("示例-000102", Role.REVIEWER))
    editor_too: Person = field(default_factory=lambda: person("示例-000102", Role.EDITOR))
    kiosk: Person = field(default_factory=lambda: person("KSK-0001", Role.KIOSK))
    recorder: Person = field(default_factory=lambda: person("REC-0001", Role.RECORDER))
    receiver: Person = field(default_factory=lambda: person("center-1", Role.RECEIVER))

    complaints: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def trust(self, version: int = 1, revoked: Person | None = None) -> TrustList:
        people = [self.editor, self.reviewer, self.editor_too, self.kiosk, self.recorder, self.receiver]
        issued = NOW - dt.timedelta(days=1)
        entries = [replace(p.credential, revoked_at=issued if p is revoked else None) for p in people]
        return trust_list(XINGHE, version, issued, entries)

    def sealed_trust(self, version: int = 1, revoked: Person | None = None) -> bytes:
        return seal(TRUST_TYPE, self.trust(version, revoked).encode(), [self.root.signer])

    def sealed(self, document: Disclosure, *people: Person) -> bytes:
        signers = people or (self.editor, self.reviewer)
        return seal(DISCLOSURE_TYPE, document.encode(), [one.signer for one in signers])

    def kiosk_folder(self, folder: Path) -> Path:
        """`kiosk.toml` with root and trust list; `state/disclosed` is not made."""
        (folder / "root.pem").write_bytes(self.root.certificate.public_bytes(Encoding.PEM))
        (folder / "trust.dsse").write_bytes(self.sealed_trust())
        key, chain = self.kiosk.write(folder)
        key.rename(folder / "evidence.key")
        chain.rename(folder / "evidence.pem")
        half = self.complaints.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / "complaint.pub").write_bytes(half)
        lines = {
            "district": "xinghe", "device": "KSK-0001", "hall": "星河区政务服务大厅", "audience": HALL,
            "listen": "127.0.0.1:0", "disclosed": "state/disclosed", "root": "root.pem", "trust_list": "trust.dsse",
            "complaint_phone": "0000-0000000",
        }  # fmt: skip
        config = folder / "kiosk.toml"
        config.write_text("".join(f'{key} = "{value}"\n' for key, value in lines.items()), encoding="utf-8")
        return config

    def office_folder(self, folder: Path) -> Path:
        (folder / "root.pem").write_bytes(self.root.certificate.public_bytes(Encoding.PEM))
        (folder / "trust.dsse").write_bytes(self.sealed_trust())
        return folder


def sample(name: str, version: int = 1, issued: dt.datetime = NOW) -> Disclosure:
    """A file of the sample district as a document issued at `issued`."""
    table = json.loads((SAMPLE / f"{name}.json").read_text(encoding="utf-8"))
    return Disclosure(
        XINGHE, table["audience"], DisclosureKind(table["kind"]), table["id"], version, table["title"],
        table["publisher"], issued, issued, None, None, tuple(table["entries"]),
    )  # fmt: skip


def sample_names() -> list[str]:
    """Every sample that is a disclosure."""
    return sorted(path.stem for path in SAMPLE.glob("*.json") if path.stem != "recording-list")
