"""A recorder on the test bench: real files, real keys, real encoders; cameras that do what a script says."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from agent.adapters.data_keys import DataKeys
from agent.adapters.libav import AacEncoder, H264Encoder, Picture, Sound
from agent.adapters.packets import CaptureSource, Packet, StreamInfo
from agent.adapters.positions import PositionLog
from agent.adapters.recorder import Recorder, RecorderSettings, RecordingEvent, RecordingOrder
from agent.adapters.segment_recovery import opened
from agent.adapters.spool import Spool
from agent.clock import Clock, SystemClock
from agent.control.messages import FragmentStored, RecordingFailed, RecordingSealed
from agent.evidence import sidecars
from agent.evidence.bmff import Source
from agent.evidence.recovery import Examination, examine
from agent.evidence.verify import SegmentFile, Sidecars, verify_recording
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import RecordingId, recording_id
from agent.wire.signing import CertifiedSigner
from tests.agent.evidence.bench import BOOT, DEVICE, START, UNIT, make_authority

AUTHORITY = make_authority()
SIGNER = AUTHORITY.signer()
FIRST = recording_id(DEVICE, 1)
FPS = 10
CLOCK = SystemClock(BOOT)
PATIENCE_S = 60.0


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait for `condition`, at most `PATIENCE_S`."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        threading.Event().wait(0.01)


def footage(duration_s: int, *, sound: bool = True) -> tuple[list[StreamInfo], list[Packet]]:
    """Tracks and packets of a small grey picture with silence, truly encoded, a keyframe a second, in order."""
    video = H264Encoder(0, (160, 96), FPS, 100, Fraction(1))
    audio = AacEncoder(1)
    packets = []
    for number in range(duration_s * FPS):
        picture = Picture(160, 96, "yuv420p")
        for index, plane in enumerate(picture.planes):
            memoryview(plane)[:] = bytes([16 + (number * 7) % 200 if index == 0 else 128]) * plane.buffer_size
        packets += video.encode(picture, Fraction(number, FPS), moment(Fraction(number, FPS)))
    for number in range(duration_s * 50 if sound else 0):
        block = Sound("fltp", "mono", 960)
        block.sample_rate = 48_000
        memoryview(block.planes[0])[:] = bytes(block.planes[0].buffer_size)
        packets += audio.encode(block, Fraction(number, 50), moment(Fraction(number, 50)))
    tracks = [video.info, audio.info] if sound else [video.info]
    return tracks, sorted(packets, key=lambda packet: (packet.dts * tracks[packet.stream].time_base, packet.stream))


def moment(at: Fraction):
    return replace(START, monotonic_ns=START.monotonic_ns + int(at * 10**9))


def shifted(packet: Packet, seconds: Fraction, tracks: Sequence[StreamInfo]) -> Packet:
    ticks = int(seconds / tracks[packet.stream].time_base)
    return replace(packet, pts=packet.pts + ticks, dts=packet.dts + ticks)


@dataclass
class RecordingBench:
    """A spool in `root` and a recorder over the sources of `sources`, one after the other."""

    root: Path
    sources: Iterator[CaptureSource]
    settings: RecorderSettings = field(default_factory=lambda: RecorderSettings(retry_s=0.2, margin_bytes=0))
    clock: Clock = CLOCK
    signer: CertifiedSigner = SIGNER
    keys: DataKeys | None = None
    events: list[RecordingEvent] = field(default_factory=list)
    positions: PositionLog = field(default_factory=PositionLog)

    def __post_init__(self) -> None:
        self.spool = Spool(self.root, keys=self.keys)
        self.recorder = Recorder(
            self.spool,
            self.signer,
            self.clock,
            lambda: next(self.sources),
            self.events.append,
            self.settings,
            self.positions,
        )

    def start(self, recording: RecordingId = FIRST) -> None:
        self.recorder.start(RecordingOrder(recording, UNIT, GENESIS, {"version": "0.1.0"}))

    def stored(self) -> list[FragmentStored]:
        return [event for event in self.events if isinstance(event, FragmentStored)]

    def wait_for_fragments(self, count: int) -> None:
        eventually(lambda: len(self.stored()) >= count, f"{count} fragments")

    def wait_for_end(self) -> RecordingSealed | RecordingFailed:
        eventually(
            lambda: isinstance(self.events[-1:] and self.events[-1], RecordingSealed | RecordingFailed), "an end"
        )
        return self.events[-1]

    def verdict(self, recording: RecordingId = FIRST) -> str:
        return verdict(self.spool.folder(recording))

    def segments(self, recording: RecordingId = FIRST) -> list[Examination]:
        return [examined(place) for place in self.spool.segments(recording)]


def verdict(folder: Path) -> str:
    """What anyone would find out about the recording in `folder`."""
    with ExitStack() as stack:
        places = sorted(folder.glob("segment-*.mp4"))
        files = [SegmentFile(place.name, stack.enter_context(opened(place))) for place in places]
        names = (sidecars.JOURNAL_NAME, sidecars.SUMS_NAME, sidecars.SIGNATURE_NAME)
        photos = {place.name: Source.of_bytes(place.read_bytes()) for place in folder.glob(sidecars.PHOTOS)}
        beside = Sidecars(*((folder / name).read_bytes() for name in names), photos=photos)
        report = verify_recording(files, [AUTHORITY.root], datetime.now(UTC), beside)
    return report.verdict.value


def examined(segment: Path) -> Examination:
    with opened(segment) as source:
        return examine(source)


def chained(segments: Sequence[Examination]) -> list[int]:
    """The sequence numbers of the journal, after checking that every entry carries the head before it."""
    head, numbers = GENESIS, []
    for segment in segments:
        assert segment.origin.prior_head == head
        for record in segment.fragments:
            assert record.entry.previous == head
            head = record.head
            numbers.append(record.entry.sequence)
    return numbers


def decoded_frames(file: Path) -> dict[str, int]:
    """Frames by kind of track as ffprobe decodes them, with no word of complaint."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=codec_type,nb_read_frames"]
    found = subprocess.run([*command, "-of", "csv=p=0", str(file)], capture_output=True, text=True, check=True)
    assert found.stderr == ""
    return {kind: int(count) for kind, count in (line.split(",")[:2] for line in found.stdout.split())}
