"""A recorder in the field, as its own process: sensors, health trail, the end on an empty battery, the self-check."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.segment_recovery import opened
from agent.evidence.health import readings
from agent.evidence.places import Examined, SegmentFile
from agent.evidence.recovery import examine
from firmware_hooks.simulated_mcu import SimulatedMcu
from firmware_hooks.simulated_sysfs import SimulatedSysfs
from tests.agent.test_app import CAPTURE
from tests.support.broker import free_port
from tests.support.center import until
from tests.support.commands import run_here
from tests.support.device import DistrictKeys

KEYS = DistrictKeys()


def liuhen_agent(*words: str) -> subprocess.CompletedProcess[str]:
    return run_here("agent.cli", *words)


class Recorder:
    """`liuhen-agent run` with simulated sensors and a listening systemd; there is no broker."""

    def __init__(self, folder: Path, mcu: SimulatedMcu, sensors: SimulatedSysfs) -> None:
        self.mcu, self.sensors = mcu, sensors
        more = CAPTURE.format(mcu=mcu.device) + f'[duty]\nsensors = "{sensors.root}"\n'
        self.config = KEYS.write_folder(folder, free_port(), more=more)
        self.folder = folder / "state" / "recordings" / "REC-0001-R000001"
        self.wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.wire.bind(str(folder / "notify"))
        self.wire.settimeout(20)
        self._log = (folder / "agent.log").open("wb")
        self._environment = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify")}
        self.start()

    def start(self) -> None:
        """A process of its own."""
        command = [sys.executable, "-m", "agent", "run", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=self._environment)

    def hear(self, word: bytes) -> None:
        """Wait until systemd is told `word`."""
        while self.wire.recv(100) != word:
            pass

    def check(self) -> dict[str, Any]:
        shown = liuhen_agent("check", "--config", str(self.config), "--json")
        told: dict[str, Any] = json.loads(shown.stdout)
        assert shown.returncode == (4 if told["level"] == "fail" else 0)
        return told

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.wire.close()
        self._log.close()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    sensors = SimulatedSysfs(tmp_path / "sys")
    sensors.battery(80)
    sensors.heat(41_000)
    with SimulatedMcu() as mcu:
        made = Recorder(tmp_path / "device", mcu, sensors)
        yield made
        made.close()


def test_an_empty_battery_ends_a_recording_sealed_with_its_signed_trail_and_the_report_tells_it(
    recorder: Recorder, tmp_path: Path
) -> None:
    recorder.hear(b"READY=1")
    recorder.mcu.press()
    until(lambda: recorder.folder.is_dir() and any(recorder.folder.iterdir()), "a fragment")
    recorder.hear(b"WATCHDOG=1")
    recorder.sensors.battery(2)
    until(lambda: (recorder.folder / "SHA256SUMS.p7s").is_file(), "the seal that nobody asked for by button")
    with opened(recorder.folder / "segment-0001.mp4") as source:
        segment = Examined(SegmentFile("segment-0001.mp4", source), examine(source))
    assert segment.seal is not None
    assert (segment.seal.closing.reason, segment.seal.closing.recovered) == ("low-battery", False)
    trail = [reading for _, reading in readings([segment])]
    assert (trail[0].why, trail[-1].why) == ("start", "end")
    assert (trail[0].battery_percent, trail[0].temperature_mc) == (80, 41_000)
    assert trail[-1].battery_percent == 2
    words = ["--roots", recorder.config.with_name("root.pem"), "--json", "--report", tmp_path / "report.html"]
    shown = run_here("agent.verify_cli", recorder.folder, *words)
    assert shown.returncode == 10, shown.stdout + shown.stderr
    health = json.loads(shown.stdout)["health"]
    assert "电量 80% 至 2%" in health[0]
    assert "温度最高 41.0 ℃" in health[0]
    assert health[1].startswith("设备运行中有异常：电量过低")
    page = (tmp_path / "report.html").read_text()
    assert "设备状况 health" in page
    assert "电量 2%" in page


def test_a_stopped_process_feeds_no_watchdog_and_what_it_recorded_is_sealed_by_the_next(recorder: Recorder) -> None:
    recorder.hear(b"READY=1")
    recorder.mcu.press()
    segment = recorder.folder / "segment-0001.mp4"
    until(lambda: segment.is_file() and segment.stat().st_size > 20_000, "fragments")
    recorder.process.send_signal(signal.SIGSTOP)
    recorder.wire.settimeout(0.5)
    with contextlib.suppress(TimeoutError):  # what was sent before is still in the socket
        while True:
            recorder.wire.recv(100)
    recorder.wire.settimeout(3)
    with pytest.raises(TimeoutError):
        recorder.wire.recv(100)
    recorder.process.send_signal(signal.SIGABRT)  # as systemd does it
    recorder.process.kill()
    recorder.process.wait(60)
    recorder.start()
    until(lambda: (recorder.folder / "SHA256SUMS.p7s").is_file(), "the seal by the next start")


def test_the_check_is_the_same_list_whether_the_agent_runs_or_not(recorder: Recorder) -> None:
    recorder.hear(b"READY=1")
    while_running = {item["item"]: item for item in recorder.check()["items"]}
    recorder.process.terminate()
    assert recorder.process.wait(60) == 0
    recorder.sensors.battery(7)
    afterwards = {item["item"]: item for item in recorder.check()["items"]}
    assert list(while_running) == list(afterwards)
    assert while_running["battery"]["level"] == "attention"
    assert "80%" in while_running["battery"]["text"]
    assert afterwards["battery"]["level"] == "fail"
    assert while_running["camera"]["level"] == "fail", "a test scene is no camera"
    assert while_running["sync"]["level"] == "attention"
    plain = liuhen_agent("check", "--config", str(recorder.config))
    assert plain.returncode == 4
    assert plain.stdout.count("\n") == len(afterwards)
    assert "[不合格]  电量 7%" in plain.stdout
