"""Order E's figure of a whole district that comes back: devices over mutual TLS after their broker was killed.

A small load generator of its own: each device is a TLS connection that speaks just enough MQTT 5 to say its birth and
hear the receipt, and waits between attempts as the agent does. Broker, receiver and generator share the machine.
"""

import asyncio
import contextlib
import math
import os
import random
import shutil
import signal
import ssl
import statistics
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath

from agent.control.backoff import retry_after_ns
from agent.wire.device_events import GENESIS
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId
from agent.wire.status import STATUS_TYPE, DeviceStatus
from agent.wire.topics import RECEIPT, STATE, device_topic
from agent.wire.trust import Credential, Role
from provisioning.center.access import AccessRules
from provisioning.center.broker_config import ACCESS_FILE, CONFIG_FILE, CRL_FILE, PERSISTENCE, Listener, mosquitto_acl
from provisioning.center.broker_config import mosquitto_conf as conf
from provisioning.center.broker_folder import current_user
from tests.benchmarks.figures import Bench, Point, Row
from tests.provisioning.district import SYSTEM_PATH, Process, receiver_process, running, today
from tests.support.broker import free_port
from tests.support.keys import TestAuthority

DEVICES, QUICK_DEVICES, TARGET_S = 2_000, 200, 60
CURVE = (1, 10, 100, 1_000, 2_000)
SPREAD_S = 10.0  # the first connections, which are not measured
PATIENCE_S = 180.0
NAME, KEEPALIVE_S = "receiver-1", 120
CONNACK, PUBLISH = 2, 3
NEVER = float("-inf")
CENTER_TOML = """\
district = "{place}"
receiver = "{name}"
[identity]
root = "root.pem"
trust_list = "trust.dsse"
key = "receiver.key"
chain = "receiver.pem"
[broker]
host = "127.0.0.1"
port = {port}
server_name = "localhost"
ca = "root.pem"
certificate = "tls.pem"
key = "tls.key"
"""


@dataclass
class Device:
    """A device's connection, kept up for ever; times are of `time.monotonic`."""

    name: DeviceId
    port: int
    context: ssl.SSLContext
    birth: bytes
    topics: tuple[str, str]
    connected: float = NEVER
    receipted: float = NEVER
    tries: list[float] = field(default_factory=list)

    async def live(self) -> None:
        await asyncio.sleep(random.uniform(0, SPREAD_S))
        attempt = 0
        while True:
            self.tries.append(time.monotonic())
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                await self._session()
            attempt = 1 if self.connected > self.tries[-1] else attempt + 1
            await asyncio.sleep(retry_after_ns(attempt, random.random) / 1e9)

    async def _session(self) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.context, server_hostname="localhost", ssl_handshake_timeout=30
        )
        try:
            writer.write(_connect(self.name))
            while True:
                kind, body = await _packet(reader)
                if kind >> 4 == CONNACK and body[1] == 0:
                    self.connected = time.monotonic()
                    writer.write(_subscribe(self.topics[1]) + _publish(self.topics[0], self.birth))
                elif kind >> 4 == PUBLISH:
                    self.receipted = time.monotonic()
                    writer.write(_puback(body))
        finally:
            writer.transport.abort()


def reconnect_storm(bench: Bench) -> list[Row]:
    """Seconds from the restart of a broker that was killed until every device is connected, and has the receiver's
    receipt for its birth."""
    count = QUICK_DEVICES if bench.quick else DEVICES
    if not shutil.which("mosquitto", path=SYSTEM_PATH):
        return [Row("reconnect storm", "-", f"<= {TARGET_S} s", None, note="NOT RUN: mosquitto is not installed")]
    storm = _play(bench, count)
    connected, fastest = storm.connected, storm.fastest
    median = statistics.median(connected)
    note = f"{count} devices over mutual TLS, broker killed and started again, receiver, broker and all devices on the "
    note += f"same cores; half of them after {median:.1f} s; every birth receipted after {max(storm.receipted):.1f} s; "
    note += "everybody's first try held" if fastest == math.inf else f"nobody tried twice within {fastest:.2f} s"
    met = max(connected) <= TARGET_S and fastest >= 1
    return [Row(f"reconnect of {count} devices", f"{max(connected):.1f} s", f"<= {TARGET_S} s", met, note=note)]


def broker_curve(bench: Bench) -> list[Row]:
    """The same for 1 to 2 000 devices: when all are back, and what the broker spent on it."""
    if not shutil.which("mosquitto", path=SYSTEM_PATH):
        return [Row("broker curve", "-", "-", None, note="NOT RUN: mosquitto is not installed")]
    rows = []
    for count in CURVE[:2] if bench.quick else CURVE:
        storm = _play(bench, count)
        made = f"all back {max(storm.connected):.1f} s, receipted {max(storm.receipted):.1f} s"
        note = f"half back {statistics.median(storm.connected):.1f} s; broker {storm.cpu_s:.2f} s of processor, "
        note += f"{1000 * storm.cpu_s / count:.2f} ms a device, {storm.kib / 1024:.0f} MB resident"
        costs = {
            "all back, s": max(storm.connected),
            "all births receipted, s": max(storm.receipted),
            "broker, ms of processor a device": 1000 * storm.cpu_s / count,
            "broker, memory MB": storm.kib / 1024,
        }
        point = Point("devices that return to one broker", count, costs)
        rows.append(Row(f"one Mosquitto, {count} devices return", made, "-", None, note=note, point=point))
    return rows


def _play(bench: Bench, count: int) -> "Storm":
    bench.tell(f"keys of {count} devices")
    place = bench.folder / "storm"
    shutil.rmtree(place, ignore_errors=True)
    district = TestAuthority()
    port = free_port()
    devices, credentials = _devices(district, place, port, count)
    broker = broker_of(district, place / "broker", port)
    with running(broker, port), running(receiver_of(district, place / "receiver", port, credentials)):
        return asyncio.run(_storm(devices, broker, bench.tell))


@dataclass(frozen=True)
class Storm:
    """Seconds after the restart at which each device was connected and its birth receipted; the shortest pause between
    two tries; the broker's processor seconds and memory by then."""

    connected: list[float]
    receipted: list[float]
    fastest: float
    cpu_s: float
    kib: int


async def _storm(devices: list[Device], broker: Process, tell: Callable[[str], None]) -> Storm:
    lives = [asyncio.create_task(device.live()) for device in devices]
    tell("first connections")
    await _until(lambda: all(device.receipted > NEVER for device in devices))
    tell("broker killed")
    assert broker.child is not None
    broker.child.send_signal(signal.SIGKILL)
    broker.child.wait()
    begin = time.monotonic()
    broker.start()
    first = {device.name: len(device.tries) for device in devices}
    await _until(lambda: all(device.connected > begin for device in devices))
    await _until(lambda: all(device.receipted > begin for device in devices))
    cpu_s, kib = spent(broker.child.pid)
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)
    again = [device.tries[first[device.name] :] for device in devices]
    pauses = [after - before for tries in again for before, after in pairwise(tries)]
    connected = [device.connected - begin for device in devices]
    receipted = [device.receipted - begin for device in devices]
    return Storm(connected, receipted, min(pauses, default=math.inf), cpu_s, kib)


def spent(pid: int) -> tuple[float, int]:
    """Processor seconds and resident KiB of a process."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    resident = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK"), int(resident)


async def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


def _devices(district: TestAuthority, place: Path, port: int, count: int) -> tuple[list[Device], list[Credential]]:
    place.mkdir()
    (place / "root.pem").write_bytes(district.root_pem)
    devices, credentials = [], []
    for number in range(1, count + 1):
        name = DeviceId(f"REC-{number:05d}")
        district.client(name).write(place / "tls.key", place / "tls.pem")
        context = ssl.create_default_context(cafile=str(place / "root.pem"))
        context.load_cert_chain(place / "tls.pem", place / "tls.key")
        evidence = district.evidence(name, Role.RECORDER)
        credentials.append(evidence.credential(Role.RECORDER))
        status = DeviceStatus(name, True, 1, "bench", "bench", 0, 0, GENESIS, today())
        birth = seal(STATUS_TYPE, status.encode(), [evidence.signer])
        state, ack = (device_topic(district.district, name, channel) for channel in (STATE, RECEIPT))
        devices.append(Device(name, port, context, birth, (state, ack)))
    return devices, credentials


def broker_of(district: TestAuthority, folder: Path, port: int) -> Process:
    """The configuration that the bench writes, with the certificates of this district."""
    (folder / PERSISTENCE).mkdir(parents=True)
    district.server().write(folder / "broker.key", folder / "broker.pem")
    (folder / "root.pem").write_bytes(district.root_pem)
    (folder / CRL_FILE).write_bytes(district.revocation_list())
    listener = Listener("127.0.0.1", port, current_user())
    (folder / CONFIG_FILE).write_text(conf(listener, PurePosixPath(folder)), encoding="utf-8")
    (folder / ACCESS_FILE).write_text(mosquitto_acl(AccessRules(district.district, (NAME,))), encoding="utf-8")
    mosquitto = str(shutil.which("mosquitto", path=SYSTEM_PATH))
    return Process([mosquitto, "-c", str(folder / CONFIG_FILE)], folder / "broker.log")


def receiver_of(district: TestAuthority, folder: Path, port: int, credentials: list[Credential]) -> Process:
    folder.mkdir()
    evidence = district.evidence(NAME, Role.RECEIVER)
    evidence.write(folder / "receiver.key", folder / "receiver.pem")
    district.client(NAME).write(folder / "tls.key", folder / "tls.pem")
    (folder / "root.pem").write_bytes(district.root_pem)
    trust = district.trust(evidence.credential(Role.RECEIVER), *credentials)
    (folder / "trust.dsse").write_bytes(district.seal_trust(trust))
    (folder / "center.toml").write_text(CENTER_TOML.format(place=district.district, name=NAME, port=port), "utf-8")
    return receiver_process(folder)


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """A packet's first byte and what follows its length (MQTT 5 section 2.1)."""
    kind, length, shift = (await reader.readexactly(1))[0], 0, 0
    while True:
        digit = (await reader.readexactly(1))[0]
        length |= (digit & 0x7F) << shift
        shift += 7
        if not digit & 0x80:
            return kind, await reader.readexactly(length)


def _framed(kind: int, body: bytes) -> bytes:
    length, digits = len(body), b""
    while True:
        length, digit = length >> 7, length & 0x7F
        digits += bytes([digit | (0x80 if length else 0)])
        if not length:
            return bytes([kind]) + digits + body


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def _connect(name: str) -> bytes:
    return _framed(0x10, _text("MQTT") + struct.pack(">BBHB", 5, 0x02, KEEPALIVE_S, 0) + _text(name))


def _subscribe(topic: str) -> bytes:
    return _framed(0x82, struct.pack(">HB", 1, 0) + _text(topic) + b"\x01")


def _publish(topic: str, payload: bytes) -> bytes:
    return _framed(0x33, _text(topic) + struct.pack(">HB", 2, 0) + payload)  # QoS 1, retained


def _puback(body: bytes) -> bytes:
    topic = struct.unpack(">H", body[:2])[0]
    return _framed(0x40, body[2 + topic : 4 + topic])


FIGURES: dict[str, Callable[[Bench], list[Row]]] = {it.__name__: it for it in (reconnect_storm, broker_curve)}
