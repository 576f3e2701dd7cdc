"""The centre's link to the broker: paho as wire only, the one place in this package that knows it.

Callbacks run on paho's thread and only put a message into the inbox; the receiver's loop owns everything else. The
session is persistent and acknowledged by hand after the commit: what was not committed comes again.
"""

import ssl
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.errors import OperatorFault
from provisioning.center.config import BrokerSettings

SESSION_EXPIRY_S = 7 * 24 * 3600  # reference: mqtt, section 4: ingest 7 d
RECEIVE_MAXIMUM = 100  # reference: mqtt, section 3a; messages not yet acknowledged, and so the bound of the inbox
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
class LinkDied:
    """paho's thread has ended without being asked to."""

    detail: str


@dataclass(frozen=True)
class StopAsked:
    """Somebody wants the receiver to end."""


Message = Connected | Disconnected | Arrived | LinkDied | StopAsked
Inbox = SimpleQueue[Message]


class CenterLink:
    """A persistent, mutually authenticated MQTT session under the name `receiver`."""

    def __init__(self, settings: BrokerSettings, receiver: str, filters: tuple[str, ...], inbox: Inbox) -> None:
        self._settings, self._filters, self._inbox = settings, filters, inbox
        self._five = settings.protocol == "5"
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=receiver,
            clean_session=None if self._five else False,
            protocol=paho.MQTTv5 if self._five else paho.MQTTv311,
            manual_ack=True,
        )
        self._connection = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self, will_topic: str, will: bytes) -> None:
        """Connect, and connect again for ever; the broker publishes `will` (retained) when we vanish."""
        client, settings = self._client, self._settings
        client.tls_set_context(_tls_context(settings))
        client.will_set(will_topic, will, QOS, retain=True)
        client.reconnect_delay_set(*RECONNECT_S)
        client.max_inflight_messages_set(RECEIVE_MAXIMUM)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail, client.on_message = self._on_connect_fail, self._on_message
        options: dict[str, Any] = {"clean_start": False, "properties": _session_properties()} if self._five else {}
        client.connect_async(settings.host, settings.port, settings.keepalive_s, **options)
        self._thread.start()

    def subscribe(self) -> None:
        """Ask for every filter; retained messages come again."""
        self._client.subscribe([(topic, QOS) for topic in self._filters])

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> paho.MQTTMessageInfo:
        """Hand a message to paho, which repeats it until the broker has it."""
        return self._client.publish(topic, payload, QOS, retain)

    def acknowledge(self, message: Arrived) -> None:
        """Tell the broker that `message` is committed; one of an earlier connection is left to come again."""
        if message.connection == self._connection:
            self._client.ack(message.mid, QOS)

    def stop(self, topic: str, farewell: bytes, deadline_s: float) -> None:
        """Publish a last retained state, wait for it at most `deadline_s`, disconnect."""
        self._stopping = True
        if self._thread.ident is None:
            return
        if self._client.is_connected():
            self.publish(topic, farewell, retain=True).wait_for_publish(deadline_s)
        self._client.disconnect()
        self._thread.join(deadline_s)

    def _run(self) -> None:
        detail = "the network loop ended"
        try:
            self._client.loop_forever(retry_first_connection=True)
        except Exception as error:  # noqa: BLE001 - the courier's one loop: its death must reach the inbox
            detail = repr(error)
        finally:
            if not self._stopping:
                self._inbox.put(LinkDied(detail))

    def _on_connect(self, _client: Any, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self._connection += 1
        self._inbox.put(Disconnected(f"refused: {reason}") if reason.is_failure else Connected())

    def _on_disconnect(self, _client: Any, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self._inbox.put(Disconnected(str(reason)))

    def _on_connect_fail(self, _client: Any, _userdata: Any) -> None:
        self._inbox.put(Disconnected("no connection"))

    def _on_message(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        self._inbox.put(Arrived(message.topic, bytes(message.payload), self._connection, message.mid))


class _NamedContext(ssl.SSLContext):
    """Checks the broker's certificate for the configured name: paho would check the address it dials."""

    server_name: str

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*arguments, **(options | {"server_hostname": self.server_name}))


def _tls_context(settings: BrokerSettings) -> ssl.SSLContext:
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.server_name = settings.server_name
    try:
        context.load_verify_locations(settings.ca)
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise OperatorFault(f"连接证书无法读取：{error}。请检查 [broker] 的 ca、certificate、key。") from error
    return context


def _session_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_EXPIRY_S
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    return properties
