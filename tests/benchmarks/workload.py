"""Recordings of any length for the benchmarks: a real picture and sound, coded once, repeated, filled up to the rate.

A 2 s group of pictures is encoded truly; H.264 filler data (ITU-T H.264 section 7.3.2.7) brings every picture to the
size that the bit rate asks for. So the files decode, pass the real muxer, and cost no encoding time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from time import perf_counter, thread_time

from agent.adapters.gap_log import GapLog
from agent.adapters.libav import AacEncoder, H264Encoder, Picture, Sound
from agent.adapters.packets import Packet, StreamInfo
from agent.adapters.positions import PositionLog
from agent.adapters.segment_file import SegmentFile
from agent.adapters.segment_writer import SegmentWriter
from agent.evidence.journal import FragmentMoment, Reason
from agent.evidence.segment import Closing, SegmentEmitter, SegmentOrigin, SessionKey, SignedFragment
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import recording_id
from agent.wire.instant import Instant
from tests.agent.evidence.bench import DEVICE, START, UNIT, make_authority

BITS_PER_SECOND = 6_500_000  # the rate of order B's figures
FPS, GROUP_S = 25, 2
WIDTH, HEIGHT = 320, 240
SECOND_NS = 10**9
AUTHORITY = make_authority()
ORIGIN = SegmentOrigin(
    recording_id(DEVICE, 1), 1, DEVICE, UNIT, START, GENESIS, 1, GENESIS, {"synthetic": True, "version": "bench"}
)


@dataclass(frozen=True)
class Recorded:
    """What one recording came to. Times in seconds; `overhead` is bytes beside init segment, moof and mdat;
    `seal_bytes` all that sealing wrote, drafts included."""

    size: int
    fragments: int
    overhead: int
    signing_cpu_s: float
    media_s: float
    seal_s: float
    seal_bytes: int


class TimedEmitter(SegmentEmitter):
    """An emitter that adds up the processor time of signing."""

    cpu_s = 0.0

    def fragment(self, media: bytes | memoryview, moment: FragmentMoment) -> SignedFragment:
        begin = thread_time()
        signed = super().fragment(media, moment)
        self.cpu_s += thread_time() - begin
        return signed

    def catch_up(self) -> None:
        begin = thread_time()
        super().catch_up()
        self.cpu_s += thread_time() - begin


class WorkloadClock:
    """Told by the packets."""

    def __init__(self) -> None:
        self.now = START

    def read(self) -> Instant:
        return self.now


def record(path: Path, size: int, fragment_ms: int, *, seal: bool = True) -> Recorded:
    """Record at least `size` bytes into `path` by the recorder's own parts, one `fdatasync` a fragment."""
    signer, clock, gaps = AUTHORITY.signer(), WorkloadClock(), GapLog()
    emitter, file = TimedEmitter(ORIGIN, signer, SessionKey.generate()), SegmentFile(path)
    tracks, group = _group()
    writer = SegmentWriter(ORIGIN, tracks, fragment_ms, emitter, file, clock, PositionLog())
    for packet in _packets(tracks, group):
        clock.now = packet.captured
        list(writer.write(packet, gaps))
        if writer.size >= size and packet.keyframe:
            break
    list(writer.finish(gaps))
    begin, written = perf_counter(), _written()
    if seal:
        writer.seal(Closing(clock.now, Reason.STOPPED))
    else:
        file.close()
    media = sum(entry.media_size for entry in writer.records)
    return Recorded(
        path.stat().st_size,
        len(writer.records),
        sum(entry.size for entry in writer.records) - media + 16_384,
        emitter.cpu_s,
        writer.duration_ms / 1000,
        perf_counter() - begin,
        _written() - written,
    )


def _written() -> int:
    """The bytes that this process has handed to write and its kin."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("wchar")).split()[1])


def _packets(tracks: list[StreamInfo], group: list[Packet]) -> Iterator[Packet]:
    number = 0
    while True:
        for packet in group:
            ticks = int(number * GROUP_S / tracks[packet.stream].time_base)
            at = Fraction(packet.dts) * tracks[packet.stream].time_base + number * GROUP_S
            wall, monotonic = START.wall + timedelta(seconds=float(at)), START.monotonic_ns + int(at * SECOND_NS)
            captured = replace(START, wall=wall, monotonic_ns=monotonic)
            yield replace(packet, pts=packet.pts + ticks, dts=packet.dts + ticks, captured=captured)
        number += 1


def _group() -> tuple[list[StreamInfo], list[Packet]]:
    video, audio = H264Encoder(0, (WIDTH, HEIGHT), FPS, 500, Fraction(1, 2)), AacEncoder(1)
    found: list[Packet] = []
    for number in range(FPS * GROUP_S):
        found += video.encode(_picture(number), Fraction(number, FPS), START)
    for number in range(50 * GROUP_S):
        sound = Sound("fltp", "mono", 960)
        sound.sample_rate = 48_000
        memoryview(sound.planes[0])[:] = bytes(sound.planes[0].buffer_size)
        found += audio.encode(sound, Fraction(number, 50), START)
    tracks = [video.info, audio.info]
    share = BITS_PER_SECOND // 8 // FPS
    filled = [replace(packet, data=_filled(packet.data, share)) if packet.stream == 0 else packet for packet in found]
    kept = [packet for packet in filled if 0 <= packet.dts * tracks[packet.stream].time_base < GROUP_S]
    return tracks, sorted(kept, key=lambda packet: (packet.dts * tracks[packet.stream].time_base, packet.stream))


def _filled(picture: bytes, size: int) -> bytes:
    """`picture` with a filler NAL unit behind it, up to `size` bytes."""
    room = size - len(picture) - 6
    return picture + b"\0\0\0\1\x0c" + b"\xff" * room + b"\x80" if room > 0 else picture


def _picture(number: int) -> Picture:
    picture = Picture(WIDTH, HEIGHT, "yuv420p")
    for index, plane in enumerate(picture.planes):
        memoryview(plane)[:] = bytes([16 + (number * 7) % 200 if index == 0 else 128]) * plane.buffer_size
    return picture
