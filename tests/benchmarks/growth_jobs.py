"""What the figures of growth run in processes of their own: `python -m tests.benchmarks.growth_jobs NAME FOLDER ...`.

Each prints one JSON object; memory is of the whole process.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.adapters.fake_source import FakeSource, Step
from agent.adapters.packets import seconds
from agent.adapters.recorder import Recorder, RecorderSettings, RecordingEvent, RecordingOrder
from agent.adapters.spool import Spool
from agent.control.messages import FragmentStored, RecordingFailed, RecordingSealed
from agent.evidence.journal import Reason
from agent.wire.device_events import GENESIS
from tests.agent.adapters.recording_bench import AUTHORITY, CLOCK, FIRST, SIGNER, UNIT, moment
from tests.benchmarks.capture_jobs import FPS, TRACKS, film
from tests.benchmarks.jobs import _peak_mb

AHEAD_MS, PAUSE_S, PATIENCE_S = 4_000, 0.005, 3_600.0


class Counted:
    """What the recorder says, counted only: a list of it would be a growth of our own."""

    def __init__(self) -> None:
        self.stored_ms = self.fragments = 0
        self.failed = ""
        self.ended = threading.Event()

    def hear(self, event: RecordingEvent) -> None:
        if isinstance(event, FragmentStored):
            self.stored_ms += event.duration_ms
            self.fragments += 1
        elif isinstance(event, RecordingSealed | RecordingFailed):
            self.failed = str(event) if isinstance(event, RecordingFailed) else ""
            self.ended.set()


def record(folder: Path, minutes: str, kbps: str) -> dict[str, Any]:
    """A recording of `minutes`, as fast as the recorder takes it: segments of ten minutes, fragments of half a second,
    each signed and synced; then the stop. Times in seconds."""
    told, played = Counted(), threading.Event()
    spool = Spool(folder / "recordings")

    def script() -> Iterator[Step]:
        for number, packet in enumerate(film(int(minutes) * 60, int(kbps))):
            yield replace(packet, captured=moment(seconds(packet, TRACKS)))  # the film's own clock
            while number % FPS == 0 and number * 1000 / FPS - told.stored_ms > AHEAD_MS:
                yield PAUSE_S
        yield 1.0
        played.set()

    recorder = Recorder(
        spool, SIGNER, CLOCK, lambda: FakeSource(TRACKS, script()), told.hear, RecorderSettings(margin_bytes=0)
    )
    recorder.start(RecordingOrder(FIRST, UNIT, GENESIS, {"version": "bench"}))
    played.wait(PATIENCE_S)
    begin = time.perf_counter()
    recorder.stop(Reason.STOPPED)
    told.ended.wait(PATIENCE_S)
    stop_s = time.perf_counter() - begin
    recorder.close(20)
    if told.failed:
        raise SystemExit(told.failed)
    sizes = [path.stat().st_size for path in spool.segments(FIRST)]
    facts = {"fragments": told.fragments, "segments": len(sizes), "size": sum(sizes)}
    return {**facts, "stop_s": stop_s, "stored_ms": told.stored_ms, "cpu_s": time.process_time()}


def verify(folder: Path) -> dict[str, Any]:
    """All layers of the whole recording, as `liuhen-verify` runs them."""
    from agent.verify_files import judge_path, read_basis

    root = folder / "root.pem"
    root.write_bytes(AUTHORITY.root_pem)
    basis = read_basis([root], [], [], datetime.now(UTC))
    report = judge_path(folder / "recordings" / FIRST, basis, lambda _: None).report
    return {"verdict": report.verdict.value, "cpu_s": time.process_time()}


JOBS = {job.__name__: job for job in (record, verify)}

if __name__ == "__main__":
    begun = time.perf_counter()
    found = JOBS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
    whole = {"peak_mb": _peak_mb(), "wall_s": time.perf_counter() - begun}
    sys.stdout.write(json.dumps({**found, **whole}) + "\n")
