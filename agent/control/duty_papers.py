"""Papers on scene: documents, what became of them, the party's receipt and confirmation, printing.

A number is used for ever before its paper is made; what was made is told only when it stands on the disk.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.control import duty_events
from agent.control.duty_situation import Outcome, Situation
from agent.control.effects import EventDraft, RaiseAlarm
from agent.control.paper_acts import MakePaper, PaperMade, PaperNotMade, PaperNotPrinted, PaperPrinted, PrintPaper
from agent.duty.asks import Ask
from agent.duty.documents import Document, Head, Template, document_number, fill, served_as, served_data
from agent.duty.key_content import KeyContentSheet
from agent.duty.papers import Draft, PaperKind, PaperNote, file_name
from agent.duty.party_confirmation import Confirmation
from agent.duty.party_receipt import PartyReceipt
from agent.duty.shift import Shift
from agent.errors import OperatorFault
from agent.evidence.journal import CONFIRMED, DOCUMENT, RECEIPT
from agent.wire.canonical import parse_loose
from agent.wire.device_events import EventType
from agent.wire.identifiers import Digest, RecordingId, parse_recording_id
from agent.wire.instant import BEIJING

SHORT = 16  # hex digits of a hash in a note of the journal, which has 200 characters


def document(at: Situation, ask: Ask) -> Outcome:
    """Make out a document of the task in hand from a template; what is not filled in is named."""
    template = _template(at, ask.value("template").strip())
    values = _values(ask.value("fields"))
    serial = at.shift.papers.next_serial(PaperKind.DOCUMENT)
    number = document_number(template, at.now.wall.astimezone(BEIJING).year, at.device, serial)
    recording, first, last = span(at)
    head = Head(number, at.unit, at.task, at.now.wall, at.clock_set, recording, first, last)
    return _make(at, ask, fill(template, head, values), PaperKind.DOCUMENT, serial)


def receipt(at: Situation, ask: Ask) -> Outcome:
    """Make a receipt for the party: of what runs, up to the last fragment on the disk, or of the last recording."""
    recording, last, head, task = _receipted(at)
    serial = at.shift.papers.next_serial(PaperKind.RECEIPT)
    draft = PartyReceipt(
        at.place, at.device, serial, at.unit, task, recording, last, head, at.now.wall, clock_set=at.clock_set
    )
    return _make(at, ask, draft, PaperKind.RECEIPT, serial)


def confirm(at: Situation, ask: Ask) -> Outcome:
    """Keep what the party did with the checksum of a receipt."""
    receipt_note = _receipt_note(at, ask.value("receipt").strip())
    paper = ask.value("paper").strip()
    if paper:
        paper = at.shift.papers.note(paper).number
    serial = at.shift.papers.next_serial(PaperKind.CONFIRMATION)
    task = at.shift.task
    draft = Confirmation(
        device=at.device,
        number=serial,
        receipt=receipt_note.number,
        task=receipt_note.task,
        party="" if task is None else task.party,
        recording=parse_recording_id(receipt_note.recording),
        head=Digest(receipt_note.head),
        served=served_as(ask.value("served")),
        name=ask.value("name").strip(),
        paper=paper,
        salt=ask.ask,
        at=at.now.wall,
        clock_set=at.clock_set,
    )
    return _make(at, ask, draft, PaperKind.CONFIRMATION, serial)


def serve(at: Situation, ask: Ask) -> Outcome:
    """Mark what became of a document (送达、拒签), with the fragments that show it."""
    papers = at.shift.papers
    note = papers.note(ask.value("number")) if ask.value("number").strip() else papers.last(PaperKind.DOCUMENT)
    if note is None or note.kind is not PaperKind.DOCUMENT:
        raise OperatorFault("请写明要登记送达的文书编号；回执用 liuhen-agent receipt confirm 登记。")
    _of_this_task(at, note)
    served = served_as(ask.value("served"))
    data = served_data(note.task, note.number, served, *span(at))
    told = duty_events.moment(f"served/{note.number}", EventType.DOCUMENT_SERVED, at.now, data)
    again = f"（此前登记为{note.served}）" if note.served else ""
    shift = _noted(at.shift, replace(note, served=served.value))
    text = f"已登记 {note.number}：{served}{again}。"
    return Outcome(shift, text, (told,), ((DOCUMENT, f"{served} {note.number}"),))


def print_paper(at: Situation, ask: Ask) -> Outcome:
    """Print a paper: the original, and from the second time on a copy that says so. Answered when it is printed."""
    note = at.shift.papers.note(ask.value("number"))
    order = PrintPaper(ask.ask, note.number, note.name, note.digest, note.prints)
    return Outcome(at.shift, "", effects=(order,))


def made(at: Situation, event: PaperMade) -> Outcome:
    """The paper stands on the disk: it is told, signed into the running recording, and can be printed and served."""
    draft, paper = event.draft, event.paper
    kind, data, journal = _told(draft)
    note = PaperNote(
        paper.kind,
        paper.number,
        event.name,
        paper.title,
        paper.digest,
        _task(draft),
        recording=str(data.get("recording", "")),
        head=str(data.get("head", "")),
        served=draft.served.value if isinstance(draft, Confirmation) else "",
    )
    told = EventDraft(f"duty/paper/{paper.number}", kind, at.now, data)
    text = f"已出具《{paper.title}》{paper.number}。"
    more = {"code": paper.code, "digest": paper.digest, "name": event.name, "number": paper.number}
    return Outcome(_noted(at.shift, note), text, (told,), journal, more)


def not_made(at: Situation, event: PaperNotMade) -> Outcome:
    """It does not: nothing was issued, and its number is not used again."""
    kind = PaperKind(event.name.rpartition("-")[0])
    shift = replace(at.shift, papers=at.shift.papers.using(kind, event.highest))
    return Outcome(shift, event.detail, done=False)


def printed(at: Situation, event: PaperPrinted) -> Outcome:
    """The paper came out; from now on it is printed as a copy."""
    kept = [note for note in at.shift.papers.notes if note.number == event.number]  # an officer's code is not
    shift = at.shift
    for note in kept:
        shift = _noted(shift, replace(note, prints=max(note.prints, event.reprint + 1)))
    copy = f"（副本第 {event.reprint} 次）" if event.reprint else ""
    lack = f"打印机没有“{event.missing[:20]}”，请手写补上。" if event.missing else ""
    return Outcome(shift, f"已打印 {event.number}{copy}。{lack}", more={"missing": event.missing})


def not_printed(at: Situation, event: PaperNotPrinted) -> Outcome:
    """Nothing is lost: it is kept, and can be printed as soon as the printer is well."""
    text = f"{event.number} 没有打印：{event.detail}"
    return Outcome(at.shift, text, effects=(RaiseAlarm(text),), done=False)


def span(at: Situation) -> tuple[RecordingId | None, int, int]:
    """The fragments of the running recording that belong to what is done now: from the last mark on."""
    if at.recording is None:
        return None, 1, 1
    marks = [mark.sequence for mark in at.shift.sheet.marks if mark.recording == at.recording]
    return at.recording, marks[-1] if marks else 1, max(at.sequence, *marks, 1)


def _template(at: Situation, name: str) -> Template:
    templates = at.guidance.templates
    if not templates:
        raise OperatorFault("本机没有执法文书标准文本（document-templates）。请联网接收，或请法制机构发布。")
    found = [one for one in templates.values() if name in (one.template, one.title)]
    if len(found) != 1:
        listed = "；".join(f"{one.template} {one.title}" for one in templates.values())
        raise OperatorFault(f"没有文书模板“{name[:40]}”。可选：{listed}。")
    return found[0]


def _values(text: str) -> Mapping[str, str]:
    try:
        values = parse_loose(text or "{}")
    except ValueError:
        values = None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise OperatorFault("文书各项应写成“名称=内容”，或一个各项为文字的 JSON 文件。请改正。")
    return values


def _receipted(at: Situation) -> tuple[RecordingId, int, Digest, str]:
    if at.recording is not None:
        if at.sequence < 2:
            raise OperatorFault("录制刚开始，还没有写入片段。请过一秒再出具回执。")
        return at.recording, at.sequence - 1, at.head, at.task
    if not at.shift.closed:
        raise OperatorFault("本机还没有录制，无从出具回执。请先按录制键。")
    closed = at.shift.closed[-1]
    return closed.recording, closed.fragments, closed.head, closed.task


def _receipt_note(at: Situation, number: str) -> PaperNote:
    """The receipt called `number`, or the newest."""
    papers = at.shift.papers
    note = papers.note(number) if number else papers.last(PaperKind.RECEIPT)
    if note is None or note.kind is not PaperKind.RECEIPT:
        raise OperatorFault("还没有出具回执，无从确认。请先用 liuhen-agent receipt new 出具回执。")
    _of_this_task(at, note)
    return note


def _of_this_task(at: Situation, note: PaperNote) -> None:
    if at.task and note.task != at.task:
        raise OperatorFault(f"{note.number} 属于任务 {note.task or '（无）'}，正在办理 {at.task}。请先结束当前任务。")


def _make(at: Situation, ask: Ask, draft: Draft, kind: PaperKind, serial: int) -> Outcome:
    """Use the number up and have the paper made; answered when it is."""
    shift = replace(at.shift, papers=at.shift.papers.using(kind, serial))
    beside = _beside(at) if kind is PaperKind.DOCUMENT else None
    return Outcome(shift, "", effects=(MakePaper(ask.ask, draft, file_name(kind, serial), beside),))


def _beside(at: Situation) -> RecordingId | None:
    """With which recording a document of the task in hand travels: the one that runs, or the task's last."""
    closed = (one.recording for one in reversed(at.shift.closed) if at.task and one.task == at.task)
    return at.recording or next(closed, None)


def _noted(shift: Shift, note: PaperNote) -> Shift:
    return replace(shift, papers=shift.papers.with_note(note))


def _told(draft: Draft) -> tuple[EventType, Mapping[str, Any], tuple[tuple[str, str], ...]]:
    """The event of a paper that was made, and what is signed into the running recording."""
    match draft:
        case Document():
            note = f"出具 {draft.head.number} {draft.template.title} {draft.digest[:SHORT]}"
            return EventType.DOCUMENT_ISSUED, draft.as_data(), ((DOCUMENT, note),)
        case PartyReceipt():
            note = f"{draft.name} {draft.recording} 第 {draft.last} 段止 {draft.head[:SHORT]}"
            return EventType.RECEIPT_ISSUED, draft.as_data(), ((RECEIPT, note),)
        case Confirmation():
            words = (draft.served, draft.receipt, draft.party, draft.signature[:SHORT], draft.paper)
            note = " ".join(filter(None, words))
            return EventType.PARTY_CONFIRMED, draft.as_data(), ((CONFIRMED, note),)
        case KeyContentSheet():
            raise TypeError("a sheet is told by agent.control.duty_sheets")


def _task(draft: Draft) -> str:
    return draft.head.task if isinstance(draft, Document) else draft.task
