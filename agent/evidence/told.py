"""What a device's events, and witnesses, tell of its recordings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agent.errors import SenderFault
from agent.wire.canonical import Fields
from agent.wire.device_events import DeviceEvent, EventType
from agent.wire.identifiers import Digest, RecordingId, digest, parse_recording_id, recording_device


@dataclass(frozen=True)
class ToldHead:
    """Fragment `sequence` had the head `head`. The device told it at `told` by its own clock (None: a witness did),
    `witness` saw it at `seen` (both None: the device alone). `segment` is None where nobody said it."""

    sequence: int
    head: Digest
    segment: int | None
    told: datetime | None
    seen: datetime | None
    witness: str | None
    recording: RecordingId


@dataclass(frozen=True)
class ToldEnd:
    """How a recording ended, in the device's own words: `segments` files with `fragments` fragments."""

    segments: int
    fragments: int
    at: datetime


@dataclass(frozen=True)
class ToldRecording:
    """Everything told of one recording; `heads` in the order of their numbers. `started` and `previous` (the head of
    the recording before) are None when nobody told of its beginning, `end` when nobody told of its end; `failed`: the
    device said that it could not be opened or kept up; `deleted`: when it said that it deleted its files."""

    recording: RecordingId
    started: datetime | None
    previous: Digest | None
    heads: tuple[ToldHead, ...]
    end: ToldEnd | None
    failed: bool
    deleted: datetime | None = None

    @property
    def by_device(self) -> bool:
        """Whether the device itself told of its beginning, its end or a head; a witness alone, or that it was deleted,
        is not enough."""
        return self.started is not None or self.end is not None or any(head.told is not None for head in self.heads)

    @property
    def last(self) -> ToldHead | None:
        """The farthest head, None when no fragment was told of."""
        return self.heads[-1] if self.heads else None


@dataclass(frozen=True)
class ToldPhoto:
    """A photo with the SHA-256 `digest` that the device told of at `at`, taken in `recording` or by itself (None)."""

    digest: Digest
    at: datetime
    recording: RecordingId | None


def tell_photos(events: Iterable[DeviceEvent]) -> tuple[ToldPhoto, ...]:
    """The photos that `events` tell of, each once; an event that says nothing readable tells nothing."""
    found: dict[Digest, ToldPhoto] = {}
    for event in events:
        if event.type is EventType.PHOTO_TAKEN:
            fields = Fields("照片事件", dict(event.data))
            try:
                name = fields.text("recording")
                photo = ToldPhoto(digest(fields.text("photo")), event.time, parse_recording_id(name) if name else None)
            except SenderFault:
                continue
            found.setdefault(photo.digest, photo)
    return tuple(found.values())


@dataclass
class _Draft:
    started: datetime | None = None
    previous: Digest | None = None
    heads: list[ToldHead] = field(default_factory=list)
    end: ToldEnd | None = None
    failed: bool = False
    deleted: datetime | None = None


def tell_recordings(events: Iterable[DeviceEvent], seen: Iterable[ToldHead]) -> Mapping[RecordingId, ToldRecording]:
    """The recordings of one device that `events` (in the order of its chain) and witnesses tell of. An event that says
    nothing readable tells nothing."""
    drafts: dict[RecordingId, _Draft] = {}
    for event in events:
        try:
            _add(drafts, event)
        except SenderFault:
            continue
    for head in seen:
        drafts.setdefault(head.recording, _Draft()).heads.append(head)
    return {recording: _told(recording, draft) for recording, draft in drafts.items()}


def _add(drafts: dict[RecordingId, _Draft], event: DeviceEvent) -> None:
    fields = Fields("录制事件", event.data)
    recording = parse_recording_id(fields.text("recording"))
    if recording_device(recording) != event.device:
        return
    draft = drafts.setdefault(recording, _Draft())
    match event.type:
        case EventType.RECORDING_STARTED:
            draft.started, draft.previous = event.time, digest(fields.text("previous"))
        case EventType.RECORDING_HEAD_ADVANCED:
            sequence, segment = fields.integer("sequence", 1), fields.integer("segment", 1)
            head = digest(fields.text("head"))
            draft.heads.append(ToldHead(sequence, head, segment, event.time, None, None, recording))
        case EventType.RECORDING_SEALED | EventType.RECORDING_RECOVERED:
            end = ToldEnd(fields.integer("segments", 1), fields.integer("fragments", 1), event.time)
            head = digest(fields.text("head"))
            draft.end = end
            draft.heads.append(ToldHead(end.fragments, head, end.segments, event.time, None, None, recording))
        case EventType.RECORDING_REFUSED:
            draft.failed = True
        case EventType.RECORDING_DELETED:
            draft.deleted = event.time


def _told(recording: RecordingId, draft: _Draft) -> ToldRecording:
    heads = tuple(sorted(draft.heads, key=lambda head: head.sequence))
    return ToldRecording(recording, draft.started, draft.previous, heads, draft.end, draft.failed, draft.deleted)
