"""What happens to recordings, in the past tense: part of `agent.control.messages`, and apart from it as their orders
are (`agent.control.recording_effects`)."""

from dataclasses import dataclass

from agent.wire.identifiers import Digest, RecordingId
from agent.wire.instant import Instant


@dataclass(frozen=True)
class FragmentStored:
    """A signed fragment is on the disk. `sequence` counts from 1 over the whole recording; `head` is the hash of its
    journal entry, the end of the recording's chain; `captured` is the moment of its first frame."""

    recording: RecordingId
    segment: int
    sequence: int
    head: Digest
    captured: Instant
    duration_ms: int
    size: int


@dataclass(frozen=True)
class GapOpened:
    """Capture broke off inside a recording that goes on; `reason` is a code of `agent.evidence.journal`."""

    recording: RecordingId
    reason: str
    at: Instant


@dataclass(frozen=True)
class PhotoTaken:
    """A signed photo is on the disk: `digest` is the SHA-256 of its file, `recording` the one it was taken in."""

    digest: Digest
    size: int
    recording: RecordingId | None
    at: Instant


@dataclass(frozen=True)
class RecordingFound:
    """A recording of an earlier run stands sealed on the disk, up to `head`; how it ended is told later."""

    recording: RecordingId
    head: Digest


@dataclass(frozen=True)
class RecordingReread:
    """What the journal of `recording` says: `previous` is the head of the recording before, `gaps` are reason and
    moment, `marks` the moments of key marks."""

    recording: RecordingId
    previous: Digest
    started: Instant
    gaps: tuple[tuple[str, Instant], ...]
    marks: tuple[Instant, ...]


@dataclass(frozen=True)
class RecordingSealed:
    """A recording is closed and its seal is on the disk; `reason` says why it ended, `recovered` that a later start
    of the device closed it, after trimming `discarded_bytes` of torn tail."""

    recording: RecordingId
    segments: int
    fragments: int
    head: Digest
    duration_ms: int
    size: int
    reason: str
    recovered: bool
    discarded_bytes: int
    at: Instant


@dataclass(frozen=True)
class RecordingFailed:
    """A recording could not be opened or went on no longer; what is on the disk stays and is recovered later.
    `recording` is None when not even its folder could be made; `detail` is one Chinese line."""

    recording: RecordingId | None
    detail: str
    at: Instant


@dataclass(frozen=True)
class WorkFailed:
    """Something the worker thread was asked for did not succeed; `detail` is one Chinese line. `disclosure` names
    the document (kind, id) that could not be written."""

    detail: str
    disclosure: tuple[str, str] | None = None
