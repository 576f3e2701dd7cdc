"""The sound of a second source beside pictures that come from elsewhere."""

import logging
import threading
from dataclasses import replace

from agent.adapters.packets import CaptureSource, Deliver, Packet
from agent.errors import EnvironmentFault

logger = logging.getLogger(__name__)


class SecondTrack:
    """Runs an opened `sound`, where there is one, in a thread "microphone", as track 1. When it fails its track ends
    and the pictures go on: what takes the place of the sound is silence, and that is told."""

    def __init__(self, sound: CaptureSource | None, deliver: Deliver) -> None:
        self._sound, self._deliver = sound, deliver
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

    def _run(self) -> None:
        if self._sound is None:
            return
        try:
            self._sound.run(self._hand_on)
        except EnvironmentFault as fault:
            logger.warning("the microphone is gone, pictures go on: %s", fault)

    def _hand_on(self, packet: Packet) -> None:
        self._deliver(replace(packet, stream=1))
