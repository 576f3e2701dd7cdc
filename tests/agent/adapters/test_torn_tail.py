"""A torn tail of any length is set aside without being held in memory: a small device would never start again."""

import os
import tracemalloc
from pathlib import Path

from agent.adapters.segment_recovery import Break, heal
from tests.agent.adapters.recording_bench import CLOCK, FIRST, SIGNER
from tests.agent.evidence.bench import Bench

TAIL_BYTES, MOST_BYTES = 160 * 2**20, 80 * 2**20


def test_long_torn_tail_is_set_aside_piece_by_piece(tmp_path: Path) -> None:
    segment = tmp_path / FIRST / "segment-0001.mp4"
    segment.parent.mkdir()
    live = Bench(SIGNER).live()[1]
    segment.write_bytes(live)
    os.truncate(segment, len(live) + TAIL_BYTES)
    tracemalloc.start()
    try:
        healed = heal(segment, SIGNER, CLOCK, Break())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert healed is not None
    assert healed.discarded_bytes == TAIL_BYTES
    assert segment.with_name("segment-0001.mp4.torn").stat().st_size == TAIL_BYTES
    assert peak < MOST_BYTES
