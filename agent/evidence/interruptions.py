"""The interruptions of a recording and who explained them: the device, an officer's words in it, a note beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.evidence.journal import EXPLANATION, GAP_OPENED, MUTE_ON, JournalEvent
from agent.evidence.places import Examined, clock_text
from agent.evidence.reasons import EXPLANATION as NEEDS
from agent.evidence.reasons import Explained, Reason, cause_words
from agent.evidence.report import COMPLETENESS, Finding, Verdict
from agent.wire.instant import Instant
from agent.wire.notes import RecordingNote

REASON_NAMES = {
    Reason.STOPPED: "按键停止",
    Reason.CONTINUED: "转入下一段",
    Reason.SHUTDOWN: "设备关机",
    Reason.DEVICE_RESTART: "设备断电或重启",
    Reason.CAMERA_LOST: "摄像头中断",
    Reason.ENCODER_STALLED: "编码停滞",
    Reason.STORAGE_FAILED: "存储故障",
    Reason.CLOCK_JUMPED: "时钟跳变",
    Reason.FRAMES_DROPPED: "丢帧",
    Reason.PAUSED: "人为暂停",
    Reason.MUTED: "人为静音",
    Reason.SOUND_LOST: "声音中断",
    Reason.PICTURE_FROZEN: "画面静止",
    Reason.LOW_BATTERY: "电量不足",
    Reason.OVERHEATED: "设备过热",
    Reason.STORAGE_FULL: "存储空间不足",
}
SOUNDLESS = frozenset({Reason.MUTED, Reason.SOUND_LOST})
BEGINS = frozenset({MUTE_ON, GAP_OPENED})


@dataclass(frozen=True)
class Interruption:
    """Something was not recorded. `sequence` is the last fragment before it, 0 for the beginning; `reason` None: nobody
    said why."""

    at: Instant
    sequence: int
    reason: Reason | None
    note: str


@dataclass(frozen=True)
class Spoken:
    """An officer explained aloud within these fragments; `cause` as he gave it, perhaps empty."""

    first: int
    last: int
    cause: str


def interruption_findings(segments: Sequence[Examined], notes: Sequence[RecordingNote]) -> Iterator[Finding]:
    """One finding for every interruption. `notes` were verified; an interruption that needs a person's explanation is
    explained by words that speak of it (`spoken_of`), or by a note whose range meets it."""
    yield from _unlisted(segments)
    for gap, words in spoken_of(segments):
        what = "无声" if gap.reason in SOUNDLESS else "中断"
        text = f"{clock_text(gap.at)} 起{what}"
        if gap.reason is None:
            yield Finding(Verdict.UNEXPLAINED_GAP, COMPLETENESS, f"{text}，没有说明原因。")
            continue
        text += f"：{REASON_NAMES[gap.reason]}{_bracketed(gap)}"
        told = _explained(gap, words, notes)
        if told is None:
            rule = "按规定应有口头说明或事后补充说明，均未见到。"
            yield Finding(Verdict.UNEXPLAINED_GAP, COMPLETENESS, f"{text}；{rule}")
        else:
            yield Finding(Verdict.EXPLAINED_GAP, COMPLETENESS, f"{text}{told}。")


def judged_interruptions(
    segments: Sequence[Examined], notes: Sequence[RecordingNote]
) -> Iterator[tuple[Interruption, bool, str]]:
    """Every interruption, whether it is explained as `interruption_findings` judges it, and why it was, in Chinese: the
    device's reason, in brackets the cause that an officer gave, as it broke off or afterwards."""
    for gap, words in spoken_of(segments):
        note = _note_of(gap, notes)
        causes = (gap.note, "" if words is None else words.cause, "" if note is None else note.cause)
        reason = "原因不明" if gap.reason is None else REASON_NAMES[gap.reason]
        yield gap, _explained(gap, words, notes) is not None, reason + _cause(next(filter(None, causes), ""))


def spoken_of(segments: Sequence[Examined]) -> list[tuple[Interruption, Spoken | None]]:
    """Every interruption and the words that speak of it. Words speak of the last interruption before their end that
    needs a person's and has none yet, and of the earlier ones without any only where reason and note are the same."""
    gaps = list(interruptions(segments))
    told: list[Spoken | None] = [None] * len(gaps)
    for words in spoken_explanations(segments):
        waiting = [
            number
            for number, gap in enumerate(gaps)
            if gap.reason is not None and NEEDS[gap.reason] is not Explained.BY_DEVICE
            if told[number] is None and gap.sequence <= words.last
        ]
        for number in waiting:
            last = gaps[waiting[-1]]
            if (gaps[number].reason, gaps[number].note) == (last.reason, last.note):
                told[number] = words
    return list(zip(gaps, told, strict=True))


def _unlisted(segments: Sequence[Examined]) -> Iterator[Finding]:
    for segment in segments:
        seal = segment.seal
        if seal is not None and seal.gap_count > len(seal.closing.gaps):
            told = f"封存时有 {seal.gap_count} 条中断记录，只写得下 {len(seal.closing.gaps)} 条，其余无从说明。"
            yield Finding(Verdict.UNEXPLAINED_GAP, COMPLETENESS, f"{segment.file.name}：{told}")


def interruptions(segments: Sequence[Examined]) -> Iterator[Interruption]:
    """Every interruption that was signed, in order; the end of a segment tells of one only where no event did."""
    for segment in segments:
        seen: set[Reason | None] = set()
        last = 0
        for sequence, event in _events(segment):
            last = sequence
            if event.kind in (GAP_OPENED, MUTE_ON):
                seen.add(event.reason)
                yield Interruption(event.at, sequence, event.reason, event.note)
        closing = None if segment.seal is None else segment.seal.closing
        if closing is None or closing.recovered or closing.reason in seen:
            continue  # a recovered end is told of with what was trimmed, see `continuity`
        if NEEDS[closing.reason] is not Explained.NO_INTERRUPTION:
            last = max((record.entry.sequence for record in segment.found.fragments), default=last)
            yield Interruption(closing.at, last, closing.reason, "")


def spoken_explanations(segments: Sequence[Examined]) -> Iterator[Spoken]:
    """The explanations that can have been heard: in a recording with sound, and not wholly while it was muted."""
    heard = _heard(segments)
    for segment in segments:
        for _, event in _events(segment):
            if event.kind == EXPLANATION and event.span is not None:
                first, last = event.span
                if any(first <= sequence <= last for sequence in heard):
                    yield Spoken(first, last, event.note)


def _explained(gap: Interruption, words: Spoken | None, notes: Sequence[RecordingNote]) -> str | None:
    """How `gap` is explained, in Chinese; None when it is not."""
    if gap.reason is None:
        return None
    if NEEDS[gap.reason] is Explained.BY_DEVICE:
        return ""
    if words is not None:
        return f"；第 {words.first} 至 {words.last} 片段有口头说明{_cause(words.cause)}"
    note = _note_of(gap, notes)
    return None if note is None else f"；{note.author} 于 {note.written:%Y-%m-%d} 补充说明{_cause(note.cause)}"


def _note_of(gap: Interruption, notes: Sequence[RecordingNote]) -> RecordingNote | None:
    """The first note whose range meets the interruption."""
    return next((it for it in notes if it.first <= gap.sequence + 1 and gap.sequence <= it.last), None)


def _heard(segments: Sequence[Examined]) -> list[int]:
    """The numbers of the fragments with sound that was neither muted nor lost from end to end."""
    heard, muted = [], False
    for segment in segments:
        origin = segment.found.origin
        has_sound = origin is not None and origin.has_sound
        for record in segment.found.fragments:
            turns = [event.kind for event in record.entry.moment.events if event.reason in SOUNDLESS]
            if has_sound and (not muted or not BEGINS.issuperset(turns)):
                heard.append(record.entry.sequence)
            muted = turns[-1] in BEGINS if turns else muted
    return heard


def _events(segment: Examined) -> Iterator[tuple[int, JournalEvent]]:
    sequence = 0 if segment.found.origin is None else segment.found.origin.first_sequence - 1
    for record in segment.found.fragments:
        sequence = record.entry.sequence
        for event in record.entry.moment.events:
            yield sequence, event
    if segment.seal is not None:
        for event in segment.seal.closing.gaps:
            yield sequence, event


def _bracketed(gap: Interruption) -> str:
    return f"（{cause_words(gap.note)}）" if gap.note else ""


def _cause(code: str) -> str:
    return f"（{cause_words(code)}）" if code else ""
