"""Folders that roles run from: complete, private, the same when made again, refused when something differs."""

import stat
import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.errors import OperatorFault
from agent.wire.trust import Role
from provisioning.center.broker_config import Listener
from provisioning.center.broker_folder import BrokerOrder, write_broker_folder
from provisioning.center.config import read_config
from provisioning.center.keeping import Keeper
from provisioning.fleet.folders import write_device_folder, write_person_folder, write_receiver_folder
from provisioning.fleet.identity_files import write_trust
from provisioning.fleet.orders import BrokerAddress, DeviceOrder, KioskOrder, ReceiverOrder, broker_address
from provisioning.fleet.toml_text import toml_text
from tests.provisioning.district import NOW, UNIT, TestDistrict, load_signer, today

ADDRESS = BrokerAddress("broker.example", 8883)
RECORDER = DeviceOrder("REC-0001", UNIT, ADDRESS, camera="test")
KIOSK = DeviceOrder(
    "KSK-0001", UNIT, ADDRESS, kiosk=KioskOrder("星河区政务服务大厅", "hall-1", "0000-0000000", "127.0.0.1:0")
)


@pytest.fixture
def district(tmp_path: Path) -> TestDistrict:
    return TestDistrict(tmp_path, 8883, moment=lambda: NOW)


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir() if path.is_file()}


def test_device_folder_is_complete_and_its_keys_are_private(district: TestDistrict, tmp_path: Path) -> None:
    folder = write_device_folder(district.authority, RECORDER, tmp_path / "d", NOW).folder
    names = {"agent.toml", "root.pem", "trust.dsse", "evidence.key", "evidence.pem", "tls.key", "tls.pem"}
    assert set(tree(folder)) == names
    assert {stat.S_IMODE((folder / key).stat().st_mode) for key in ("evidence.key", "tls.key")} == {0o600}
    found = tomllib.loads((folder / "agent.toml").read_text(encoding="utf-8"))
    assert (found["district"], found["device"], found["unit"]) == ("xinghe", "REC-0001", UNIT)
    assert found["capture"] == {"camera": "test"}
    assert found["broker"]["server_name"] == "broker.example"
    signer = load_signer(folder, "evidence")
    assert district.authority.trust().credentials[signer.key_id].subject == "REC-0001"
    assert load_signer(folder, "tls").key_id not in district.authority.trust().credentials


def test_recorder_for_an_archive_gets_its_public_key_and_a_kiosk_does_not(
    district: TestDistrict, tmp_path: Path
) -> None:
    folder = write_device_folder(district.authority, replace(RECORDER, archive=b"PEM"), tmp_path / "d", NOW).folder
    found = tomllib.loads((folder / "agent.toml").read_text(encoding="utf-8"))
    assert found["evidence"] == {"archive_key": "archive.pub"}
    assert (folder / "archive.pub").read_bytes() == b"PEM"
    with pytest.raises(OperatorFault, match="不录像"):
        write_device_folder(district.authority, replace(KIOSK, archive=b"PEM"), tmp_path / "k", NOW)


def test_recorder_of_the_gm_profile_gets_an_sm2_key_and_a_kiosk_does_not(
    district: TestDistrict, tmp_path: Path
) -> None:
    order = replace(RECORDER, gm=True)
    folder = write_device_folder(district.authority, order, tmp_path / "d", NOW).folder
    found = tomllib.loads((folder / "agent.toml").read_text(encoding="utf-8"))
    assert found["evidence"] == {"profile": "gm", "sm2_key": "sm2.key"}
    assert stat.S_IMODE((folder / "sm2.key").stat().st_mode) == 0o600
    assert not write_device_folder(district.authority, order, tmp_path / "d", NOW).changed
    with pytest.raises(OperatorFault, match="不录像"):
        write_device_folder(district.authority, replace(KIOSK, gm=True), tmp_path / "k", NOW)


def test_kiosk_host_gets_both_configurations(district: TestDistrict, tmp_path: Path) -> None:
    folder = write_device_folder(district.authority, KIOSK, tmp_path / "d", NOW).folder
    agent = tomllib.loads((folder / "agent.toml").read_text(encoding="utf-8"))
    kiosk = tomllib.loads((folder / "kiosk.toml").read_text(encoding="utf-8"))
    assert agent["disclosure"] == {"audience": "hall-1"}
    assert "capture" not in agent
    assert kiosk == {
        "district": "xinghe",
        "device": "KSK-0001",
        "hall": "星河区政务服务大厅",
        "audience": "hall-1",
        "listen": "127.0.0.1:0",
        "disclosed": "state/disclosed",
        "root": "root.pem",
        "trust_list": "trust.dsse",
        "complaint_phone": "0000-0000000",
    }


def test_running_again_changes_no_byte(district: TestDistrict, tmp_path: Path) -> None:
    folder = write_device_folder(district.authority, KIOSK, tmp_path / "d", NOW).folder
    before, authority = tree(folder), tree(district.authority.folder)
    outcome = write_device_folder(district.authority, KIOSK, folder, NOW + timedelta(days=1))
    assert not outcome.changed
    assert tree(folder) == before
    assert tree(district.authority.folder) == authority


@pytest.mark.parametrize("lost", ["agent.toml", "evidence.pem", "tls.pem", "tls.key", "trust.dsse", "root.pem"])
def test_interrupted_folder_is_completed_with_the_same_keys(district: TestDistrict, tmp_path: Path, lost: str) -> None:
    folder = write_device_folder(district.authority, RECORDER, tmp_path / "d", NOW).folder
    before = tree(folder)
    (folder / lost).unlink()
    if lost == "tls.key":
        with pytest.raises(OperatorFault, match="revoke"):
            write_device_folder(district.authority, RECORDER, folder, NOW)
        return
    assert write_device_folder(district.authority, RECORDER, folder, NOW).changed
    assert {name: content for name, (content, _) in tree(folder).items()} == {n: c for n, (c, _) in before.items()}


def test_same_id_with_other_options_is_refused(district: TestDistrict, tmp_path: Path) -> None:
    write_device_folder(district.authority, RECORDER, tmp_path / "d", NOW)
    before = tree(tmp_path / "d")
    other = DeviceOrder("REC-0001", "别的单位", ADDRESS)
    with pytest.raises(OperatorFault, match="选项不同"):
        write_device_folder(district.authority, other, tmp_path / "d", NOW)
    assert tree(tmp_path / "d") == before


def test_same_id_in_a_second_folder_is_refused_and_leaves_nothing(district: TestDistrict, tmp_path: Path) -> None:
    write_device_folder(district.authority, RECORDER, tmp_path / "d", NOW)
    with pytest.raises(OperatorFault, match="revoke"):
        write_device_folder(district.authority, RECORDER, tmp_path / "e", NOW)
    assert not (tmp_path / "e").exists()


def test_second_broker_folder_is_refused_and_leaves_nothing(district: TestDistrict, tmp_path: Path) -> None:
    order = BrokerOrder(Listener("127.0.0.1", 8883))
    entry, changed = write_broker_folder(district.authority, order, tmp_path / "b", NOW)
    assert changed
    assert not write_broker_folder(district.authority, order, tmp_path / "b", NOW)[1]
    assert entry.is_file()
    with pytest.raises(OperatorFault, match="revoke"):
        write_broker_folder(district.authority, order, tmp_path / "c", NOW)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    "order",
    [
        DeviceOrder("REC-0001/up", UNIT, ADDRESS),
        DeviceOrder("rec-0001", UNIT, ADDRESS),
        DeviceOrder("KSK-0001", UNIT, ADDRESS),
        DeviceOrder("REC-0001", UNIT, ADDRESS, kiosk=KioskOrder("大厅", "hall-1", "0000-0000000")),
        DeviceOrder("KSK-0001", UNIT, ADDRESS, kiosk=KioskOrder("大厅", "Hall/1", "0000-0000000")),
        DeviceOrder("REC-0001", "单位\n[broker]", ADDRESS),
    ],
)
def test_unfit_order_is_refused_and_leaves_nothing(district: TestDistrict, tmp_path: Path, order: DeviceOrder) -> None:
    with pytest.raises(OperatorFault):
        write_device_folder(district.authority, order, tmp_path / "d", NOW)
    assert not (tmp_path / "d").exists()
    assert district.authority.register().entries == ()


def test_folder_of_another_authority_is_left_alone(district: TestDistrict, tmp_path: Path) -> None:
    folder = write_device_folder(district.authority, RECORDER, tmp_path / "d", NOW).folder
    before = tree(folder)
    with pytest.raises(OperatorFault, match="另一个机构"):
        write_trust(folder, TestDistrict(tmp_path / "other", 8883, moment=lambda: NOW).authority)
    assert tree(folder) == before


def test_only_a_newer_trust_list_is_handed_out(district: TestDistrict, tmp_path: Path) -> None:
    folder = write_device_folder(district.authority, RECORDER, tmp_path / "d", NOW).folder
    old = district.authority.trust_bytes
    write_person_folder(district.authority, "示例-000001", Role.EDITOR, tmp_path / "p", NOW)
    assert write_trust(folder, district.authority)
    assert not write_trust(folder, district.authority)
    (district.authority.folder / "trust.dsse").write_bytes(old)
    with pytest.raises(OperatorFault, match="备份"):
        write_trust(folder, district.authority)


def test_receiver_folder_is_what_the_receiver_reads(district: TestDistrict, tmp_path: Path) -> None:
    folder = write_receiver_folder(
        district.authority, ReceiverOrder("receiver-1", ADDRESS, "/office"), tmp_path / "c", NOW
    )
    config = read_config(folder.folder / "center.toml")
    assert (config.receiver, config.released, config.broker.port) == ("receiver-1", Path("/office"), 8883)
    assert config.key == tmp_path / "c" / "receiver.key"


@pytest.mark.parametrize("role", [Role.RECORDER, Role.RECEIVER])
def test_a_person_cannot_get_a_machines_role(district: TestDistrict, tmp_path: Path, role: Role) -> None:
    with pytest.raises(OperatorFault):
        write_person_folder(district.authority, "示例-000001", role, tmp_path / "p", NOW)


@pytest.mark.parametrize("text", ["broker", "broker:", ":8883", "broker:0", "broker:70000", "broker:８８８３", ""])
def test_unfit_broker_address_is_refused(text: str) -> None:
    with pytest.raises(OperatorFault):
        broker_address(text)


def test_toml_text_says_what_it_was_given() -> None:
    document = {"名": '引"号\\ 𠀀', "b": 3, "t": {"x": "", "y": 7}}
    plain = {"name": document["名"], "b": 3, "t": {"x": "", "y": 7}}
    assert tomllib.loads(toml_text(plain).decode()) == plain  # type: ignore[arg-type]


def test_folders_that_are_kept_follow_the_trust_list_and_a_foreign_one_is_told_of_once(tmp_path: Path) -> None:
    ours, foreign = TestDistrict(tmp_path / "a", 8883), TestDistrict(tmp_path / "b", 8883)
    folder, strange = ours.receiver(), foreign.receiver()
    said: list[str] = []
    keeper = Keeper(ours.authority, said.append, None, (folder, strange))
    assert keeper.look(today()) is False
    ours.device("REC-0001")
    assert keeper.look(today()) is True
    assert (folder / "trust.dsse").read_bytes() == ours.authority.trust_bytes
    assert (strange / "trust.dsse").read_bytes() == foreign.authority.trust_bytes
    assert keeper.look(today()) is False
    assert [line.partition("没有跟上")[0] for line in said if "没有跟上" in line] == [str(strange)]
