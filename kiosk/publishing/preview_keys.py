"""Keys of a preview: made in memory, signed for by nobody, gone afterwards. No kiosk of a hall believes them."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from agent.wire.disclosures import DISCLOSURE_TYPE, Disclosure
from agent.wire.envelope import seal
from agent.wire.identifiers import District
from agent.wire.signing import KeySigner
from agent.wire.trust import TRUST_TYPE, Credential, Role, trust_list
from kiosk.publishing.snapshot import Shelves

NAMES = {Role.EDITOR: "预览-编辑未签名", Role.REVIEWER: "预览-审核未签名"}


def preview_shelves(
    documents: Iterable[Disclosure], content: Mapping[str, bytes], place: District, now: datetime
) -> Shelves:
    """`documents` as a kiosk would get them, by keys that the pages name as a preview's."""
    issued = now - timedelta(days=1)
    root_key, root = _certificate("Liuhen Preview", issued)
    people = {role: _certificate(name, issued) for role, name in NAMES.items()}
    credentials = [
        Credential(name, role, people[role][1].public_bytes(Encoding.PEM).decode()) for role, name in NAMES.items()
    ]
    listed = trust_list(place, 1, issued, credentials)
    signers = [KeySigner(key, (own.public_bytes(Encoding.DER),)) for key, own in people.values()]
    root_signer = KeySigner(root_key, (root.public_bytes(Encoding.DER),))
    sealed = {".".join(one.key): seal(DISCLOSURE_TYPE, one.encode(), signers) for one in documents}
    return Shelves(
        root.public_bytes(Encoding.PEM), seal(TRUST_TYPE, listed.encode(), [root_signer]), sealed, dict(content)
    )


def _certificate(name: str, issued: datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(issued).not_valid_after(issued + timedelta(days=400))
    return key, dated.sign(key, hashes.SHA256())
