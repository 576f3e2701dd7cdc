"""Everything that can happen (events, past tense) and everything that can be asked for (effects, imperative)."""

from dataclasses import dataclass

from agent.wire.identifiers import Digest, RecordingId
from agent.wire.instant import Instant


@dataclass(frozen=True)
class ButtonPressed:
    """A short press of the record button."""

    at: Instant


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
