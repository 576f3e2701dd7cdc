"""Configuration for every broker we write for: loaded by a real Mosquitto where there is one, compared with the rules
where not; and a bridge to the platform above, which is down for a while."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import OperatorFault
from agent.wire.device_events import EVENTS_TYPE, decode_batch
from agent.wire.envelope import open_envelope
from agent.wire.identifiers import DeviceId
from agent.wire.topics import RECEIPT, device_topic
from agent.wire.trust import Role
from provisioning.center.access import AccessRules, parse_pair, permitted
from provisioning.center.broker_config import Bridge, Listener
from provisioning.center.broker_folder import BridgeOrder, BrokerOrder, current_user, write_broker_folder
from provisioning.center.emqx_config import emqx_acl
from tests.provisioning.district import (
    PLACE,
    Chain,
    Client,
    Process,
    TestDistrict,
    broker_process,
    events_topic,
    load_signer,
    running,
    sealed_batch,
    start_broker,
    today,
)
from tests.provisioning.test_access import MATRIX, PAIR, A, R
from tests.support.broker import free_port, needs_mosquitto

RULES = AccessRules(PLACE, (R,), ("REC-0666",), (parse_pair(PAIR),))


def order(district: TestDistrict, engine: str, **more: object) -> BrokerOrder:
    return BrokerOrder(Listener("127.0.0.1", district.port, current_user()), engine, **more)  # type: ignore[arg-type]


def written(district: TestDistrict, engine: str, **more: object) -> Path:
    folder = district.base / "broker"
    return write_broker_folder(district.authority, order(district, engine, **more), folder, today())[0]


def may(rules: str, who: str, action: str, topic: str) -> bool:
    """What EMQX decides by a file of rules: the first that names who and matches the topic."""
    for line in rules.splitlines():
        found = re.fullmatch(r'\{(allow|deny), (all|\{username, "([^"]+)"\})(?:, (\w+), \[(.*)\])?\}\.', line)
        if line.startswith("%%") or found is None:
            assert line.startswith("%%"), line
            continue
        filters = re.findall(r'"([^"]+)"', (found[5] or "").replace("${username}", who)) or ["#"]
        if (found[3] or who) == who and found[4] in (None, "all", action) and permitted(filters, topic):
            return found[1] == "allow"
    return False


@pytest.mark.parametrize(("writer", "topic", "listener", "arrives"), MATRIX, ids=lambda each: str(each))
def test_the_rules_for_emqx_permit_what_the_same_rules_permit_at_mosquitto(
    writer: str, topic: str, listener: str, arrives: bool
) -> None:
    rules = emqx_acl(RULES)
    assert (may(rules, writer, "publish", topic) and may(rules, listener, "subscribe", topic)) is arrives


def test_at_emqx_the_revoked_may_do_nothing_and_rules_end_shut() -> None:
    rules = emqx_acl(RULES)
    assert not may(rules, "REC-0666", "publish", events_topic("REC-0666"))
    assert rules.splitlines()[-1] == "{deny, all}."


def test_every_configuration_has_identity_limits_and_nothing_without_a_certificate(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, free_port())
    emqx = written(district, "emqx-5").read_text()
    for line in ("peer_cert_as_clientid = cn", "verify = verify_peer", "fail_if_no_peer_cert = true",
                 "no_match = deny", "tcp.default.enable = false", "nodelay = true"):  # fmt: skip
        assert line in emqx
    old, new = (written(district, f"mosquitto-{version}").read_text() for version in ("2.0", "2.1"))
    assert "per_listener_settings" in old
    assert "per_listener_settings" not in new
    for text in (old, new):
        for line in ("use_username_as_clientid true", "require_certificate true", "set_tcp_nodelay true",
                     "max_packet_size 262144", "persistence true", "allow_anonymous false"):  # fmt: skip
            assert line in text


def test_an_unknown_engine_a_bad_bridge_address_and_a_bridge_elsewhere_are_refused(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, free_port())
    with pytest.raises(OperatorFault, match="emqx-5"):
        written(district, "emqx-4")
    bridge = BridgeOrder(Bridge("city.example", 8883), tmp_path, tmp_path, tmp_path)
    with pytest.raises(OperatorFault, match="只用于 Mosquitto"):
        written(district, "emqx-5", bridge=bridge)


@needs_mosquitto
@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_mosquitto_here_starts_with_both_and_lets_a_device_in(version: str, tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, free_port())
    folder = district.device(A)
    entry = written(district, f"mosquitto-{version}")
    with running(Process(["/usr/sbin/mosquitto", "-c", str(entry)], tmp_path / "broker.log"), district.port):
        device = Client(district.port, folder / "root.pem", folder, A).connect()
        device.subscribe(device_topic(PLACE, DeviceId(A), RECEIPT))
        device.close()


@pytest.fixture
def city(tmp_path: Path) -> Iterator[tuple[Process, TestDistrict, int]]:
    """The platform above: another authority, a plain Mosquitto of its own making, an identity for our bridge."""
    upper = TestDistrict(tmp_path / "city", free_port())
    upper.base.mkdir(exist_ok=True)
    for name in ("bridge-xinghe", "watcher"):
        upper.receiver(name)
    folder = upper.broker().parent
    (folder / "access.acl").write_text(
        f"user bridge-xinghe\ntopic write gov/{PLACE}/#\n\nuser watcher\ntopic readwrite gov/#\n"
    )
    process = Process(["/usr/sbin/mosquitto", "-c", str(folder / "mosquitto.conf")], folder / "broker.log")
    yield process, upper, upper.port
    if process.child is not None:
        process.end()


def watch(upper: TestDistrict) -> Client:
    folder = upper.base / "watcher"
    client = Client(upper.port, folder / "root.pem", folder, "watcher").connect()
    client.subscribe("gov/#")
    return client


def numbers(client: Client, trust: object, count: int) -> list[int]:
    seen: list[int] = []
    while len(seen) < count:
        topic, data = client.next(f"{count} events above, had {seen}")
        assert topic == events_topic(A)
        opened = open_envelope(data, EVENTS_TYPE, trust, today())  # type: ignore[arg-type]
        assert opened.signer(Role.RECORDER).subject == A
        seen += [event.devseq for event, _ in decode_batch(opened.payload)]
    return seen


@needs_mosquitto
def test_a_bridge_brings_signed_events_up_through_an_outage_and_nothing_down(
    city: tuple[Process, TestDistrict, int], tmp_path: Path
) -> None:
    above, upper, port = city
    district = TestDistrict(tmp_path / "district", free_port())
    device, given = district.device(A), upper.base / "bridge-xinghe"
    bridge = BridgeOrder(Bridge("localhost", port), given / "root.pem", given / "tls.pem", given / "tls.key")
    folder = district.broker().parent
    write_broker_folder(district.authority, order(district, "mosquitto", bridge=bridge), folder, today())
    again = write_broker_folder(district.authority, order(district, "mosquitto"), folder, today())
    assert again[1] is False, "a bridge stays when the rules are written again"
    signer, chain, trust = load_signer(device, "evidence"), Chain(A), district.authority.trust()
    start_broker(above, upper.port)
    with running(broker_process(district), district.port):
        client, seen = Client(district.port, device / "root.pem", device, A).connect(), watch(upper)
        client.subscribe(device_topic(PLACE, DeviceId(A), RECEIPT))
        client.publish(events_topic(A), sealed_batch(signer, chain.add(5)))
        assert numbers(seen, trust, 5) == [1, 2, 3, 4, 5]
        seen.publish(device_topic(PLACE, DeviceId(A), RECEIPT), b"a receipt from above")
        seen.close()
        above.end(kill=True)
        for _ in range(20):
            client.publish(events_topic(A), sealed_batch(signer, chain.add(1)))
        start_broker(above, upper.port)
        seen = watch(upper)
        client.publish(events_topic(A), sealed_batch(signer, chain.add(1)))
        later = numbers(seen, trust, 21)
        assert sorted(set(later)) == list(range(6, 27))
        assert client.received.empty(), "something came down the bridge"
        client.close(), seen.close()
