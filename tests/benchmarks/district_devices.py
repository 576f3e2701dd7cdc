"""Many devices of the district bench in one process: `python -m tests.benchmarks.district_devices FOLDER FIRST COUNT
PORT EVERY_S SAMPLES`. Ends with its standard input.

Real of each: `EventStore` in a database of its own, `Outbox`, `Uplink`, `Performer`, `Loop`, `MqttLink` over mutual TLS
with a certificate of its own. Not there: camera, files, the controller's other desks.
"""

import json
import random
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from agent.adapters.database import open_database
from agent.adapters.mqtt_link import MqttLink
from agent.adapters.store import DeviceMemory
from agent.clock import system_clock
from agent.config import BrokerConfig
from agent.control.backoff import NANOSECONDS
from agent.control.controller import Identity
from agent.control.effects import CloseConnection, Effect, EventDraft, Finish, StoreEvent
from agent.control.messages import Event, EventStored, MessageArrived, PressureChanged, StopRequested, TimePassed
from agent.control.messages import WorkFailed as Refused
from agent.control.outbox import Outbox
from agent.control.uplink import Uplink, compare_receipt
from agent.key_files import read_signer
from agent.loop import Inbox, Loop
from agent.performer import Performer
from agent.room import Room
from agent.wire.device_events import EventType
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import DeviceId, District
from agent.wire.instant import Instant
from agent.wire.signing import load_pem_certificates
from agent.wire.topics import RECEIPT, device_topic
from agent.wire.trust import TrustList

SAMPLE_S = 1.0
BEHIND_S = 10.0
KEEPALIVE_S = 30


class Steady:
    """A controller that stores an event every `every_ns` and sends it; `lag_s` is how long the oldest waits."""

    def __init__(self, device: DeviceId, uplink: Uplink, outbox: Outbox, trust: TrustList, every_ns: int) -> None:
        self.device, self._trust, self._every_ns = device, trust, every_ns
        self.uplink, self.outbox = uplink, outbox
        self._due_ns = time.monotonic_ns() + random.randrange(every_ns)
        self._stored: deque[tuple[int, float]] = deque()

    def deadline(self) -> int:
        return min(self._due_ns, self.uplink.deadline() or self._due_ns)

    def lag_s(self, now: float) -> float:
        oldest = next(iter(self._stored), None)
        return 0.0 if oldest is None else now - oldest[1]

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        effects = self._decide(event, now)
        while self._stored and self._stored[0][0] <= self.outbox.acked:
            self._stored.popleft()
        if now.monotonic_ns >= self._due_ns and not isinstance(event, StopRequested):
            self._due_ns += self._every_ns
            name = f"{now.boot}/{now.monotonic_ns}"
            facts = {"step": "现场检查", "sequence": self.outbox.stored + 1}
            effects.append(StoreEvent(EventDraft(name, EventType.STEP_MARKED, now, facts)))
        return [*effects, *self.uplink.next(now)]

    def _decide(self, event: Event, now: Instant) -> list[Effect]:
        match event:
            case PressureChanged() | Refused():
                return []
            case TimePassed():
                return self.uplink.wake(now)
            case StopRequested():
                return [CloseConnection(now.monotonic_ns + NANOSECONDS), Finish(0, now.monotonic_ns + NANOSECONDS)]
            case MessageArrived():
                return compare_receipt(self.device, event.payload, self._trust, now)
            case EventStored():
                self._stored.append((event.devseq, time.monotonic()))
        return self.uplink.handle(event, now)


class Device(threading.Thread):
    """One of them, on its own thread with its own inbox."""

    def __init__(self, place: Path, name: DeviceId, port: int, every_s: float) -> None:
        super().__init__(name=name)
        self._place, self._device, self._port, self._every_ns = place, name, port, int(every_s * NANOSECONDS)
        self.inbox, self.steady = Inbox(), None

    def run(self) -> None:
        folder, clock = self._place / self._device, system_clock()
        root = load_pem_certificates((self._place / "root.pem").read_bytes())[0]
        trust = open_trust_list((self._place / "trust.dsse").read_bytes(), root)
        settings = BrokerConfig(
            "127.0.0.1", self._place / "root.pem", folder / "tls.pem", folder / "tls.key", self._port, "5", "localhost",
            KEEPALIVE_S,
        )  # fmt: skip
        link = MqttLink(self._device, settings, self.inbox.put)
        link.open()
        database, _ = open_database(folder / "agent.db")
        signer = read_signer(folder / "evidence.key", folder / "evidence.pem")
        identity = Identity(District(trust.district), self._device, "星河区综合行政执法局", "bench")
        room = Room(identity, clock, signer, database, link, None, None, None, lambda: Refused("none"))  # type: ignore[arg-type]
        memory, draw = DeviceMemory(database).recall(), random.SystemRandom().random
        outbox = Outbox(memory.stored, memory.acked, draw)
        uplink = Uplink((device_topic(identity.district, self._device, RECEIPT),), (), outbox, draw)
        steady = Steady(self._device, uplink, outbox, trust, self._every_ns)
        performer = Performer(room)  # one: it knows the session that its births belong to
        loop: Any = Loop(self.inbox, steady, performer.perform, clock, lambda: None)  # type: ignore[arg-type]
        for effect in uplink.open(clock.read()):
            for event in performer.perform(effect):
                self.inbox.put(event)
        self.steady = steady
        loop.run([])
        link.close(1.0)
        database.close()


def sample(devices: list[Device]) -> dict[str, Any]:
    """What one process knows of its devices at this moment."""
    now, ready = time.monotonic(), [device.steady for device in devices if device.steady is not None]
    return {
        "at": now,
        "up": sum(each.uplink.up for each in ready),
        "stored": sum(each.outbox.stored for each in ready),
        "waiting": sum(each.outbox.stored - each.outbox.acked for each in ready),
        "lags": [round(each.lag_s(now), 2) for each in ready],
        "behind": [_tell(each, now) for each in ready if each.lag_s(now) > BEHIND_S],
        "kib": int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]),
    }


def _tell(steady: Steady, now: float) -> dict[str, Any]:
    """Why a device is behind: what it waits for."""
    outbox, due = steady.outbox, steady.outbox.deadline()
    return {
        "device": steady.device,
        "waiting": outbox.stored - outbox.acked,
        "lag_s": round(steady.lag_s(now), 1),
        "up": steady.uplink.up,
        "asked": outbox.window.asked,
        "probing": outbox.window.probing,
        "due_s": None if due is None else round((due - time.monotonic_ns()) / 1e9, 1),
    }


def main() -> None:
    place, first, count, port, every_s, samples = sys.argv[1:]
    names = [DeviceId(f"REC-{number:05d}") for number in range(int(first), int(first) + int(count))]
    devices = [Device(Path(place), name, int(port), float(every_s)) for name in names]
    for device in devices:
        device.start()
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    with Path(samples).open("w") as file:
        while not ended.wait(SAMPLE_S):
            file.write(json.dumps(sample(devices)) + "\n")
            file.flush()
    for device in devices:
        device.inbox.put(StopRequested())
    for device in devices:
        device.join(10)


if __name__ == "__main__":
    main()
