"""A recorder without a camera: it plays the events a test asks for. Chosen explicitly, never a default."""

import hashlib
from collections.abc import Callable

from agent.clock import Clock
from agent.control.effects import Indicate, MarkRecording, NoteDuty, NoteHealth, SetBitrate, StartRecording, TakePhoto
from agent.control.messages import (
    ButtonPressed,
    Event,
    FragmentStored,
    GapOpened,
    PhotoTaken,
    RecordingFailed,
    RecordingSealed,
)
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest, RecordingId
from agent.wire.instant import Instant

FRAGMENT_MS, FRAGMENT_BYTES = 500, 250_000


class FakeRecorder:
    """Implements `agent.app.RecordingPart`. `leftovers` are what a start finds from an earlier run."""

    def __init__(self, clock: Clock, report: Callable[[Event], None], leftovers: tuple[Event, ...] = ()) -> None:
        self._clock, self._report, self._leftovers = clock, report, leftovers
        self.orders: list[StartRecording] = []
        self.marks: list[MarkRecording] = []
        self.obeyed: list[NoteHealth | NoteDuty | SetBitrate | Indicate] = []
        self.fails = False
        self._running: RecordingId | None = None
        self._sequence = 0
        self._head = GENESIS

    def recover(self, unreported: tuple[RecordingId, ...], *, store_lost: bool = False) -> list[Event]:  # noqa: ARG002
        """The leftovers, and a failure for every recording that nobody told the end of."""
        now = self._clock.read()
        return [*self._leftovers, *(RecordingFailed(it, f"录制 {it} 没有留下任何文件。", now) for it in unreported)]

    def open(self) -> None:
        """Nothing to open."""

    def press(self) -> None:
        """The record button."""
        self._report(ButtonPressed(self._clock.read()))

    def start(self, order: StartRecording) -> None:
        """Begin a recording, or fail to."""
        self.orders.append(order)
        if self.fails:
            self._report(RecordingFailed(order.recording, "摄像头无法打开。", self._clock.read()))
            return
        self._running, self._sequence, self._head = order.recording, 0, GENESIS

    def fragment(self) -> None:
        """Store one more fragment."""
        if self._running is None:
            raise RuntimeError("no recording runs")
        self._sequence += 1
        self._head = Digest(hashlib.sha256(f"{self._running}/{self._sequence}".encode()).hexdigest())
        now = self._clock.read()
        self._report(FragmentStored(self._running, 1, self._sequence, self._head, now, FRAGMENT_MS, FRAGMENT_BYTES))

    def gap(self, reason: str) -> None:
        """Break off; the recording goes on."""
        if self._running is None:
            raise RuntimeError("no recording runs")
        self._report(GapOpened(self._running, reason, self._clock.read()))

    def stop(self, reason: str) -> None:
        """Seal what runs."""
        recording, self._running = self._running, None
        if recording is not None:
            self._report(_sealed(recording, self._sequence, self._head, reason, self._clock.read()))

    def mark(self, order: MarkRecording) -> None:
        """Remember the act."""
        self.marks.append(order)

    def photograph(self, order: TakePhoto) -> None:
        """Take a photo of nothing."""
        digest = Digest(hashlib.sha256(repr(order).encode()).hexdigest())
        self._report(PhotoTaken(digest, FRAGMENT_BYTES, self._running, order.at))

    def obey(self, order: NoteHealth | NoteDuty | SetBitrate | Indicate) -> None:
        """Remember the order."""
        self.obeyed.append(order)

    def close(self, timeout_s: float) -> bool:  # noqa: ARG002 - a seal of nothing takes no time
        """Seal what runs, as a shutdown."""
        self.stop("shutdown")
        return True


def _sealed(recording: RecordingId, fragments: int, head: Digest, reason: str, at: Instant) -> RecordingSealed:
    return RecordingSealed(
        recording=recording,
        segments=1,
        fragments=fragments,
        head=head,
        duration_ms=fragments * FRAGMENT_MS,
        size=fragments * FRAGMENT_BYTES,
        reason=reason,
        recovered=False,
        discarded_bytes=0,
        at=at,
    )
