"""A device whose clock is wrong, as a process with a real broker: what is refused is kept, what is sent says how little
its time may be believed. The clock is bent by a shim before libc; nothing here sets this computer's."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.wire.device_events import DeviceEvent, decode_batch
from agent.wire.envelope import parse_envelope
from agent.wire.instant import TimeState
from tests.provisioning.district import Client, TestDistrict, broker_process, eventually, running, today
from tests.support.broker import free_port, needs_mosquitto
from tests.support.commands import run_here

pytestmark = [
    needs_mosquitto,
    pytest.mark.xdist_group("wrong-clocks"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed"),
]
SHIM = Path(__file__).parents[1] / "support" / "wrong_clock.c"
AGES = {
    "1970": datetime(1970, 1, 2, tzinfo=UTC) - today(),
    "2024": datetime(2024, 6, 1, tzinfo=UTC) - today(),
    "-1 h": timedelta(hours=-1),
    "+1 d": timedelta(days=1),
    "+400 d": timedelta(days=400),
}


class Yard:
    """A broker, a receiver that hears every device, and a device for each wrong clock, all started at once."""

    def __init__(self, base: Path) -> None:
        self.district, self.shim = TestDistrict(base, free_port()), base / "wrong_clock.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", self.shim, SHIM, "-ldl"], check=True)
        self.receiver = self.district.receiver()
        self.folders = {age: self.device(number) for number, age in enumerate(AGES, start=1)}
        self.broker = broker_process(self.district)
        self.heard: list[DeviceEvent] = []
        self.agents: dict[str, Agent] = {}

    def start(self, age: str, off: timedelta) -> None:
        self.agents[age] = Agent(self.folders[age], self.shim, off)

    def device(self, number: int) -> Path:
        folder = self.district.device(f"REC-{number:04d}")
        text = (folder / "agent.toml").read_text().replace("[hooks]", '[duty]\nsensors = "none"\n[hooks]')
        (folder / "agent.toml").write_text(text)
        return folder

    def events(self, device: str) -> list[DeviceEvent]:
        """What arrived of `device`, each number once, in the order of the chain."""
        while not self.ear.received.empty():
            topic, payload = self.ear.received.get()
            if topic.endswith("/evt"):
                self.heard += [event for event, _ in decode_batch(parse_envelope(payload).payload)]
        return sorted({it.devseq: it for it in self.heard if it.device == device}.values(), key=lambda it: it.devseq)

    @contextmanager
    def open(self) -> Iterator["Yard"]:
        with running(self.broker, self.district.port):
            self.ear = Client(self.district.port, self.receiver / "root.pem", self.receiver, "receiver-1").connect()
            self.ear.subscribe("gov/#")
            for age, off in AGES.items():
                self.start(age, off)
            try:
                yield self
            finally:
                for each in self.agents.values():
                    each.process.terminate()
                for each in self.agents.values():
                    each.process.wait(60)
                self.ear.close()


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    with Yard(tmp_path_factory.mktemp("yard")).open() as made:
        yield made


class Agent:
    """The daemon in a folder, its wall clock `off` from the true one; clocks that count from boot run as they do."""

    def __init__(self, folder: Path, shim: Path, off: timedelta) -> None:
        command = [sys.executable, "-m", "agent", "run", "--config", str(folder / "agent.toml")]
        clock = {"LD_PRELOAD": str(shim), "WRONG_CLOCK_S": str(int(off.total_seconds()))}
        self.log = folder / "agent.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | clock)

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.log.read_text()


def trouble(folder: Path) -> str:
    done = run_here("agent.cli", "status", "--config", folder / "agent.toml", "--json")
    return str(json.loads(done.stdout)["last_error"]) if done.returncode == 0 else ""


@pytest.mark.parametrize(("age", "why"), [("1970", "not yet valid"), ("2024", "not yet valid"), ("+400 d", "expired")])
def test_threat_clock_rollback_or_leap_that_tls_refuses_loses_nothing_and_marks_what_was_told(
    yard: Yard, age: str, why: str
) -> None:
    folder = yard.folders[age]
    eventually(lambda: why in trouble(folder), f"the refusal is told: {why}")
    yard.agents.pop(age).end()
    assert yard.events(folder.name) == []
    yard.start(age, timedelta(hours=-47))  # at the floor of a card written two days ago, as the first boot leaves it
    events = eventually(lambda: yard.events(folder.name), "what was kept arrives once the clock is at its floor")
    assert abs(events[0].time - today()) > timedelta(days=300), "it says the time that the clock showed"
    assert {it.time_state for it in events} == {TimeState.UNSET}
    assert [it.devseq for it in events] == list(range(1, len(events) + 1))


@pytest.mark.parametrize(("age", "off"), [("-1 h", timedelta(hours=-1)), ("+1 d", timedelta(days=1))])
def test_threat_clock_rollback_by_an_hour_or_a_day_ahead_connects_and_is_marked(
    yard: Yard, age: str, off: timedelta
) -> None:
    first = eventually(lambda: yard.events(yard.folders[age].name), "its events arrive")[0]
    assert abs(first.time - today() - off) < timedelta(minutes=10)
    assert first.time_state is TimeState.UNSET
