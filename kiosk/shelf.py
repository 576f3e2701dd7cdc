"""What this screen may show: the documents that passed every rule, and why the others did not. Pure."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from agent.duty.disclosure_rules import Refusal as Reason
from agent.duty.disclosure_rules import judge, open_two_signatures
from agent.duty.floors import Floor, above, floor_of
from agent.errors import SenderFault
from agent.wire.content import Attachment
from agent.wire.disclosures import Disclosure, DisclosureKind
from agent.wire.envelope import Opened
from agent.wire.identifiers import District
from agent.wire.trust import TrustList

NEVER_OVER = datetime.min.replace(tzinfo=UTC)  # a moment at which no document has come to its end


class Phase(StrEnum):
    """Where a document stands in its life at a moment."""

    CURRENT = "公示中"
    PENDING = "尚未生效"
    EXPIRED = "已到期"
    WITHDRAWN = "已撤回"


@dataclass(frozen=True)
class Shown:
    """A verified document with the envelope it came in; `payload_digest` and `envelope_digest` are SHA-256 hex."""

    name: str
    document: Disclosure
    envelope: bytes
    opened: Opened
    payload_digest: str
    envelope_digest: str

    def phase(self, now: datetime) -> Phase:
        """A clock that is behind the document's own date is wrong: the document was signed at that date."""
        document, moment = self.document, max(now, self.document.issued_at)
        if document.withdrawn is not None:
            return Phase.WITHDRAWN
        if moment < document.effective_from:
            return Phase.PENDING
        until = document.effective_until
        return Phase.EXPIRED if until is not None and moment >= until else Phase.CURRENT


@dataclass(frozen=True)
class Refusal:
    """A file that is not shown; `reason` is one Chinese line; `over` when nothing but its end is against it."""

    name: str
    reason: str
    over: bool = False


@dataclass(frozen=True)
class Shelf:
    """`shown` and `newest` by name `kind.id`; `newest` outlives a document whose signer was revoked, so that an older
    version cannot slip into its place; `floors` is what outlives even the process. `untrusted` says why nothing at all
    can be verified here, and so nothing is shown; empty for a screen with its trust list. `clock` is one line for its
    pages when this screen's clock is known to be wrong, else empty."""

    trust_version: int = 0
    shown: Mapping[str, Shown] = field(default_factory=dict)
    refused: tuple[Refusal, ...] = ()
    newest: Mapping[str, Disclosure] = field(default_factory=dict)
    floors: Mapping[str, Floor] = field(default_factory=dict)
    untrusted: str = ""
    clock: str = ""

    def of(self, *kinds: DisclosureKind) -> list[Shown]:
        """The documents of these kinds, in the order of `kinds`, then by id."""
        return [one for kind in kinds for _, one in sorted(self.shown.items()) if one.document.kind is kind]

    def refused_of(self, *kinds: DisclosureKind) -> list[Refusal]:
        """The refused files that claim, by their name, to be of these kinds."""
        return [one for one in self.refused if one.name.partition(".")[0] in kinds]

    def fingerprint(self, now: datetime) -> str:
        """Changes whenever a page made of this shelf could look different; 16 hex characters."""
        digest = hashlib.sha256(f"{self.trust_version}{self.untrusted}{self.clock}".encode())
        for name, one in sorted(self.shown.items()):
            digest.update(f"{name} {one.envelope_digest} {one.phase(now)}\n".encode())
        for refusal in self.refused:
            digest.update(f"{refusal.name} {refusal.reason}\n".encode())
        return digest.hexdigest()[:16]


def no_files(attachment: Attachment) -> object:
    """A screen without a store of files: raises `SenderFault`."""
    raise SenderFault(f"附件 {attachment.name} 尚未收到，暂不展示。")


def restock(
    shelf: Shelf,
    files: Mapping[str, bytes],
    *,
    trust: TrustList,
    now: datetime,
    district: District,
    audience: str,
    verify: Callable[[Attachment], object] = no_files,
) -> Shelf:
    """The shelf after looking at `files` (name `kind.id` -> envelope bytes).

    A document's own files are put to `verify`, which raises `SenderFault` for one that is not there or not as signed.

    A file that is refused, or gone, leaves what was shown in its place. A newer trust list is put to every document
    again: one whose signer it revokes is shown no longer.
    """
    shown, newest, floors = dict(shelf.shown), dict(shelf.newest), dict(shelf.floors)
    refused: list[Refusal] = []
    if trust.version != shelf.trust_version:
        shown, refused = _still_trusted(shelf, trust, now)
    for name, envelope in sorted(files.items()):
        if name in shown and shown[name].envelope == envelope:
            continue
        try:
            admitted = _admit(name, envelope, newest.get(name), floors.get(name), trust, now, district, audience)
            for attachment in admitted.document.attachments:
                verify(attachment)
        except SenderFault as fault:
            refused.append(Refusal(name, str(fault), fault.code == Reason.EXPIRED))
        else:
            shown[name], newest[name] = admitted, admitted.document
            floors[name] = floor_of(admitted.document)
    refused += _missing(floors, {*shown, *files, *(refusal.name for refusal in refused)})
    return Shelf(trust.version, shown, tuple({refusal.name: refusal for refusal in refused}.values()), newest, floors)


def _admit(
    name: str,
    envelope: bytes,
    current: Disclosure | None,
    floor: Floor | None,
    trust: TrustList,
    now: datetime,
    district: District,
    audience: str,
) -> Shown:
    """One that came to its end is taken again when it is what stood here last: a restart changes no state."""
    opened = open_two_signatures(envelope, trust, now)
    document = judge(opened.payload, now=NEVER_OVER, district=district, audience=audience, current=current)
    if floor is None or floor_of(document) != floor:
        judge(opened.payload, now=now, district=district, audience=audience, current=current)
    above(floor, document)
    if ".".join(document.key) != name:
        raise SenderFault(f"文件名 {name} 与其中的公示文件 {'.'.join(document.key)} 不符，已拒绝。")
    payload_digest = hashlib.sha256(opened.payload).hexdigest()
    return Shown(name, document, envelope, opened, payload_digest, hashlib.sha256(envelope).hexdigest())


def _missing(floors: Mapping[str, Floor], known: Iterable[str]) -> list[Refusal]:
    """Documents that this screen has shown and that nobody withdrew: somebody took their files away."""
    gone = sorted(name for name in floors.keys() - set(known) if not floors[name].withdrawn)
    return [Refusal(name, f"本屏展示过第 {floors[name].version} 版，文件已不在，等待重新收到。") for name in gone]


def _still_trusted(shelf: Shelf, trust: TrustList, now: datetime) -> tuple[dict[str, Shown], list[Refusal]]:
    kept: dict[str, Shown] = {}
    dropped: list[Refusal] = []
    for name, one in shelf.shown.items():
        try:
            open_two_signatures(one.envelope, trust, now)
        except SenderFault as fault:
            dropped.append(Refusal(name, str(fault)))
        else:
            kept[name] = one
    return kept, dropped
