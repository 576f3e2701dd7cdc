"""`python -m tests.benchmarks.first_frame FOLDER`: a recorder in a fresh process, up to its first coded picture; prints
that moment (CLOCK_MONOTONIC) and the processor seconds so far. It imports what an agent's camera side does, nothing of
the tests."""

import os
import sys
import threading
import time
from pathlib import Path

from agent.adapters.packets import Deliver, Packet
from agent.adapters.recorder import Recorder, RecorderSettings, RecordingOrder
from agent.adapters.sources import CaptureSettings, make_source
from agent.adapters.spool import Spool
from agent.adapters.watermark import Caption
from agent.clock import system_clock
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import device_id, recording_id

CLOCK = system_clock()
FIRST = threading.Event()


class Tapped:
    """The test scene, its first coded picture told."""

    def __init__(self) -> None:
        self._source = make_source(CaptureSettings(camera="test"), CLOCK, Caption("REC-0001", "星河区综合行政执法局"))
        self.description = self._source.description
        self.open, self.close = self._source.open, self._source.close

    def run(self, deliver: Deliver) -> None:
        def tap(packet: Packet) -> None:
            if packet.stream == 0 and not FIRST.is_set():
                os.write(1, f"{time.monotonic()} {time.process_time()}\n".encode())
                FIRST.set()
            deliver(packet)

        self._source.run(tap)


if __name__ == "__main__":
    # No key is needed before the first fragment, which is half a second later; the process is ended before.
    signer, settings = None, RecorderSettings(margin_bytes=0)
    recorder = Recorder(Spool(Path(sys.argv[1])), signer, CLOCK, Tapped, [].append, settings)
    recorder.start(RecordingOrder(recording_id(device_id("REC-0001"), 1), "示例", GENESIS))
    FIRST.wait(60)
    os._exit(0)
