"""A recording that goes on for hours must not take more and more of a small board's memory."""

import gc
import tracemalloc
from dataclasses import replace
from pathlib import Path

from agent.adapters.fake_source import FakeSource
from agent.adapters.packets import seconds
from agent.adapters.recorder import Recorder, RecorderSettings, RecordingEvent, RecordingOrder
from agent.adapters.spool import Spool
from agent.control.messages import FragmentStored
from agent.evidence.journal_pack import PackedJournal
from agent.evidence.sidecars import JOURNAL_NAME, journal_lines
from agent.wire.device_events import GENESIS
from tests.agent.adapters.recording_bench import (
    CLOCK,
    FIRST,
    FPS,
    SIGNER,
    UNIT,
    eventually,
    examined,
    footage,
    moment,
    shifted,
)
from tests.agent.evidence.bench import Bench

FRAGMENT_MS, FIRST_LOOK, LAST_LOOK = 100, 200, 1000
MOST_BYTES = 300  # kept of a fragment: its line in the journal, packed


def test_hours_of_fragments_are_kept_packed_and_the_journal_is_the_same(tmp_path: Path) -> None:
    """As objects they took 1 200 bytes each: 70 MB in eight hours, and 90 MB more when the journal was written."""
    tracks, second = footage(1, sound=False)
    held: dict[int, int] = {}
    stored = 0

    def hear(event: RecordingEvent) -> None:
        nonlocal stored
        if isinstance(event, FragmentStored):
            stored += 1
            if stored in (FIRST_LOOK, LAST_LOOK):
                gc.collect()
                held[stored] = tracemalloc.get_traced_memory()[0]

    def script():
        for number in range(LAST_LOOK // FPS + 2):
            for packet in second:
                late = shifted(packet, number, tracks)
                yield replace(late, captured=moment(seconds(late, tracks)))
            while number * FPS - stored > 2 * FPS:
                yield 0.002

    settings = RecorderSettings(fragment_ms=FRAGMENT_MS, segment_minutes=1, margin_bytes=0)
    spool = Spool(tmp_path)
    recorder = Recorder(spool, SIGNER, CLOCK, lambda: FakeSource(tracks, script()), hear, settings)
    tracemalloc.start()
    try:
        recorder.start(RecordingOrder(FIRST, UNIT, GENESIS, {"version": "test"}))
        eventually(lambda: LAST_LOOK in held, "hours of fragments")
    finally:
        tracemalloc.stop()
        recorder.close(20)
    assert (held[LAST_LOOK] - held[FIRST_LOOK]) / (LAST_LOOK - FIRST_LOOK) < MOST_BYTES
    places = spool.segments(FIRST)
    records = [record for place in places for record in examined(place).fragments]
    assert len(places) >= 2
    assert (tmp_path / FIRST / JOURNAL_NAME).read_bytes() == journal_lines(records)


def test_a_packed_journal_can_be_read_at_any_moment_and_goes_on() -> None:
    bench = Bench(SIGNER)
    bench.sealed()
    journal = PackedJournal(bench.records[:2])
    assert b"".join(journal.pieces()) == journal_lines(bench.records[:2])
    journal.extend(bench.records[2:])
    assert b"".join(journal.pieces()) == b"".join(journal.pieces()) == journal_lines(bench.records)
    assert b"".join(PackedJournal().pieces()) == b""
