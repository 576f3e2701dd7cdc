"""What the scenes of a rehearsal share: the district, its running roles, and reading what they left behind."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.errors import EnvironmentFault
from agent.wire.trust import Role
from provisioning.authority.archive_key import ARCHIVE_KEY
from provisioning.rehearsal.district import EDITOR, PLACE, REVIEWER, District
from provisioning.rehearsal.findings import Findings
from provisioning.rehearsal.processes import Processes, command, run, wait_until
from provisioning.rehearsal.processes import Role as RunningRole
from provisioning.rehearsal.terminal import Teller

FILM = "recordings/*/segment-0001.mp4.enc"
START_SECONDS = 30.0  # a role imports and opens its files; generous for a small Pi
SIGNERS = f"{EDITOR} + {REVIEWER}"  # of disclosures
VERDICT_EXITS = (0, 10, 11, 12, 13, 14)


@dataclass
class Stage:
    """One rehearsal under way; `broker` is the broker's configuration file."""

    district: District
    broker: Path
    tell: Teller
    processes: Processes
    findings: Findings
    roles: dict[str, RunningRole] = field(default_factory=dict)

    def start(self, name: str, *argv: str | Path, with_input: bool = False) -> RunningRole:
        """Start a role by an installed command and remember it under `name`."""
        self.roles[name] = self.processes.start(name, argv, with_input=with_input)
        return self.roles[name]

    def start_agent(self, device: str) -> RunningRole:
        """Start a device's agent."""
        config = self.district.device(device) / "agent.toml"
        return self.start(device, command("liuhen-agent"), "run", "--config", config)

    def status(self, device: str) -> dict[str, Any]:
        """What `liuhen-agent status` says of a device."""
        config = self.district.device(device) / "agent.toml"
        return _object(run([command("liuhen-agent"), "status", "--config", config, "--json"]))

    def press(self, device: str, what: str = "press") -> None:
        """Press the button of a recorder, or ask `what` else its MCU can: a frame on its serial line."""
        self.hand(f"{device}-button", what)

    def hand(self, name: str, words: str) -> None:
        """Tell a simulated device on its standard input what to do."""
        given = self.roles[name].stdin
        given.write(f"{words}\n".encode())
        given.flush()

    def begin_film(self, device: str, seconds: float) -> Path:
        """Press the button; returns the first segment file when something is in it. Raises `EnvironmentFault` with the
        device's own words when it says that something failed."""
        before, there = self.status(device)["last_error"], self._films(device)
        self.press(device)

        def found() -> Path | None:
            film = next((path for path in self._films(device) if path not in there), None)
            said = None if film else self.status(device)["last_error"]
            if said and said != before:
                raise EnvironmentFault(f"{device}：{said}")
            return film

        return wait_until(f"{device} 开始录制", found, seconds, [self.roles[device]])

    def wait_for_file(self, device: str, pattern: str, seconds: float) -> Path:
        """The first file below a device's state folder that matches `pattern` and is not empty."""
        return wait_until(f"{device} {pattern}", lambda: self._first(device, pattern), seconds, [self.roles[device]])

    def _films(self, device: str) -> list[Path]:
        state = self.district.device(device) / "state"
        return [path for path in sorted(state.glob(FILM)) if path.stat().st_size]

    def _first(self, device: str, pattern: str) -> Path | None:
        state = self.district.device(device) / "state"
        return next((path for path in sorted(state.glob(pattern)) if path.stat().st_size), None)

    def center_summary(self) -> list[dict[str, Any]]:
        """What `liuhen-center summary` says of every device."""
        config = self.district.center / "center.toml"
        return list(_object(run([command("liuhen-center"), "summary", "--config", config, "--json"]))["devices"])

    def open_in_archive(self, device: str) -> Path:
        """Decrypt as the archive does what it has not yet of the device's; returns the first segment in the clear."""
        target = self.district.archive / device
        held = sorted((self.district.device(device) / "state" / "recordings").glob("*-R*"))
        encrypted = [folder for folder in held if not (target / folder.name).exists()]
        key = self.district.authority / ARCHIVE_KEY
        run([command("liuhen-center"), "decrypt", *encrypted, "--key", key, "--out", target])
        return target / encrypted[0].name / "segment-0001.mp4"

    def verify(self, path: Path) -> dict[str, Any]:
        """The report of `liuhen-verify` on one recording or file, encrypted or not."""
        key = self.district.authority / ARCHIVE_KEY
        argv: list[str | Path] = [command("liuhen-verify"), path, "--roots", self.district.root, "--key", key, "--json"]
        return _object(run(argv, accept=VERDICT_EXITS))

    def found_office(self) -> None:
        """Set up the publishing office's folder."""
        editor = self.district.person(Role.EDITOR)
        office: list[str | Path] = ["--office", self.district.office, "--district", PLACE]
        trust: list[str | Path] = ["--root", editor / "root.pem", "--trust-list", editor / "trust.dsse"]
        run([command("liuhen-publish"), "init", *office, *trust])

    def publish(self, *files: Path) -> None:
        """Draft documents at the office, let editor and reviewer sign, and release them."""
        tool = command("liuhen-publish")
        office: list[str | Path] = ["--office", self.district.office]
        drafted = run([tool, "draft", *files, *office, "--json"]).splitlines()
        names = [str(_object(line)["id"]) for line in drafted]
        for role in (Role.EDITOR, Role.REVIEWER):
            folder = self.district.person(role)
            key, chain = folder / f"{role.value}.key", folder / f"{role.value}.pem"
            run([tool, "sign", *names, *office, "--key", key, "--chain", chain, "--as", role.value])
        run([tool, "release", *names, *office])

    def wait_for_receipts(self, devices: list[str], seconds: float) -> None:
        """Until no device has an event left that the centre has not receipted."""
        waiting = list(devices)
        deadline = time.monotonic() + seconds

        def drained() -> bool:
            waiting[:] = [device for device in waiting if self.status(device)["waiting"]]
            return not waiting

        while time.monotonic() < deadline and not drained():
            time.sleep(0.2)
        self.findings.expect(not waiting, f"{'、'.join(waiting)} 的事件未全部收到回执")


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError("a command's --json is one object")
    return value
