"""A recorder with a pre-event ring that records the test scene into the folder it is given, triggered at once when its
ring holds a second, and says on its standard output what it was delivered and what it stored. It runs until killed.

A machine that is busy may hold up the recorder as long as it likes: the camera waits before it is farther ahead of the
disk than may be lost. A recorder that wants more than that before it stores anything ends the process instead."""

import os
import signal
import sys
import threading
from pathlib import Path

from agent.adapters.packets import Deliver, Packet
from agent.adapters.recorder import PreEventSettings, Recorder, RecorderSettings, RecordingOrder
from agent.adapters.sources import CaptureSettings, make_source
from agent.adapters.spool import Spool
from agent.control.messages import FragmentStored
from agent.wire.device_events import GENESIS
from tests.agent.adapters.recording_bench import CLOCK, FIRST, SIGNER, UNIT

RING_S = 2
AHEAD_NS = 700 * 10**6  # order B: what a kill may cost
PATIENCE_S = 60.0


class Stored:
    """How far the disk has got, as the recorder tells it; monotonic nanoseconds, 0 before the first fragment."""

    def __init__(self) -> None:
        self._end_ns, self._told = 0, threading.Condition()

    def tell(self, event: FragmentStored) -> None:
        with self._told:
            self._end_ns = event.captured.monotonic_ns + event.duration_ms * 10**6
            self._told.notify_all()

    def wait_for(self, captured_ns: int) -> None:
        with self._told:
            near = self._told.wait_for(lambda: not self._end_ns or captured_ns - self._end_ns <= AHEAD_NS, PATIENCE_S)
        if not near:
            os._exit(1)


class Tapped:
    """A source whose every picture is said aloud before the recorder has it."""

    def __init__(self, camera: str, stored: Stored) -> None:
        self._stored = stored
        audio = "test" if camera == "none" else "auto"
        self._source = make_source(CaptureSettings(camera=camera, audio=audio, width=320, height=192), CLOCK)
        self.description = self._source.description
        self.open, self.close = self._source.open, self._source.close

    def run(self, deliver: Deliver) -> None:
        def tap(packet: Packet) -> None:
            if packet.stream == 0:
                self._stored.wait_for(packet.captured.monotonic_ns)
                say("delivered", packet.captured.monotonic_ns)
            deliver(packet)

        self._source.run(tap)


def say(word: str, number: int) -> None:
    os.write(1, f"{word} {number}\n".encode())


def main(root: str, camera: str) -> None:
    stored = Stored()

    def report(event: object) -> None:
        if isinstance(event, FragmentStored):
            stored.tell(event)
            say("stored", event.sequence)

    settings = RecorderSettings(retry_s=0.2, reserve_bytes=0, pre_event=PreEventSettings(RING_S))
    recorder = Recorder(Spool(Path(root)), SIGNER, CLOCK, lambda: Tapped(camera, stored), report, settings)
    recorder.open()
    sys.stdin.readline()
    recorder.start(RecordingOrder(FIRST, UNIT, GENESIS))
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
