"""What is remembered of a recorder's recordings, and their deletion: asked once in a while, looked at, told, done.

Belongs to the offload desk.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice

from agent.control.backoff import NANOSECONDS
from agent.control.deletion import CentreTime, Kept, Stay, later, may_be_removed, why_stays
from agent.control.effects import Effect, EventDraft, StoreEvent, StoreNote
from agent.control.offload_messages import CompareRecording, DeleteRecording, KeptGone, KeptSeen
from agent.wire.canonical import timestamp
from agent.wire.device_events import EventType
from agent.wire.identifiers import RecordingId
from agent.wire.instant import Instant
from agent.wire.receipts import Receipt

CHECK_NS = 600 * NANOSECONDS  # ours: how often it is asked what may go; terms are months
Holds = Mapping[RecordingId, Iterable[str]]


class KeptShelf:
    """`kept` is what earlier runs remember, `holds` the names of those in force."""

    def __init__(self, kept: Mapping[RecordingId, Kept], holds: Holds) -> None:
        self._kept, self._holds = dict(kept), holds
        self._centre: CentreTime | None = None
        self._check_ns = 0

    def check(self, now: Instant) -> list[Effect]:
        """One recording at a time: nothing here is in a hurry."""
        if now.monotonic_ns < self._check_ns:
            return []
        self._check_ns = now.monotonic_ns + CHECK_NS
        due = (kept for kept in self._kept.values() if not kept.going and self._stays(kept, now) is None)
        return [*self.removals(), *(CompareRecording(it.recording, it.receipted) for it in islice(due, 1))]

    def _stays(self, kept: Kept, now: Instant) -> Stay | None:
        return why_stays(kept, self._holds.get(kept.recording, ()), now, self._centre)

    def unchanged(self, recording: RecordingId, manifest: str, now: Instant) -> list[Effect]:
        """What stands here is what the manifest says: delete it, if it still may go. A hold may have come meanwhile."""
        kept = self.of(recording)
        if kept.going or kept.receipted != manifest or self._stays(kept, now) is not None:
            return []
        term, at = kept.retention, kept.receipted_at
        data = {
            "manifest": kept.receipted,
            "receipted_at": "" if at is None else timestamp(at),
            "recording": kept.recording,
            "retention": "" if term is None else term.text,
        }
        name = f"{fact_of(kept.recording)}/deleted/{kept.receipted}"
        draft = EventDraft(name, EventType.RECORDING_DELETED, now, data)
        stored = StoreEvent(draft, self.remember(replace(kept, going=True)))
        return [stored, DeleteRecording(kept.recording, kept.receipted)]

    def removals(self) -> list[Effect]:
        """Told again until it is done: the performer looks whether the event is on the chain."""
        going = [kept for kept in self._kept.values() if may_be_removed(kept, self._holds.get(kept.recording, ()))]
        return [DeleteRecording(kept.recording, kept.receipted) for kept in going]

    def take_back(self, recording: RecordingId) -> KeptSeen:
        """Whether `recording` may go is decided anew: the store did not take it, or its files have changed."""
        return self.remember(replace(self.of(recording), going=False))

    def get(self, recording: RecordingId) -> Kept | None:
        """What is remembered of `recording`, None of one that is not here."""
        return self._kept.get(recording)

    def of(self, recording: RecordingId) -> Kept:
        """What is remembered of `recording`."""
        return self._kept.get(recording, Kept(recording))

    def remember(self, kept: Kept) -> KeptSeen:
        """Remember it from now on; the note is to be stored."""
        self._kept[kept.recording] = kept
        return KeptSeen(kept)

    def removed(self, recording: RecordingId) -> list[Effect]:
        """Its files are gone."""
        self._kept.pop(recording, None)
        return [StoreNote(KeptGone(recording))]

    def hear_centre(self, receipt: Receipt, now: Instant) -> None:
        """The centre has signed with its own time."""
        self._centre = later(self._centre, CentreTime(receipt.received_at, now), now)

    def receipted(self) -> list[RecordingId]:
        """Recordings for whose present files the centre has signed."""
        return [it.recording for it in self._kept.values() if it.receipted and it.receipted == it.manifest]


def fact_of(recording: RecordingId) -> str:
    """How events name a recording in their ids."""
    return f"R{recording.rpartition('-R')[2]}"
