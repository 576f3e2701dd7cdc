"""The receiver's thread and paho's: only one of them may write to the broker."""

import socket
import threading
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

from provisioning.center.config import BrokerSettings
from provisioning.center.mqtt import CenterLink, Connected, Inbox
from tests.provisioning.district import eventually

CONNACK = b"\x20\x02\x00\x00"


class PlainLink(CenterLink):
    """Over plain TCP, and telling which thread writes."""

    def __init__(self, port: int, inbox: Inbox) -> None:
        nowhere = Path("/nonexistent")
        settings = BrokerSettings("127.0.0.1", port, "3.1.1", "localhost", nowhere, nowhere, nowhere, 30)
        super().__init__(settings, "receiver-1", (), inbox)
        self.writers: set[str] = set()
        whole = type(self._client)
        self._client.__class__ = type("Told", (whole,), {"loop_write": self._told(whole)})

    def _secure(self, client: paho.Client) -> None:
        """Nothing to secure."""

    def _told(self, whole: type[paho.Client]) -> object:
        def loop_write(client: paho.Client) -> MQTTErrorCode:
            self.writers.add(threading.current_thread().name)
            return whole.loop_write(client)

        return loop_write


def test_a_message_of_the_loop_is_written_by_the_links_own_thread() -> None:
    """With both writing, a receiver's packets were mixed under 2 000 births and the broker ended its connection."""
    inbox = Inbox()
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = PlainLink(server.getsockname()[1], inbox)
        link.start("will", b"")
        connection, _ = server.accept()
        with connection:
            connection.settimeout(10)
            connection.recv(4096)
            connection.sendall(CONNACK)
            assert inbox.take(1, 10.0) == [Connected()]
            for number in range(20):
                link.publish("topic", b"message %d" % number)
            found = b""
            while b"message 19" not in found:
                found += connection.recv(65_536)
            link.stop("will", b"", 0.0)
    assert link.writers == {"mqtt"}
    eventually(lambda: not any(thread.name == "mqtt" for thread in threading.enumerate()), "the link's thread ends")
