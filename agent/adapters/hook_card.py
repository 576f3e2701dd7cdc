"""The thread "card-courier": cards held to the reader, into the inbox."""

from collections.abc import Callable

from agent.adapters.line_courier import REOPEN_S, Died, LineCourier, Lost
from agent.clock import Clock
from agent.control.messages import CardShown
from firmware_hooks.cards import BAUD, CardReader
from firmware_hooks.device_link import SerialLink

NAME = "card-courier"
HELD_NS = 3_000_000_000  # ours: a card told again within it was never taken away


class CardCourier:
    """Delivers `CardShown` once for each time that a card is held to the reader. See `LineCourier`."""

    def __init__(
        self,
        device: str,
        clock: Clock,
        deliver: Callable[[CardShown], None],
        died: Died,
        lost: Lost,
        reopen_s: float = REOPEN_S,
    ) -> None:
        self._clock, self._deliver = clock, deliver
        link = SerialLink(device, CardReader, BAUD)
        self._line: LineCourier[str] = LineCourier(NAME, link, self._tell, died, lost, reopen_s)
        self._last, self._last_ns = "", 0

    def start(self) -> None:
        """Begin; the reader need not be there yet."""
        self._line.start()

    def close(self, timeout: float) -> None:
        """End the thread."""
        self._line.close(timeout)

    def _tell(self, card: str) -> None:
        now = self._clock.read()
        held = card == self._last and now.monotonic_ns - self._last_ns < HELD_NS
        self._last, self._last_ns = card, now.monotonic_ns
        if not held:
            self._deliver(CardShown(card, now))
