"""The Raspberry Pi's camera through picamera2, with the sound of another source beside it.

picamera2 calls back in its own event loop: what raises there ends the camera without a word, and what waits there
loses frames. So a callback here notes when a picture was taken or hands a packet on, and nothing else.
"""

import contextlib
import fcntl
import importlib.util
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.adapters.packets import (
    VIDEO_TIME_BASE,
    CaptureSource,
    Codec,
    Deliver,
    MediaFault,
    SourceDescription,
    StreamInfo,
)
from agent.adapters.pyav_source import Encoding
from agent.adapters.second_track import SecondTrack
from agent.adapters.sensor_flow import SensorFlow
from agent.adapters.watermark import Caption, Watermark
from agent.clock import Clock
from agent.errors import EnvironmentFault

HARDWARE_ENCODER = Path("/dev/video11")  # bcm2835-codec; picamera2 takes every machine without it for an old Pi
ENCODER_THREADS = 2  # every further one of libx264's holds one more picture back, and a Pi has other work
PICTURE_TYPE_I = 1  # AV_PICTURE_TYPE_I
CHECK_S = 0.2  # ours; how soon `close` and a dead event loop are seen
STOP_S = 1.5  # ours; below the 2 s a camera line waits

logger = logging.getLogger(__name__)

CAMERA_ERRORS = (RuntimeError, OSError, ValueError, LookupError, TypeError, AttributeError)
"""What picamera2, libcamera and PyAV have been seen to raise."""


def camera_present() -> bool:
    """Whether picamera2 is installed and sees a camera."""
    if importlib.util.find_spec("picamera2") is None:
        return False
    try:
        from picamera2 import Picamera2
    except ImportError:  # installed, but without libcamera: as good as absent
        return False
    return bool(Picamera2.global_camera_info())


def first_camera() -> Any:
    """An opened `picamera2.Picamera2`."""
    from picamera2 import Picamera2

    return opened_camera(Picamera2)


def opened_camera(kind: Any, *arguments: Any) -> Any:
    """`kind(*arguments)`, a Picamera2. One whose constructor fails would leave a descriptor open at every try."""
    camera = kind.__new__(kind)
    try:
        camera.__init__(*arguments)
    except CAMERA_ERRORS:
        camera.notifymeread.close()
        os.close(camera.notifyme_w)
        raise
    return camera


class Picamera2Source:
    """A `CaptureSource` over the first camera of the Pi, or over the one that `make_camera` opens. Every picture gets
    the watermark of `caption`. `sound` is a source of sound alone; one that cannot be opened is left out, and the
    description says so.
    """

    def __init__(
        self,
        size: tuple[int, int],
        encoding: Encoding,
        clock: Clock,
        sound: CaptureSource | None = None,
        caption: Caption | None = None,
        make_camera: Callable[[], Any] = first_camera,
    ) -> None:
        self.description = SourceDescription("picamera2", synthetic=False)
        self._size, self._encoding, self._clock = size, encoding, clock
        self._sound, self._make_camera = sound, make_camera
        self._watermark = Watermark(caption or Caption())
        self._closed = threading.Event()
        self._running = False
        self._camera: Any = None
        self._encoder: Any = None

    def open(self) -> Sequence[StreamInfo]:
        """Configure camera and microphone; raises `EnvironmentFault` when the camera is missing or used by another
        program, with nothing left open."""
        try:
            with _camera_errors("无法打开树莓派摄像头", "请检查排线与是否有其他程序占用"):
                pictures = self._configured()
        except EnvironmentFault:
            self._release()
            raise
        return [pictures, *self._open_sound()]

    def run(self, deliver: Deliver) -> None:
        """Record until `close`; raises `EnvironmentFault` when the camera stops."""
        self._running = True
        beside = SecondTrack(self._sound, deliver)
        flow = SensorFlow(deliver, self._clock, self._encoding, self._watermark)
        try:
            with _camera_errors("树莓派摄像头已停止", "请检查排线后重新录制"):
                self._record(flow, beside)
        finally:
            self._closed.set()
            self._release()
            beside.join()

    def set_bitrate(self, bits_per_second: int) -> None:
        """Code pictures at this rate from the next one on, or from when the camera is opened."""
        self._encoding = replace(self._encoding, video_kbps=max(1, bits_per_second // 1000))
        if (encoder := self._encoder) is not None:
            _change_rate(encoder, bits_per_second)

    def flush(self) -> None:
        """Nothing waits here: the encoder takes every picture as it comes."""

    def close(self) -> None:
        """End `run`, whose thread then frees the camera; a source that never ran is freed here."""
        self._closed.set()
        if not self._running:
            self._release()

    def _configured(self) -> StreamInfo:
        camera = self._camera = self._make_camera()
        main = {"size": self._size, "format": "YUV420"}
        controls = {"FrameRate": self._encoding.frames_per_second}
        camera.configure(camera.create_video_configuration(main=main, controls=controls))
        width, height = camera.camera_configuration()["main"]["size"]  # a sensor may have granted another one
        self._watermark.fit(height)
        name = f"picamera2:{camera.camera_properties.get('Model', '')}".rstrip(":")
        self.description = replace(self.description, name=name, watermark_font=self._watermark.font)
        return StreamInfo(Codec.H264, VIDEO_TIME_BASE, width=width, height=height)

    def _open_sound(self) -> Sequence[StreamInfo]:
        if self._sound is None:
            return []
        try:
            return self._sound.open()
        except EnvironmentFault:
            self._sound = None
            self.description = replace(self.description, name=f"{self.description.name} (no sound)")
            return []

    def _record(self, flow: SensorFlow, beside: SecondTrack) -> None:
        camera, encoder, events = self._camera, _encoder(self._encoding), _event_loop()
        self._encoder = encoder
        camera.pre_callback = _marking(flow, encoder, camera.camera_configuration()["main"])
        camera.start_preview(events)
        encoder.output = _output(encoder, flow)
        camera.start_encoder(encoder)
        camera.start()
        beside.start()
        try:
            while not self._closed.wait(CHECK_S):
                events.check()
                flow.check()
        finally:
            self._encoder = None
            _stop(camera)
            camera.stop_encoder()

    def _release(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            with _camera_errors("无法关闭树莓派摄像头", "请重启设备"):
                camera.close()
        if self._sound is not None and not self._running:
            self._sound.close()


@contextlib.contextmanager
def _camera_errors(what: str, next_step: str) -> Iterator[None]:
    """Turn the camera's errors into a `MediaFault` of one line."""
    try:
        yield
    except EnvironmentFault:
        raise
    except (ImportError, *CAMERA_ERRORS) as error:
        cause = " ".join(str(error).split()).rstrip("。.") or type(error).__name__
        raise MediaFault(f"{what}：{cause}。{next_step}。") from error


def _encoder(encoding: Encoding) -> Any:
    """The hardware's H.264 where there is one (up to the Pi 4), libx264 else."""
    from picamera2.encoders import H264Encoder

    fps = encoding.frames_per_second
    group = max(1, round(fps * encoding.keyframe_s * 2))  # keyframes are asked for by time; this is if they are not
    settings = {"bitrate": encoding.video_kbps * 1000, "repeat": True, "iperiod": group, "framerate": fps}
    return H264Encoder(**settings) if HARDWARE_ENCODER.exists() else _software_encoder(settings)


def _software_encoder(settings: dict[str, Any]) -> Any:
    """libx264; keyframes are forced here, because picamera2 0.3.38 asks PyAV for them by a letter, which it refuses."""
    from picamera2.encoders import LibavH264Encoder

    class Encoder(LibavH264Encoder):  # type: ignore[misc]  # picamera2 has no types
        bitrate: Any
        _request_release_queue: Any
        rate_due = settings["bitrate"]

        def _start(self) -> None:
            super()._start()
            self._stream: Any = _KeyedStream(self._stream)

        def force_key_frame(self) -> None:
            self._stream.key_due = True

        def _encode(self, *arguments: Any) -> None:
            if self.rate_due != self.bitrate:
                self._renew()
            super()._encode(*arguments)

        def _renew(self) -> None:
            """x264 changes a rate only under a VBV, so another encoder goes on, with a keyframe. The pictures that the
            one before still holds come out first; they are in the camera's buffers until then."""
            for packet in self._stream.encode():
                self.outputframe(bytes(packet), packet.is_keyframe, timestamp=packet.pts, packet=packet)
            self._container.close()
            held = self._request_release_queue
            self.bitrate = self.rate_due
            self._start()
            self._request_release_queue = held

    encoder = Encoder(**settings)
    encoder.threads = ENCODER_THREADS
    return encoder


def _change_rate(encoder: Any, bits_per_second: int) -> None:
    """Ask the running `encoder` for another rate; one that does not take it keeps its own until it is opened next."""
    if not HARDWARE_ENCODER.exists():
        encoder.rate_due = bits_per_second
        return
    from videodev2 import V4L2_CID_MPEG_VIDEO_BITRATE, VIDIOC_S_CTRL, v4l2_control

    control = v4l2_control()
    control.id, control.value = V4L2_CID_MPEG_VIDEO_BITRATE, bits_per_second
    try:
        fcntl.ioctl(encoder.vd, VIDIOC_S_CTRL, control)
    except (OSError, TypeError, ValueError) as error:  # refused, or not open yet or any more
        logger.warning("the hardware's encoder keeps its bit rate until the camera is opened next: %s", error)


class _KeyedStream:
    """A PyAV stream whose next picture becomes a keyframe when `key_due`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.key_due = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def encode(self, *pictures: Any) -> Any:
        """Encode as PyAV does; without a picture: what is left."""
        if self.key_due and pictures:
            pictures[0].pict_type, self.key_due = PICTURE_TYPE_I, False
        return self._stream.encode(*pictures)


def _marking(flow: SensorFlow, encoder: Any, granted: dict[str, Any]) -> Callable[[Any], None]:
    """picamera2's callback for every picture before it is encoded; `granted` is what `main` was configured to."""
    from picamera2 import MappedArray

    stride, rows = granted["stride"], granted["size"][1]

    def mark(request: Any) -> None:
        with MappedArray(request, "main", reshape=False) as mapped:
            luma = memoryview(mapped.array)[: stride * rows]  # first in every 4:2:0 layout
            if flow.taken(request.get_metadata()["SensorTimestamp"], luma, stride):
                encoder.force_key_frame()

    return mark


def _output(encoder: Any, flow: SensorFlow) -> Any:
    """picamera2's output that hands every packet on; times are microseconds from the encoder's first picture."""
    from picamera2.outputs import Output

    class Tap(Output):  # type: ignore[misc]
        def outputframe(self, frame: Any, keyframe: bool = True, timestamp: Any = None, *_: Any, **__: Any) -> None:
            flow.encoded(bytes(frame), encoder.firsttimestamp + (timestamp or 0), keyframe=keyframe)

    return Tap()


def _event_loop() -> Any:
    """picamera2's event loop, which keeps what ended it."""
    from picamera2.previews import NullPreview

    class Events(NullPreview):  # type: ignore[misc]
        fault: Exception | None = None

        def handle_request(self, picam2: Any) -> None:
            try:
                picam2.process_requests(self)
            except CAMERA_ERRORS as error:
                self.fault = error
                self._abort.set()

        def check(self) -> None:
            if self.fault is not None:
                raise RuntimeError(str(self.fault)) from self.fault
            if not self.thread.is_alive():
                raise RuntimeError("event loop ended")

    return Events()


def _stop(camera: Any) -> None:
    """Stop the camera in its event loop; here, when the loop does not answer any more."""
    try:
        camera.dispatch_functions([camera.stop_], wait=STOP_S, immediate=True)
    except TimeoutError:
        camera.cancel_all_and_flush()
        camera.stop_()
