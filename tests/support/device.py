"""A device folder, and the agent's own parts over it with the test turning the loop by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.adapters.database import QUOTA_BYTES, open_database
from agent.adapters.disclosed_folder import DisclosedFolder
from agent.adapters.fake_recorder import FakeRecorder
from agent.adapters.hall_folder import HallFolder
from agent.adapters.key_requests import KeyRequests
from agent.adapters.mqtt_link import MqttLink
from agent.adapters.recording_removal import RecordingRemoval
from agent.adapters.store import DeviceMemory
from agent.adapters.worker import Worker
from agent.clock import Clock, system_clock
from agent.config import BrokerConfig
from agent.control.controller import Controller, Identity
from agent.control.messages import DeviceStarted, Event, TimePassed, WorkFailed
from agent.loop import Inbox, Loop
from agent.performer import Performer
from agent.room import Room
from agent.wire.identifiers import device_id
from agent.wire.trust import Role, TrustList
from tests.support.broker import free_port
from tests.support.center import SmallCenter, until
from tests.support.keys import Issued, TestAuthority


class DistrictKeys:
    """Keys of one district: a device, a receiver, an editor and a reviewer, and a commander."""

    def __init__(self, device: str = "REC-0001") -> None:
        self.authority = TestAuthority()
        self.device = device_id(device)
        role = Role.RECORDER if device.startswith("REC-") else Role.KIOSK
        self.evidence = self.authority.evidence(device, role)
        self.receiver = self.authority.evidence("receiver-1", Role.RECEIVER)
        self.editor = self.authority.evidence("示例-000001", Role.EDITOR)
        self.reviewer = self.authority.evidence("示例-000002", Role.REVIEWER)
        self.commander = self.authority.evidence("示例-000009", Role.COMMANDER)
        self.trust = self.trust_version(1)

    def trust_version(self, version: int) -> TrustList:
        role = Role.RECORDER if self.device.startswith("REC-") else Role.KIOSK
        return self.authority.trust(
            self.evidence.credential(role),
            self.receiver.credential(Role.RECEIVER),
            self.editor.credential(Role.EDITOR),
            self.reviewer.credential(Role.REVIEWER),
            self.commander.credential(Role.COMMANDER),
            version=version,
        )

    def center(self, folder: Path) -> SmallCenter:
        client = self.authority.client("receiver-1")
        return SmallCenter(folder, self.receiver, client, self.trust, self.authority.root_pem)

    def write_folder(self, folder: Path, port: int, protocol: str = "5", more: str = "") -> Path:
        """The device folder of the common contract; returns its agent.toml."""
        folder.mkdir(parents=True, exist_ok=True)
        self.evidence.write(folder / "evidence.key", folder / "evidence.pem")
        self.authority.client(self.device).write(folder / "tls.key", folder / "tls.pem")
        (folder / "root.pem").write_bytes(self.authority.root_pem)
        (folder / "trust.dsse").write_bytes(self.authority.seal_trust(self.trust))
        config = folder / "agent.toml"
        config.write_text(agent_toml(self.device, port, protocol, more))
        return config


def agent_toml(device: str, port: int, protocol: str = "5", more: str = "") -> str:
    if device.startswith("KSK-"):
        more += '\n[disclosure]\naudience = "hall-1"\n'
    if device.startswith("REC-") and "[duty]" not in more:
        more += '\n[duty]\nsensors = "none"\n'  # the heat of the computer that runs the tests is nobody's business
    return f"""\
district = "xinghe"
device = "{device}"
unit = "星河区综合行政执法局"
state_dir = "state"
[identity]
root = "root.pem"
trust_list = "trust.dsse"
evidence_key = "evidence.key"
evidence_chain = "evidence.pem"
[broker]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
server_name = "localhost"
ca = "root.pem"
certificate = "tls.pem"
key = "tls.key"
keepalive_s = 30
{more}
"""


class RunningDevice:
    """Store, link, controller and loop of one device; a fake recorder on REC-, a disclosed folder on KSK-."""

    def __init__(
        self,
        district: DistrictKeys,
        folder: Path,
        port: int = 0,
        *,
        protocol: str = "5",
        server_name: str = "localhost",
        quota: int = QUOTA_BYTES,
        clock: Clock | None = None,
        client: Issued | None = None,
        removal: RecordingRemoval | None = None,
    ) -> None:
        self.district, self.state = district, folder / "state"
        self.state.mkdir(parents=True, exist_ok=True)
        self.clock = clock or system_clock()
        self.inbox = Inbox()
        self.database, self.loss = open_database(self.state / "agent.db", quota)
        self.memory = DeviceMemory(self.database)
        self._write_tls(folder, client or district.authority.client(district.device))
        self.settings = BrokerConfig(
            host="127.0.0.1",
            port=port or free_port(),
            protocol=protocol,
            server_name=server_name,
            ca=folder / "root.pem",
            certificate=folder / "tls.pem",
            key=folder / "tls.key",
            keepalive_s=30,
        )
        kiosk = district.device.startswith("KSK-")
        self.link, self.worker = MqttLink(district.device, self.settings, self.inbox.put), Worker(self.inbox.put)
        self.recorder = FakeRecorder(self.clock, self.inbox.put)
        self.disclosed = DisclosedFolder(self.state / "disclosed")
        identity = Identity(
            district.authority.district, district.device, "星河区综合行政执法局", "0.1.0", "hall-1" if kiosk else None
        )
        room = Room(
            identity,
            self.clock,
            district.evidence.signer,
            self.database,
            self.link,
            self.worker,
            None if kiosk else self.recorder,
            self.disclosed if kiosk else None,
            lambda: WorkFailed("not in this test"),
            removal=removal,
            keys=KeyRequests(self.state, district.device),
            hall=HallFolder(self.state) if kiosk else None,
        )
        self.controller = Controller(identity, self.memory.recall(), district.trust, lambda: 0.0)
        self.refused = self.controller.restore(self.disclosed.read() if kiosk else [], self.clock.read())
        self.perform = Performer(room).perform
        self.loop = Loop(self.inbox, self.controller, self.perform, self.clock, lambda: None)
        self.link.open()
        self.worker.start()

    def start(self) -> None:
        unreported = tuple(f"{self.district.device}-R{number:06d}" for number in self.memory.open_recordings())
        self.dispatch(DeviceStarted(self.clock.read(), self.loss))
        for event in self.recorder.recover(unreported):  # type: ignore[arg-type]
            self.dispatch(event)

    def dispatch(self, event: Event) -> int | None:
        finish = self.loop.dispatch(event)
        return None if finish is None else finish.exit_code

    def pump(self, condition: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
        """Turn the loop until `condition` holds."""

        def turn() -> Any:
            self.dispatch(self.inbox.get(0.02) or TimePassed())
            return condition()

        return until(turn, what, seconds)

    def record(self, fragments: int = 2) -> None:
        """One whole recording: press, fragments, press, seal."""
        self.recorder.press()
        self.settle()
        for _ in range(fragments):
            self.recorder.fragment()
        self.recorder.press()
        self.settle()

    def settle(self) -> None:
        """Handle everything that is in the inbox."""
        while (event := self.inbox.get(0)) is not None:
            self.dispatch(event)

    def rows(self) -> int:
        return int(self.database.run("SELECT count(*) FROM outbox")[0][0])

    def waiting_ids(self) -> list[str]:
        return [row[0] for row in self.database.run("SELECT event_id FROM outbox ORDER BY devseq")]

    def last_error(self) -> str:
        return self.database.text("last_error")

    def close(self) -> None:
        self.link.close(5)
        self.worker.close(5)
        self.database.close()

    def _write_tls(self, folder: Path, client: Issued) -> None:
        (folder / "root.pem").write_bytes(self.district.authority.root_pem)
        client.write(folder / "tls.key", folder / "tls.pem")
