"""The seals of one recording's segments, each at the moment from which it will stay true."""

from dataclasses import replace
from pathlib import Path

from agent import durable
from agent.adapters.segment_recovery import Break
from agent.adapters.segment_sums import SegmentSums
from agent.adapters.segment_writer import SegmentWriter
from agent.adapters.sidecar_files import FileSums
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import seal_broken
from agent.clock import Clock
from agent.errors import EnvironmentFault, SenderFault
from agent.evidence.journal import JournalEvent, Reason
from agent.evidence.segment import Closing
from agent.wire.signing import CertifiedSigner


class SegmentSeals:
    """A seal that says that another segment follows waits until a fragment of that one is on the disk: were the power
    cut in between, it would accuse somebody of having taken a segment away. What the disk refuses is sealed at the end
    of the recording, or at a start."""

    def __init__(self, spool: Spool, signer: CertifiedSigner, clock: Clock) -> None:
        self._spool, self._signer, self._clock = spool, signer, clock
        self._held: tuple[SegmentWriter, Closing] | None = None
        self._broken: dict[Path, Break] = {}
        self._sums = SegmentSums(spool.sums_of)

    def close(self, segment: SegmentWriter, reason: Reason, gaps: tuple[JournalEvent, ...]) -> bool:
        """Seal `segment`, whose last fragment is on the disk; returns whether the seal carries `gaps` now. Before a
        segment that follows, its first fragment carries them."""
        if reason is Reason.CONTINUED:
            self._held = segment, Closing(self._clock.read(), reason)
            return False
        return self._seal(segment, Closing(self._clock.read(), reason, gaps=gaps))

    def went_on(self) -> None:
        """A fragment behind every closed segment is on the disk."""
        if self._held is not None:
            held, self._held = self._held, None
            self._seal(*held)

    def ended(self, reason: Reason, gaps: tuple[JournalEvent, ...]) -> bool:
        """Nothing followed the last closed segment, for `reason`; returns whether its seal carries `gaps` now."""
        if self._held is None or reason is Reason.CONTINUED:
            return False
        (segment, closing), self._held = self._held, None
        return self._seal(segment, replace(closing, reason=reason, gaps=gaps))

    def leave(self, segment: Path, broken: Break) -> None:
        """The disk failed in the middle of `segment`."""
        self._broken[segment] = broken

    def clear(self, segment: Path) -> None:
        """Take an empty file out of the way of a new segment; raises `EnvironmentFault`."""
        if segment in self._broken:
            durable.remove(segment)
            del self._broken[segment]

    def finish(self, last: Path, gaps: tuple[JournalEvent, ...]) -> tuple[int, list[Path], dict[str, FileSums]]:
        """Seal what the disk had refused to, the `last` one with `gaps`: the bytes set aside, the segments that the
        disk gives back as something else (see `seal_broken`), and the sums that are known already, by file name.
        Raises `EnvironmentFault` when the disk still refuses."""
        if last in self._broken:
            self._broken[last] = replace(self._broken[last], gaps=gaps)
        discarded, lost = seal_broken(self._broken, self._signer, self._clock, self._spool.keys)
        return discarded, lost, self._sums.take()

    def _seal(self, segment: SegmentWriter, closing: Closing) -> bool:
        try:
            segment.seal(closing)
        except (EnvironmentFault, SenderFault):
            self._broken[segment.path] = Break(closing.reason, segment.size)
            return False
        self._sums.add(segment.path)
        return True
