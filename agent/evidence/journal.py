"""The journal: one entry beside every fragment, chained by hash, inside the bytes that are signed.

An entry is a CBOR map in a top-level `uuid` box (`bmff.JOURNAL_BOX`). The SHA-256 of its CBOR bytes is the *head* that
the next entry carries as `prev`, across segments and to the end of the recording. Its keys:

    prev    32 bytes  head of the entry before; zeros for the first entry of a recording
    rec     text      recording id
    seg     integer   segment, from 1
    seq     integer   fragment, from 1 over the whole recording
    cap     array     first frame: wall clock (ms since 1970 UTC), monotonic (ns since boot), time state, error (ms)
    sig     array     moment of signing, likewise
    boot    text      boot id of both
    ms      integer   duration
    ctr     null      hardware counter of the device; null until a device has one
    pos     array     position (`position.py`), or null where none was measured
    media   32 bytes  SHA-256 of moof and mdat, as `sha256sum` over that stretch of the file gives it
    moof    8 bytes   beginning of the SHA-256 of moof alone, only to tell which of the two was damaged
    evt     array     events: kind, boot, moment as above, reason or null, note[, first and last fragment]

An `explanation` says that an officer explained aloud, in the fragments it names, why the recording had broken off;
`mute-on` and `mute-off` that silence stands in the place of sound between them; `photo` has the SHA-256 of a photo
taken at that moment as its note; `health` has one reading of the device's own state (`agent.evidence.health`).
What the rules ask of the officers stands in the notes of `officer` (the entry of the personnel list, as it was then),
`label` (what is not as it should be), `task`, `step-due` (a step that the recording list asks for), `step` (one that
was marked) and `identity-shown` (the number of the certificate that was shown).
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.errors import SenderFault
from agent.evidence import bmff, cbor
from agent.evidence.position import Position, encode_position, parse_position
from agent.evidence.reasons import Reason as Reason
from agent.wire.identifiers import Digest, RecordingId, parse_recording_id
from agent.wire.instant import Instant, TimeState

DIGEST_BYTES = 32
LOCATOR_BYTES = 8
MAX_ENTRY_BYTES = 32 * 1024  # ours; an entry without events is below 300 bytes
MAX_NUMBER = 2**53 - 1  # what canonical JSON can carry into journal.jsonl
MAX_WALL_MS = 253_370_764_800_000  # the year 9999 begins; datetime ends with it
MAX_DURATION_MS = 3_600_000  # ours; a fragment is half a second
MAX_MONOTONIC_NS = 2**63 - 1  # a kernel's clock
MAX_NOTE_CHARACTERS = 200  # ours; longer notes are cut when written
GAP_OPENED, GAP_CLOSED, MARKER, CLOCK_JUMPED = "gap-opened", "gap-closed", "marker", "clock-jumped"
MUTE_ON, MUTE_OFF, EXPLANATION, PHOTO, HEALTH = "mute-on", "mute-off", "explanation", "photo", "health"
OFFICER, LABEL, TASK, STEP_DUE, STEP, IDENTITY = "officer", "label", "task", "step-due", "step", "identity-shown"
DOCUMENT, RECEIPT, CONFIRMED = "document", "receipt", "party-confirmed"
PAPER_KINDS = (DOCUMENT, RECEIPT, CONFIRMED)
DUTY_KINDS = frozenset({OFFICER, LABEL, TASK, STEP_DUE, STEP, IDENTITY, *PAPER_KINDS})
EVENT_KINDS = DUTY_KINDS | {
    *(GAP_OPENED, GAP_CLOSED, MARKER, CLOCK_JUMPED, MUTE_ON, MUTE_OFF, EXPLANATION, PHOTO, HEALTH),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class JournalEvent:
    """Something of that instant; `kind` is one of `EVENT_KINDS`, gaps carry a reason. `span` are the first and the
    last fragment of an explanation, None for other kinds."""

    kind: str
    at: Instant
    reason: Reason | None = None
    note: str = ""
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class FragmentMoment:
    """What the capture side knows of one fragment; `captured` is its first frame, of the same boot as `signed`;
    `position` where that was, None where nobody measured."""

    captured: Instant
    duration_ms: int
    signed: Instant
    events: tuple[JournalEvent, ...] = ()
    position: Position | None = None


@dataclass(frozen=True)
class JournalEntry:
    """One entry; times are cut to milliseconds. `media` and `previous` are hex, `moof` is the 8-byte locator."""

    previous: Digest
    recording: RecordingId
    segment: int
    sequence: int
    moment: FragmentMoment
    media: Digest
    moof: bytes

    def encode(self) -> bytes:
        """The CBOR bytes; raises `ValueError` for a moment of two boots or too many events."""
        moment = self.moment
        if moment.captured.boot != moment.signed.boot:
            raise ValueError("a fragment is captured and signed in one boot")
        data = cbor.encode(
            {
                "prev": bytes.fromhex(self.previous),
                "rec": self.recording,
                "seg": self.segment,
                "seq": self.sequence,
                "cap": _time(moment.captured),
                "sig": _time(moment.signed),
                "boot": moment.captured.boot,
                "ms": moment.duration_ms,
                "ctr": None,
                "pos": encode_position(moment.position),
                "media": bytes.fromhex(self.media),
                "moof": self.moof,
                "evt": [encode_event(event) for event in moment.events],
            }
        )
        if len(data) > MAX_ENTRY_BYTES:
            raise ValueError("too many events for one journal entry")
        return data


@dataclass(frozen=True)
class JournalRecord:
    """An entry and where its fragment stands: `offset` and `size` of the whole fragment in its segment file;
    `media_offset` and `media_size` of moof and mdat, which hash to `entry.media`."""

    entry: JournalEntry
    head: Digest
    offset: int
    size: int
    media_offset: int
    media_size: int


def head_of(entry: bytes) -> Digest:
    """The head after an entry: SHA-256 of its CBOR bytes."""
    return Digest(hashlib.sha256(entry).hexdigest())


def encode_entry_box(entry: bytes) -> bytes:
    """The `uuid` box of an entry."""
    return bmff.encode_user_box(bmff.JOURNAL_BOX, entry)


def entry_bytes(box: bytes) -> bytes:
    """The CBOR bytes in an entry's box; raises `SenderFault` when it is too large."""
    data = box[bmff.HEADER + bmff.USER_TYPE :]
    if len(data) > MAX_ENTRY_BYTES:
        raise SenderFault("录制日志条目过大，已拒绝。")
    return data


def parse_entry(data: bytes) -> JournalEntry:
    """The entry in CBOR bytes; raises `SenderFault` unless they are exactly what `encode` writes for it."""
    fields = cbor.decode_map(data, exact=False)
    try:
        boot = fields["boot"]
        moment = FragmentMoment(
            _instant(fields["cap"], boot),
            fields["ms"],
            _instant(fields["sig"], boot),
            tuple(parse_event(event) for event in fields["evt"]),
            parse_position(fields["pos"]),
        )
        entry = JournalEntry(
            Digest(fields["prev"].hex()),
            parse_recording_id(fields["rec"]),
            fields["seg"],
            fields["seq"],
            moment,
            Digest(fields["media"].hex()),
            fields["moof"],
        )
        exact = _plausible(entry) and entry.encode() == data
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise SenderFault(f"录制日志条目无法读取（{type(error).__name__}），已拒绝。") from error
    if not exact:
        raise SenderFault("录制日志条目格式不合规定，已拒绝。")
    return entry


def encode_event(event: JournalEvent) -> list[Any]:
    """An event as a CBOR array."""
    if event.kind not in EVENT_KINDS:
        raise ValueError(f"unknown journal event {event.kind}")
    reason = None if event.reason is None else event.reason.value
    span = [] if event.span is None else [list(event.span)]
    return [event.kind, event.at.boot, _time(event.at), reason, event.note[:MAX_NOTE_CHARACTERS], *span]


def overflow_event(first: JournalEvent, count: int) -> JournalEvent:
    """What stands for `count` events, from `first` on, where there is no room for each: one interruption that is not
    closed, with the note "+N more". Its reason is that of `first`, or that nothing could be stored."""
    return JournalEvent(GAP_OPENED, first.at, first.reason or Reason.STORAGE_FAILED, f"+{count} more")


def parse_event(value: Any) -> JournalEvent:
    """The inverse of `encode_event`; raises `SenderFault` or a `ValueError`/`TypeError` when malformed."""
    kind, boot, at, reason, note, *more = value
    told = isinstance(note, str) and len(note) <= MAX_NOTE_CHARACTERS
    if kind not in EVENT_KINDS or not told or len(more) != (kind == EXPLANATION):
        raise SenderFault("录制日志中的事件未知，已拒绝。")
    span = _span(more[0]) if more else None
    return JournalEvent(kind, _instant(at, boot), None if reason is None else Reason(reason), note, span)


def _span(value: Any) -> tuple[int, int]:
    first, last = value
    if not (_bounded(first, MAX_NUMBER) and _bounded(last, MAX_NUMBER) and 1 <= first <= last):
        raise SenderFault("录制日志中说明的片段范围不对，已拒绝。")
    return first, last


def encode_instant(moment: Instant) -> list[Any]:
    """A moment with its boot as a CBOR array."""
    return [moment.boot, *_time(moment)]


def parse_instant(value: Any) -> Instant:
    """The inverse of `encode_instant`; raises `SenderFault`."""
    try:
        boot, *rest = value
        return _instant(rest, boot)
    except (TypeError, ValueError, OverflowError) as error:
        raise SenderFault("时刻字段无法读取，已拒绝。") from error


def _time(moment: Instant) -> list[Any]:
    wall = (moment.wall - _EPOCH) // timedelta(milliseconds=1)
    return [wall, moment.monotonic_ns, moment.state.value, moment.error_ms]


def _instant(value: Any, boot: Any) -> Instant:
    wall, monotonic, state, error = value
    bounded = _bounded(wall, MAX_WALL_MS) and _bounded(monotonic, MAX_MONOTONIC_NS)
    if not isinstance(boot, str) or not bounded or not (error is None or _bounded(error, MAX_NUMBER)):
        raise TypeError("not a moment")
    return Instant(_EPOCH + timedelta(milliseconds=wall), monotonic, boot, TimeState(state), error)


def _bounded(number: Any, limit: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= limit


def _plausible(entry: JournalEntry) -> bool:
    digests = (len(entry.previous), len(entry.media)) == (2 * DIGEST_BYTES, 2 * DIGEST_BYTES)
    locator = isinstance(entry.moof, bytes) and len(entry.moof) == LOCATOR_BYTES
    numbers = _bounded(entry.segment, MAX_NUMBER) and _bounded(entry.sequence, MAX_NUMBER)
    return digests and locator and numbers and _bounded(entry.moment.duration_ms, MAX_DURATION_MS)
