"""Signed batches go through a real broker to the receiver process and come back as receipts."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import durable
from agent.adapters.content_folder import ContentFolder
from agent.clock import system_clock
from agent.control.content_messages import KeepPiece
from agent.control.disclosure_desk import DisclosureDesk
from agent.control.effects import Effect, ShowDisclosure, StoreEvent, Subscribe
from agent.duty.receipt_list import LIST_KIND, part_name, seal_part, split_answers
from agent.wire.content import attach
from agent.wire.receipts import Receipt
from agent.wire.topics import publication_topic
from agent.wire.trust import Role
from provisioning.fleet.identity_files import write_trust
from tests.provisioning.district import (
    PLACE,
    Process,
    SmallDevice,
    TestDistrict,
    broker_process,
    eventually,
    load_signer,
    receiver_process,
    running,
    sealed_notice,
    start_broker,
    today,
)
from tests.support.broker import free_port
from tests.support.commands import run_here

ENGINES = [
    pytest.param(
        ("mosquitto", "5"),
        marks=pytest.mark.skipif(not shutil.which("mosquitto", path="/usr/sbin:/usr/bin"), reason="no mosquitto"),
    ),
    ("embedded", "3.1.1"),
]


class Scene:
    """Broker and receiver at work, and two devices."""

    def __init__(self, base: Path, engine: str, protocol: str) -> None:
        self.district = TestDistrict(base, free_port(), protocol)
        self.folder = self.district.receiver()
        self.devices = [SmallDevice(self.district, name, five=protocol == "5") for name in ("REC-0001", "KSK-0001")]
        write_trust(self.folder, self.district.authority)
        self.broker = broker_process(self.district, engine)
        self.receiver = receiver_process(self.folder)

    def summary(self) -> dict[str, dict[str, Any]]:
        rows = self.ask("summary")["devices"]
        return {row["device"]: row for row in rows}

    def ask(self, *words: str) -> Any:
        found = run_here("provisioning.center.cli", *words, "--config", self.folder / "center.toml", "--json")
        assert found.returncode == 0, found.stderr
        return json.loads(found.stdout)


@pytest.fixture(params=ENGINES, ids=lambda each: each[0])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path, *request.param)
    with running(made.broker, made.district.port), running(made.receiver):
        eventually(lambda: "connected to the broker" in made.receiver.text, "receiver connects")
        yield made
    for device in made.devices:
        device.close()


def test_events_are_stored_in_order_and_receipted(scene: Scene) -> None:
    for device in scene.devices:
        device.connect().birth()
        device.send(60)
    for device in scene.devices:
        receipt = device.receipt(60)
        assert receipt.head == device.chain.head
        assert not receipt.resend
    found = scene.summary()["REC-0001"]
    assert (found["received"], found["upto"], found["head"]) == (60, 60, scene.devices[0].chain.head)
    assert (found["parked"], found["alarms"], found["online"]) == (0, 0, True)
    events = scene.ask("events", "--device", "KSK-0001")["events"]
    assert [event["devseq"] for event in events] == list(range(1, 61))


def test_a_birth_is_answered_with_a_receipt_though_nothing_was_sent(scene: Scene) -> None:
    device = scene.devices[0].connect()
    device.birth()
    receipt = device.receipt(0)
    assert (receipt.upto, receipt.head, receipt.resend) == (0, "0" * 64, False)


def test_receiver_killed_between_commit_and_receipt_answers_after_restart(scene: Scene) -> None:
    device = scene.devices[0].connect()
    device.send(10)
    device.receipt(10)
    device.send(10)  # the receipt is owed for up to one second
    eventually(lambda: scene.summary()["REC-0001"]["upto"] == 20, "the commit")
    scene.receiver.end(kill=True)
    scene.receiver.start()
    assert device.receipt(20).head == device.chain.head
    assert scene.summary()["REC-0001"]["received"] == 20


def test_broker_killed_and_restarted_brings_everyone_back(scene: Scene) -> None:
    device = scene.devices[0].connect()
    device.send(5)
    device.receipt(5)
    scene.broker.end(kill=True)
    start_broker(scene.broker, scene.district.port)
    eventually(lambda: scene.receiver.text.count("connected to the broker, session") == 2, "receiver reconnects")
    again = SmallDevice(scene.district, "REC-0001", five=scene.district.protocol == "5")
    again.chain = device.chain
    again.connect().resend(device.chain.bodies)
    again.send(5)
    assert again.receipt(10).head == again.chain.head
    again.close()
    assert scene.summary()["REC-0001"]["received"] == 10


def test_released_disclosure_is_retained_for_kiosks_and_a_half_signed_one_is_not(scene: Scene) -> None:
    editor = scene.district.person("示例-000001", Role.EDITOR)
    reviewer = scene.district.person("示例-000002", Role.REVIEWER)
    write_trust(scene.folder, scene.district.authority)
    released = durable.make_directory(scene.folder / "released")
    durable.write_bytes(released / "half.dsse", sealed_notice([editor]))
    durable.write_bytes(released / "hall-1.notice.notice-1.dsse", sealed_notice([editor, reviewer]))
    receipts, part = durable.make_directory(scene.folder / "receipts"), split_answers(PLACE, today(), ())[7]
    durable.write_bytes(receipts / part_name(7), seal_part(part, load_signer(scene.folder, "receiver")))
    durable.write_bytes(receipts / part_name(8), seal_part(part, editor))
    for topic in ("hall-1/notice/notice-1", f"all/{LIST_KIND}/part-07"):  # once more where the trust list came between
        eventually(lambda topic=topic: f"published gov/{PLACE}/v1/pub/{topic} " in scene.receiver.text, topic)
    eventually(lambda: "part-08.dsse not published" in scene.receiver.text, "refusal of a part")
    eventually(lambda: "half.dsse not published" in scene.receiver.text, "refusal")
    kiosk = scene.devices[1].connect()
    kiosk.client.subscribe(publication_topic(PLACE, "hall-1", "+", "+"))
    topic, data = kiosk.client.next("the retained disclosure")
    assert topic == publication_topic(PLACE, "hall-1", "notice", "notice-1")
    assert data == sealed_notice_payload(data, [editor, reviewer])
    kiosk.client.subscribe(publication_topic(PLACE, "all", "+", "+"))
    assert kiosk.client.next("the retained part")[0] == publication_topic(PLACE, "all", LIST_KIND, "part-07")


def test_a_file_comes_through_the_broker_in_pieces_and_makes_its_document_whole(scene: Scene, tmp_path: Path) -> None:
    signers = [scene.district.person("示例-000001", Role.EDITOR), scene.district.person("示例-000002", Role.REVIEWER)]
    write_trust(scene.folder, scene.district.authority)
    content = bytes(range(256)) * 1500
    photo = attach("photo-1.jpg", content)
    released = durable.make_directory(scene.folder / "released")
    durable.write_bytes(durable.make_directory(released / "content") / photo.sha256, content)
    durable.write_bytes(released / "hall-1.notice.notice-1.dsse", sealed_notice(signers, files=(photo,)))
    desk, folder = DisclosureDesk(PLACE, "hall-1", {}), ContentFolder(tmp_path / "content")
    trust, now = scene.district.authority.trust(), system_clock().read()
    kiosk = scene.devices[1].connect()
    kiosk.client.subscribe(*desk.filters())
    (asked,) = desk.arrived(*kiosk.client.next("the document"), trust, now)
    assert isinstance(asked, Subscribe)
    kiosk.client.subscribe(*asked.filters)
    effects: list[Effect] = []
    while not effects:
        (keep,) = desk.arrived(*kiosk.client.next("a piece"), trust, now)
        assert isinstance(keep, KeepPiece)
        answer = folder.keep(keep.attachment, keep.number, keep.piece)
        effects = [] if answer is None else desk.heard(answer, trust, now)  # type: ignore[arg-type]
    assert [type(effect) for effect in effects] == [StoreEvent, ShowDisclosure]
    assert (tmp_path / "content" / photo.sha256).read_bytes() == content


def test_retained_disclosure_lost_with_the_broker_is_put_back(scene: Scene) -> None:
    signers = [scene.district.person("示例-000001", Role.EDITOR), scene.district.person("示例-000002", Role.REVIEWER)]
    write_trust(scene.folder, scene.district.authority)
    released = durable.make_directory(scene.folder / "released")
    durable.write_bytes(released / "hall-1.notice.notice-1.dsse", sealed_notice(signers))
    eventually(lambda: "published gov/" in scene.receiver.text, "publication")
    scene.broker.end(kill=True)
    start_broker(scene.broker, scene.district.port)
    kiosk = scene.devices[1].connect()
    kiosk.client.subscribe(publication_topic(PLACE, "hall-1", "+", "+"))
    assert kiosk.client.next("the disclosure again")[0] == publication_topic(PLACE, "hall-1", "notice", "notice-1")


def sealed_notice_payload(data: bytes, signers: list[Any]) -> bytes:
    """The same bytes, if both keys named in them are the two signers."""
    names = {entry["keyid"] for entry in json.loads(data)["signatures"]}
    assert names == {signer.key_id for signer in signers}
    return data


def test_a_device_the_receiver_does_not_know_yet_is_asked_again_once_it_does(scene: Scene) -> None:
    device = SmallDevice(scene.district, "REC-0002", five=scene.district.protocol == "5").connect()
    device.send(3)
    eventually(lambda: scene.summary().get("REC-0002", {}).get("alarms"), "refusal")
    write_trust(scene.folder, scene.district.authority)
    receipt: Receipt = device.receipt(0)
    assert (receipt.upto, receipt.resend) == (0, True)
    device.resend(device.chain.bodies)
    assert device.receipt(3).head == device.chain.head
    device.close()


def test_a_device_whose_database_is_gone_says_so_and_gets_receipts_again(scene: Scene) -> None:
    config = scene.devices[1].district.device("KSK-0001") / "agent.toml"
    agent = Process([sys.executable, "-m", "agent", "run", "--config", str(config)], config.with_name("agent.log"))

    def receipted() -> int:
        shown = run_here("agent.cli", "status", "--config", config, "--json")
        figures = json.loads(shown.stdout) if shown.returncode == 0 else {"waiting": 1}
        return 0 if figures["waiting"] else int(figures["acked"])

    with running(agent):
        before = eventually(receipted, "the first receipts")
        assert agent.end() == 0
        for file in (config.parent / "state").glob("agent.db*"):
            file.unlink()
        agent.start()
        (loss,) = eventually(lambda: scene.ask("summary")["losses"], "the loss is told")
        after = eventually(lambda: receipted() > before, "receipts after the loss")
        assert after
    row = scene.summary()["KSK-0001"]
    assert (row["parked"], row["losses"], row["alarms"]) == (0, 1, 0)
    assert before < loss["first"] <= loss["last"] < loss["declared_by"] <= row["receipted"]


def test_sigterm_stops_the_receiver_cleanly_and_says_so_on_the_broker(scene: Scene) -> None:
    observer = scene.devices[1].connect()
    observer.client.subscribe(f"gov/{PLACE}/v1/central/+/state")
    assert b'"payload"' in observer.client.next("online")[1]
    code = scene.receiver.end()
    assert code == 0
    _, farewell = observer.client.next("farewell")
    assert _payload(farewell)["online"] is False
    assert "Traceback" not in scene.receiver.text


def _payload(data: bytes) -> Any:
    import base64

    return json.loads(base64.b64decode(json.loads(data)["payload"]))


def test_receiver_without_broker_says_so_and_stops_when_asked(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, free_port())
    process: Process = receiver_process(district.receiver())
    with running(process):
        eventually(lambda: "not connected to the broker" in process.text, "a warning")
        assert process.end() == 0
