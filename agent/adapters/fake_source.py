"""A scripted camera for tests and rehearsals: packets and faults, in the order and at the pace the script says."""

import threading
from collections.abc import Iterable, Sequence

from agent.adapters.packets import Deliver, Packet, SourceDescription, StreamInfo
from agent.errors import EnvironmentFault


class FakeSource:
    """Delivers `script` at once: a packet is delivered, a number waits so many seconds, a fault is raised.

    At the end of the script it waits for `close`, like a camera that shows nothing new.
    """

    def __init__(
        self,
        tracks: Sequence[StreamInfo],
        script: Iterable[Packet | float | EnvironmentFault],
        opening_fault: EnvironmentFault | None = None,
    ) -> None:
        self.description = SourceDescription("fake", synthetic=True)
        self._tracks, self._script, self._opening_fault = tracks, script, opening_fault
        self._closed = threading.Event()
        self.bitrates: list[int] = []

    def open(self) -> Sequence[StreamInfo]:
        """The scripted tracks; raises the scripted opening fault."""
        if self._opening_fault is not None:
            raise self._opening_fault
        return self._tracks

    def run(self, deliver: Deliver) -> None:
        """Play the script, then wait for `close`."""
        for step in self._script:
            if self._closed.is_set():
                return
            if isinstance(step, EnvironmentFault):
                raise step
            if isinstance(step, Packet):
                deliver(step)
            else:
                self._closed.wait(step)
        self._closed.wait()

    def set_bitrate(self, bits_per_second: int) -> None:
        """Remember what was asked for; scripted packets keep their size."""
        self.bitrates.append(bits_per_second)

    def close(self) -> None:
        """End `run`."""
        self._closed.set()
