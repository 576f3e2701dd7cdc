"""picamera2 on libcamera's virtual pipeline: what this pipeline lacks of a Pi's camera, and nothing else.

Everything between these seams (configuration, buffers, event loop, encoders, stopping) is picamera2's and libcamera's
own code.
"""

import threading
import time
from collections import deque
from typing import Any

import libcamera
from picamera2 import Picamera2
from picamera2.allocators import DmaAllocator


class TwoPlaneAllocator(DmaAllocator):
    """The virtual pipeline writes luma and chroma of NV12 as two planes of one buffer; picamera2 describes one."""

    def allocate(self, libcamera_config: Any, use_case: Any) -> None:
        super().allocate(libcamera_config, use_case)
        for stream in libcamera_config:
            luma = stream.stride * stream.size.height
            self.frame_buffers[stream.stream] = [
                self._two_planes(buffer, luma) for buffer in self.frame_buffers[stream.stream]
            ]

    def _two_planes(self, buffer: Any, luma: int) -> Any:
        old = buffer.planes[0].fd
        planes = []
        for offset, length in ((0, luma), (luma, luma // 2)):
            plane = libcamera.FrameBuffer.Plane()
            plane.fd, plane.offset, plane.length = old, offset, length
            planes.append(plane)
        described = libcamera.FrameBuffer(planes)
        new = described.planes[0].fd  # libcamera duplicates what it is given
        self.mapped_buffers[described] = self.mapped_buffers.pop(buffer)
        self.mapped_buffers_used[new] = self.mapped_buffers_used.pop(old)
        self.libcamera_fds[self.libcamera_fds.index(old)] = new
        return described


class PacedCamera:
    """The virtual pipeline fills a request the moment it is queued. This hands it one a frame's time, so that pictures
    come at a sensor's rate and an application that keeps its buffers too long really loses some.

    `missed` counts the pictures for which no buffer was free; `unplug` stops them without a word, as a cable does.
    """

    def __init__(self, camera: Any, frames_per_second: int) -> None:
        self._camera, self._interval = camera, 1 / frames_per_second
        self._free: deque[Any] = deque()
        self._stopped, self._unplugged = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.missed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._camera, name)

    def start(self, *controls: Any) -> None:
        self._camera.start(*controls)
        self._thread = threading.Thread(target=self._tick, name="sensor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        self._free.clear()
        self._camera.stop()

    def queue_request(self, request: Any) -> None:
        self._free.append(request)

    def unplug(self) -> None:
        self._unplugged.set()

    def _tick(self) -> None:
        due = time.monotonic()
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._interval, time.monotonic() + self._interval / 2)  # late, but never two at once
            if self._unplugged.is_set():
                continue
            try:
                self._camera.queue_request(self._free.popleft())
            except IndexError:
                self.missed += 1


class VirtualPicamera2(Picamera2):
    """The first virtual camera, at `frames_per_second`."""

    def __init__(self, frames_per_second: int = 30) -> None:
        super().__init__(0, allocator=TwoPlaneAllocator())
        self.camera = PacedCamera(self.camera, frames_per_second)

    def _get_raw_modes(self) -> list[dict[str, Any]]:
        """There is no raw role; the largest picture stands for the sensor's only mode."""
        size = self.camera.generate_configuration([libcamera.StreamRole.VideoRecording]).at(0).size
        return [{"format": "NV12", "size": (size.width, size.height)}]
