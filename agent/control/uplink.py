"""The way to the centre: one connection, the outbox over it, and the receipts that come back."""

from collections.abc import Callable

from agent.control import messages as happened
from agent.control.connection import Connection
from agent.control.effects import Acknowledge, CompareReceipt, Effect, PublishStatus, RaiseAlarm, Subscribe
from agent.control.messages import Event
from agent.control.outbox import FAILURE, LEAST_PACKET, Outbox
from agent.control.unstored import RETRY_NS
from agent.errors import SenderFault
from agent.wire.envelope import open_envelope
from agent.wire.identifiers import DeviceId
from agent.wire.instant import Instant
from agent.wire.receipts import RECEIPT_TYPE, Receipt, parse_receipt
from agent.wire.trust import Role, TrustList

NOT_AUTHORISED = 0x87  # MQTT 5 section 2.4


class Uplink:
    """Sends the device's chain; `filters` are the topics to hear on every connection, `extra` those that may be
    refused."""

    def __init__(
        self,
        filters: tuple[str, ...],
        extra: tuple[str, ...],
        outbox: Outbox,
        random: Callable[[], float],
    ) -> None:
        self._filters, self._needed, self._outbox = (*filters, *extra), len(filters), outbox
        self._connection = Connection(random)
        self._keep_again_ns: int | None = None

    @property
    def up(self) -> bool:
        """Whether the broker has accepted the current connection."""
        return self._connection.up

    def deadline(self) -> int | None:
        """The monotonic nanosecond at which `wake` has something to do."""
        times = (self._connection.deadline(), self._outbox.deadline(), self._keep_again_ns)
        return min((time for time in times if time is not None), default=None)

    def open(self, now: Instant) -> list[Effect]:
        """Begin the first attempt."""
        return self._connection.open(now.monotonic_ns)

    def next(self, now: Instant) -> list[Effect]:
        """The one message that is due, if any."""
        return self._outbox.next(now.monotonic_ns)

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """Follow the connection and what was sent over it; any other event is a defect (`TypeError`)."""
        effects = self._follow(event, now)
        answered = isinstance(event, happened.PublishAnswered)
        self._connection.owes(now.monotonic_ns, more=self._outbox.window.outstanding, answered=answered)
        return effects

    def _follow(self, event: Event, now: Instant) -> list[Effect]:
        match event:
            case happened.EventStored():
                return self._outbox.stored_up_to(event)
            case happened.PublishedAside():
                self._outbox.window.published(event)
                return []
            case happened.LinkOpening():
                return self._connection.opening(event, now.monotonic_ns)
            case happened.LinkUp():
                return self._came_up(event, now)
            case happened.LinkDown():
                return self._went_down(event, now)
            case happened.SubscriptionAnswered():
                return self._subscribed(event, now)
            case happened.EventsSent():
                return self._outbox.sent(event, now.monotonic_ns)
            case happened.PublishAnswered():
                return self._outbox.answered(event, now.monotonic_ns)
            case happened.ReceiptCompared():
                return self._compared(event, now)
            case happened.ReceiptNotKept():
                self._keep_again_ns = now.monotonic_ns + RETRY_NS
                return []
            case _:
                raise TypeError(f"unknown event {type(event).__name__}")

    def subscribe_again(self) -> list[Effect]:
        """Ask for everything retained once more, on a connection that is up: it may be judged differently now."""
        return [Subscribe(self._filters)] if self.up else []

    def wake(self, now: Instant) -> list[Effect]:
        """What is due at `now`."""
        was_up = self.up
        effects = [*self._connection.wake(now.monotonic_ns), *self._outbox.wake(now.monotonic_ns)]
        if self._connection.current is None:
            self._outbox.disconnected()
        if self._keep_again_ns is not None and now.monotonic_ns >= self._keep_again_ns:
            self._keep_again_ns = None
            effects.append(Acknowledge(self._outbox.acked))
        if was_up and not self.up:
            effects.append(RaiseAlarm("消息服务器不确认收到的消息，数据都在本机，将重新连接。"))
        return effects

    def _came_up(self, event: happened.LinkUp, now: Instant) -> list[Effect]:
        if not self._connection.came_up(event, now.monotonic_ns):
            return []
        self._outbox.connected(event)
        effects: list[Effect] = [Subscribe(self._filters), PublishStatus(online=True)]
        if event.maximum_packet < LEAST_PACKET:
            effects.append(
                RaiseAlarm(f"消息服务器只收 {event.maximum_packet} 字节的消息，不能发送事件。请调高服务器上限。")
            )
        return effects

    def _went_down(self, event: happened.LinkDown, now: Instant) -> list[Effect]:
        effects = self._connection.went_down(event, now.monotonic_ns)
        if not effects:
            return []
        self._outbox.disconnected()
        return [*effects, RaiseAlarm(f"与消息服务器断开：{event.detail}。数据都在本机，将自动重连。")]

    def _subscribed(self, event: happened.SubscriptionAnswered, now: Instant) -> list[Effect]:
        refused = [code for code in event.codes if code >= FAILURE]
        if event.connection != self._connection.current or not refused:
            return []
        if not any(code >= FAILURE for code in event.codes[: self._needed]):
            return [RaiseAlarm("消息服务器不许接收命令或搭档设备的事件。请重新生成服务器配置（搭档用 --pair）。")]
        self._outbox.disconnected()
        alarm = RaiseAlarm(f"消息服务器不许订阅本机主题（原因码 0x{refused[0]:02x}），请检查服务器授权。")
        return [alarm, *self._connection.give_up(now.monotonic_ns, NOT_AUTHORISED)]

    def _compared(self, event: happened.ReceiptCompared, now: Instant) -> list[Effect]:
        before = self._outbox.acked
        effects = self._outbox.compared(event, now.monotonic_ns)
        if self._outbox.acked > before:
            self._connection.proved()
        return effects


def compare_receipt(device: DeviceId, payload: bytes, trust: TrustList, now: Instant) -> list[Effect]:
    """Open a receipt for `device`; what it says is then compared with the store."""
    try:
        opened = open_envelope(payload, RECEIPT_TYPE, trust, now.wall)
        signer, receipt = opened.signer(Role.RECEIVER), parse_receipt(opened.payload)
        return [CompareReceipt(_meant_for(device, receipt, signer.subject))]
    except SenderFault as fault:
        return [RaiseAlarm(f"收到的回执未采用：{fault}")]


def _meant_for(device: DeviceId, receipt: Receipt, subject: str) -> Receipt:
    if receipt.device != device or receipt.receiver != subject:
        raise SenderFault("回执不是给本机的，或签名者不是它所称的接收方，已拒绝。")
    return receipt
