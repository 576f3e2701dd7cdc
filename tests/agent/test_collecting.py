"""Material of another recorder, from a card to the centre's receipt, through the whole daemon."""

import hashlib
import signal
from pathlib import Path

import pytest

from agent.config import parse_config
from agent.control.collecting import FileCollected
from agent.errors import OperatorFault
from agent.evidence.report import Verdict
from agent.verify_files import judge_path, parts_of, read_basis
from agent.wire.device_events import DeviceEvent, EventType
from agent.wire.identifiers import CollectedId, Digest, device_id
from tests.agent.adapters.collecting import film
from tests.agent.evidence.bench import NOW
from tests.agent.test_app import Daemon
from tests.support.broker import Broker, needs_mosquitto
from tests.support.center import SmallCenter, until
from tests.support.device import DistrictKeys, RunningDevice, agent_toml

COLLECT = (
    '[collect]\nfolder = "{card}"\nsource = "示例牌记录仪"\n[capture]\ncamera = "test"\n[duty]\nsensors = "none"\n'
)


def finds(center: SmallCenter) -> list[DeviceEvent]:
    events = [event for event, _ in list(center.events.values())]
    return [event for event in events if event.type is EventType.FILE_COLLECTED]


@needs_mosquitto
def test_a_card_put_in_while_the_daemon_runs_is_receipted_by_the_centre(tmp_path: Path) -> None:
    keys, card, content = DistrictKeys(), tmp_path / "card", film()
    broker = Broker(tmp_path / "broker", keys.authority)
    center = keys.center(tmp_path / "center")
    config = keys.write_folder(tmp_path / "device", broker.port, more=COLLECT.format(card=card))
    broker.start()
    center.connect(broker.port)
    daemon = Daemon(config).ready()
    try:
        card.mkdir()
        (card / "张三.MP4").write_bytes(content)
        (event,) = until(lambda: finds(center), "the event at the centre", 40)
        assert event.data["digest"] == hashlib.sha256(content).hexdigest()
        assert "张三" not in str(event.data)
        until(lambda: daemon.status()["waiting"] == 0, "the receipt")
        assert daemon.stop(signal.SIGTERM) == 0
    finally:
        daemon.process.kill()
        daemon.process.wait()
        center.close()
        broker.stop()
    basis = read_basis([config.with_name("root.pem")], [config.with_name("trust.dsse")], [], NOW)
    parts = parts_of(config.parent / "state" / "collected")
    assert [judge_path(part, basis, lambda _: None).report.verdict for part in parts] == [Verdict.COMPLETE]


def test_a_find_told_twice_is_one_event_and_its_number_is_remembered(tmp_path: Path) -> None:
    device = RunningDevice(DistrictKeys(), tmp_path)
    try:
        item, digest = CollectedId("REC-0001-C000003"), Digest("a" * 64)
        told = FileCollected(3, item, digest, 9, "示例", "AAA.AA9", "whole", device.clock.read())
        for _ in range(2):
            device.dispatch(told)
        assert device.waiting_ids() == ["collected/REC-0001-C000003"]
        assert device.memory.collected() == 3
    finally:
        device.close()


@pytest.mark.parametrize(
    ("folder", "source", "words"),
    [
        ("/etc/liuhen/state", "示例", "互相包含"),
        ("/etc/liuhen/state/card", "示例", "互相包含"),
        ("/etc", "示例", "互相包含"),
        ("/media/card", "长" * 81, "80 字以内"),
        ("/media/card", "a\\u202eb", "80 字以内"),
    ],
)
def test_a_collect_section_that_would_eat_itself_or_lie_is_refused(folder: str, source: str, words: str) -> None:
    more = f'[collect]\nfolder = "{folder}"\nsource = "{source}"\n'
    with pytest.raises(OperatorFault, match=words):
        parse_config(agent_toml(device_id("REC-0001"), 8883, more=more), Path("/etc/liuhen"))
