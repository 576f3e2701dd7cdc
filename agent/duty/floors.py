"""Versions never go back: the highest one of a document that was ever accepted stands, even when its file is gone."""

from dataclasses import dataclass

from agent.duty.disclosure_rules import Refusal, check_not_restored
from agent.errors import SenderFault
from agent.wire.device_events import event_hash
from agent.wire.disclosures import Disclosure


@dataclass(frozen=True)
class Floor:
    """The highest version of a document ever accepted here, the digest of that version, whether it withdrew."""

    version: int
    digest: str
    withdrawn: bool = False


def floor_of(document: Disclosure) -> Floor:
    """The floor that `document` sets when it is accepted."""
    return Floor(document.version, event_hash(document.encode()), document.withdrawn is not None)


def above(floor: Floor | None, document: Disclosure) -> Disclosure:
    """Return `document` when it may follow what stands in `floor` (None: nothing ever did); raises `SenderFault`."""
    if floor is None:
        return document
    if document.version < floor.version:
        text = f"本机已收到过第 {floor.version} 版，第 {document.version} 版较旧，已拒绝。"
        raise SenderFault(text, Refusal.OLDER_VERSION)
    if document.version == floor.version and event_hash(document.encode()) != floor.digest:
        text = f"第 {document.version} 版内容与本机收到过的同一版不同，已拒绝。"
        raise SenderFault(text, Refusal.SAME_VERSION)
    return check_not_restored(document, withdrawn=floor.withdrawn)
