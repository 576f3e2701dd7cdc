"""The figures of the Pi's source on libcamera's virtual pipeline, 720p at 30 frames a second, printed by
`make test-camera`: nothing passes or fails by them. CPU seconds tell what a busy machine hides."""

import json
import statistics
import subprocess
import sys
import time

STARTS = 5
LONG_S = 10.0


def one(duration_s: float) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.camera.first_packet", str(time.monotonic_ns()), str(duration_s)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def main() -> None:
    one(0.5)  # fills the page cache, and compiles once as on a device
    starts = [one(1.0) for _ in range(STARTS)]
    long = one(LONG_S)

    def median(name: str) -> float:
        return round(statistics.median(start[name] for start in starts), 3)

    rows = {
        "process start to first encoded picture, s, median (target 1.2)": median("first_packet_s"),
        "... of each start": [round(start["first_packet_s"], 3) for start in starts],
        "... of it CPU, s, median": median("first_packet_cpu_s"),
        f"pictures in {LONG_S:g} s": long["pictures"],
        "... not recorded (holes in the sensor's time)": long["not_recorded"],
        "... no buffer was free for the sensor": long["no_free_buffer"],
        "CPU, cores": round(long["cpu_cores"], 3),
        "resident memory, MB": round(long["rss_mb"]),
    }
    for name, value in rows.items():
        print(f"{name}: {value}")  # noqa: T201  # the figures are the output


if __name__ == "__main__":
    main()
