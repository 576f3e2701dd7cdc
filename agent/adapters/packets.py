"""The capture seam: encoded packets. Whatever makes pictures and sound ends here; everything downstream is one path."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

from agent.errors import EnvironmentFault
from agent.wire.instant import Instant

VIDEO_TIME_BASE = Fraction(1, 90_000)  # the 90 kHz clock of ISO/IEC 13818-1, divisible by all usual frame rates


class Codec(StrEnum):
    """What a stream is coded in."""

    H264 = "h264"
    """Annex B byte stream (ITU-T H.264), one access unit a packet, SPS and PPS repeated before every keyframe."""
    AAC = "aac"
    """Raw AAC-LC access units (ISO/IEC 14496-3) without ADTS; `extradata` is the AudioSpecificConfig."""


@dataclass(frozen=True)
class StreamInfo:
    """One track. `width` and `height` are pixels, `sample_rate` is hertz; those of the other kind of track are 0."""

    codec: Codec
    time_base: Fraction
    width: int = 0
    height: int = 0
    sample_rate: int = 0
    channels: int = 0
    extradata: bytes = b""
    silence: bytes = b""
    """A packet of sound of the same coding in which nothing is heard; empty where there is none."""

    @property
    def is_video(self) -> bool:
        """Whether the track is pictures."""
        return self.codec is Codec.H264


@dataclass(frozen=True, slots=True)  # a pre-event ring holds ten thousand of them
class Packet:
    """One coded picture or one block of sound of track number `stream` (from 0, the order of `CaptureSource.open`).

    `pts`, `dts` and `duration` count the track's time base from a common origin of all tracks; `captured` is when the
    picture was taken or the block was complete.
    """

    stream: int
    pts: int
    dts: int
    duration: int
    keyframe: bool
    data: bytes
    captured: Instant
    still: bool = False
    """The picture is the same as all before it for so long that the camera must have frozen (`still_watch`)."""
    lost_since: Instant | None = None
    """When the picture before it was taken, where others between the two were lost; None where none was."""


@dataclass(frozen=True)
class SourceDescription:
    """What the picture comes from, as it is signed into the recording; `synthetic` pictures show no scene.
    `watermark_font` is what time and officer are burned in with, empty where nothing is burned in."""

    name: str
    synthetic: bool
    watermark_font: str = ""


class MediaFault(EnvironmentFault):
    """A camera, a coder or the muxer failed, and no disk; what is signed as the reason depends on it."""


Deliver = Callable[[Packet], None]


class CaptureSource(Protocol):
    """A camera, with a microphone where it has one. Used once: open, run, close."""

    @property
    def description(self) -> SourceDescription:
        """What it is."""

    def open(self) -> Sequence[StreamInfo]:
        """Start the device and tell its tracks, pictures first; raises `EnvironmentFault` when it cannot be read."""

    def run(self, deliver: Deliver) -> None:
        """Deliver packets until `close`, from this thread and helpers that end with it; raises `EnvironmentFault`
        when the device fails. `deliver` never blocks."""

    def set_bitrate(self, bits_per_second: int) -> None:
        """Code pictures at this rate as soon as the device can, at the latest when it is opened; from any thread."""

    def flush(self) -> None:
        """Deliver the pictures captured so far that still wait to be coded; from any thread, done when it returns."""

    def close(self) -> None:
        """Make `run` return soon and free the device; may be called from any thread, and more than once."""


def seconds(packet: Packet, tracks: Sequence[StreamInfo]) -> Fraction:
    """The decoding time of `packet` since the common origin of all tracks."""
    return packet.dts * tracks[packet.stream].time_base
