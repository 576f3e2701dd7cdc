"""The centre's link to the broker: paho as wire only, the one place in this package that knows it.

Callbacks run on paho's thread and only put a message into the inbox, waiting for room; the receiver's loop owns
everything else. The session is persistent and acknowledged by hand after the commit: what was not committed comes
again.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.errors import EnvironmentFault
from agent.nagle import send_at_once
from agent.tls import client_context
from provisioning.center.config import BrokerSettings

SESSION_EXPIRY_S = 7 * 24 * 3600  # reference: mqtt, section 4: ingest 7 d
RECEIVE_MAXIMUM = 200  # ours: messages not yet acknowledged, two transactions' worth; 3.1.1 has no such limit
SENT_AHEAD = 100  # reference: mqtt, section 3a; ours that the broker has not answered yet
INBOX_CAPACITY = 1_000  # ours: five times what a broker with MQTT 5 may send ahead; at most 256 MB
PUT_PATIENCE_S = 30.0  # ours: longer than a commit waits for a busy database; a loop that is silent so long is stuck
RECONNECT_S = (1, 30)  # ours: one receiver needs no jitter
QOS = 1


@dataclass(frozen=True)
class Connected:
    """The broker accepted us."""


@dataclass(frozen=True)
class Disconnected:
    """The connection is gone or was refused; paho tries again."""

    reason: str


@dataclass(frozen=True)
class Arrived:
    """A message; `connection` and `mid` name it to `CenterLink.acknowledge`."""

    topic: str
    payload: bytes
    connection: int
    mid: int


@dataclass(frozen=True)
class Delivered:
    """The broker answered for the message `mid` that `CenterLink.publish` returned: it has it, or has `refused` it."""

    mid: int
    refused: bool


@dataclass(frozen=True)
class LinkDied:
    """paho's thread has ended without being asked to."""

    detail: str


@dataclass(frozen=True)
class StopAsked:
    """Somebody wants the receiver to end."""


Message = Connected | Disconnected | Arrived | Delivered | LinkDied | StopAsked


class Inbox:
    """A bounded queue to the receiver's loop: a link that brings more than is stored waits, and so does its broker.

    Only arrived messages wait. paho may hold the lock of its outgoing messages while it tells anything else (an answer
    of the broker, and a disconnection that the next message met), and the loop needs that lock to send.
    """

    def __init__(self, capacity: int = INBOX_CAPACITY, patience_s: float = PUT_PATIENCE_S) -> None:
        self._capacity, self._patience_s = capacity, patience_s
        self._messages: deque[Message] = deque()
        self._changed = threading.Condition()
        self._stop_asked = False
        self._dead: LinkDied | None = None

    def put(self, message: Message) -> None:
        """Wait for room; raises `EnvironmentFault` when the loop takes nothing any more."""
        with self._changed:
            if isinstance(message, Arrived) and not self._changed.wait_for(self._has_room, self._patience_s):
                raise EnvironmentFault("接收端主循环没有响应，请由系统重新启动。")
            self._messages.append(message)
            self._changed.notify_all()

    def ask_stop(self) -> None:
        """Ask the loop to end; takes no lock and never waits, so that a signal handler may call it."""
        self._stop_asked = True

    def link_died(self, detail: str) -> None:
        """The link's thread is gone; told even when the queue is full."""
        self._dead = LinkDied(detail)

    def take(self, most: int, timeout_s: float) -> list[Message]:
        """What has come, at most `most` and what goes ahead of it; waits up to `timeout_s` for the first."""
        urgent: list[Message] = [StopAsked()] if self._stop_asked else []
        if self._dead is not None:
            urgent.append(self._dead)
        with self._changed:
            self._changed.wait_for(lambda: bool(self._messages), 0 if urgent else timeout_s)
            found = [self._messages.popleft() for _ in range(min(most, len(self._messages)))]
            self._changed.notify_all()
        return found + urgent

    def _has_room(self) -> bool:
        return len(self._messages) < self._capacity


class _Courier(paho.Client):
    """paho with its own thread (`loop_start`): only then does it leave all writing to that thread. Without, the loop's
    messages and the thread's are written into one another under load, and the broker ends the connection."""

    courier_ended: Callable[[str], None]

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        """As the parent; its end is told."""
        threading.current_thread().name, detail = "mqtt", "the network loop ended"
        try:
            return super().loop_forever(timeout, retry_first_connection)
        except Exception as error:  # noqa: BLE001 - the courier's one loop: its death must reach the inbox
            detail = repr(error)
            return MQTTErrorCode.MQTT_ERR_UNKNOWN
        finally:
            self.courier_ended(detail)


class CenterLink:
    """A mutually authenticated MQTT session under the name `receiver`, which the broker keeps for `session_s` after it
    went (0: it begins and ends with the connection)."""

    def __init__(
        self,
        settings: BrokerSettings,
        receiver: str,
        filters: tuple[str, ...],
        inbox: Inbox,
        session_s: int = SESSION_EXPIRY_S,
    ) -> None:
        self._settings, self._filters, self._inbox = settings, filters, inbox
        self._session_s = session_s
        self._five = settings.protocol == "5"
        self._client = _Courier(
            CallbackAPIVersion.VERSION2,
            client_id=receiver,
            clean_session=None if self._five else session_s == 0,
            protocol=paho.MQTTv5 if self._five else paho.MQTTv311,
            manual_ack=True,
        )
        self._connection = 0
        self._client.courier_ended, self._client.on_socket_open = self._on_end, send_at_once
        self._started = self._stopping = False
        self._ended = threading.Event()

    def start(self, will_topic: str, will: bytes) -> None:
        """Connect, and connect again for ever; the broker publishes `will` (retained) when we vanish."""
        client, settings = self._client, self._settings
        self._secure(client)
        client.will_set(will_topic, will, QOS, retain=True)
        client.reconnect_delay_set(*RECONNECT_S)
        client.max_inflight_messages_set(SENT_AHEAD)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail, client.on_message = self._on_connect_fail, self._on_message
        client.on_publish = self._on_publish
        options: dict[str, Any] = (
            {"clean_start": self._session_s == 0, "properties": _session_properties(self._session_s)}
            if self._five
            else {}
        )
        client.connect_async(settings.host, settings.port, settings.keepalive_s, **options)
        self._started = True
        client.loop_start()

    def _secure(self, client: paho.Client) -> None:
        """Mutual TLS; what tortures the receiver over plain TCP replaces this."""
        it = self._settings
        client.tls_set_context(client_context(it.server_name, it.ca, it.certificate, it.key))

    def subscribe(self) -> None:
        """Ask for every filter; retained messages come again."""
        self._client.subscribe([(topic, QOS) for topic in self._filters])

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Hand a message to paho, which repeats it until the broker has it; `Delivered` then names the number returned
        here."""
        return self._client.publish(topic, payload, QOS, retain).mid

    def acknowledge(self, message: Arrived) -> None:
        """Tell the broker that `message` is committed; one of an earlier connection is left to come again."""
        if message.connection == self._connection:
            self._client.ack(message.mid, QOS)

    def stop(self, topic: str, farewell: bytes, deadline_s: float) -> None:
        """Publish a last retained state, wait for it at most `deadline_s`, disconnect."""
        self._stopping = True
        if not self._started:
            return
        if self._client.is_connected():
            self._client.publish(topic, farewell, QOS, retain=True).wait_for_publish(deadline_s)
        self._client.disconnect()
        self._ended.wait(deadline_s)

    def _on_end(self, detail: str) -> None:
        self._ended.set()
        if not self._stopping:
            self._inbox.link_died(detail)

    def _on_connect(self, _client: Any, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self._connection += 1
        self._inbox.put(Disconnected(f"refused: {reason}") if reason.is_failure else Connected())

    def _on_disconnect(self, _client: Any, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self._inbox.put(Disconnected(str(reason)))

    def _on_connect_fail(self, _client: Any, _userdata: Any) -> None:
        self._inbox.put(Disconnected("no connection"))

    def _on_publish(self, _client: Any, _userdata: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        self._inbox.put(Delivered(mid, reason.is_failure))

    def _on_message(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        self._inbox.put(Arrived(message.topic, bytes(message.payload), self._connection, message.mid))


def _session_properties(session_s: int) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session_s
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    return properties
