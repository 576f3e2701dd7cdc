"""A device that enrolled by itself records, and is told that it is not accepted until the authority's word is there."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from agent import durable
from agent.accepted import WORD, acceptance_of, is_accepted, keep_acceptance
from agent.app import own_signer
from agent.checkup import observe
from agent.clock import system_clock
from agent.control.self_check import Level, self_check
from agent.errors import SenderFault
from agent.wire.canonical import timestamp
from agent.wire.envelope import seal
from agent.wire.identifiers import device_id
from agent.wire.life_documents import ACCEPTED_TYPE, REPORT_TYPE, AcceptanceReport, CheckItem
from agent.wire.signing import KeySigner, load_pem_certificates
from provisioning.authority import keys
from provisioning.center.force import shut_out
from provisioning.fleet import est, life
from provisioning.fleet.enrolment import Desk
from provisioning.fleet.est import respond
from provisioning.fleet.est_messages import Asked
from provisioning.fleet.states import State
from tests.provisioning.bench_room import bench, serial
from tests.provisioning.district import today
from tests.provisioning.test_rotation import InUse

A = "REC-0001"


@pytest.fixture
def device(tmp_path: Path) -> Iterator[InUse]:
    with bench(tmp_path / "ca", now=today()) as desk:
        made = InUse(desk, tmp_path / "device")
        durable.write_bytes(made.folder / "clock.floor", timestamp(today()).encode())  # as a first boot leaves it
        yield made


def bench_of(desk: Desk) -> life.Bench:
    return life.Bench(desk.authority, desk.sitting, desk.inventory)


def accept(device: InUse, at: datetime, level: str = "pass") -> bytes | None:
    report = AcceptanceReport(device_id(A), serial(1), "0.1.0", at, (CheckItem("camera", level, "示例"),))
    data = seal(REPORT_TYPE, report.encode(), [own_signer(device.config)])
    return life.accept(bench_of(device.desk), report, data, at)


def told(device: InUse) -> tuple[Level, str]:
    found = {item.name: item for item in self_check(observe(device.config, system_clock()))}["acceptance"]
    return found.level, found.text


def test_until_it_is_accepted_the_self_check_says_so_and_fails_nothing(device: InUse) -> None:
    assert (told(device)[0], "未验收" in told(device)[1]) == (Level.ATTENTION, True)
    word = accept(device, today())
    assert word is not None
    keep_acceptance(device.config, word, today())
    assert told(device)[0] is Level.PASS
    assert is_accepted(device.config, today())


def test_a_revoked_device_that_has_the_new_list_says_so_at_its_self_check(device: InUse) -> None:
    """One that was found again: its certificates run for years yet, and it would be taken out with all green."""

    def certificates() -> tuple[Level, str]:
        found = {item.name: item for item in self_check(observe(device.config, system_clock()))}["certificate"]
        return found.level, found.text

    assert certificates()[0] is Level.PASS
    shut_out(device.desk.authority, A, "被盗", None, today())
    assert certificates()[0] is Level.PASS  # it cannot know
    durable.write_bytes(device.folder / "trust.dsse", (device.desk.authority.folder / "trust.dsse").read_bytes())
    level, text = certificates()
    assert (level, "吊销" in text, "请" in text) == (Level.FAIL, True, True)


def test_a_folder_made_at_the_bench_is_asked_for_no_acceptance(device: InUse) -> None:
    (device.folder / "clock.floor").unlink()
    assert is_accepted(device.config, today()) is None
    assert told(device)[0] is Level.PASS


@pytest.mark.parametrize("forger", ["device", "stranger", "other device", "garbage"])
def test_threat_malicious_technician_cannot_accept_without_the_authority(device: InUse, forger: str) -> None:
    word = life.Accepted(device_id("REC-0002" if forger == "other device" else A), "0" * 64, "示例", today())  # type: ignore[arg-type]
    signer = {"device": own_signer(device.config), "stranger": KeySigner(keys.new_key())}.get(forger)
    forged = bench_of(device.desk).sealed(ACCEPTED_TYPE, word.encode())
    if signer is not None:
        forged = seal(ACCEPTED_TYPE, word.encode(), [signer])
    forged = b"{}" if forger == "garbage" else forged
    with pytest.raises(SenderFault):
        keep_acceptance(device.config, forged, today())
    durable.write_bytes(device.folder / WORD, forged)
    assert acceptance_of(device.config, today()) is None
    assert is_accepted(device.config, today()) is False


def test_the_server_gives_the_word_to_the_device_alone_and_only_while_it_is_accepted(device: InUse) -> None:
    desk = device.desk
    peer = load_pem_certificates((device.folder / "tls.pem").read_bytes())[0].public_bytes(Encoding.DER)
    asked = Asked("GET", est.ACCEPTED, b"", peer)
    accept(device, today(), "fail")
    assert respond(asked, desk, today()).status == 204
    moment = today() - timedelta(minutes=5)
    accept(device, moment)
    desk.inventory.assign(A, "示例-000002", b"{}", today())
    answer = respond(asked, desk, today())
    assert answer.status == 200
    kept = keep_acceptance(device.config, answer.body, today())
    assert (kept.by, abs(kept.at - moment) < timedelta(seconds=1)) == (desk.inventory.by, True)
    assert respond(Asked("GET", est.ACCEPTED, b""), desk, today()).status == 401
    desk.inventory.move(A, State.IN_REPAIR, "示例", today())
    assert respond(asked, desk, today()).status == 204
