"""The figures of the Pi's source on libcamera's virtual pipeline, 720p at 30 frames a second, printed by
`make test-camera`: nothing passes or fails by them."""

import json
import statistics
import subprocess
import sys
import time

STARTS = 5
LONG_S = 10.0


def one(duration_s: float) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.camera.first_packet", str(time.monotonic_ns()), str(duration_s)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


def main() -> None:
    one(0.5)  # fills the page cache
    starts = [one(1.0)["first_packet_s"] for _ in range(STARTS)]
    long = one(LONG_S)
    rows = {
        "process start to first encoded picture, s, median (target 1.2)": round(statistics.median(starts), 3),
        "... of each start": [round(start, 3) for start in starts],
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
