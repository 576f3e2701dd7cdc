"""A clustered broker as 3.1.1 fallback, one node of which is killed: what was accepted reaches the centre, in order,
and a command reaches its device. nats-server is a fallback that can be had here, and no recommendation."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.wire.trust import Role
from provisioning.center.access import AccessRules
from provisioning.fleet.folders import write_device_folder, write_receiver_folder
from provisioning.fleet.identity_files import write_trust
from provisioning.fleet.orders import BrokerAddress, DeviceOrder, KioskOrder, ReceiverOrder
from tests.provisioning.district import (
    PLACE,
    REPOSITORY,
    UNIT,
    Process,
    TestDistrict,
    eventually,
    receiver_process,
    running,
)
from tests.provisioning.nats_cluster import NATS, Cluster, Forwarder
from tests.support.broker import free_port

K, R = "KSK-0001", "receiver-1"


def ask(district: TestDistrict, center: Path, *words: str) -> dict[str, Any]:
    key = district.base / "示例-000009" / "commander"
    signed = ["--key", f"{key}.key", "--chain", f"{key}.pem"] if words[0] == "command" else []
    command = [sys.executable, "-m", "provisioning.center.cli", *words, *signed]
    done = subprocess.run(
        [*command, "--config", str(center / "center.toml"), "--json"],
        cwd=REPOSITORY, capture_output=True, check=False, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return dict(json.loads(done.stdout))


@pytest.mark.faults
@pytest.mark.skipif(NATS is None, reason="nats-server is not installed")
def test_one_node_of_a_cluster_is_killed_and_nothing_accepted_is_lost(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, free_port(), "3.1.1")
    folders = {K: tmp_path / K, R: tmp_path / R}
    to_device, to_center = Forwarder(), Forwarder()
    address = BrokerAddress("127.0.0.1", to_device.port, "3.1.1")
    order = DeviceOrder(K, UNIT, address, kiosk=KioskOrder("星河区政务服务大厅", "hall-1", "0000-0000000"))
    write_device_folder(district.authority, order, folders[K], district.moment())
    at_center = ReceiverOrder(R, BrokerAddress("127.0.0.1", to_center.port, "3.1.1"))
    write_receiver_folder(district.authority, at_center, folders[R], district.moment())
    district.person("示例-000009", Role.COMMANDER)
    for folder in folders.values():
        write_trust(folder, district.authority)
    cluster = Cluster(district, folders, AccessRules(PLACE, (R,)))
    first, second, third = cluster.ports
    to_device._targets, to_center._targets = (first, second, third), (second, third, first)
    agent = Process(
        [sys.executable, "-m", "agent.daemon", str(folders[K] / "agent.toml"), "info"], folders[K] / "agent.log"
    )
    with cluster.running(), running(receiver_process(folders[R])) as receiver, running(agent):
        eventually(lambda: "connected to the broker" in receiver.text, "the receiver is there", 60)
        told = ask(district, folders[R], "command", K, "pull-diagnostics", "--wait", "--wait-s", "120")
        assert told["answer"]["done"], (agent.text, receiver.text)
        cluster.nodes[0].end(kill=True)
        told = ask(district, folders[R], "command", K, "rotate-certificate", "--wait", "--wait-s", "300")
        assert told["answer"]["done"], (agent.text, receiver.text)
        (row,) = ask(district, folders[R], "summary")["devices"]
        assert (row["upto"], row["parked"]) == (row["received"], 0)
        eventually(
            lambda: ask(district, folders[R], "summary")["devices"][0]["receipted"] == row["upto"], "receipt", 60
        )
    to_device.close(), to_center.close()
