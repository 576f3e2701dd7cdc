"""The key-content sheet on the recorder: drafted from the marks, worded by the officer, signed by the device.

Ranges and heads come from what was recorded here; a file brings words only. A draft has a name, the hash of all that is
not words, so that words written for other marks are never signed.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from agent.control import duty_events
from agent.control.duty_situation import Outcome, Situation
from agent.control.paper_acts import MakePaper, PaperMade
from agent.duty.asks import Ask
from agent.duty.case_facts import CaseFacts, EarlyStop, RecordingFact, Span, StepFact
from agent.duty.key_content import UNWORDED, KeyContentSheet, check_worded, draft_sheet, reworded, sheet_digest
from agent.duty.key_content_text import draft_heading, sheet_title
from agent.duty.papers import PaperKind, PaperNote, file_name
from agent.duty.shift import Closed, Shift
from agent.duty.steps import Mark
from agent.errors import OperatorFault
from agent.wire import canonical
from agent.wire.canonical import parse_loose
from agent.wire.device_events import GENESIS, EventType
from agent.wire.identifiers import Digest, RecordingId

DRAFT_LENGTH = 16  # hex digits


def draft(at: Situation, ask: Ask) -> Outcome:
    """The ranges to be worded, as they stand now; changes nothing."""
    sheet = _drafted(at, ask)
    lines = [
        {
            "begins": canonical.timestamp(line.span.begins),
            "ends": canonical.timestamp(line.span.ends),
            "first": line.span.first,
            "heading": draft_heading(line),
            "last": line.span.last,
            "recording": line.span.recording,
            "step": line.step,
            "text": "" if line.text == UNWORDED else line.text,
        }
        for line in sheet.lines
    ]
    more = {
        "author": sheet.author,
        "draft": draft_name(sheet),
        "lines": lines,
        "task": sheet.task,
        "title": sheet_title(sheet),
        "version": sheet.version,
    }
    return Outcome(at.shift, f"任务 {sheet.task} 第 {sheet.version} 版，共 {len(lines)} 行，请填写。", more=more)


def sign(at: Situation, ask: Ask) -> Outcome:
    """Put the words to the ranges and have the sheet signed; answered when it is on the disk."""
    sheet = _drafted(at, ask)
    if ask.value("draft") != draft_name(sheet):
        raise OperatorFault(_other_draft(at, sheet, ask.value("draft")))
    if ask.value("title") not in ("", sheet_title(sheet)):
        raise OperatorFault(f"底稿的首行被改动，未签名。请改回“{sheet_title(sheet)}”。")
    words = _words(ask.value("lines"))
    if len(words) != len(sheet.lines):
        raise OperatorFault(f"底稿有 {len(sheet.lines)} 行，文件中有 {len(words)} 行。请不要增删行。")
    for number, row in enumerate(words, 1):
        sheet = _worded(sheet, number, *row)
    serial = at.shift.papers.next_serial(PaperKind.KEY_CONTENT)
    shift = replace(at.shift, papers=at.shift.papers.using(PaperKind.KEY_CONTENT, serial))
    name, beside = file_name(PaperKind.KEY_CONTENT, serial), max(sheet.heads)
    order = MakePaper(ask.ask, check_worded(sheet), name, beside)
    return Outcome(shift, "", effects=(order,))


def signed(at: Situation, event: PaperMade, sheet: KeyContentSheet) -> Outcome:
    """The signed sheet stands on the disk."""
    paper, digest = event.paper, sheet_digest(event.paper.envelope.encode())
    note = PaperNote(paper.kind, paper.number, event.name, paper.title, paper.digest, sheet.task, signed=digest)
    data = {"digest": digest, "recordings": sorted(sheet.heads), "task": sheet.task, "version": sheet.version}
    told = duty_events.moment(f"sheet/{paper.number}", EventType.KEY_CONTENT_SIGNED, at.now, data)
    text = f"已签名《{paper.title}》{paper.number}。录像没有改动。"
    shift = replace(at.shift, papers=at.shift.papers.with_note(note))
    return Outcome(shift, text, (told,), more={"digest": digest, "name": event.name, "number": paper.number})


def draft_name(sheet: KeyContentSheet) -> str:
    """The hash of what a writer may not change."""
    blank = replace(sheet, lines=tuple(replace(line, text="", element="") for line in sheet.lines), author="")
    fixed = replace(blank, written=canonical.parse_timestamp("1970-01-01T00:00:00.000Z"), clock_set=True)
    return hashlib.sha256(fixed.encode()).hexdigest()[:DRAFT_LENGTH]


def _worded(sheet: KeyContentSheet, number: int, text: str, element: str, heading: str = "") -> KeyContentSheet:
    """With the words of one line; a heading that came along has to be the draft's."""
    drafted = draft_heading(sheet.lines[number - 1])
    if heading not in ("", drafted):
        raise OperatorFault(f"第 {number} 段的时间段或环节被改动，未签名：这些取自录像。请改回“{drafted}”。")
    return reworded(sheet, number, text, element) if text else sheet


def _other_draft(at: Situation, sheet: KeyContentSheet, name: str) -> str:
    """Why a draft of that name is not the one to be signed."""
    papers, task = at.shift.papers, sheet.task
    signed = {note.number: note.signed for note in papers.notes if note.kind is PaperKind.KEY_CONTENT}
    for version in range(sheet.version - 1, 0, -1):
        previous = Digest(signed.get(f"{task}-K{version - 1}", GENESIS))
        if name == draft_name(replace(sheet, version=version, previous=previous)):
            return f"这份底稿已经签名，即 {task}-K{version}。要更正请重新执行 keycontent draft，签名后即为下一版。"
    return "底稿之后环节或录像有变化，未签名。请重新执行 keycontent draft，把文字抄过去再签。"


def _author(at: Situation, ask: Ask, facts: CaseFacts) -> str:
    """Who words the sheet: somebody who has the device, had it for these recordings, or stands in the task."""
    recordings = {fact.recording for fact in facts.recordings}
    earlier = (who for one in at.shift.closed if one.recording in recordings for who in one.officers)
    may = tuple(dict.fromkeys((*at.people, *earlier)))
    author = ask.value("author").strip() or next(iter(at.shift.certificates), "")
    if not author:
        raise OperatorFault(f"请用 --author 写明制作人的执法证件编号（{'、'.join(may) or '先领用本机'}）。")
    if author not in may:
        listed = "、".join(may) or "目前无人，请先领用本机"
        raise OperatorFault(f"{author[:40]} 不是本任务的执法人员，也没有领用本机，不能作为制作人。可选：{listed}。")
    return author


def _drafted(at: Situation, ask: Ask) -> KeyContentSheet:
    if at.recording is not None:
        raise OperatorFault("正在录制。请先停止录制，再作关键内容说明。")
    facts = shift_facts(at)
    sheet = draft_sheet(facts, _author(at, ask, facts), at.now.wall)
    sheet = replace(sheet, unit=at.unit, clock_set=at.clock_set)
    before = at.shift.papers.last(PaperKind.KEY_CONTENT, facts.task)
    if before is None:
        return sheet
    version = int(before.number.rpartition("-K")[2]) + 1
    return replace(sheet, version=version, previous=Digest(before.signed))


def shift_facts(at: Situation) -> CaseFacts:
    """What this device knows of the task in hand, or of the last one: its marks and its sealed recordings."""
    shift = at.shift
    task = at.task or (shift.ended[-1] if shift.ended else "")
    marks = [mark for mark in shift.sheet.marks if not mark.repeated]
    closed = {one.recording: one for one in shift.closed if any(mark.recording == one.recording for mark in marks)}
    steps = tuple(_steps(shift, closed))
    if not (task and steps):
        raise OperatorFault("没有可说明的环节。请在任务中录制并标记环节，封存后再作说明。")
    recordings = tuple(_fact(at, one) for one in closed.values())
    begins = min(fact.begins for fact in recordings)
    early = tuple(
        EarlyStop(name, one.early, one.reason)
        for one in shift.stopped
        if one.early and (name := RecordingId(one.recording)) in closed
    )
    return CaseFacts(
        task, at.unit, "", "", "", begins, None, shift.sheet.required, recordings=recordings, steps=steps, early=early
    )


def _steps(shift: Shift, closed: dict[RecordingId, Closed]) -> Iterator[StepFact]:
    """Each step once, from its first mark to the next mark of any step, as the centre reads the same marks."""
    marks = shift.sheet.marks
    for at, mark in enumerate(marks):
        if mark.repeated or mark.recording not in closed:
            continue
        recording = closed[mark.recording]
        later = [one for one in marks[at + 1 :] if one.recording == mark.recording and one.sequence > mark.sequence]
        repeated = sum(one.step == mark.step for one in marks) - 1
        following = min(later, key=lambda one: one.sequence, default=None)
        yield StepFact(mark.step, _span(mark, recording, following), repeated)


def _span(mark: Mark, recording: Closed, following: Mark | None) -> Span:
    if following is None:
        last, ends = max(mark.sequence, recording.fragments), recording.ended
    else:
        last, ends = following.sequence - 1, following.at
    begins = canonical.parse_timestamp(mark.at)
    return Span(mark.recording, max(1, mark.sequence), last, begins, max(begins, canonical.parse_timestamp(ends)))


def _fact(at: Situation, one: Closed) -> RecordingFact:
    begins, ends = canonical.parse_timestamp(one.began), canonical.parse_timestamp(one.ended)
    return RecordingFact(one.recording, at.device, "", begins, ends, one.fragments, 0, one.head, {})


def _words(text: str) -> list[tuple[str, ...]]:
    """Rows of words and element, and of the draft's heading where a file had it."""
    try:
        return [
            tuple(str(part) for part in (words, element, *heading[:1]))
            for words, element, *heading in parse_loose(text)
        ]
    except (ValueError, TypeError) as error:
        raise OperatorFault("说明文件无法读取。请用 keycontent draft 重新生成底稿。") from error
