"""What a device brings home from the authority's server once a day, with the server as a process."""

from pathlib import Path

import pytest

from agent import durable, errands
from agent.accepted import is_accepted
from agent.app import read_trust_list
from agent.errors import SenderFault
from agent.wire.canonical import timestamp
from provisioning.authority import keys
from provisioning.authority.certificates import Profile
from provisioning.fleet.enrolment_server import server_identity
from tests.provisioning.bench_room import bench, planned
from tests.provisioning.district import today
from tests.provisioning.test_acceptance import accept
from tests.provisioning.test_enrolment_server import serving
from tests.provisioning.test_rotation import InUse
from tests.support.commands import run_here


def test_a_device_brings_home_a_newer_trust_list_its_acceptance_and_nothing_foreign(tmp_path: Path) -> None:
    with bench(tmp_path / "ca", now=today()) as desk:
        device = InUse(desk, tmp_path / "device")
        durable.write_bytes(device.folder / "clock.floor", timestamp(today()).encode())
        accept(device, today())
        key = keys.signing_request(keys.new_key(), "receiver-1")
        desk.sitting.certify(key, "receiver-1", "receiver", Profile.SIGNER, today())
        authority = desk.authority
    text = (device.folder / "agent.toml").read_text()
    with serving(authority, tmp_path / "serve.log") as port:
        durable.write_bytes(device.folder / "agent.toml", text.replace("127.0.0.1:8491", f"localhost:{port}").encode())
        config, before = device.config, read_trust_list(device.config).version
        assert list(errands.run(config, today())) == ["信任清单已更新。", "验收通知已更新。"]
        assert read_trust_list(config).version > before
        assert is_accepted(config, today())
        assert list(errands.run(config, today())) == [], "once"
        done = run_here("agent.cli", "renew", "--config", device.folder / "agent.toml", "--json")
        assert (done.returncode, '"changed": false' in done.stdout) == (0, True), done.stderr
    assert [line[:7] for line in errands.run(config, today())] == ["信任清单没有取"], "the server is away"
    assert errands.is_ordered(config) is False
    durable.write_bytes(device.folder / "agent.toml", text.replace("renewal = ", "# ").encode())
    assert list(errands.run(device.config, today())) == []


@pytest.mark.parametrize("foreign", [True, False])
def test_a_list_of_another_root_or_an_older_one_is_not_taken(tmp_path: Path, foreign: bool) -> None:
    """The server is ours; what it hands out is not: a stranger who got its certificate."""
    with bench(tmp_path / "ca", now=today()) as desk:
        device = InUse(desk, tmp_path / "device")
        old = (device.folder / "trust.dsse").read_bytes()
        desk.inventory.plan(planned(2), today())
        authority = desk.authority
    with bench(tmp_path / "other", now=today()) as other:
        strange = other.authority.trust_bytes
    server_identity(authority, ("localhost",), today())
    (authority.folder / "root.key").unlink()  # or the server signs over the list that is put there
    newest = device.config.identity.trust_list.read_bytes()
    with serving(authority, tmp_path / "serve.log") as port:
        text = (device.folder / "agent.toml").read_text().replace("127.0.0.1:8491", f"localhost:{port}")
        durable.write_bytes(device.folder / "agent.toml", text.encode())
        durable.write_bytes(authority.folder / "trust.dsse", strange if foreign else old)
        if foreign:
            with pytest.raises(SenderFault):
                errands.take_trust(device.config)
        else:
            assert errands.take_trust(device.config) is False
    assert device.config.identity.trust_list.read_bytes() == newest
