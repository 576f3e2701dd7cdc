"""Two receivers on one broker, each with its own store: every device has one of them, and its order."""

import shutil
from pathlib import Path

import pytest

from agent.wire.envelope import open_envelope
from agent.wire.receipts import RECEIPT_TYPE, Receipt, parse_receipt
from agent.wire.trust import Role
from provisioning.center.shard import Shard
from provisioning.center.store import open_store
from provisioning.fleet.identity_files import write_trust
from tests.provisioning.district import (
    Process,
    SmallDevice,
    TestDistrict,
    broker_process,
    eventually,
    receiver_process,
    running,
    today,
)
from tests.support.broker import free_port

pytestmark = pytest.mark.skipif(not shutil.which("mosquitto", path="/usr/sbin:/usr/bin"), reason="no mosquitto")
NAMES = [f"REC-{number:04d}" for number in range(1, 7)]
SHARDS = {"receiver-1": Shard(1, 2), "receiver-2": Shard(2, 2)}


def test_two_receivers_share_the_devices_and_one_killed_loses_none(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, free_port())
    folders = {name: district.receiver(name) for name in SHARDS}
    devices = [SmallDevice(district, name) for name in NAMES]
    for name, folder in folders.items():
        config = folder / "center.toml"
        config.write_text(f'shard = "{SHARDS[name].number}/2"\n' + config.read_text(encoding="utf-8"), encoding="utf-8")
        write_trust(folder, district.authority)
    processes = [receiver_process(folder) for folder in folders.values()]
    with running(broker_process(district), district.port), running(processes[0]), running(processes[1]):
        for process in processes:
            eventually(lambda process=process: "connected to the broker" in process.text, "both connect")
        for device in devices:
            device.connect()
        send_all(devices, 2)
        processes[1].end(kill=True)
        send_all(devices, 2)
        processes[1].start()
        answered = {device.name: newest(device, 40) for device in devices}
    for device in devices:
        device.close()
    owners = {
        device.name: next(name for name, shard in SHARDS.items() if shard.owns(device.name)) for device in devices
    }
    assert set(owners.values()) == set(SHARDS)
    for device in devices:
        assert {it.receiver for it in device.receipts} == {owners[device.name]}
        assert answered[device.name].head == device.chain.head
    for name, folder in folders.items():
        check_store(folder, [device for device in devices if owners[device.name] == name], processes)


def send_all(devices: list[SmallDevice], turns: int) -> None:
    for _ in range(turns):
        for device in devices:
            device.send(10, batch=5)


def newest(device: SmallDevice, upto: int) -> Receipt:
    trust = device.district.authority.trust()
    while not device.receipts or device.receipts[-1].upto < upto:
        _, data = device.client.next(f"receipt up to {upto}, had {device.receipts[-1:]}")
        opened = open_envelope(data, RECEIPT_TYPE, trust, today())
        device.receipts.append(parse_receipt(opened.payload))
        assert opened.signer(Role.RECEIVER).subject == device.receipts[-1].receiver
    return device.receipts[-1]


def check_store(folder: Path, own: list[SmallDevice], processes: list[Process]) -> None:
    store = open_store("sqlite:///center.db", folder, create=False)
    try:
        rows = store.summary()
        assert [row.device for row in rows] == [device.name for device in own], [it.text for it in processes]
        assert {(row.received, row.upto, row.alarms) for row in rows} == {(40, 40, 0)}
        for device in own:
            assert store.events(device.name) == tuple(device.chain.bodies)
    finally:
        store.close()
