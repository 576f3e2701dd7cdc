"""Papers that a recorder has made: documents, the party's receipts and confirmations, key-content sheets.

Each is kept as one file, its whole text with what its QR code says. Printing and the PDF begin from that file, and the
shift remembers its hash, so that a reprint is what was printed or is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from agent.duty.documents import Document, copy_line, printed_lines, text_digest
from agent.duty.key_content import KeyContentSheet, sheet_digest
from agent.duty.key_content_text import sheet_lines
from agent.duty.party_confirmation import Confirmation
from agent.duty.party_receipt import PartyReceipt, slip_of
from agent.errors import OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.identifiers import Digest

PAPERS, PAPER_SUFFIX = "papers", ".json"  # names in the state folder
TOLD_LENGTH = 12  # hex digits
TRAVELLING = re.compile(r"[a-z-]+-[0-9]{6,}-([0-9a-f]{12})\.json(?:\.enc)?")
BESIDE = "papers"  # the folder of papers in a recording's, on their way to the centre
MAX_NOTES = 200  # ours: papers of a shift that can be printed again by number
MAX_PAPER_BYTES = 1024 * 1024  # ours: a key-content sheet of 500 lines, with its envelope


class PaperKind(StrEnum):
    """What a paper is; the value begins the name of its file."""

    DOCUMENT = "document"
    RECEIPT = "receipt"
    CONFIRMATION = "confirmation"
    KEY_CONTENT = "key-content"
    IDENTITY = "identity"
    """an officer's code, which is over in minutes: printed, never kept"""


TITLES = {
    PaperKind.RECEIPT: "执法记录回执",
    PaperKind.CONFIRMATION: "当事人确认",
    PaperKind.KEY_CONTENT: "关键内容与时间段说明",
}
Draft = Document | PartyReceipt | Confirmation | KeyContentSheet


@dataclass(frozen=True)
class Paper:
    """`text` is all of it in lines, `code` what its QR code says (empty for none), `envelope` the signed bytes that it
    was made from, where there are any; `made` is the day and time of making (UTC, as `canonical.timestamp`)."""

    kind: PaperKind
    number: str
    title: str
    text: str
    code: str
    made: str
    envelope: str = ""

    @property
    def digest(self) -> Digest:
        """SHA-256 of the text's UTF-8 bytes."""
        return text_digest(self.text)

    @property
    def told(self) -> Digest:
        """What the chain says of it: the hash of its text, of a sheet that of its signed envelope."""
        return sheet_digest(self.envelope.encode()) if self.kind is PaperKind.KEY_CONTENT else self.digest

    def encode(self) -> bytes:
        """The content of its file."""
        return canonical.encode(asdict(self))

    def lines(self, reprint: int = 0) -> tuple[str, ...]:
        """The lines under the title on paper; the original (`reprint` 0) is the same whenever it is printed."""
        if self.kind is PaperKind.DOCUMENT:
            return printed_lines(self.text, reprint)
        return (*copy_line(reprint), *self.text.split("\n"))


def paper_of(draft: Draft, sealed: str = "") -> Paper:
    """The paper of `draft`; `sealed` is the text of the signed receipt's QR code, or the sheet's envelope."""
    match draft:
        case Document(template, head):
            made = canonical.timestamp(head.issued)
            return Paper(PaperKind.DOCUMENT, head.number, template.title, draft.text, draft.code, made)
        case PartyReceipt():
            kind, text = PaperKind.RECEIPT, "\n".join(slip_of(draft))
            return Paper(kind, draft.name, TITLES[kind], text, sealed, canonical.timestamp(draft.issued))
        case Confirmation():
            kind = PaperKind.CONFIRMATION
            return Paper(kind, draft.title, TITLES[kind], draft.text, "", canonical.timestamp(draft.at))
        case KeyContentSheet():
            kind, (head_line, *lines) = PaperKind.KEY_CONTENT, sheet_lines(draft)
            number, signed = sheet_number(draft), f"签名件校验值：{sheet_digest(sealed.encode())}"
            heads = [f"录像 {name} 校验值：{head}" for name, head in sorted(draft.heads.items())]
            text = "\n".join((head_line.partition("\u3000")[2], *lines, *heads, signed))
            return Paper(kind, number, TITLES[kind], text, "", canonical.timestamp(draft.written), sealed)


def travelling_name(name: str, paper: Paper) -> str:
    """The name, in a recording's folder, of the paper kept as `name`. Its hash is in it, so that no other paper is ever
    written over it; it tells nothing that the chain does not."""
    return f"{name}-{paper.told[:TOLD_LENGTH]}{PAPER_SUFFIX}"


def travelling_hash(file: str) -> str:
    """The beginning of the hash in such a name, encrypted or not; empty in any other."""
    found = TRAVELLING.fullmatch(file)
    return found[1] if found else ""


def sheet_number(sheet: KeyContentSheet) -> str:
    """What a sheet is called on this device."""
    return f"{sheet.task}-K{sheet.version}"


def parse_paper(data: bytes) -> Paper:
    """The inverse of `Paper.encode`; raises `SenderFault`."""
    fields = Fields("文书文件", canonical.decode(data))
    try:
        kind = PaperKind(fields.text("kind"))
    except ValueError as error:
        raise SenderFault("文书文件的种类未知，已拒绝。") from error
    names = ("number", "title", "text", "code", "made", "envelope")
    return Paper(kind, *(fields.text(name) for name in names))


@dataclass(frozen=True)
class PaperNote:
    """What the shift remembers of a paper: `name` is its file's without suffix, `digest` that of its text, `signed` of
    the envelope; `recording` and `head` what it speaks of, empty without; `prints` counts the times it came out."""

    kind: PaperKind
    number: str
    name: str
    title: str
    digest: str
    task: str
    recording: str = ""
    head: str = ""
    signed: str = ""
    served: str = ""
    prints: int = 0


@dataclass(frozen=True)
class PaperShelf:
    """The papers of this device, newest last; `used` has the last serial number of each kind: used is for ever."""

    used: Mapping[str, int]
    notes: tuple[PaperNote, ...] = ()

    def next_serial(self, kind: PaperKind) -> int:
        """The first number that no paper of `kind` has had."""
        return self.used.get(kind, 0) + 1

    def using(self, kind: PaperKind, serial: int) -> "PaperShelf":
        """With all numbers up to `serial` used."""
        return replace(self, used={**self.used, kind: max(serial, self.used.get(kind, 0))})

    def with_note(self, note: PaperNote) -> "PaperShelf":
        """With `note`, in the place of the one of the same number."""
        if any(one.number == note.number for one in self.notes):
            return replace(self, notes=tuple(note if one.number == note.number else one for one in self.notes))
        return replace(self, notes=(*self.notes, note)[-MAX_NOTES:])

    def last(self, kind: PaperKind, task: str | None = None) -> PaperNote | None:
        """The newest paper of `kind`, of `task` where that is given."""
        found = (one for one in reversed(self.notes) if one.kind is kind and task in (None, one.task))
        return next(found, None)

    def note(self, number: str) -> PaperNote:
        """The paper called `number`: empty for the newest, or a document's serial as `0007`. Raises `OperatorFault`."""
        number = number.strip()
        if not self.notes:
            raise OperatorFault("本机还没有出具文书或回执。请先用 liuhen-agent document new 或 receipt new。")
        if not number:
            return self.notes[-1]
        found = [one for one in self.notes if number in (one.number, one.name) or f"-{number}号" in one.number]
        if len(found) != 1:
            listed = "、".join(one.number for one in self.notes[-5:])
            raise OperatorFault(f"本机没有编号为“{number[:60]}”的文书或回执。最近的有：{listed}。")
        return found[0]

    def as_json(self) -> dict[str, Any]:
        """As it stands in the shift."""
        return {"notes": [asdict(one) for one in self.notes], "used": dict(self.used)}


def parse_shelf(value: Mapping[str, Any]) -> PaperShelf:
    """The inverse of `PaperShelf.as_json`; raises `AttributeError`, `KeyError`, `TypeError`, `ValueError`."""
    notes = tuple(PaperNote(**{**one, "kind": PaperKind(one["kind"])}) for one in value["notes"])
    return PaperShelf({str(kind): int(serial) for kind, serial in value["used"].items()}, notes)


def file_name(kind: PaperKind, serial: int) -> str:
    """The name of a paper's file, without suffix."""
    return f"{kind}-{serial:06d}"
