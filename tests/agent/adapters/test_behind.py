"""A ring's way to the disk, in a thread beside the muxer: nothing is told that is not there, and faults come back."""

import threading
from dataclasses import replace
from itertools import count

import pytest

from agent.adapters.behind import MAX_AHEAD, Behind, following
from agent.adapters.gap_log import GapLog
from agent.adapters.packets import Packet
from agent.adapters.positions import PositionLog
from agent.adapters.segment_file import SegmentFile
from agent.adapters.segment_writer import BATCH_BYTES, SegmentWriter
from agent.errors import EnvironmentFault
from agent.evidence.segment import SegmentEmitter, SegmentOrigin, SessionKey
from agent.wire.device_events import GENESIS
from tests.agent.adapters.recording_bench import CLOCK, DEVICE, FIRST, SIGNER, UNIT, footage

FILLER = b"\0\0\0\1\x0c" + b"\xff" * (BATCH_BYTES // 12) + b"\x80"  # H.264 filler: three fragments make a batch


class FailingDisk(SegmentFile):
    """Its sync number `fails_at` and every later one fail; `syncs` counts them."""

    def __init__(self, path, fails_at: int) -> None:
        super().__init__(path)
        self._fails_at, self.syncs = fails_at, 0

    def sync(self) -> None:
        self.syncs += 1
        if self.syncs >= self._fails_at:
            self._failed = True
        super().sync()


class Ring:
    """A segment that a long ring is written into, `behind` its muxer."""

    def __init__(self, path, behind: Behind, fails_at: int = 1000) -> None:
        origin = SegmentOrigin(FIRST, 1, DEVICE, UNIT, CLOCK.read(), GENESIS, 1, GENESIS, {})
        self.file = FailingDisk(path, fails_at)
        emitter, (self.tracks, self.packets) = SegmentEmitter(origin, SIGNER, SessionKey.generate()), footage(8)
        self.writer = SegmentWriter(origin, self.tracks, 500, emitter, self.file, CLOCK, PositionLog())
        self.writer.disk.behind = behind
        self.told = []

    def write(self) -> None:
        for packet in self.packets:
            self.told += self.writer.write(large(packet), GapLog())
        self.told += self.writer.sync()


def large(packet: Packet) -> Packet:
    return replace(packet, data=packet.data + FILLER) if packet.stream == 0 else packet


def test_what_failed_in_the_thread_fails_its_caller_and_the_steps_behind_it_are_waited_for():
    done, numbers = [], count()

    def fail() -> None:
        raise EnvironmentFault("磁盘")

    with following("flush") as behind:
        behind.do(fail)
        for _ in range(MAX_AHEAD - 1):
            behind.do(lambda: done.append(next(numbers)))
        with pytest.raises(EnvironmentFault, match="磁盘"):
            behind.settle()
        behind.calm()
        assert done == list(range(MAX_AHEAD - 1))
    assert not [it for it in threading.enumerate() if it.name.startswith("flush")]


def test_a_caller_gets_no_further_ahead_than_agreed():
    gate, done = threading.Event(), []
    with following("flush") as behind:
        behind.do(lambda: gate.wait(60))
        for number in range(MAX_AHEAD - 1):
            behind.do(lambda number=number: done.append(number))
        threading.Timer(0.05, gate.set).start()
        behind.do(lambda: done.append(-1))
        behind.do(lambda: done.append(-2))  # returns only when the first is done
        assert gate.is_set()
        behind.settle()
    assert done == [*range(MAX_AHEAD - 1), -1, -2]


def test_ring_is_told_whole_after_its_syncs_and_seals_to_what_is_on_the_disk(tmp_path):
    with following("flush") as behind:
        ring = Ring(tmp_path / "segment-0001.mp4", behind)
        ring.write()
        assert [event.sequence for event in ring.told] == list(range(1, len(ring.told) + 1))
        assert len(ring.told) >= 14
        assert ring.file.syncs < len(ring.told)
        assert ring.file.size == ring.file.path.stat().st_size
    ring.file.close()


@pytest.mark.parametrize("fails_at", [2, 3, 5])
def test_sync_that_fails_behind_costs_its_batch_and_none_before_it(tmp_path, fails_at):
    """Bites when what reached the disk before the fault is not counted."""
    with following("flush") as behind:
        ring = Ring(tmp_path / "segment-0001.mp4", behind, fails_at)
        with pytest.raises(EnvironmentFault):
            ring.write()
        ring.writer.disk.calm()
        told = [*ring.told, *ring.writer.stored()]
        records = ring.writer.records
        assert [event.sequence for event in told] == [record.entry.sequence for record in records]
        assert (records[-1].offset + records[-1].size if records else 0) <= ring.file.size
        assert bool(records) is (fails_at > 2)  # the first sync is the segment's beginning
    ring.file.close()
