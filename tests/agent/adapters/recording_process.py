"""A process that records the test scene into the folder it is given and says every event on its standard output. It
runs until it is killed, or until so many fragments are stored. `queue_bytes` is the room between camera and disk."""

import itertools
import os
import sys
import threading
from pathlib import Path

from agent.adapters.data_keys import DataKeys, read_archive_key
from agent.adapters.packet_flow import QUEUE_BYTES
from agent.adapters.recorder import Recorder, RecorderSettings, RecordingOrder
from agent.adapters.sources import CaptureSettings, source_maker
from agent.adapters.spool import Spool
from agent.control.messages import FragmentStored
from agent.evidence.journal import Reason
from agent.wire.device_events import GENESIS
from tests.agent.adapters.recording_bench import CLOCK, FIRST, SIGNER, UNIT


def main(
    root: str, segment_seconds: str, fragments: str = "0", queue_bytes: str = str(QUEUE_BYTES), archive: str = ""
) -> None:
    enough, stored = threading.Event(), itertools.count(1)

    def say(event: object) -> None:
        os.write(1, f"{type(event).__name__} {getattr(event, 'sequence', 0)}\n".encode())
        if isinstance(event, FragmentStored) and next(stored) == int(fragments):
            enough.set()

    minutes, room = float(segment_seconds) / 60, int(queue_bytes)
    settings = RecorderSettings(segment_minutes=minutes, retry_s=0.2, margin_bytes=0, queue_bytes=room)
    keys = DataKeys(Path(root).parent / "keys", read_archive_key(Path(archive))) if archive else None
    maker = source_maker(CaptureSettings(camera="test", width=320, height=192), CLOCK)
    recorder = Recorder(Spool(Path(root), keys=keys), SIGNER, CLOCK, maker, say, settings)
    recorder.start(RecordingOrder(FIRST, UNIT, GENESIS))
    enough.wait()
    recorder.stop(Reason.STOPPED)
    recorder.close(20)


if __name__ == "__main__":
    main(*sys.argv[1:])
