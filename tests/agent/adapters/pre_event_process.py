"""A recorder with a pre-event ring that records the test scene into the folder it is given, triggered at once when its
ring holds a second, and says on its standard output what it was delivered and what it stored. It runs until killed."""

import os
import signal
import sys
from pathlib import Path

from agent.adapters.data_keys import DataKeys, read_archive_key
from agent.adapters.packets import Deliver, Packet
from agent.adapters.recorder import PreEventSettings, Recorder, RecorderSettings, RecordingOrder
from agent.adapters.sources import CaptureSettings, make_source
from agent.adapters.spool import Spool
from agent.control.messages import FragmentStored
from agent.wire.device_events import GENESIS
from tests.agent.adapters.recording_bench import CLOCK, FIRST, SIGNER, UNIT

RING_S = 2


class Tapped:
    """A source whose every picture is said aloud before the recorder has it."""

    def __init__(self, camera: str) -> None:
        audio = "test" if camera == "none" else "auto"
        self._source = make_source(CaptureSettings(camera=camera, audio=audio, width=320, height=192), CLOCK)
        self.description = self._source.description
        self.open, self.close = self._source.open, self._source.close

    def run(self, deliver: Deliver) -> None:
        def tap(packet: Packet) -> None:
            if packet.stream == 0:
                say("delivered", packet.captured.monotonic_ns)
            deliver(packet)

        self._source.run(tap)


def say(word: str, number: int) -> None:
    os.write(1, f"{word} {number}\n".encode())


def main(root: str, camera: str, archive: str = "") -> None:
    def report(event: object) -> None:
        if isinstance(event, FragmentStored):
            say("stored", event.sequence)

    settings = RecorderSettings(retry_s=0.2, reserve_bytes=0, pre_event=PreEventSettings(RING_S))
    keys = DataKeys(Path(root).with_name("keys"), read_archive_key(Path(archive))) if archive else None
    recorder = Recorder(Spool(Path(root), keys), SIGNER, CLOCK, lambda: Tapped(camera), report, settings)
    recorder.open()
    sys.stdin.readline()
    recorder.start(RecordingOrder(FIRST, UNIT, GENESIS))
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
