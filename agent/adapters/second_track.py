"""The sound of a second source beside pictures that come from elsewhere."""

import threading
from dataclasses import replace

from agent.adapters.packets import CaptureSource, Deliver, Packet
from agent.errors import EnvironmentFault


class SecondTrack:
    """Runs an opened `sound`, where there is one, in a thread "microphone", as track 1. Its fault sets `closed`."""

    def __init__(self, sound: CaptureSource | None, deliver: Deliver, closed: threading.Event) -> None:
        self._sound, self._deliver, self._closed = sound, deliver, closed
        self._fault: EnvironmentFault | None = None
        self._thread = threading.Thread(target=self._run, name="microphone", daemon=True)

    def start(self) -> None:
        """Let it be heard."""
        if self._sound is not None:
            self._thread.start()

    def join(self) -> None:
        """Close it, and wait for its thread."""
        if self._sound is not None:
            self._sound.close()
            if self._thread.is_alive():
                self._thread.join()

    def check(self) -> None:
        """Raise the `EnvironmentFault` that ended it, if one did."""
        if self._fault is not None:
            raise self._fault

    def _run(self) -> None:
        if self._sound is None:
            return
        try:
            self._sound.run(self._hand_on)
        except EnvironmentFault as fault:
            self._fault = fault
            self._closed.set()

    def _hand_on(self, packet: Packet) -> None:
        self._deliver(replace(packet, stream=1))
