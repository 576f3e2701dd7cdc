"""The device against a real Mosquitto with mutual TLS: what a broker, a network and a forger can do to it."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.mqtt_link import LastWill, MqttLink
from agent.adapters.store import EventStore
from agent.control.effects import EventDraft
from agent.control.messages import CourierDied, Event, EventStored, LinkUp, StopRequested, TimePassed
from agent.errors import EnvironmentFault, OperatorFault
from agent.loop import watch_couriers
from agent.wire.device_events import EventType, declared_damage
from agent.wire.identifiers import Digest, District
from agent.wire.topics import STATE, device_topic
from agent.wire.trust import Role
from provisioning.center.config import BrokerSettings
from provisioning.center.mqtt import CenterLink, Inbox
from tests.support.broker import ACL, Broker, needs_mosquitto
from tests.support.center import SmallCenter, until
from tests.support.device import DistrictKeys, RunningDevice
from tests.support.keys import TestAuthority

pytestmark = needs_mosquitto


class Stage:
    """A broker, a small centre and one device."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.district = folder, DistrictKeys()
        self.broker = Broker(folder / "broker", self.district.authority)
        self.center: SmallCenter = self.district.center(folder / "center")
        self.devices: list[RunningDevice] = []

    def up(self) -> None:
        self.broker.start()
        self.center.connect(self.broker.port)

    def device(self, **options: object) -> RunningDevice:
        made = RunningDevice(self.district, self.folder / "device", self.broker.port, **options)  # type: ignore[arg-type]
        self.devices.append(made)
        return made

    def down(self) -> None:
        for device in self.devices:
            device.close()
        self.center.close()
        self.broker.stop()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.down()


RECORDED = ["officers", "R000001/started", "R000001/head/1", "R000001/sealed"]
START, STORED = 1, 1 + len(RECORDED)  # events of a start, and with one recording after it


def facts(ids: list[str]) -> list[str]:
    """The ids without the moment that some of them end with."""
    return [it.split("/")[1] if it.startswith("duty/") else it for it in ids]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_recording_reaches_the_centre_in_order_and_leaves_only_by_receipt(stage: Stage, protocol: str) -> None:
    stage.up()
    device = stage.device(protocol=protocol)
    device.start()
    device.record()
    device.pump(lambda: device.rows() == 0, "the outbox is drained")
    assert facts(stage.center.ids())[START:] == RECORDED
    assert stage.center.order == sorted(stage.center.order)
    stage.center.check_chain()


def test_short_messages_do_not_wait_for_the_brokers_delayed_acknowledgement(stage: Stage, tmp_path: Path) -> None:
    """Bites when a socket is left as paho makes it: a burst of events, one a message, was half as fast."""
    stage.up()
    device = stage.device()
    device.start()
    device.pump(lambda: device.rows() == 0, "the device is connected")
    nobody = tmp_path / "nobody"
    settings = BrokerSettings("127.0.0.1", stage.broker.port, "5", "localhost", nobody, nobody, nobody, 30)
    link = CenterLink(settings, "receiver-9", (), Inbox())
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as wire:
        link._client.on_socket_open(link._client, None, wire)
        wires = [wire, device.link._client.socket()]
        assert all(each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in wires)


def test_a_puback_alone_leaves_every_row(stage: Stage) -> None:
    stage.up()
    stage.center.receipting = False
    device = stage.device()
    device.start()
    device.record()
    device.pump(lambda: len(stage.center.events) == STORED, "everything is at the centre")
    device.settle()
    assert device.rows() == STORED
    stage.center.receipt(upto=2)
    device.pump(lambda: device.rows() == STORED - 2, "the receipted rows are gone")
    assert facts(device.waiting_ids()) == RECORDED[1:]


def test_broker_away_while_recording_then_back_loses_and_repeats_nothing(stage: Stage) -> None:
    device = stage.device()
    device.start()
    for _ in range(3):
        device.record()
    assert [order.recording[-7:] for order in device.recorder.orders] == ["R000001", "R000002", "R000003"]
    assert device.rows() == START + 3 * len(RECORDED)
    stage.up()
    device.pump(lambda: device.rows() == 0, "the outbox is drained")
    stage.broker.stop(signal.SIGKILL)
    stage.center.close()
    device.pump(lambda: "断开" in device.last_error(), "the loss of the broker is noticed")
    device.record()
    stage.up()
    device.pump(lambda: device.rows() == 0, "the outbox is drained again")
    stage.center.check_chain()
    assert len(set(stage.center.ids())) == len(stage.center.ids()) == START + 4 * len(RECORDED)


def test_a_receipt_of_a_stranger_a_too_high_one_and_a_wrong_head_are_refused(stage: Stage) -> None:
    stage.up()
    stage.center.receipting = False
    device = stage.device()
    device.start()
    device.record()
    device.pump(lambda: len(stage.center.events) == STORED, "everything is at the centre")

    def refused(words: str) -> None:
        device.pump(lambda: words in device.last_error(), words)
        assert device.rows() == STORED

    stage.center.receipt(TestAuthority().evidence("receiver-1", Role.RECEIVER).signer)
    refused("不在信任清单")
    stage.center.receipt(stage.district.editor.signer)
    refused("缺少 receiver")
    stage.center.receipt(upto=9, head=Digest("a" * 64))
    refused(f"本机只发到第 {STORED} 号")
    stage.center.receipt(upto=3, head=Digest("a" * 64))
    refused("摘要与本机不符")
    stage.center.receipt(upto=STORED)
    device.pump(lambda: device.rows() == 0, "the true receipt is applied")


def test_the_centre_asks_for_a_gap_again_and_gets_it(stage: Stage) -> None:
    stage.up()
    stage.center.receipting = False
    device = stage.device()
    device.start()
    device.record()
    device.pump(lambda: len(stage.center.events) == STORED, "everything is at the centre")
    stage.center.order.clear()
    stage.center.receipt(upto=1, resend=True)
    device.pump(lambda: stage.center.order == list(range(2, STORED + 1)), "the rest comes again")
    assert device.rows() == STORED - 1


def test_an_event_larger_than_the_broker_takes_is_put_aside_and_blocks_no_other(stage: Stage) -> None:
    stage.broker.limit(3000)
    stage.up()
    device = stage.device()
    device.start()
    store = EventStore(device.database, District("xinghe"), device.district.device)
    at = device.clock.read()
    for number in range(8):
        data = {"text": "x" * (3000 if number == 3 else 300)}
        device.dispatch(EventStored(store.put(EventDraft(f"step/{number}", EventType.STEP_MARKED, at, data))))
    large, declared = START + 4, START + 9
    expected = {*range(1, declared + 1)} - {large}
    device.pump(lambda: set(stage.center.events) == expected, "everything else is at the centre")
    run = declared_damage(stage.center.events[declared][0])
    assert run is not None
    assert (run.first, run.last, stage.center.events[declared][0].data["reason"]) == (large, large, "oversize")
    kept = device.database.run("SELECT length(body) FROM quarantined WHERE devseq = ?", (large,))
    assert kept[0][0] > 3000
    assert device.memory.next_session() <= 3, "no reconnection for it"


def test_a_publish_that_the_broker_denies_keeps_its_rows_and_does_not_storm(stage: Stage) -> None:
    stage.broker.allow(ACL.replace("pattern write gov/+/v1/+/%u/evt\n", ""))
    stage.up()
    device = stage.device()
    device.start()
    device.record()
    device.pump(lambda: "拒绝接收" in device.last_error() or "断开" in device.last_error(), "the refusal is noticed")
    assert device.rows() == STORED
    assert not stage.center.events
    sessions = device.memory.next_session()
    assert sessions <= 3


def test_birth_comes_again_with_a_higher_session_after_a_broker_restart(stage: Stage) -> None:
    stage.up()
    device = stage.device()
    device.start()
    device.pump(lambda: device.rows() == 0, "connected")
    born = until(lambda: stage.center.statuses, "a birth")[0]
    assert (born.online, born.session, born.waiting) == (True, 1, 1)
    stage.broker.stop(signal.SIGKILL)
    stage.center.close()
    stage.up()
    device.pump(lambda: any(it.online and it.session > 1 for it in stage.center.statuses), "the second birth")


def test_threat_broker_compromise_a_broker_of_another_authority_name_or_purpose_gets_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    stage.up()
    device = stage.device(server_name="broker.invalid")
    device.start()
    device.pump(lambda: "Hostname mismatch" in device.last_error(), "the name is refused")
    foreign = Broker(tmp_path / "foreign", TestAuthority())
    foreign.start()
    other = RunningDevice(stage.district, tmp_path / "other", foreign.port)
    thief = Broker(tmp_path / "thief", stage.district.authority)
    stage.district.authority.client("localhost").write(thief.folder / "server.key", thief.folder / "server.pem")
    thief.start()  # a device's certificate in a broker's place: of the right authority, with the right name
    third = RunningDevice(stage.district, tmp_path / "third", thief.port)
    try:
        other.start(), third.start()
        other.pump(lambda: "certificate verify failed" in other.last_error(), "the authority is refused")
        third.pump(lambda: "unsuitable certificate purpose" in third.last_error(), "the purpose is refused")
    finally:
        other.close(), third.close()
        foreign.stop(), thief.stop()
    assert not stage.center.statuses


def test_a_death_of_the_network_thread_is_told_not_survived(stage: Stage) -> None:
    stage.up()
    device = stage.device()
    before = threading.excepthook
    watch_couriers(device.inbox)

    def is_death(event: Event | None) -> bool:
        return isinstance(event, CourierDied)

    def report(event: Event) -> None:
        if isinstance(event, LinkUp):
            raise ValueError("an ear fell off")  # noqa: TRY004

    deaf = MqttLink(device.district.device, device.settings, report)
    deaf.open()
    try:
        deaf.connect(7, LastWill(device_topic(District("xinghe"), device.district.device, STATE), b"{}"))
        event = until(lambda: next(filter(is_death, [device.inbox.get(0.05)]), None), "the death is told")
    finally:
        deaf.close(5)
        threading.excepthook = before
    assert isinstance(event, CourierDied)
    assert "an ear fell off" in event.detail
    assert device.dispatch(event) == EnvironmentFault.exit_code


def test_stopping_with_messages_in_flight_does_not_wait_for_a_silent_broker(stage: Stage) -> None:
    stage.up()
    device = stage.device()
    device.start()
    device.pump(lambda: device.controller.handle(TimePassed(), device.clock.read()) == [] and device.rows() == 0, "up")
    stage.broker.signal(signal.SIGSTOP)
    for _ in range(20):
        device.record()
    begun = time.monotonic()
    assert device.dispatch(StopRequested()) == 0
    assert time.monotonic() - begun < 20  # the broker would be silent for ever; a busy machine gets four times the 5 s
    stage.broker.signal(signal.SIGCONT)
    assert device.rows() == START + 20 * len(RECORDED)


def test_a_link_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    device = RunningDevice(DistrictKeys(), tmp_path)
    device.close()
    device.settings.key.chmod(0o644)
    with pytest.raises(OperatorFault, match="chmod 600"):
        MqttLink(device.district.device, device.settings, device.inbox.put).open()
