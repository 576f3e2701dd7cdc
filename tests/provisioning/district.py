"""A whole invented district for tests: authority, folders, brokers as real processes, and a small device."""

import contextlib
import queue
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from agent.key_files import read_signer
from agent.wire.content import Attachment
from agent.wire.device_events import EVENTS_TYPE, GENESIS, DamagedRun, DeviceEvent, EventType, encode_batch, event_hash
from agent.wire.disclosures import DISCLOSURE_TYPE, Disclosure, DisclosureKind
from agent.wire.envelope import open_envelope, seal
from agent.wire.identifiers import DeviceId, Digest, District
from agent.wire.instant import Instant, TimeState
from agent.wire.receipts import RECEIPT_TYPE, Receipt, parse_receipt
from agent.wire.signing import KeySigner
from agent.wire.status import STATUS_TYPE, DeviceStatus
from agent.wire.topics import EVENTS, RECEIPT, STATE, device_topic
from agent.wire.trust import Role
from provisioning.authority.authority import Authority, init_authority
from provisioning.center.broker_config import Listener
from provisioning.center.broker_folder import BrokerOrder, current_user, write_broker_folder
from provisioning.fleet.folders import write_device_folder, write_person_folder, write_receiver_folder
from provisioning.fleet.orders import BrokerAddress, DeviceOrder, KioskOrder, ReceiverOrder
from tests.support.broker import free_port as free_port  # for the brokers that are started here

REPOSITORY = Path(__file__).parents[2]
PLACE = District("xinghe")
UNIT = "星河区综合行政执法局"
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
DEADLINE_S = 60.0
SYSTEM_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin"


def today() -> datetime:
    return datetime.now(UTC)


def eventually(check: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """The first true value of `check`; fails after the deadline."""
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"never happened: {what}")


@dataclass
class SteppedClock:
    """A clock that tests set by hand."""

    wall: datetime = NOW
    monotonic_ms: int = 0

    def read(self) -> Instant:
        return Instant(self.wall, self.monotonic_ms * 1_000_000, "boot-1", TimeState.NTP, 10)

    def step(self, milliseconds: int) -> None:
        self.wall += timedelta(milliseconds=milliseconds)
        self.monotonic_ms += milliseconds


@dataclass
class TestDistrict:
    """An authority in `base`, and folders of roles beside it, made when asked for."""

    __test__ = False

    base: Path
    port: int
    protocol: str = "5"
    moment: Callable[[], datetime] = today
    pairs: tuple[str, ...] = ()
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.authority = init_authority(self.base / "authority", PLACE, "星河区", self.moment())

    @property
    def address(self) -> BrokerAddress:
        return BrokerAddress("127.0.0.1", self.port, self.protocol)

    def device(self, name: str) -> Path:
        kiosk = KioskOrder("星河区政务服务大厅", "hall-1", "0000-0000000") if name.startswith("KSK-") else None
        order = DeviceOrder(name, UNIT, self.address, kiosk=kiosk)
        return write_device_folder(self.authority, order, self.base / name, self.moment()).folder

    def person(self, subject: str, role: Role) -> KeySigner:
        folder = write_person_folder(self.authority, subject, role, self.base / subject, self.moment()).folder
        return load_signer(folder, role.value)

    def receiver(self, name: str = "receiver-1") -> Path:
        order = ReceiverOrder(name, self.address)
        return write_receiver_folder(self.authority, order, self.base / name, self.moment()).folder

    def broker(self, engine: str = "mosquitto") -> Path:
        listener = Listener("127.0.0.1", self.port, current_user())
        order = BrokerOrder(listener, engine, pairs=self.pairs)
        return write_broker_folder(self.authority, order, self.base / "broker", self.moment())[0]


def load_signer(folder: Path, name: str) -> KeySigner:
    return read_signer(folder / f"{name}.key", folder / f"{name}.pem")


def lost_memory(device: str, number: int, skipped_to: int | None = None) -> bytes:
    """The event number `number` by which a device begins its chain again after its store was lost."""
    facts = {
        "skipped_to": number - 1 if skipped_to is None else skipped_to,
        "kept_as": "",
        "detail": "示例",
    }
    kind = EventType.STORAGE_FAILED
    return DeviceEvent(
        PLACE, DeviceId(device), number, GENESIS, f"store-lost/{number}", kind, "b", 1, NOW, TimeState.NTP, facts
    ).encode()


@dataclass
class Process:
    """A child that is surely gone at the end."""

    arguments: list[str]
    log: Path
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as sink:
            self.child = subprocess.Popen(self.arguments, cwd=REPOSITORY, stdout=sink, stderr=sink)

    def end(self, *, kill: bool = False) -> int:
        assert self.child is not None
        if self.child.poll() is None:
            self.child.kill() if kill else self.child.terminate()
        code = self.child.wait(60)
        self.child = None
        return code

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""


def broker_process(district: TestDistrict, engine: str = "mosquitto") -> Process:
    entry = district.broker(engine)
    if engine == "mosquitto":
        return Process(
            [str(shutil.which("mosquitto", path="/usr/sbin:/usr/bin")), "-c", str(entry)], entry.with_suffix(".log")
        )
    command = [sys.executable, "-m", "provisioning.rehearsal.embedded_broker", "--config", str(entry)]
    return Process(command, entry.with_suffix(".log"))


def start_broker(process: Process, port: int) -> None:
    process.start()
    eventually(lambda: _listens(port), f"broker listens: {process.text}")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def running(process: Process, port: int | None = None) -> Iterator[Process]:
    start_broker(process, port) if port is not None else process.start()
    try:
        yield process
    finally:
        if process.child is not None:
            process.end()


def receiver_process(folder: Path) -> Process:
    command = [sys.executable, "-m", "provisioning.center.cli", "receive", "--config", str(folder / "center.toml")]
    return Process(command, folder / "receiver.log")


class Chain:
    """Makes a device's events, one after the other."""

    def __init__(self, device: str, place: District = PLACE) -> None:
        self.device, self.place = DeviceId(device), place
        self.bodies: list[bytes] = []

    @property
    def head(self) -> Digest:
        return event_hash(self.bodies[-1]) if self.bodies else GENESIS

    def add(self, count: int = 1, mark: str = "") -> list[bytes]:
        """`count` further events; `mark` makes their content differ from another history's."""
        for _ in range(count):
            self._append(f"E{len(self.bodies) + 1:06d}{mark}", EventType.DEVICE_STARTED, {"示例": mark or "甲"})
        return self.bodies[-count:]

    def add_head(self, recording: str, sequence: int, head: str) -> bytes:
        """An event that tells a recording's head; `recording` may be short: R000001."""
        name = f"{self.device}-{recording}" if recording.startswith("R0") else recording
        facts = {"recording": name, "segment": 1, "sequence": sequence, "head": head, "size": 1}
        return self._append(f"{recording}/head/{sequence}", EventType.RECORDING_HEAD_ADVANCED, facts)

    def add_countersigned(self, recording: str, sequence: int, head: str) -> bytes:
        """An event that countersigns another device's head."""
        facts = {"recording": recording, "sequence": sequence, "head": head}
        return self._append(f"countersigned/{recording}/{sequence}", EventType.RECORDING_COUNTERSIGNED, facts)

    def add_damage(self, first: int, last: int) -> bytes:
        """A declaration that the events `first` to `last` of this chain are damaged."""
        before = event_hash(self.bodies[first - 2]) if first > 1 else GENESIS
        run = DamagedRun(first, last, before, event_hash(self.bodies[last - 1]))
        return self._append(f"events-lost/{first}-{last}", EventType.EVENTS_LOST, dict(run.as_data()))

    def _append(self, fact: str, kind: EventType, facts: dict[str, Any]) -> bytes:
        number = len(self.bodies) + 1
        event = DeviceEvent(
            self.place, self.device, number, self.head, fact, kind, "boot-1", number, NOW, TimeState.NTP, facts
        )
        self.bodies.append(event.encode())
        return self.bodies[-1]


def sealed_batch(signer: KeySigner, bodies: list[bytes]) -> bytes:
    return seal(EVENTS_TYPE, encode_batch(bodies), [signer])


def sealed_status(signer: KeySigner, device: str, session: int, *, online: bool = True) -> bytes:
    status = DeviceStatus(DeviceId(device), online, session, "boot-1", "0.1.0", 0, 0, GENESIS, NOW)
    return seal(STATUS_TYPE, status.encode(), [signer])


def events_topic(device: str) -> str:
    return device_topic(PLACE, DeviceId(device), EVENTS)


def state_topic(device: str) -> str:
    return device_topic(PLACE, DeviceId(device), STATE)


def sealed_notice(
    signers: list[KeySigner],
    version: int = 1,
    audience: str = "hall-1",
    title: str = "示例通知",
    files: tuple[Attachment, ...] = (),
) -> bytes:
    entry = {"标题": title, "正文": "示例正文"}
    moment = NOW - timedelta(days=1)
    document = Disclosure(
        PLACE,
        "hall-1",
        DisclosureKind.NOTICE,
        "notice-1",
        version,
        title,
        UNIT,
        moment,
        moment,
        None,
        None,
        (entry,),
        files,
    )
    return seal(DISCLOSURE_TYPE, document.encode(), signers)


class Client:
    """A paho client with a device's or receiver's TLS identity; what arrives is in `received` as (topic, payload)."""

    def __init__(
        self, port: int, ca: Path, identity: Path | None, client_id: str, *, five: bool = True, clean: bool = True
    ) -> None:
        self.received: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self.reasons: list[Any] = []
        self.outcomes: list[Any] = []
        context = ssl.create_default_context(cafile=str(ca))
        if identity is not None:
            context.load_cert_chain(identity / "tls.pem", identity / "tls.key")
        protocol = paho.MQTTv5 if five else paho.MQTTv311
        session = None if five else clean
        self.paho = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=session, protocol=protocol, reconnect_on_failure=False
        )
        self.paho.tls_set_context(context)
        self.paho.on_connect = lambda _c, _u, _f, reason, _p: self.reasons.append(reason)
        self.paho.on_message = lambda _c, _u, message: self.received.put((message.topic, bytes(message.payload)))
        self.paho.on_publish = lambda _c, _u, _m, reason, _p: self.outcomes.append(reason)
        self.paho.on_subscribe = lambda _c, _u, _m, reasons, _p: self.outcomes.append(reasons)
        self._port = port

    def connect(self) -> "Client":
        """Connect; raises `OSError` or `AssertionError` when refused."""
        self.paho.connect("127.0.0.1", self._port, 30)
        self.paho.loop_start()
        eventually(lambda: self.reasons or not self._alive(), "an answer to CONNECT")
        assert self.reasons, "connection closed without CONNACK"
        assert not self.reasons[-1].is_failure, str(self.reasons[-1])
        return self

    def subscribe(self, *filters: str) -> None:
        before = len(self.outcomes)
        self.paho.subscribe([(topic, 1) for topic in filters])
        eventually(lambda: len(self.outcomes) > before, "SUBACK")

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1 and wait for the PUBACK, which proves nothing but flow."""
        before = len(self.outcomes)
        self.paho.publish(topic, payload, 1, retain)
        eventually(lambda: len(self.outcomes) > before or not self.paho.is_connected(), "PUBACK")

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()
        sock = self.paho.socket()
        if sock is not None:
            sock.close()

    def next(self, what: str, deadline_s: float = DEADLINE_S) -> tuple[str, bytes]:
        try:
            return self.received.get(timeout=deadline_s)
        except queue.Empty:
            raise AssertionError(f"never arrived: {what}") from None

    def _alive(self) -> bool:
        thread = self.paho._thread
        return thread is not None and thread.is_alive()


class SmallDevice:
    """A device that sends signed batches and believes nothing but receipts."""

    def __init__(self, district: TestDistrict, name: str, *, five: bool = True) -> None:
        self.name, self.district = name, district
        folder = district.device(name)
        self.signer, self.chain = load_signer(folder, "evidence"), Chain(name)
        self.client = Client(district.port, folder / "root.pem", folder, name, five=five)
        self.receipts: list[Receipt] = []

    def connect(self) -> "SmallDevice":
        self.client.connect()
        self.client.subscribe(device_topic(PLACE, DeviceId(self.name), RECEIPT))
        return self

    def birth(self, session: int = 1) -> None:
        self.client.publish(state_topic(self.name), sealed_status(self.signer, self.name, session), retain=True)

    def send(self, count: int, batch: int = 20) -> None:
        bodies = self.chain.add(count)
        for start in range(0, count, batch):
            self.resend(bodies[start : start + batch])

    def resend(self, bodies: list[bytes]) -> None:
        self.client.publish(events_topic(self.name), sealed_batch(self.signer, bodies))

    def receipt(self, upto: int) -> Receipt:
        """The first receipt up to `upto` or beyond, opened with the district's trust list."""
        while True:
            _, data = self.client.next(f"receipt up to {upto}, had {self.receipts[-1:]}")
            opened = open_envelope(data, RECEIPT_TYPE, self.district.authority.trust(), today())
            assert opened.signer(Role.RECEIVER).subject == "receiver-1"
            self.receipts.append(parse_receipt(opened.payload))
            if self.receipts[-1].upto >= upto:
                return self.receipts[-1]

    def close(self) -> None:
        self.client.close()
