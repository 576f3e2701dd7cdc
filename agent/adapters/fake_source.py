"""A scripted camera for tests and rehearsals: packets and faults, in the order and at the pace the script says."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from agent.adapters.packets import Deliver, MediaFault, Packet, SourceDescription, StreamInfo, seconds
from agent.errors import EnvironmentFault

UNPLUGGED = MediaFault("摄像头已拔出。请检查连接。")
Step = Packet | float | EnvironmentFault


class FakeSource:
    """Delivers `script` at once: a packet is delivered, a number waits so many seconds, a fault is raised.

    At the end of the script it waits for `close`, like a camera that shows nothing new.
    """

    def __init__(
        self,
        tracks: Sequence[StreamInfo],
        script: Iterable[Step],
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

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """End `run`."""
        self._closed.set()


def paced(packets: Iterable[Packet], tracks: Sequence[StreamInfo]) -> Iterator[Step]:
    """`packets` as fast as a camera delivers them."""
    last = Fraction(0)
    for packet in packets:
        at = seconds(packet, tracks)
        if at > last:
            yield float(at - last)
            last = at
        yield packet


def unplugged(packets: Iterable[Packet]) -> Iterator[Step]:
    """`packets`, then somebody pulls the cable."""
    yield from packets
    yield UNPLUGGED


def stalled(packets: Iterable[Packet], tracks: Sequence[StreamInfo], since: Fraction) -> Iterator[Step]:
    """`packets` without the pictures after second `since`: sound goes on, the camera says nothing."""
    yield from (it for it in packets if it.stream or seconds(it, tracks) < since)


def frozen(packets: Iterable[Packet], tracks: Sequence[StreamInfo], since: Fraction, until: Fraction) -> Iterator[Step]:
    """`packets`, the pictures between the seconds `since` and `until` noticed to be one and the same."""
    for packet in packets:
        yield replace(packet, still=packet.stream == 0 and since <= seconds(packet, tracks) < until)


def backwards(packets: Iterable[Packet], tracks: Sequence[StreamInfo], since: Fraction, by: Fraction) -> Iterator[Step]:
    """`packets` whose times are `by` seconds earlier from second `since` on, as after a step of a camera's clock."""
    for packet in packets:
        ticks = int(by / tracks[packet.stream].time_base) if seconds(packet, tracks) >= since else 0
        yield replace(packet, pts=packet.pts - ticks, dts=packet.dts - ticks)


def repeated(packets: Iterable[Packet], every: int) -> Iterator[Step]:
    """`packets`, every so manieth with the times of the one before on its track."""
    last: dict[int, Packet] = {}
    for number, packet in enumerate(packets, start=1):
        before = last.get(packet.stream)
        if before is not None and number % every == 0:
            yield replace(packet, pts=before.pts, dts=before.dts)
        else:
            yield packet
        last[packet.stream] = packet
