"""The key-content sheet (关键内容与时间段说明), which lets a recording stand in the place of a written record.

公安机关办理行政案件程序规定 55 and 86: 应当对视听资料的关键内容和相应时间段等作文字说明. A draft is made from the marks
of the task; a person edits its words and signs the sheet. Time ranges and the heads of the recordings are what was
recorded: the words may be any, the ranges may not. The recording itself is never touched; a corrected sheet follows the
one before it by its hash.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent.duty.case_facts import CaseFacts, RecordingFact, Span
from agent.duty.whole_process import early_label
from agent.errors import OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.device_events import GENESIS
from agent.wire.envelope import open_archived, seal
from agent.wire.identifiers import Digest, RecordingId, digest, parse_recording_id
from agent.wire.signing import Signer
from agent.wire.trust import Role, TrustList

SHEET_TYPE = "application/vnd.liuhen.key-content+json"
SIGNERS = (Role.RECORDER, Role.HANDLER)  # on scene the recorder for its officers; in the office the handler (承办)
MAX_TEXT = 500  # characters of one line, ours
MAX_LINES = 500  # ours: a marked step every minute for a shift
UNWORDED = "（待补充）"


@dataclass(frozen=True)
class KeyContent:
    """One line: what is seen in `span`; `step` the step of the list that was marked, or that the recording was stopped
    too early (no step of a list), empty for a line of the writer's own; `element` what it speaks for (对应要素), empty
    where nobody said."""

    span: Span
    step: str
    text: str
    element: str = ""


@dataclass(frozen=True)
class KeyContentSheet:
    """Version `version` of the sheet of `task`; `heads` are the ends of the recordings' chains; `previous` the SHA-256
    of the envelope before, GENESIS for version 1; `author` a certificate number; `unit` whose device it was made on,
    empty in sheets that do not say; `clock_set` False says that the device did not know the time of writing."""

    task: str
    version: int
    previous: Digest
    author: str
    written: datetime
    heads: Mapping[RecordingId, Digest]
    lines: tuple[KeyContent, ...]
    unit: str = ""
    clock_set: bool = True

    def encode(self) -> bytes:
        """Canonical payload; what is not said stands in it with no field."""
        more = {**({"unit": self.unit} if self.unit else {}), **({} if self.clock_set else {"clock_set": False})}
        return canonical.encode(
            {
                **more,
                "author": self.author,
                "heads": dict(self.heads),
                "lines": [_line_json(line) for line in self.lines],
                "previous": self.previous,
                "task": self.task,
                "version": self.version,
                "written": canonical.timestamp(self.written),
            }
        )


@dataclass(frozen=True)
class SignedSheet:
    """A sheet whose signature was verified, by whom, and the SHA-256 of its envelope."""

    sheet: KeyContentSheet
    signer: str
    digest: Digest

    def as_data(self) -> Mapping[str, Any]:
        """What `key-content-signed` tells."""
        sheet = self.sheet
        return {
            "digest": self.digest,
            "recordings": sorted(sheet.heads),
            "task": sheet.task,
            "version": sheet.version,
        }


def draft_sheet(facts: CaseFacts, author: str, now: datetime) -> KeyContentSheet:
    """The first sheet: a line for every marked step, every interruption and every recording that ended too early, in
    the order of time."""
    marked = [KeyContent(step.span, step.step, UNWORDED) for step in facts.steps]
    gaps = [
        KeyContent(gap.span, "", f"记录中断，原因代码 {gap.reason}，{'已' if gap.explained else '未'}说明。")
        for gap in facts.gaps
    ]
    ends = {fact.recording: fact for fact in facts.recordings}
    early = [
        KeyContent(_end(ends[stop.recording]), early_label(stop), f"原因：{stop.reason}。" if stop.reason else UNWORDED)
        for stop in facts.early
        if stop.recording in ends
    ]
    lines = tuple(sorted([*marked, *gaps, *early], key=lambda line: (line.span.begins, line.span.first)))
    heads = {fact.recording: fact.head for fact in facts.recordings}
    return KeyContentSheet(facts.task, 1, GENESIS, author, now, heads, lines)


def reworded(sheet: KeyContentSheet, line: int, text: str, element: str = "") -> KeyContentSheet:
    """`sheet` with other words in line `line` (from 1); raises `OperatorFault`."""
    if not 1 <= line <= len(sheet.lines):
        raise OperatorFault(f"说明共 {len(sheet.lines)} 行，没有第 {line} 行。")
    changed = replace(sheet.lines[line - 1], text=_words(text), element=element.strip())
    return replace(sheet, lines=(*sheet.lines[: line - 1], changed, *sheet.lines[line:]))


def corrected(before: SignedSheet, author: str, now: datetime) -> KeyContentSheet:
    """The next version, to be reworded and signed; the one before stays as it is."""
    sheet = before.sheet
    return replace(sheet, version=sheet.version + 1, previous=before.digest, author=author, written=now)


def check_worded(sheet: KeyContentSheet) -> KeyContentSheet:
    """Return `sheet` when every line has words; raises `OperatorFault` naming those that have none yet."""
    bare = [str(number) for number, line in enumerate(sheet.lines, 1) if line.text == UNWORDED]
    if bare or not sheet.lines:
        raise OperatorFault(f"关键内容说明第 {'、'.join(bare) or '1'} 行尚未填写，请补充后再签名。")
    return sheet


def sign_sheet(sheet: KeyContentSheet, signer: Signer) -> bytes:
    """The envelope; raises `OperatorFault` while a line has no words yet."""
    return seal(SHEET_TYPE, check_worded(sheet).encode(), [signer])


def open_sheet(data: bytes, trust: TrustList) -> SignedSheet:
    """The sheet that one recorder or one handler signed when its key was good; raises `SenderFault`."""
    opened = open_archived(data, SHEET_TYPE, trust)
    if len(opened.signers) != 1 or opened.signers[0].role not in SIGNERS:
        raise SenderFault("关键内容说明应由一台执法记录仪或一名承办人签名，已拒绝。")
    sheet, signer = parse_sheet(opened.payload), opened.signers[0]
    if signer.role is Role.HANDLER and signer.subject != sheet.author:
        raise SenderFault(f"关键内容说明写明由 {sheet.author} 制作，却由 {signer.subject} 签名，已拒绝。")
    signer.valid_at(sheet.written)
    return SignedSheet(sheet, signer.subject, sheet_digest(data))


def check_sheet(signed: SignedSheet, facts: CaseFacts, before: SignedSheet | None = None) -> SignedSheet:
    """Return `signed` when it speaks of exactly what was recorded for this task, and follows `before` (None: it is the
    first); raises `SenderFault`."""
    return check_ranges(check_follows(signed, before), facts)


def check_follows(signed: SignedSheet, before: SignedSheet | None) -> SignedSheet:
    """Return `signed` when it follows `before` (None: it is the first); raises `SenderFault`."""
    sheet = signed.sheet
    expected = (1, GENESIS) if before is None else (before.sheet.version + 1, before.digest)
    if (sheet.version, sheet.previous) != expected:
        raise SenderFault(f"关键内容说明第 {sheet.version} 版不接在前一版之后，已拒绝。请以最新一版为底稿。")
    return signed


def check_ranges(signed: SignedSheet, facts: CaseFacts) -> SignedSheet:
    """Return `signed` when it speaks of exactly what was recorded for this task in the recordings that it names; raises
    `SenderFault`."""
    sheet, heads = signed.sheet, {fact.recording: fact for fact in facts.recordings}
    if sheet.task != facts.task:
        raise SenderFault(f"关键内容说明属于任务 {sheet.task}，不属于 {facts.task}，已拒绝。")
    if any(name not in heads or heads[name].head != head for name, head in sheet.heads.items()):
        raise SenderFault("关键内容说明所指的录像与归档的不一致，已拒绝。请核对录像。")
    for number, line in enumerate(sheet.lines, 1):
        fact = heads.get(line.span.recording)
        if line.span.recording not in sheet.heads or fact is None or line.span.last > max(1, fact.fragments):
            raise SenderFault(f"关键内容说明第 {number} 行的时间段不在录像之内，已拒绝。")
    asked = [step for step in facts.steps if step.span.recording in sheet.heads]
    moved = [step.step for step in asked if not any(_same(line, step.step, step.span) for line in sheet.lines)]
    if moved:
        raise SenderFault(f"关键内容说明缺少或改动了环节 {'、'.join(moved)} 的时间段，已拒绝。")
    return signed


def sheet_digest(data: bytes) -> Digest:
    """SHA-256 of an envelope."""
    return Digest(hashlib.sha256(data).hexdigest())


def parse_sheet(payload: bytes) -> KeyContentSheet:
    """The inverse of `KeyContentSheet.encode`; raises `SenderFault`."""
    fields = Fields("关键内容说明", canonical.decode(payload))
    entries = fields.array("lines")
    if not 1 <= len(entries) <= MAX_LINES:
        raise SenderFault(f"关键内容说明应有 1 至 {MAX_LINES} 行，已拒绝。")
    heads = {parse_recording_id(name): digest(str(head)) for name, head in fields.object("heads").items()}
    return KeyContentSheet(
        fields.text("task"),
        fields.integer("version", 1),
        digest(fields.text("previous")),
        fields.text("author"),
        fields.moment("written"),
        heads,
        tuple(_line(Fields("关键内容说明", entry)) for entry in entries),
        fields.text("unit") if fields.has("unit") else "",
        fields.boolean("clock_set") if fields.has("clock_set") else True,
    )


def _end(fact: RecordingFact) -> Span:
    last = max(1, fact.fragments)
    return Span(fact.recording, last, last, fact.ends, fact.ends)


def _line(fields: Fields) -> KeyContent:
    first = fields.integer("first", 1)
    span = Span(
        parse_recording_id(fields.text("recording")),
        first,
        fields.integer("last", first),
        fields.moment("begins"),
        fields.moment("ends"),
    )
    return KeyContent(span, fields.text("step"), fields.text("text"), fields.text("element"))


def _line_json(line: KeyContent) -> dict[str, Any]:
    span = line.span
    return {
        "begins": canonical.timestamp(span.begins),
        "element": line.element,
        "ends": canonical.timestamp(span.ends),
        "first": span.first,
        "last": span.last,
        "recording": span.recording,
        "step": line.step,
        "text": line.text,
    }


def _words(text: str) -> str:
    words = " ".join(text.split())
    if not 0 < len(words) <= MAX_TEXT or not words.isprintable():
        raise OperatorFault(f"每行说明应是 1 至 {MAX_TEXT} 字的文字。请改写。")
    return words


def _same(line: KeyContent, step: str, span: Span) -> bool:
    there = (line.step, line.span.recording, line.span.first, line.span.last)
    return there == (step, span.recording, span.first, span.last)
