"""Which devices are owed a receipt, and when (pure). Receipts are batched: a device that sends 200 events a second is
answered once a second, not 200 times."""

from dataclasses import dataclass, field

from agent.wire.identifiers import DeviceId

RECEIPT_INTERVAL_MS = 1_000  # reference: mqtt, section 4: <= 1/s or 200
RECEIPT_QUIET_MS = 100  # ours: nothing more came for so long, nothing more will share the receipt
RECEIPT_EVENTS = 200  # ours: half of what a device sends ahead, one event a message, so that it need not wait
RESEND_INTERVAL_MS = 10_000  # ours: longer than a full window takes on a slow link, so that requests do not pile up


@dataclass
class ReceiptDesk:
    """Times are milliseconds of a monotonic clock."""

    _owed: dict[DeviceId, int] = field(default_factory=dict)
    _since: int | None = None
    _latest: int = 0
    _events: int = 0
    _asked: dict[DeviceId, tuple[int, int]] = field(default_factory=dict)

    def owe(self, device: DeviceId, events: int, now_ms: int) -> None:
        """`device` is owed a receipt for `events` (0: it is only to hear how far we are)."""
        self._owed[device] = self._owed.get(device, 0) + events
        self._since, self._latest = now_ms if self._since is None else self._since, now_ms
        self._events += events

    def due(self, now_ms: int) -> bool:
        """Whether the receipts should go out now."""
        if self._since is None:
            return False
        if self._events >= RECEIPT_EVENTS or now_ms - self._since >= RECEIPT_INTERVAL_MS:
            return True
        return now_ms - self._latest >= RECEIPT_QUIET_MS

    def take(self) -> tuple[DeviceId, ...]:
        """The devices owed a receipt; they are owed none afterwards."""
        owed = tuple(self._owed)
        self._owed, self._since, self._events = {}, None, 0
        return owed

    def ask_again(self, device: DeviceId, upto: int, now_ms: int) -> bool:
        """Whether a receipt that names a gap should ask for a resend: at once, then not again for the same gap until
        `RESEND_INTERVAL_MS` have passed."""
        asked = self._asked.get(device)
        if asked is not None and asked[0] == upto and now_ms - asked[1] < RESEND_INTERVAL_MS:
            return False
        self._asked[device] = (upto, now_ms)
        return True
