"""The device's own side put together: button, lamps, receiver, reader, loudspeaker; whatever `[hooks]` names."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from agent.adapters.hook_card import CardCourier
from agent.adapters.hook_courier import HookCourier
from agent.adapters.hook_gnss import GnssCourier
from agent.adapters.hook_panel import PanelCourier, gpio_panel, sounder
from agent.adapters.line_courier import Lost
from agent.adapters.positions import PositionLog
from agent.clock import GuidedClock
from agent.config import HooksConfig
from agent.control.effects import Indicate
from agent.control.messages import Event, WorkFailed

CLOSE_S = 0.5  # ours: lines are read with a short timeout

logger = logging.getLogger(__name__)


class Courier(Protocol):
    """One thread of the device's side."""

    def start(self) -> None:
        """Begin."""

    def close(self, timeout: float) -> None:
        """End the thread."""


class Display(Courier, Protocol):
    """A courier that also shows something."""

    def show(self, order: Indicate) -> None:
        """Show it; returns at once."""


class HookPart:
    """Starts, shows and closes; made by `equip_hooks`. Nothing here waits for hardware that is not there."""

    def __init__(self, displays: Sequence[Display], others: Sequence[Courier]) -> None:
        self._displays = displays
        self._couriers: tuple[Courier, ...] = (*displays, *others)

    def start(self) -> None:
        """Listen to everything."""
        for courier in self._couriers:
            courier.start()

    def show(self, order: Indicate) -> None:
        """Show, sound and say it on whatever is there; returns at once."""
        for display in self._displays:
            display.show(order)

    def close(self, timeout_s: float) -> None:
        """End the threads."""
        for courier in self._couriers:
            courier.close(min(CLOSE_S, timeout_s))


def equip_hooks(
    config: HooksConfig, clock: GuidedClock, positions: PositionLog, report: Callable[[Event], None]
) -> HookPart:
    """The couriers that `config` asks for; opens nothing yet."""
    displays: list[Display] = []
    others: list[Courier] = []
    if config.mcu:
        displays.append(HookCourier(config.mcu, clock, report, _died, _lost("button line")))
    if config.gpio or config.speaker:
        board, speaker = gpio_panel(config) if config.gpio else None, sounder(config.speaker, config.voices)
        told = _lost(
            "panel",
            lambda line: report(WorkFailed(f"指示或提示音不可用，录制不受影响；请检查接线与配置 [hooks]：{line}")),
        )
        displays.append(PanelCourier(board, speaker, clock, report, _died, told, config.mute_cause))
    if config.gnss:
        others.append(GnssCourier(config.gnss, clock, positions, report, _died, _lost("GNSS line")))
    if config.card:
        others.append(CardCourier(config.card, clock, report, _died, _lost("card reader")))
    return HookPart(displays, others)


def _died(name: str, error: BaseException | None) -> None:
    # The thread's exception reaches `threading.excepthook` as well, which ends the process.
    logger.error("%s ended: %r", name, error)


def _lost(what: str, tell: Lost = lambda _: None) -> Lost:
    def told(line: str) -> None:
        logger.warning("%s: %s", what, line)
        tell(line)

    return told
