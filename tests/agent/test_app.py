"""The whole daemon as its own process: real recorder over the test scene, simulated button, real broker."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent import app
from agent.control.controller import STOP_NS
from firmware_hooks.simulated_mcu import SimulatedMcu
from tests.agent.evidence.foreign import c2pa_manifest
from tests.support.broker import Broker, needs_mosquitto
from tests.support.center import SmallCenter, until
from tests.support.clocks import SteppedClock
from tests.support.commands import run_here
from tests.support.device import DistrictKeys

CAPTURE = """\
[capture]
camera = "test"
width = 320
height = 240
frames_per_second = 15
video_kbps = 300
[hooks]
mcu = "{mcu}"
"""


class Daemon:
    """`liuhen-agent run` on a device folder."""

    def __init__(self, config: Path, module: str = "agent") -> None:
        self.config = config
        self.log = config.with_name("agent.log")
        with self.log.open("ab") as log:
            words = ["run", "--config", str(config)] if module == "agent" else [str(config)]
            command = [sys.executable, "-m", module, *words]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def ready(self) -> "Daemon":
        until(lambda: self.text().count("is ready") and self.process.poll() is None, "the daemon is ready")
        return self

    def text(self) -> str:
        return self.log.read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run_here("agent.cli", "status", "--config", self.config, "--json").stdout)
        return found


class Site:
    """A district with a broker, a centre, and recorders that are all ended with the test."""

    def __init__(self, folder: Path, mcu: SimulatedMcu) -> None:
        self.keys, self.mcu = DistrictKeys(), mcu
        self.broker = Broker(folder / "broker", self.keys.authority)
        self.center: SmallCenter = self.keys.center(folder / "center")
        more = CAPTURE.format(mcu=mcu.device)
        self.config = self.keys.write_folder(folder / "device", self.broker.port, more=more)
        self.state = self.config.parent / "state"
        self._daemons: list[Daemon] = []

    def daemon(self, module: str = "agent") -> Daemon:
        self._daemons.append(Daemon(self.config, module))
        return self._daemons[-1]

    def up(self) -> None:
        self.broker.start()
        self.center.connect(self.broker.port)

    def segment_bytes(self) -> int:
        return sum(place.stat().st_size for place in self.state.glob("recordings/*/*.mp4"))

    def end(self) -> None:
        for daemon in self._daemons:
            daemon.process.kill()
            daemon.process.wait()
        self.center.close()
        self.broker.stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with SimulatedMcu() as mcu:
        made = Site(tmp_path, mcu)
        yield made
        made.end()


@needs_mosquitto
def test_from_a_press_to_a_receipt(site: Site) -> None:
    site.up()
    daemon = site.daemon().ready()
    until(lambda: site.center.events, "the birth of the chain")
    site.mcu.press()
    until(lambda: any("/head/" in it for it in site.center.ids()), "the first head")
    site.mcu.press()
    until(lambda: "R000001/sealed" in site.center.ids(), "the seal")
    until(lambda: daemon.status()["waiting"] == 0, "every event is receipted")
    figures = daemon.status()
    assert figures["running"] is True
    assert (figures["recording"], figures["recordings_on_disk"], figures["open_recordings"]) == (1, 1, 0)
    assert daemon.stop() == 0
    until(lambda: site.center.ids()[-1].startswith("stopped/"), "the end of the chain")
    site.center.check_chain()
    assert not site.center.statuses[-1].online
    sealed = next(event for event, _ in site.center.events.values() if event.event_id == "R000001/sealed")
    assert sealed.data["reason"] == "stopped"
    folder = site.state / "recordings" / "REC-0001-R000001"
    assert verdict(folder, site) == 0
    claim = c2pa_manifest((folder / "segment-0001.mp4").read_bytes())
    assert [info["version"] for info in claim["claim_generator_info"]] == [app.software_version()]  # type: ignore[attr-defined]


@needs_mosquitto
def test_kill_in_the_middle_of_a_recording_loses_no_event_and_recovers_the_rest(site: Site) -> None:
    daemon = site.daemon().ready()
    site.mcu.press()
    until(lambda: site.segment_bytes() > 100_000, "some fragments are on the disk")
    assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    site.up()
    second = site.daemon().ready()
    until(lambda: "R000001/recovered" in site.center.ids(), "the recovery is told")
    site.center.check_chain()
    ids = site.center.ids()
    assert ids.count("R000001/started") == 1
    assert len([it for it in ids if it.startswith("started/")]) == 2
    recovered = _data(site, "R000001/recovered")
    assert recovered["reason"] == "device-restart"
    assert verdict(site.state / "recordings" / "REC-0001-R000001", site) == 10
    site.mcu.press()
    until(lambda: "R000002/started" in site.center.ids(), "the next recording")
    assert _data(site, "R000002/started")["previous"] == recovered["head"]
    second.process.kill()
    second.process.wait()
    until(lambda: site.center.statuses and not site.center.statuses[-1].online, "the last will")


def test_without_a_broker_recording_works_and_sigterm_seals_within_five_seconds(site: Site) -> None:
    daemon = site.daemon().ready()
    site.mcu.press()
    until(lambda: site.segment_bytes() > 50_000, "some fragments are on the disk")
    assert daemon.stop() == 0
    assert "has not stopped within" not in daemon.text()  # each part ended in the five seconds that the agent counts
    # Complete up to the shutdown, which the seal gives as the reason why the recording ended.
    assert verdict(site.state / "recordings" / "REC-0001-R000001", site) == 10
    figures = daemon.status()
    assert (figures["running"], figures["acked"], figures["open_recordings"]) == (False, 0, 0)
    assert "断开" in figures["last_error"]


def test_a_second_daemon_on_one_state_folder_is_turned_away(site: Site) -> None:
    first = site.daemon().ready()
    second = Daemon(site.config)
    assert second.process.wait(60) == 2
    assert "正被另一个 liuhen-agent 使用" in second.text()
    assert first.stop() == 0


def test_a_forged_or_older_trust_list_stops_the_start(site: Site) -> None:
    place = site.config.with_name("trust.dsse")
    newer = site.keys.authority.seal_trust(site.keys.trust_version(5))
    place.write_bytes(newer[:-40] + newer[-30:])
    garbled = site.daemon()
    assert garbled.process.wait(60) == 3
    assert str(place) in garbled.text()
    stranger = DistrictKeys()
    place.write_bytes(stranger.authority.seal_trust(stranger.trust))
    assert site.daemon().process.wait(60) == 3
    place.write_bytes(newer)
    running = site.daemon().ready()
    place.write_bytes(site.keys.authority.seal_trust(site.keys.trust_version(7)))
    until(lambda: _trust_version(site.state) == 7, "the newer list is taken while running")
    assert running.stop() == 0
    place.write_bytes(newer)
    last = site.daemon()
    assert last.process.wait(60) == 2
    assert "本机已用过第 7 版" in last.text()


def test_a_list_older_than_the_one_of_the_last_start_is_refused(site: Site) -> None:
    place = site.config.with_name("trust.dsse")
    place.write_bytes(site.keys.authority.seal_trust(site.keys.trust_version(5)))
    assert site.daemon().ready().stop() == 0
    place.write_bytes(site.keys.authority.seal_trust(site.keys.trust_version(3)))
    last = site.daemon()
    assert last.process.wait(60) == 2
    assert "本机已用过第 5 版" in last.text()


def test_a_list_that_comes_between_reading_and_watching_is_taken(site: Site) -> None:
    site.config.with_name("trust.next").write_bytes(site.keys.authority.seal_trust(site.keys.trust_version(6)))
    running = site.daemon("tests.agent.device_process").ready()
    until(lambda: _trust_version(site.state) == 6, "the newer list is taken")
    assert running.stop() == 0


def test_the_parts_of_a_stop_share_one_deadline() -> None:
    clock, given = SteppedClock(), list[float]()

    def stuck(timeout_s: float) -> bool:
        given.append(timeout_s)
        clock.step(timeout_s)
        return False

    begun_ns, stop_time = clock.read().monotonic_ns, app.StopTime(clock)
    stop_time.ends_at(begun_ns + STOP_NS)
    clock.step(3.5)  # the seal and the last events
    for name in ("recorder", "trust list watch", "worker", "link"):
        stop_time.close(name, stuck)
    assert given == [1.0, 0.0, 0.0, 0.0]
    assert clock.read().monotonic_ns - begun_ns < 5 * 10**9


@needs_mosquitto
def test_a_stopping_systemd_hears_of_it(site: Site, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        before = os.environ.get("NOTIFY_SOCKET")
        os.environ["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        try:
            daemon = site.daemon()
        finally:
            del os.environ["NOTIFY_SOCKET"]
            if before is not None:
                os.environ["NOTIFY_SOCKET"] = before
        assert systemd.recv(100) == b"READY=1"
        assert systemd.recv(100) == b"WATCHDOG=1"
        daemon.process.send_signal(signal.SIGTERM)
        until(lambda: systemd.recv(100) == b"STOPPING=1", "the end is told")
        assert daemon.process.wait(60) == 0


def verdict(folder: Path, site: Site) -> int:
    """The exit code of `liuhen-verify`: 0 complete, 10 explained gap."""
    root = str(site.config.with_name("root.pem"))
    return run_here("agent.verify_cli", folder, "--roots", root).returncode


def _data(site: Site, event_id: str) -> Any:
    return next(event for event, _ in site.center.events.values() if event.event_id == event_id).data


def _trust_version(state: Path) -> int:
    """Read beside the daemon: `open_database` is its owner's door, which mends what it takes for damage."""
    uri = f"{(state / 'agent.db').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as reader:
        found = reader.execute("SELECT value FROM counter WHERE name = 'trust_version'").fetchone()
    return 0 if found is None else int(found[0])


def test_a_disk_full_of_foreign_things_does_not_keep_the_recorder_from_starting(site: Site) -> None:
    place = site.state / "recordings"
    for number in (900, 901, 902):
        (place / f"REC-0001-R000{number}").mkdir(parents=True)
    os.mkfifo(place / "REC-0001-R000900" / "segment-0001.mp4")
    os.mkfifo(place / "REC-0001-R000901" / "segment-0001.mp4.seal")
    (place / "REC-0001-R000901" / "segment-0001.mp4").write_bytes(os.urandom(50_000))
    (place / "REC-0001-R000902" / "segment-0001.mp4").symlink_to("/dev/zero")
    (place / "REC-0001-R000903").write_bytes(b"x")
    daemon = site.daemon().ready()
    odd = [f"录制 REC-0001-R00090{number}" for number in range(3)]
    until(lambda: all(name in daemon.text() for name in odd), "the entries are labelled")
    site.mcu.press()
    until(lambda: site.segment_bytes() > 20_000, "a recording runs")
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.text()
