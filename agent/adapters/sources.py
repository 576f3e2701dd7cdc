"""Which source a configuration means: `camera` and `audio` of `[capture]` in agent.toml."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.adapters.packets import CaptureSource, SourceDescription
from agent.adapters.picamera2_source import Picamera2Source, camera_present
from agent.adapters.pyav_source import Encoding, Input, PyAVSource
from agent.adapters.source_address import masked
from agent.adapters.watermark import Caption
from agent.clock import Clock
from agent.errors import OperatorFault

FIRST_CAMERA = Path("/dev/video0")
SOUND_CARDS = Path("/dev/snd")
TONE = Input("sine=frequency=440:beep_factor=4:sample_rate=48000", "lavfi", pictures=False, sound=True, live=False)
"""A 440 Hz tone with a beep four times as high every second."""


@dataclass(frozen=True)
class CaptureSettings:
    """`[capture]` of agent.toml; `camera` is auto, picamera2, v4l2:DEV, rtsp:URL, file:PATH, test or none (only
    sound); `audio` is auto, alsa:DEV, test or none. `width` and `height` are asked of cameras and the test scene;
    streams and files keep theirs.
    """

    camera: str = "auto"
    width: int = 1280
    height: int = 720
    frames_per_second: int = 30
    video_kbps: int = 4000
    audio: str = "auto"
    fragment_ms: int = 500

    @property
    def encoding(self) -> Encoding:
        """The part that the encoders need."""
        return Encoding(self.frames_per_second, self.video_kbps, self.fragment_ms)


def make_source(settings: CaptureSettings, clock: Clock, caption: Caption | None = None) -> CaptureSource:
    """A new source as `settings` say, its pictures marked with `caption`; raises `OperatorFault` for words it does not
    know. Opens nothing.

    `auto` takes the Pi's camera, else /dev/video0, else the test scene. Sound of a stream or file is its own where it
    has any; `audio = "test"` puts the tone in its place, and a file without sound gets none.
    """
    kind, _, where = settings.camera.partition(":")
    if kind == "auto":
        kind, where = _present()
    if kind == "picamera2":
        size, sound = (settings.width, settings.height), _sound_beside_camera(settings, clock)
        return Picamera2Source(size, settings.encoding, clock, sound, caption)
    if kind == "none":
        return _sound_only(settings, clock)
    pictures = _pictures(kind, where, settings)
    inputs = [pictures, *_sound(pictures, settings.audio)]
    name = f"{kind}:{Path(where).name}" if kind == "file" else settings.camera if kind != "test" else "test"
    return PyAVSource(SourceDescription(masked(name), pictures.scene), inputs, settings.encoding, clock, caption)


def source_maker(
    settings: CaptureSettings, clock: Clock, caption: Caption | None = None
) -> Callable[[], CaptureSource]:
    """`make_source` for the recorder, which opens a source anew whenever the camera was lost."""
    return lambda: make_source(settings, clock, caption)


def _present() -> tuple[str, str]:
    if camera_present():
        return "picamera2", ""
    return ("v4l2", str(FIRST_CAMERA)) if FIRST_CAMERA.exists() else ("test", "")


def _pictures(kind: str, where: str, settings: CaptureSettings) -> Input:
    size, rate = f"{settings.width}x{settings.height}", str(settings.frames_per_second)
    own_sound = settings.audio == "auto"
    if kind == "test" and not where:
        return Input(f"testsrc2=size={size}:rate={rate},format=yuv420p", "lavfi", live=False, scene=True)
    if kind == "v4l2" and where:
        return Input(where, "v4l2", {"video_size": size, "framerate": rate})
    if kind == "rtsp" and where:
        address = where if "://" in where else f"rtsp:{where}"  # `rtsp://host/path` is what everybody types
        return Input(address, "rtsp", {"rtsp_transport": "tcp"}, sound=own_sound)
    if kind == "file" and where:
        return Input(where, live=False, sound=own_sound, file=True)
    raise OperatorFault(
        f"配置 [capture] camera = “{masked(settings.camera)}”无法识别，"
        "应为 auto、picamera2、v4l2:设备、rtsp:地址、file:路径、test 或 none。"
    )


def _sound_only(settings: CaptureSettings, clock: Clock) -> CaptureSource:
    """A recording of sound alone; `auto` takes the sound card, and there must be one."""
    if settings.audio == "none":
        raise OperatorFault('配置 [capture] camera 与 audio 都是 none，没有可录的内容。请改正 audio，例如 "auto"。')
    sound = TONE if settings.audio == "test" else _microphone(settings.audio.partition(":")[2] or "default")
    description = SourceDescription(f"sound:{settings.audio}", synthetic=sound is TONE)
    return PyAVSource(description, [sound], settings.encoding, clock)


def _sound_beside_camera(settings: CaptureSettings, clock: Clock) -> CaptureSource | None:
    """The sound of a camera that has none of its own."""
    sound = _sound(Input("picamera2"), settings.audio)
    description = SourceDescription(f"sound:{settings.audio}", synthetic=False)
    return PyAVSource(description, sound, settings.encoding, clock) if sound else None


def _sound(pictures: Input, audio: str) -> list[Input]:
    if audio == "none" or (audio == "auto" and pictures.sound):
        return []
    if audio == "test" or (audio == "auto" and pictures.scene):
        return [TONE]
    if audio == "auto":
        return [_microphone("default")] if SOUND_CARDS.exists() else []
    kind, _, device = audio.partition(":")
    if kind == "alsa" and device:
        return [_microphone(device)]
    raise OperatorFault(f"配置 [capture] audio = “{audio}”无法识别，应为 auto、alsa:设备、test 或 none。")


def _microphone(device: str) -> Input:
    return Input(device, "alsa", {"channels": "1", "sample_rate": "48000"}, pictures=False, sound=True)
