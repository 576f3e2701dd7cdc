"""The real receiver core, to be tortured from outside over plain TCP.

    python -m tests.support.ingest_port --port P --file F --topic T [--user U]

Prints `connected` each time the broker has confirmed the subscription to T. Of every event that is committed it appends
the N that `tests.support.outbox_port` was given to F, little-endian u32, once, in the order of the device's chain; then
the receipt goes out on T/ack. The database stands in F.db: whoever wants an empty centre removes F (a database without
its F is removed at the start). What was committed and not appended when the process died is appended at the next start.
It ends with SIGTERM, or when its standard input ends if `--until-eof` was given.

What is real: `Receiver`, `Ingest`, `Store` on SQLite (WAL, FULL), `CenterLink` with its persistent session, receipts.
What is not: TLS and the names of the topics; and every device is trusted whose key follows from its name
(`tests.support.port_keys`).
"""

import argparse
import array
import hashlib
import json
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

from agent.clock import system_clock
from agent.errors import LiuhenFault, SenderFault
from agent.log import start_logging
from agent.wire.canonical import parse_loose
from agent.wire.envelope import parse_envelope
from agent.wire.identifiers import DeviceId, device_id
from agent.wire.topics import EVENTS, HINT, RECEIPT, STATE, device_topic
from provisioning.center.config import BrokerSettings, CenterConfig
from provisioning.center.event_log import Leaf
from provisioning.center.ingest import Batch, Ingest
from provisioning.center.mqtt import Arrived, CenterLink, Inbox
from provisioning.center.receiver import Receiver, receiver_of
from provisioning.center.store import Ledger, open_store
from tests.support.outbox_port import NOTHING, say
from tests.support.port_keys import DISTRICT, RECEIVER, PortTrust, port_signer

STRANGER = DeviceId("REC-0000")
PAGE = 1_000
NUMBER = re.compile(rb'"data":\{"i":([0-9]+)')  # the N of a canonical event that has one
KEY = re.compile(rb'"keyid":"([0-9a-f]{64})"')


class StoredNumbers:
    """The file F."""

    def __init__(self, path: Path) -> None:
        self._path = path
        size = path.stat().st_size if path.exists() else 0
        self._file = path.open("ab")
        self._file.truncate(size - size % 4)  # a number that was torn by a kill is written again

    def appended(self) -> Counter[int]:
        found = array.array("I")
        found.frombytes(self._path.read_bytes())
        if sys.byteorder == "big":
            found.byteswap()
        return Counter(found)

    def append(self, numbers: Sequence[int]) -> None:
        self._file.write(b"".join(number.to_bytes(4, "little") for number in numbers))
        self._file.flush()


@dataclass
class TellingIngest(Ingest):
    """The real one; after each commit it appends what the device's chain has grown by."""

    numbers: StoredNumbers | None = None
    _committed: list[Leaf] = field(default_factory=list)

    def take(self, messages: Sequence[tuple[str, bytes]], now: datetime, now_ms: int) -> None:
        self._committed = []
        super().take(messages, now, now_ms)
        self._append([int(found[1]) for leaf in self._committed if (found := NUMBER.search(leaf.body))])

    def _take_events(self, ledger: Ledger, held: Mapping[DeviceId, Sequence[Batch]], now: datetime) -> list[Leaf]:
        self._committed = super()._take_events(ledger, held, now)
        return self._committed

    def catch_up(self) -> None:
        assert self.numbers is not None
        there = self.numbers.appended()
        for line in self.store.summary():
            for number in self._stored(DeviceId(line.device)):
                if there[number]:
                    there[number] -= 1
                else:
                    self._append([number])

    def _append(self, numbers: list[int]) -> None:
        if numbers and self.numbers is not None:
            self.numbers.append(numbers)

    def _stored(self, device: DeviceId) -> Iterator[int]:
        last = 0
        while bodies := self.store.events(device, last, PAGE):
            last = parse_loose(bodies[-1])["devseq"]
            yield from (int(found[1]) for body in bodies if (found := NUMBER.search(body)))


class PlainCenterLink(CenterLink):
    """The receiver's link over plain TCP, with the topics of whoever tortures it."""

    def __init__(self, settings: BrokerSettings, topic: str, user: str, inbox: Inbox, trust: PortTrust, name: str):
        super().__init__(settings, name, (topic, f"{topic}/state", f"{topic}/hint"), inbox)
        self._topic, self._user, self._trust = topic, user, trust
        self._senders: dict[str, DeviceId] = {}
        self._client.on_subscribe = self._subscribed

    def start(self, will_topic: str, will: bytes) -> None:  # noqa: ARG002
        super().start(f"{self._topic}/receiver", will)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:  # noqa: ARG002
        """Receipts only: a receiver's state has no topic here."""
        return super().publish(f"{self._topic}/ack", payload) if topic.endswith(f"/{RECEIPT}") else 0

    def stop(self, topic: str, farewell: bytes, deadline_s: float) -> None:  # noqa: ARG002
        """Without a farewell."""
        self._stopping = True
        if self._started:
            self._client.disconnect()
            self._ended.wait(deadline_s)

    def _secure(self, client: paho.Client) -> None:
        if self._user:
            client.username_pw_set(self._user)

    def _subscribed(self, _client: Any, _userdata: Any, _mid: int, reasons: list[Any], _properties: Any) -> None:
        say("refused" if reasons[0].is_failure else "connected")

    def _on_message(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        payload = bytes(message.payload)
        channel = {f"{self._topic}/state": STATE, f"{self._topic}/hint": HINT}.get(message.topic, EVENTS)
        device = self._sender(payload)
        topic = device_topic(DISTRICT, device, channel)
        self._inbox.put(Arrived(topic, payload, self._connection, message.mid))

    def _sender(self, payload: bytes) -> DeviceId:
        """Whose topic this would be; a key that has signed before is enough to know."""
        found = KEY.search(payload)
        key = found[1].decode() if found else ""
        device = self._senders.get(key)
        if device is None:
            device = _claimed(payload)
            if self._trust.enrol(device) == key:
                self._senders[key] = device
        return device


def _claimed(payload: bytes) -> DeviceId:
    """Whose message it says it is; the real receiver then finds out whether that is so."""
    try:
        content = json.loads(parse_envelope(payload).payload)
        first = content[0] if isinstance(content, list) else content
        if isinstance(first, dict):
            source = first.get("source") or first.get("event", {}).get("source") or first.get("device")
            return device_id(str(source).rpartition(":")[2])
    except (SenderFault, ValueError, LookupError, AttributeError):
        pass
    return STRANGER


class NoTrustFile:
    """Keys follow from names, and never change."""

    def renew(self) -> None:
        return None


def open_port(options: argparse.Namespace, inbox: Inbox) -> Receiver:
    path = Path(options.file).absolute()
    database, fresh = path.with_name(f"{path.name}.db"), not path.exists()
    for suffix in ("", "-wal", "-shm") if fresh else ():
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    broker = BrokerSettings("127.0.0.1", options.port, "5", "127.0.0.1", NOTHING, NOTHING, NOTHING, options.keepalive)
    trust, signer, url = PortTrust(), port_signer(RECEIVER), f"sqlite:///{database}"
    numbers = StoredNumbers(path)
    ingest = TellingIngest(DISTRICT, RECEIVER, open_store(url, path.parent), trust.list, signer, numbers=numbers)
    ingest.catch_up()
    config = CenterConfig(path.parent, DISTRICT, RECEIVER, url, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, broker)
    name = f"ingest-{hashlib.sha256(f'{options.topic} {path}'.encode()).hexdigest()[:12]}"
    link = PlainCenterLink(broker, options.topic, options.user, inbox, trust, name)
    return receiver_of(config, ingest, link, inbox, NoTrustFile(), system_clock())  # type: ignore[arg-type]


def _until_eof(inbox: Inbox) -> None:
    sys.stdin.buffer.read()
    inbox.ask_stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True, help="of a broker on this computer, plain TCP")
    parser.add_argument("--file", required=True, help="F: the numbers, little-endian u32; the database is F.db")
    parser.add_argument("--topic", required=True, help="T: events come on T, receipts go to T/ack")
    parser.add_argument("--user", default="", help="name for the broker; without, none is given")
    parser.add_argument("--keepalive", type=int, default=30, help="seconds")
    parser.add_argument("--until-eof", action="store_true", help="end with standard input")
    options = parser.parse_args()
    start_logging("error", "liuhen.center")
    inbox = Inbox()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: inbox.ask_stop())
    if options.until_eof:
        threading.Thread(target=_until_eof, args=(inbox,), daemon=True).start()
    try:
        open_port(options, inbox).run()
        code = 0
    except LiuhenFault as fault:
        sys.stderr.write(f"{fault}\n")
        code = fault.exit_code
    os._exit(code)


if __name__ == "__main__":
    main()
