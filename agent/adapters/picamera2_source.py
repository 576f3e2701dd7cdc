"""The Raspberry Pi's camera through picamera2: its own H.264 encoder (hardware up to the Pi 4), pictures only so far.

Without a Pi only the import guard and the choice can be run; the rest is written from picamera2's interface and has
never met a real camera.
"""

import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from agent.adapters.packets import VIDEO_TIME_BASE, Codec, Deliver, Packet, SourceDescription, StreamInfo
from agent.adapters.pyav_source import Encoding
from agent.clock import Clock
from agent.errors import EnvironmentFault


def camera_present() -> bool:
    """Whether picamera2 is installed and sees a camera."""
    if importlib.util.find_spec("picamera2") is None:
        return False
    try:
        from picamera2 import Picamera2
    except ImportError:  # installed, but without libcamera: as good as absent
        return False
    return bool(Picamera2.global_camera_info())


class Picamera2Source:
    """A `CaptureSource` over the first camera of the Pi."""

    def __init__(self, size: tuple[int, int], encoding: Encoding, clock: Clock) -> None:
        self.description = SourceDescription("picamera2", synthetic=False)
        self._size, self._encoding, self._clock = size, encoding, clock
        self._closed = threading.Event()
        self._camera: Any = None

    def open(self) -> Sequence[StreamInfo]:
        """Configure the camera; raises `EnvironmentFault` when it is missing or used by another program."""
        try:
            from picamera2 import Picamera2

            self._camera = Picamera2()
            controls = {"FrameRate": self._encoding.frames_per_second}
            main = {"size": self._size, "format": "YUV420"}
            self._camera.configure(self._camera.create_video_configuration(main=main, controls=controls))
        except (ImportError, RuntimeError, IndexError) as error:
            raise EnvironmentFault(f"无法打开树莓派摄像头：{error}。请检查排线与是否有其他程序占用。") from error
        return (StreamInfo(Codec.H264, VIDEO_TIME_BASE, width=self._size[0], height=self._size[1]),)

    def run(self, deliver: Deliver) -> None:
        """Record until `close`; raises `EnvironmentFault` when the camera stops."""
        from picamera2.encoders import H264Encoder

        fps = self._encoding.frames_per_second
        encoder = H264Encoder(
            bitrate=self._encoding.video_kbps * 1000,
            repeat=True,
            iperiod=max(1, round(fps * self._encoding.keyframe_s)),
        )
        try:
            self._camera.start_recording(encoder, _tap(deliver, self._clock, fps))
            self._closed.wait()
            self._camera.stop_recording()
        except RuntimeError as error:
            raise EnvironmentFault(f"树莓派摄像头已停止：{error}。请检查排线后重新录制。") from error
        finally:
            self._camera.close()

    def set_bitrate(self, bits_per_second: int) -> None:
        """Taken when the camera is opened next: its encoder keeps the rate it was started with."""
        self._encoding = replace(self._encoding, video_kbps=max(1, bits_per_second // 1000))

    def close(self) -> None:
        """End `run`."""
        self._closed.set()


def _tap(deliver: Deliver, clock: Clock, fps: int) -> Any:
    """picamera2's output that hands every packet on; its timestamps are microseconds from the first frame."""
    from picamera2.outputs import Output

    class Tap(Output):  # type: ignore[misc]  # picamera2 has no types
        def outputframe(self, frame: Any, keyframe: bool = True, timestamp: Any = None, *_: Any, **__: Any) -> None:
            at = int(Fraction(timestamp or 0, 10**6) / VIDEO_TIME_BASE)
            length = int(1 / (fps * VIDEO_TIME_BASE))
            deliver(Packet(0, at, at, length, keyframe, bytes(frame), clock.read()))

    return Tap()
