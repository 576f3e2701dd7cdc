"""One start of a recorder's camera: says how long it took until the first encoded picture, and what was lost later.

`python -m tests.camera.first_packet STARTED SECONDS`: STARTED is CLOCK_MONOTONIC in nanoseconds when this process was
asked for; prints one JSON object.
"""

import json
import resource
import sys
import threading
import time

from agent.adapters.packets import Packet
from agent.adapters.picamera2_source import Picamera2Source, opened_camera
from agent.adapters.pyav_source import Encoding
from agent.clock import system_clock
from tests.camera.virtual_camera import VirtualPicamera2

FPS = 30


def main(started_ns: int, duration_s: float) -> None:
    cameras, packets, first = [], [], []

    def make_camera() -> VirtualPicamera2:
        cameras.append(opened_camera(VirtualPicamera2, FPS))
        return cameras[0]

    def deliver(packet: Packet) -> None:
        if not first:
            first.append((time.monotonic_ns(), time.process_time()))
        packets.append(packet)

    source = Picamera2Source((1280, 720), Encoding(FPS, 4000), system_clock(), None, None, make_camera)
    source.open()
    thread = threading.Thread(target=source.run, args=(deliver,))
    before = resource.getrusage(resource.RUSAGE_SELF)
    thread.start()
    threading.Event().wait(duration_s)
    after = resource.getrusage(resource.RUSAGE_SELF)
    missed = cameras[0].camera.missed
    source.close()
    thread.join()
    length = 90_000 // FPS
    span = round((packets[-1].pts - packets[0].pts) / length) + 1
    print(  # noqa: T201  # read by tests.camera.figures
        json.dumps(
            {
                "first_packet_s": (first[0][0] - started_ns) / 10**9,
                "first_packet_cpu_s": first[0][1],
                "pictures": len(packets),
                "not_recorded": span - len(packets),
                "no_free_buffer": missed,
                "cpu_cores": (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / duration_s,
                "rss_mb": after.ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
