"""Packets in, whole fragments out: what the muxer writes is cut at box boundaries and told apart."""

import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from agent.adapters.packets import Packet, StreamInfo, seconds
from agent.wire.instant import Instant

BOX_HEADER = 8  # size and type, ISO/IEC 14496-12 section 4.2
INIT_KINDS = frozenset({b"ftyp", b"moov"})


@dataclass(frozen=True)
class Fragment:
    """`media` is exactly `moof` + `mdat`. `start` counts seconds from the beginning of the file; `captured` is the
    moment of its first picture (of its first sound where it has no picture); `samples` counts all tracks."""

    media: memoryview
    start: Fraction
    duration_ms: int
    captured: Instant
    samples: int


class Timing(NamedTuple):
    """When a packet that the muxer holds is shown, how long, and when it was taken."""

    dts: int
    duration: int
    captured: Instant


class BoxCutter:
    """A write sink that hands out whole top-level boxes, however they arrive, and copies nothing that arrived whole."""

    def __init__(self) -> None:
        self._pending: list[bytes | memoryview] = []

    def write(self, data: bytes) -> int:
        """Take `data`."""
        self._pending.append(data)
        return len(data)

    def boxes(self) -> list[tuple[bytes, memoryview]]:
        """The boxes completed since the last call, as (type, whole box); a `moof` comes with the `mdat` after it."""
        if not self._pending:
            return []
        data = memoryview(self._pending[0] if len(self._pending) == 1 else b"".join(self._pending))
        found, start = [], 0
        while end := _end(data, start):
            found.append((bytes(data[start + 4 : start + BOX_HEADER]), data[start:end]))
            start = end
        self._pending = [data[start:]] if start < len(data) else []
        return found


def _end(data: memoryview, start: int) -> int:
    """Where the box at `start` ends, a `moof` with its `mdat`; 0 when not all of it is there."""
    if len(data) - start < BOX_HEADER:
        return 0
    size, kind = struct.unpack_from(">I4s", data, start)
    if size < BOX_HEADER:
        raise ValueError(f"box {kind!r} of size {size}")
    end = start + int(size)
    if end > len(data):
        return 0
    return _end(data, end) if kind == b"moof" else end


class FragmentMuxer:
    """One file's worth of fragments. Times in the file count from the first keyframe of its first track; the first
    fragment begins there.

    Packets come in the order of their decoding times (see `packet_flow.Interleaver`); what comes before the first
    keyframe is not taken and counted in `skipped`.
    """

    def __init__(self, tracks: Sequence[StreamInfo], fragment_ms: int) -> None:
        from agent.adapters.libav import Mp4Writer  # PyAV is heavy; status and config never need it

        self._tracks = tracks
        self._cutter = BoxCutter()
        self._writer = Mp4Writer(tracks, self._cutter, fragment_ms)
        self._firsts: list[int] = []  # the first keyframe's time in each track's own time base, once it has come
        self._unseen: list[deque[Timing]] = [deque() for _ in tracks]
        self.init_segment = b""
        self.skipped = 0

    def write(self, packet: Packet) -> list[Fragment]:
        """Take one packet; return the fragments it completed. Raises `EnvironmentFault` when the muxer refuses it."""
        if not self._firsts and packet.keyframe and packet.stream == 0:
            base = seconds(packet, self._tracks)
            self._firsts = [ceil(base / track.time_base) for track in self._tracks]
        if not self._firsts or packet.dts < self._firsts[packet.stream]:
            self.skipped += 1
            return []
        offset = self._firsts[packet.stream]
        it = packet  # not `replace`, which is slow: a pre-event ring of two minutes has ten thousand packets
        placed = Packet(it.stream, it.pts - offset, it.dts - offset, it.duration, it.keyframe, it.data, it.captured)
        self._unseen[it.stream].append(Timing(placed.dts, it.duration, it.captured))
        self._writer.write(placed, self._tracks)
        return self._completed()

    def finish(self) -> list[Fragment]:
        """Close the file; return the last fragments."""
        if not self._firsts:
            return []
        self._writer.close()
        return self._completed()

    def _completed(self) -> list[Fragment]:
        fragments = []
        for kind, box in self._cutter.boxes():
            if kind == b"moof":
                fragments.append(self._fragment(box))
            elif kind in INIT_KINDS:
                self.init_segment += box
        return fragments

    def _fragment(self, media: memoryview) -> Fragment:
        moof = bytes(media[: int.from_bytes(media[:4])])
        taken = {track: self._take(track, count) for track, count in sample_counts(moof)}
        leading = min((track for track, packets in taken.items() if packets))  # pictures are the first track
        packets = taken[leading]
        time_base = self._tracks[leading].time_base
        following = self._unseen[leading]
        end = following[0].dts if following else packets[-1].dts + packets[-1].duration
        duration_ms = round((end - packets[0].dts) * time_base * 1000)
        samples = sum(len(row) for row in taken.values())
        return Fragment(media, packets[0].dts * time_base, duration_ms, packets[0].captured, samples)

    def _take(self, track: int, count: int) -> list[Timing]:
        return [self._unseen[track].popleft() for _ in range(count)]


def sample_counts(moof: bytes) -> list[tuple[int, int]]:
    """(track number from 0, samples) of every track in a `moof` box (ISO/IEC 14496-12 section 8.8)."""
    counts = []
    for traf in _children(moof, b"traf"):
        track = struct.unpack_from(">I", _children(traf, b"tfhd")[0], BOX_HEADER + 4)[0] - 1
        counts.append(
            (track, sum(struct.unpack_from(">I", run, BOX_HEADER + 4)[0] for run in _children(traf, b"trun")))
        )
    return counts


def _children(box: bytes, wanted: bytes) -> list[bytes]:
    found, offset = [], BOX_HEADER
    while offset < len(box):
        size, kind = struct.unpack_from(">I4s", box, offset)
        if kind == wanted:
            found.append(box[offset : offset + size])
        offset += size
    return found
