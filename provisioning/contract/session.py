"""A device's connection to a real broker, for asking questions: what it sends is answered one by one."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Self

from agent.errors import EnvironmentFault
from provisioning.center.config import BrokerSettings
from provisioning.center.mqtt import Arrived, CenterLink, Connected, Delivered, Disconnected, Inbox, LinkDied, Message

CONNECT_S = 15.0  # ours: a broker on the other side of a mobile network
SOCKET_S = 5.0
STOP_S = 2.0
# MQTT 3.1.1 section 3.1: CONNECT, clean session, keep alive 60 s, client id "conformance"
ANONYMOUS_CONNECT = b"\x10\x17\x00\x04MQTT\x04\x02\x00\x3c\x00\x0bconformance"
ACCEPTED = b"\x20\x02\x00\x00"


class BrokerSession:
    """The device `name` at the broker; a context manager that leaves `farewell` (topic, payload) as its retained
    state."""

    def __init__(
        self, settings: BrokerSettings, name: str, filters: tuple[str, ...], farewell: tuple[str, bytes]
    ) -> None:
        self._settings, self._inbox = settings, Inbox()
        self._link = CenterLink(settings, name, filters, self._inbox, session_s=0)
        self._arrived: list[tuple[str, bytes]] = []
        self._answers: dict[int, bool] = {}
        self._connections = self._drops = 0
        self._farewell = farewell
        self.tells_refusals = settings.protocol == "5"

    def __enter__(self) -> Self:
        self._link.start(*self._farewell)
        if not self._until(lambda: self._connections > 0, CONNECT_S):
            raise EnvironmentFault(
                f"{CONNECT_S:g} 秒内没有连上 {self._settings.host}:{self._settings.port}。请检查地址与证书。"
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._link.stop(*self._farewell, STOP_S)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """As `Session`; a broker that drops the connection instead of answering has refused as well."""
        drops, mid = self._drops, self._link.publish(topic, payload, retain=retain)
        self._until(lambda: mid in self._answers or self._drops > drops, CONNECT_S)
        return not self._answers.pop(mid, True)

    def messages(self, seconds: float) -> Iterator[tuple[str, bytes]]:
        """As `Session`."""
        deadline = time.monotonic() + seconds
        while True:
            while self._arrived:
                yield self._arrived.pop(0)
            if not self._until(lambda: bool(self._arrived), deadline - time.monotonic()):
                return

    def anonymous_refused(self) -> bool:
        """Whether the broker refuses who shows no certificate: in the handshake, after it, or in its CONNACK."""
        context = ssl.create_default_context(cafile=str(self._settings.ca))
        address = (self._settings.host, self._settings.port)
        try:
            with (
                socket.create_connection(address, SOCKET_S) as plain,
                context.wrap_socket(plain, server_hostname=self._settings.server_name) as secure,
            ):
                secure.sendall(ANONYMOUS_CONNECT)
                return secure.recv(len(ACCEPTED)) != ACCEPTED
        except OSError:
            return True

    def _until(self, happened: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not happened():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for message in self._inbox.take(1, left):
                self._note(message)
        return True

    def _note(self, message: Message) -> None:
        match message:
            case Connected():
                self._connections += 1
                self._link.subscribe()
            case Arrived():
                self._link.acknowledge(message)
                self._arrived.append((message.topic, message.payload))
            case Delivered(mid, refused):
                self._answers[mid] = refused
            case Disconnected():
                self._drops += 1
            case LinkDied(detail):
                raise EnvironmentFault(f"消息连接线程意外结束（{detail}）。请重试。")
