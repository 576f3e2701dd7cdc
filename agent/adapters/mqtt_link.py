"""MQTT as a wire and nothing more: one new client per connection, callbacks that only report, no queue of its own.

Known of paho-mqtt 2.2 and why it is used this way (reference/mqtt.md section 3d): it re-sends its own queue after a
reconnect, ignores the server's receive maximum, and an exception in a callback kills its thread while it still calls
itself connected. So it never reconnects here, holds no more than the outbox hands it, and a dead thread is reported
by `threading.excepthook` in `agent.loop`.
"""

import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.config import BrokerConfig
from agent.control.messages import (
    Event,
    LinkDown,
    LinkUp,
    MessageArrived,
    PublishAnswered,
    SubscriptionAnswered,
)
from agent.device_keys import finish_swap
from agent.errors import LiuhenFault
from agent.nagle import send_at_once
from agent.tls import client_context
from agent.wire.envelope import MAX_ENVELOPE_BYTES

QOS = 1
PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
MOST_IN_FLIGHT = 65_535  # MQTT 5 section 3.2.2.3.3: what no receive maximum means
LARGEST_PACKET = 268_435_455  # MQTT 5 section 2.1.4: the protocol's own limit
TOPIC_ROOM_BYTES = 1024  # ours: fixed header, topic and properties around an envelope
NEVER_S = 86_400  # paho's own reconnection is not wanted; the controller decides when
CONNECT_TIMEOUT_S = 10.0  # ours: TCP and TLS on a poor mobile network; CONNACK is watched by the controller


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LastWill:
    """What the broker publishes, retained, when this connection ends without a word."""

    topic: str
    payload: bytes


class MqttLink:
    """At most one connection at a time; `report` is called from paho's thread and must not block for long."""

    def __init__(self, client_id: str, settings: BrokerConfig, report: Callable[[Event], None]) -> None:
        self._client_id, self._settings, self._report = client_id, settings, report
        self._context: ssl.SSLContext | None = None
        self._read_at: tuple[int, int] | None = None
        self._client: Client | None = None

    def open(self) -> None:
        """Read keys and certificates; raises `OperatorFault` when they cannot be used."""
        settings = self._settings
        finish_swap(settings.certificate, settings.key)
        self._context = client_context(settings.server_name, settings.ca, settings.certificate, settings.key)
        self._read_at = _written_at(settings)

    def connect(self, connection: int, will: LastWill) -> None:
        """Begin connection number `connection`; `LinkUp` or `LinkDown` will tell how it went."""
        self.close(timeout_s=0)
        self._take_renewed()
        client = self._new_client(connection)
        self._promise(client, will)
        self._client = client
        client.connect_async(
            self._settings.host, self._settings.port, self._settings.keepalive_s, **self._connect_options()
        )
        client.loop_start()

    def subscribe(self, filters: Iterable[str]) -> None:
        """Ask for `filters`; `SubscriptionAnswered` follows."""
        if self._client is not None:
            self._client.subscribe([(topic, QOS) for topic in filters])

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int | None:
        """Hand one message to the connection; its number, or None when the connection cannot take it.

        Only called between `LinkUp` and `LinkDown`.
        """
        if self._client is None:
            return None
        information = self._client.publish(topic, payload, QOS, retain)
        return information.mid if information.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def close(self, timeout_s: float) -> bool:
        """End the connection; what was handed over is sent first where that works within `timeout_s`.

        Returns whether the connection's thread has ended; a daemon thread that has not reports nothing any more.
        """
        client, self._client = self._client, None
        if client is None:
            return True
        client.disconnect()
        ender = threading.Thread(target=client.loop_stop, name="mqtt-ender", daemon=True)
        ender.start()
        ender.join(timeout_s)
        if ender.is_alive():
            _cut(client)
        return not ender.is_alive()

    def _take_renewed(self) -> None:
        """A pair that was renewed meanwhile is used from this connection on; one of no use is left."""
        if self._read_at is None or _written_at(self._settings) == self._read_at:
            return
        try:
            self.open()
        except LiuhenFault as fault:
            logger.warning("the renewed certificate is not used: %s", fault)

    def _new_client(self, connection: int) -> Client:
        settings = self._settings
        clean = True if settings.protocol == "3.1.1" else None
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            clean,
            protocol=PROTOCOLS[settings.protocol],
            reconnect_on_failure=False,
        )
        self._secure(client)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.reconnect_delay_set(NEVER_S, NEVER_S)
        client.on_socket_open = send_at_once
        client.max_inflight_messages_set(0)  # the outbox keeps the window; a message is never queued in here
        _report_from(client, connection, self._report)
        return client

    def _secure(self, client: Client) -> None:
        """Mutual TLS; what tortures the link over plain TCP replaces this."""
        if self._context is None:
            raise RuntimeError("open() comes before connect()")
        client.tls_set_context(self._context)

    def _promise(self, client: Client, will: LastWill) -> None:
        client.will_set(will.topic, will.payload, QOS, retain=True)

    def _connect_options(self) -> dict[str, Any]:
        if self._settings.protocol == "3.1.1":
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = MAX_ENVELOPE_BYTES + TOPIC_ROOM_BYTES
        return {"clean_start": True, "properties": properties}


def _written_at(settings: BrokerConfig) -> tuple[int, int]:
    return settings.certificate.stat().st_mtime_ns, settings.key.stat().st_mtime_ns


def _report_from(client: Client, number: int, report: Callable[[Event], None]) -> None:
    """Set the callbacks: each builds one event and reports it."""

    def on_connect(_c: Client, _u: Any, _f: ConnectFlags, reason: ReasonCode, properties: Properties | None) -> None:
        report(_connected(number, reason, properties))

    def on_connect_fail(_c: Client, _u: Any) -> None:
        # paho calls this inside its `except OSError`, and tells the cause in no other way.
        report(LinkDown(number, f"无法连接（{sys.exception()}）"))

    def on_disconnect(_c: Client, _u: Any, flags: DisconnectFlags, reason: ReasonCode, _p: Any) -> None:
        report(LinkDown(number, f"连接中断（{reason}）", reason.value if flags.is_disconnect_packet_from_server else 0))

    def on_subscribe(_c: Client, _u: Any, _mid: int, reasons: list[ReasonCode], _p: Any) -> None:
        report(SubscriptionAnswered(number, tuple(reason.value for reason in reasons)))

    def on_publish(_c: Client, _u: Any, mid: int, reason: ReasonCode, _p: Any) -> None:
        report(PublishAnswered(number, mid, reason.value))

    def on_message(_c: Client, _u: Any, message: MQTTMessage) -> None:
        report(MessageArrived(number, message.topic, bytes(message.payload), message.retain))

    client.on_connect, client.on_connect_fail, client.on_disconnect = on_connect, on_connect_fail, on_disconnect
    client.on_subscribe, client.on_publish, client.on_message = on_subscribe, on_publish, on_message


def _connected(number: int, reason: ReasonCode, properties: Properties | None) -> Event:
    if reason.is_failure:
        return LinkDown(number, f"消息服务器拒绝连接（{reason}）", reason.value)
    return LinkUp(
        number,
        getattr(properties, "ReceiveMaximum", MOST_IN_FLIGHT),
        getattr(properties, "MaximumPacketSize", LARGEST_PACKET),
    )


def _cut(client: Client) -> None:
    """End a connection that takes no more bytes; its thread sees the end of the socket."""
    wire = client.socket()
    if isinstance(wire, socket.socket):
        try:
            wire.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it ended by itself in the meantime
