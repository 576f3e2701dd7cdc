"""A paper in somebody's hand against what its device told when it was made out: its code, or its hash (校验值)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from agent.duty.documents import check_code, numbered_by
from agent.duty.papers import TITLES, PaperKind
from agent.duty.told_facts import readable
from agent.errors import SenderFault
from agent.wire.canonical import Fields
from agent.wire.device_events import DeviceEvent, EventType
from agent.wire.identifiers import Digest, digest

HASH = re.compile(r"[0-9a-f]{64}")
UNKNOWN = "请核对原件；设备尚未联网的，等它联网后再查。"


@dataclass(frozen=True)
class Issued:
    """A paper as its device told it: `digest` of a document's text, of a sheet's signed envelope."""

    number: str
    title: str
    task: str
    digest: Digest


def issued_papers(events: Iterable[DeviceEvent]) -> tuple[Issued, ...]:
    """Every document and key-content sheet that `events` tell of; of documents those of the device in the number."""
    told = list(events)
    own = [it for it in told if numbered_by(it.data.get("number"), it.device)]
    documents = readable(own, EventType.DOCUMENT_ISSUED, _document)
    return (*documents, *readable(told, EventType.KEY_CONTENT_SIGNED, _sheet))


def find_issued(code: str, issued: Iterable[Issued]) -> Issued:
    """The paper that `code`, the text of its QR code or its hash, belongs to; raises `SenderFault` for one that no
    device made out, and for one whose number was given out over other words."""
    known = list(issued)
    if HASH.fullmatch(code.strip().lower()):
        found = [it for it in known if it.digest == code.strip().lower()]
        if not found:
            raise SenderFault(f"没有设备出具过校验值为 {code.strip()[:16]}… 的文书。{UNKNOWN}", "paper-unknown")
        return found[0]
    number, printed = check_code(code)
    named = [it for it in known if it.number == number]
    if not named:
        raise SenderFault(f"没有设备出具过文号为 {number} 的文书。{UNKNOWN}", "paper-unknown")
    if named[0].digest != printed:
        raise SenderFault(f"文书 {number} 的纸质内容与现场出具的不一致，请核对原件。", "paper-differs")
    return named[0]


def _document(fields: Fields) -> Issued:
    return Issued(fields.text("number"), fields.text("title"), fields.text("task"), digest(fields.text("digest")))


def _sheet(fields: Fields) -> Issued:
    task, version = fields.text("task"), fields.integer("version", 1)
    return Issued(f"{task}-K{version}", TITLES[PaperKind.KEY_CONTENT], task, digest(fields.text("digest")))
