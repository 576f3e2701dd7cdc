"""What an officer does inside a recording, turned into signed journal events."""

from agent.adapters.gap_log import GapLog
from agent.adapters.orders import ActAsked
from agent.adapters.packets import Packet
from agent.control.acts import Act
from agent.evidence.journal import EXPLANATION, MARKER, MUTE_OFF, MUTE_ON, JournalEvent, Reason
from agent.wire.instant import Instant

KEY_MARK = "重点标记"


class OfficerMarks:
    """Mute, pause and spoken explanations of one recording. A second mute while muted changes nothing, and so on."""

    def __init__(self, gaps: GapLog) -> None:
        self._gaps = gaps
        self._explaining: tuple[int, str] | None = None
        self._resumed_ns = 0
        self.muted = self.paused = False

    def records(self, packet: Packet) -> bool:
        """Whether `packet` belongs into the recording: it comes in no pause, and was not taken in the one before, as
        what waited to be coded, or for its sound, when that ended."""
        return not self.paused and packet.captured.monotonic_ns >= self._resumed_ns

    def apply(self, asked: ActAsked, next_sequence: int) -> Reason | None:
        """Note the act; `next_sequence` is the number of the fragment that is being filled. Returns the reason of an
        interruption that begins with it, None otherwise."""
        match asked.act:
            case Act.MUTE if not self.muted:
                self.muted = True
                self._gaps.note(JournalEvent(MUTE_ON, asked.at, Reason.MUTED, asked.cause))
                return Reason.MUTED
            case Act.UNMUTE if self.muted:
                self.muted = False
                self._gaps.note(JournalEvent(MUTE_OFF, asked.at, Reason.MUTED))
            case Act.MARK:
                self._gaps.note(JournalEvent(MARKER, asked.at, None, KEY_MARK))
            case Act.PAUSE if not self.paused:
                return self._pause(asked)
            case Act.RESUME if self.paused:
                self.paused, self._resumed_ns = False, asked.at.monotonic_ns
                self._gaps.resumed(asked.at)
            case Act.EXPLAIN if self._explaining is None:
                self._explaining = next_sequence, asked.cause
            case Act.EXPLAINED:
                self.end_explanation(asked.at, next_sequence)
        return None

    def end_explanation(self, at: Instant, last_sequence: int) -> None:
        """The explanation ends within fragment `last_sequence`, if there is one; none that lies before it began."""
        if self._explaining is not None:
            (first, cause), self._explaining = self._explaining, None
            if last_sequence >= first:
                self._gaps.note(JournalEvent(EXPLANATION, at, None, cause, (first, last_sequence)))

    def _pause(self, asked: ActAsked) -> Reason:
        self.paused = True
        if not self._gaps.open(Reason.PAUSED, asked.at, asked.cause):
            # Another interruption lasts already and its reason stands; that it was also paused is still told.
            self._gaps.note(JournalEvent(MARKER, asked.at, Reason.PAUSED, asked.cause))
        return Reason.PAUSED
