"""Whether what is recorded makes progress: one of the three things a restart waits for (loop, database, frames).

A lost camera, a full disk and an officer's pause are told as such and are no stall: the recorder tries again by itself,
and a restart would only end the recording. A recorder that is silent, or whose encoder stands still, is one. What
excuses it ends: when it goes on, when the officer goes on (what is still amiss then is told anew), and when a camera
that came back delivers nothing.
"""

from agent.control.acts import Act
from agent.control.backoff import NANOSECONDS
from agent.control.messages import Event, FragmentStored, GapOpened, OfficerActed
from agent.control.recording import State
from agent.evidence.reasons import Reason
from agent.wire.instant import Instant

FRAGMENTS_NS = 5 * NANOSECONDS  # reference/reliability.md, fault 17: told within 5 s; more for longer fragments
OPENING_NS = 15 * NANOSECONDS  # ours: a camera may take 10 s to open
EXCUSED = frozenset({Reason.CAMERA_LOST, Reason.STORAGE_FAILED, Reason.STORAGE_FULL, Reason.PAUSED})


class FrameWatch:
    """Sees every event and the state of the recording after it."""

    def __init__(self) -> None:
        self._state = State.IDLE
        self._since_ns = 0
        self._patience_ns = OPENING_NS
        self._excuses: dict[Reason, int] = {}

    def see(self, event: Event, state: State, now: Instant) -> None:
        """An event was handled; `state` is where the recording stands now."""
        if state is not self._state:
            self._state, self._since_ns, self._excuses = state, now.monotonic_ns, {}
            self._patience_ns = FRAGMENTS_NS if state is State.RECORDING else OPENING_NS
        if isinstance(event, FragmentStored):
            self._since_ns = now.monotonic_ns
            self._patience_ns = max(FRAGMENTS_NS, 3 * event.duration_ms * 1_000_000)
            # What was seen before an interruption may be stored after it was told.
            self._excuses = {it: at for it, at in self._excuses.items() if at >= event.captured.monotonic_ns}
        elif isinstance(event, GapOpened):
            self._interrupted(Reason(event.reason), event.at, now)
        elif isinstance(event, OfficerActed) and event.act is Act.RESUME and Reason.PAUSED in self._excuses:
            self._excuses, self._since_ns = {}, now.monotonic_ns

    def progresses(self, now: Instant) -> bool:
        """Whether frames came in time, or none are due."""
        if self._state is State.IDLE or self._excuses:
            return True
        return now.monotonic_ns - self._since_ns <= self._patience_ns

    def _interrupted(self, reason: Reason, at: Instant, now: Instant) -> None:
        if reason in EXCUSED:
            self._excuses[reason] = at.monotonic_ns
        elif reason is Reason.ENCODER_STALLED and self._excuses.pop(Reason.CAMERA_LOST, None) is not None:
            self._since_ns = now.monotonic_ns
