"""The thread "panel": lamps, buzzer, vibration, button and slide on GPIO pins, and notices through a loudspeaker."""

import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.adapters.hook_courier import PRESSES, show_frame
from agent.adapters.line_courier import Died, Lost
from agent.clock import Clock
from agent.config import HooksConfig
from agent.control.acts import Act
from agent.control.effects import Indicate
from agent.control.messages import ButtonPressed, OfficerActed
from firmware_hooks.frames import Press, Pulse, Show
from firmware_hooks.gpio_panel import BoardLost, GpioPanel, Pins
from firmware_hooks.patterns import LAMPS, LIGHTS, PULSES, Playing
from firmware_hooks.presses import PressReader
from firmware_hooks.sounder import AlsaSounder, NoSound

NAME = "panel"
WAITING = 64  # ours: more edges and orders than a hand can make in the time this thread may be held up
DARK = Playing((), 0)


@dataclass(frozen=True)
class Edge:
    """A contact closed or opened, at a monotonic nanosecond."""

    of_mute: bool
    down: bool
    at_ns: int


class PanelCourier:
    """Delivers `ButtonPressed` and `OfficerActed` as the MCU's courier does, and shows what is ordered. `board` is None
    where there are no pins, `sounder` where nothing is to be heard. What does not work is told to `lost` once and stops
    nothing; if the thread ends unasked, `died(name, error)` is called."""

    def __init__(
        self,
        board: GpioPanel | None,
        speaker: AlsaSounder | None,
        clock: Clock,
        deliver: Callable[[ButtonPressed | OfficerActed], None],
        died: Died,
        lost: Lost,
        mute_cause: str = "",
    ) -> None:
        self._board, self._speaker, self._clock = board, speaker, clock
        self._deliver, self._died, self._lost, self._mute_cause = deliver, died, lost, mute_cause
        self._items: queue.Queue[Edge | Indicate | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
        self._reader = PressReader()
        self._light, self._lamps = DARK, (False, False)
        self._pulses = {"buzzer": DARK, "vibration": DARK}
        self._told_losses: set[str] = set()

    def start(self) -> None:
        """Take the pins and begin."""
        if self._board is not None:
            try:
                self._board.open(
                    lambda down: self._put(Edge(False, down, self._now_ns())),
                    lambda down: self._put(Edge(True, down, self._now_ns())),
                )
            except BoardLost as fault:
                self._tell_lost(str(fault))
                self._board = None
        self._thread.start()

    def show(self, order: Indicate) -> None:
        """Show it from now on; returns at once."""
        self._put(order)

    def close(self, timeout: float) -> None:
        """Everything off."""
        self._put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _put(self, item: Edge | Indicate | None) -> None:
        try:
            self._items.put_nowait(item)
        except queue.Full:  # the thread is gone, which `died` has told
            return

    def _run(self) -> None:
        try:
            while True:
                try:
                    item = self._items.get(timeout=self._patience_s())
                except queue.Empty:
                    self._pressed(self._reader.passed(self._now_ns()))
                    continue
                if item is None:
                    return
                self._handle(item)
        finally:
            error = sys.exception()
            if self._board is not None:
                self._board.close()
            if self._speaker is not None:
                self._speaker.close()
            if error is not None:
                self._died(NAME, error)

    def _handle(self, item: Edge | Indicate) -> None:
        if isinstance(item, Indicate):
            self._obey(show_frame(item), item.cue.name)
        elif item.of_mute:
            act = Act.MUTE if item.down else Act.UNMUTE
            self._deliver(OfficerActed(act, self._mute_cause if item.down else "", self._clock.read()))
        else:
            self._pressed(self._reader.down(item.at_ns) if item.down else self._reader.up(item.at_ns))

    def _pressed(self, presses: list[Press]) -> None:
        for press in presses:
            now = self._clock.read()
            self._deliver(ButtonPressed(now) if press is Press.SHORT else OfficerActed(PRESSES[press], "", now))

    def _obey(self, show: Show, notice: str) -> None:
        now_ns = self._now_ns()
        light = Playing(LIGHTS[show.pattern], now_ns, endless=True)
        if (light.cycle, LAMPS[show.colour]) != (self._light.cycle, self._lamps):
            self._light, self._lamps = light, LAMPS[show.colour]
        for name, pulse in (("buzzer", show.buzzer), ("vibration", show.vibration)):
            if pulse is not Pulse.NONE:
                self._pulses[name] = Playing(PULSES[pulse], now_ns)
        if self._speaker is not None and notice:
            try:
                self._speaker.play(notice, PULSES[show.buzzer])
            except NoSound as fault:
                self._tell_lost(str(fault))

    def _patience_s(self) -> float | None:
        """Drive the pins as this moment wants it; seconds until the next change."""
        now_ns = self._now_ns()
        lit, change_ns = self._light.level(now_ns)
        due = [change_ns, self._reader.deadline()]
        levels = {"red": lit and self._lamps[0], "green": lit and self._lamps[1]}
        for name, playing in self._pulses.items():
            levels[name], change_ns = playing.level(now_ns)
            due.append(change_ns)
        for name, on in levels.items():
            if self._board is not None:
                self._board.set(name, on=on)
        soonest = min((it for it in due if it is not None), default=None)
        return None if soonest is None else max(0, soonest - now_ns) / 1e9

    def _now_ns(self) -> int:
        return self._clock.read().monotonic_ns

    def _tell_lost(self, why: str) -> None:
        if why not in self._told_losses:
            self._told_losses.add(why)
            self._lost(why)


def gpio_panel(config: HooksConfig) -> GpioPanel:
    """The pins of `[hooks]`."""
    numbers = (
        config.gpio_button,
        config.gpio_mute,
        config.gpio_red,
        config.gpio_green,
        config.gpio_buzzer,
        config.gpio_vibration,
    )
    return GpioPanel(Pins(*(None if number < 0 else number for number in numbers)))


def sounder(device: str, voices: Path | None) -> AlsaSounder | None:
    """The loudspeaker of `[hooks] speaker`, None for an empty name."""
    return AlsaSounder(device, voices) if device else None
