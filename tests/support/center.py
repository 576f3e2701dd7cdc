"""A small receiver for tests, over paho: stores what arrives in memory and signs receipts when told to."""

import datetime
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.wire.device_events import EVENTS_TYPE, GENESIS, DeviceEvent, decode_batch, event_hash
from agent.wire.envelope import open_envelope, seal
from agent.wire.identifiers import DeviceId, Digest
from agent.wire.receipts import RECEIPT_TYPE, Receipt
from agent.wire.signing import Signer
from agent.wire.status import STATUS_TYPE, DeviceStatus, parse_status
from agent.wire.topics import RECEIPT, device_topic
from agent.wire.trust import TrustList
from tests.support.keys import Issued


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def until(condition: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Wait for `condition`, the only kind of waiting tests do."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)


class SmallCenter:
    """Believes nothing that does not open with `trust`; keeps the first of every number."""

    def __init__(self, folder: Path, issued: Issued, client: Issued, trust: TrustList, root_pem: bytes) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.signer, self.trust = issued.signer, trust
        self.receipting = True
        self.events: dict[int, tuple[DeviceEvent, bytes]] = {}
        self.order: list[int] = []
        self.statuses: list[DeviceStatus] = []
        self.device: DeviceId | None = None
        self._lock = threading.Lock()
        client.write(folder / "tls.key", folder / "tls.pem")
        (folder / "root.pem").write_bytes(root_pem)
        self._folder = folder
        self._client: Client | None = None

    def connect(self, port: int) -> None:
        client = Client(CallbackAPIVersion.VERSION2, "receiver-1", protocol=MQTTProtocolVersion.MQTTv5)
        context = ssl.create_default_context(cafile=str(self._folder / "root.pem"))
        context.load_cert_chain(self._folder / "tls.pem", self._folder / "tls.key")
        client.tls_set_context(context)
        client.on_message = self._on_message
        ready = threading.Event()
        client.on_subscribe = lambda *_: ready.set()
        client.on_connect = lambda *_: client.subscribe([("gov/+/v1/+/+/evt", 1), ("gov/+/v1/+/+/state", 1)])
        client.connect("localhost", port, clean_start=True)
        client.loop_start()
        assert ready.wait(60)
        self._client = client

    def close(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def receipt(self, signer: Signer | None = None, **changes: Any) -> None:
        """Send a receipt of what is here, or a wrong one."""
        assert self.device is not None
        upto = changes.get("upto", self.upto)
        head = changes.get("head", self.head(upto))
        receipt = Receipt(self.device, upto, head, "receiver-1", now(), changes.get("resend", False))
        self.publish(
            device_topic(self.trust.district, self.device, RECEIPT),
            seal(RECEIPT_TYPE, receipt.encode(), [signer or self.signer]),
        )

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        assert self._client is not None
        self._client.publish(topic, payload, 1, retain).wait_for_publish(60)

    @property
    def upto(self) -> int:
        return next(number for number in range(len(self.events) + 1) if number + 1 not in self.events)

    def head(self, upto: int) -> Digest:
        return event_hash(self.events[upto][1]) if upto in self.events else GENESIS

    def ids(self) -> list[str]:
        with self._lock:
            return [self.events[number][0].event_id for number in sorted(self.events)]

    def check_chain(self) -> None:
        """Numbers without a hole, every `prev` the hash of the event before."""
        assert sorted(self.events) == list(range(1, len(self.events) + 1))
        for number, (event, _) in self.events.items():
            assert event.prev == self.head(number - 1)

    def _on_message(self, client: Client, _userdata: Any, message: MQTTMessage) -> None:
        if message.topic.endswith("/state"):
            opened = open_envelope(message.payload, STATUS_TYPE, self.trust, now())
            self.statuses.append(parse_status(opened.payload))
            return
        opened = open_envelope(message.payload, EVENTS_TYPE, self.trust, now())
        with self._lock:
            for event, body in decode_batch(opened.payload):
                self.device = event.device
                self.order.append(event.devseq)
                self.events.setdefault(event.devseq, (event, body))
        if self.receipting and self.device is not None:
            receipt = Receipt(self.device, self.upto, self.head(self.upto), "receiver-1", now())
            client.publish(
                device_topic(self.trust.district, self.device, RECEIPT),
                seal(RECEIPT_TYPE, receipt.encode(), [self.signer]),
                1,
            )
