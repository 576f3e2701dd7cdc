"""The page that answers "what am I looking at, and who answers for it?". Pure."""

from dataclasses import dataclass
from datetime import datetime

from agent.duty.disclosure_rules import ROLE_NAMES
from agent.wire.trust import TrustList
from kiosk.beijing import age_text, minute_text
from kiosk.shelf import Refusal, Shelf, Shown


@dataclass(frozen=True)
class SignerLine:
    """One verified signature: role in words, staff number, key id."""

    role: str
    subject: str
    key: str


@dataclass(frozen=True)
class DocumentProof:
    """One shown document with everything needed to check it by hand; digests are SHA-256 hex."""

    name: str
    title: str
    publisher: str
    version: int
    audience: str
    phase: str
    issued: str
    age: str
    signers: tuple[SignerLine, ...]
    payload_digest: str
    envelope_digest: str


@dataclass(frozen=True)
class Proof:
    """The whole page; `root` is the SHA-256 fingerprint of the pinned root certificate, `remark` one line about this
    screen itself."""

    documents: tuple[DocumentProof, ...]
    refused: tuple[Refusal, ...]
    trust_version: int
    trust_issued: str
    root: str
    checked: str
    remark: str = ""


def proof(shelf: Shelf, now: datetime, trust: TrustList, root: str, remark: str = "") -> Proof:
    """What is shown, what was refused and by whose word; `remark` is one line about this screen itself."""
    documents = tuple(_document(one, now) for _, one in sorted(shelf.shown.items()))
    listed = (trust.version, minute_text(trust.issued_at))
    return Proof(documents, shelf.refused, *listed, root, minute_text(now), remark)


def _document(one: Shown, now: datetime) -> DocumentProof:
    document = one.document
    signers = tuple(
        SignerLine(ROLE_NAMES.get(signer.role, signer.role.value), signer.subject, signer.key_id)
        for signer in one.opened.signers
    )
    return DocumentProof(
        one.name,
        document.title,
        document.publisher,
        document.version,
        document.audience,
        one.phase(now).value,
        minute_text(document.issued_at),
        age_text(document.issued_at, now),
        signers,
        one.payload_digest,
        one.envelope_digest,
    )
