"""What each identity can do at the broker, judged by what is delivered: a SUBACK or a PUBACK proves nothing."""

import shutil
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.wire.identifiers import DeviceId
from agent.wire.topics import RECEIPT, device_topic
from agent.wire.trust import Role
from provisioning.center.access import AccessRules, covers, parse_pair
from tests.provisioning.district import (
    PLACE,
    SYSTEM_PATH,
    Client,
    Process,
    TestDistrict,
    broker_process,
    eventually,
    running,
)
from tests.support.broker import free_port

pytestmark = pytest.mark.xdist_group("access")
ENGINES = [
    pytest.param(
        ("mosquitto", "5"),
        marks=pytest.mark.skipif(not shutil.which("mosquitto", path=SYSTEM_PATH), reason="no mosquitto"),
    ),
    ("embedded", "3.1.1"),
]
A, B, C, K, R = "REC-0001", "REC-0002", "REC-0003", "KSK-0001", "receiver-1"
PAIR = f"{A}:{C}"  # two officers who go together
BASE = f"gov/{PLACE}/v1"
MATRIX = [
    # who writes, where, who listens, does it arrive
    (A, f"{BASE}/rec/{A}/evt", R, True),
    (A, f"{BASE}/rec/{A}/twin/reported", R, True),
    (A, f"{BASE}/rec/{A}/cmd/7/rsp", R, True),
    (R, f"{BASE}/rec/{A}/ack", A, True),
    (R, f"{BASE}/rec/{B}/cmd/7", B, True),
    (R, f"{BASE}/ksk/{K}/twin/desired", K, True),
    (R, f"{BASE}/pub/hall-1/notice/n-1", K, True),
    (R, f"{BASE}/central/{R}/state", A, True),
    (A, f"{BASE}/rec/{A}/evt", C, True),
    (C, f"{BASE}/rec/{C}/evt", A, True),
    (A, f"{BASE}/rec/{A}/state", C, False),
    (C, f"{BASE}/rec/{A}/evt", R, False),
    (A, f"{BASE}/rec/{B}/evt", R, False),
    (A, f"{BASE}/rec/{B}/state", R, False),
    (A, f"{BASE}/rec/{B}/ack", B, False),
    (A, f"{BASE}/rec/{B}/cmd/7", B, False),
    (A, f"{BASE}/rec/{A}/ack", A, False),
    (A, f"{BASE}/rec/{A}/cmd/7", A, False),
    (A, f"{BASE}/rec/{A}/evt", B, False),
    (A, f"{BASE}/rec/{A}/state", K, False),
    (R, f"{BASE}/rec/{A}/ack", B, False),
    (R, f"{BASE}/rec/{A}/cmd/7", K, False),
    (K, f"{BASE}/pub/hall-1/notice/n-1", K, False),
    (A, f"{BASE}/pub/hall-1/notice/n-1", K, False),
    (A, f"{BASE}/central/{R}/state", B, False),
    (A, f"gov/other/v1/rec/{A}/evt", R, False),
    (R, f"{BASE}/rec/{A}/evt", R, False),
    (A, "free/for/all", B, False),
    (K, f"{BASE}/ksk/{K}/evt", R, True),
    (K, f"{BASE}/rec/{K}/evt", A, False),
    (K, f"{BASE}/rec/{A}/evt", R, False),
    (K, f"{BASE}/rec/{A}/cmd/7", A, False),
    (A, f"{BASE}/ksk/{K}/twin/desired", K, False),
    (A, f"{BASE}/rec/{A}/twin/desired", A, False),
    (R, f"{BASE}/rec/{A}/twin/desired", K, False),
    (B, f"{BASE}/rec/{B}/hint", C, False),
    (A, f"{BASE}/rec/{A}/evt/more", R, False),
    (A, f"{BASE}/rec/{A}", R, False),
    (A, f"gov/{PLACE}/v2/rec/{A}/evt", R, False),
]


class Yard:
    """One broker and everybody connected, each listening to everything and to every exact topic."""

    def __init__(self, base: Path, engine: str, protocol: str) -> None:
        self.district = TestDistrict(base, free_port(), protocol, pairs=(PAIR,))
        self.folders = {name: self.district.device(name) for name in (A, B, C, K)} | {R: self.district.receiver()}
        self.broker: Process = broker_process(self.district, engine)
        self.clients: dict[str, Client] = {}
        self.count = 0

    @property
    def five(self) -> bool:
        return self.district.protocol == "5"

    def client(self, name: str, client_id: str | None = None, identity: Path | None = None) -> Client:
        folder = self.folders[name]
        return Client(self.district.port, folder / "root.pem", identity or folder, client_id or name, five=self.five)

    def connect_all(self) -> None:
        for name in self.folders:
            self.bring(name)

    def bring(self, name: str) -> None:
        """Connect `name` and listen to everything, to all it may read, and to every topic of the matrix."""
        rules = AccessRules(PLACE, (R,), (), (parse_pair(PAIR),))
        self.clients[name] = self.client(name).connect()
        self.clients[name].subscribe("#", f"{BASE}/#", *rules.readable(name), *sorted({row[1] for row in MATRIX}))

    def heard(self, writer: str, topic: str, listener: str, *, retain: bool = False) -> list[bytes]:
        """What `listener` hears of a message, once a later one on a permitted way has arrived."""
        self.count += 1
        attempt = b"try %d" % self.count
        self.clients[writer].publish(topic, attempt, retain=retain)
        return [found for found in self.settle(listener, writer) if found == attempt]

    def settle(self, listener: str, writer: str = R) -> list[bytes]:
        """Everything `listener` hears until what `writer` sent before has surely been worked off."""
        self.count += 1
        heard = []
        if writer != R:  # its own queue has been worked off when R hears from it
            hint = b"hint %d" % self.count
            self.clients[writer].publish(f"{BASE}/{writer[:3].lower()}/{writer}/hint", hint)
            heard += self.until(R, hint)
        mark = b"mark %d" % self.count
        topic = f"{BASE}/central/{R}/state" if listener == R else device_topic(PLACE, DeviceId(listener), RECEIPT)
        self.clients[R].publish(topic, mark)
        return (heard if listener == R else []) + self.until(listener, mark)

    def until(self, listener: str, mark: bytes) -> list[bytes]:
        """What `listener` hears before `mark`."""
        heard = []
        while (found := self.clients[listener].next(f"{mark!r} at {listener}")[1]) != mark:
            heard.append(found)
        return heard


@pytest.fixture(scope="module", params=ENGINES, ids=lambda each: each[0])
def yard(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    made = Yard(tmp_path_factory.mktemp("yard"), *request.param)
    with running(made.broker, made.district.port):
        made.connect_all()
        yield made
        for client in made.clients.values():
            client.close()


@pytest.mark.parametrize(("writer", "topic", "listener", "arrives"), MATRIX, ids=lambda each: str(each))
def test_threat_rogue_kiosk_or_recorder_reaches_only_what_is_permitted(
    yard: Yard, writer: str, topic: str, listener: str, arrives: bool
) -> None:
    assert bool(yard.heard(writer, topic, listener)) is arrives


def test_client_without_certificate_is_refused(yard: Yard) -> None:
    bare = Client(yard.district.port, yard.folders[A] / "root.pem", None, A, five=yard.five)
    with pytest.raises((OSError, AssertionError)):
        bare.connect()
    bare.close()


def test_certificate_of_another_authority_is_refused(yard: Yard, tmp_path: Path) -> None:
    forged = TestDistrict(tmp_path, yard.district.port).device(A)
    stranger = yard.client(A, identity=forged)
    with pytest.raises((OSError, AssertionError)):
        stranger.connect()
    stranger.close()


@pytest.mark.parametrize("name", ["evidence", "broker"])
def test_certificate_for_another_purpose_is_refused(yard: Yard, tmp_path: Path, name: str) -> None:
    source = yard.folders[A] if name == "evidence" else yard.district.base / "broker"
    for kind in ("key", "pem"):
        (tmp_path / f"tls.{kind}").write_bytes((source / f"{name}.{kind}").read_bytes())
    misused = yard.client(A, "broker-1" if name == "broker" else A, identity=tmp_path)
    with pytest.raises((OSError, AssertionError)):
        misused.connect()
    misused.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_1_1_is_refused_and_1_2_is_not(yard: Yard) -> None:
    def shake(version: ssl.TLSVersion) -> str | None:
        context = ssl.create_default_context(cafile=str(yard.folders[A] / "root.pem"))
        context.load_cert_chain(yard.folders[A] / "tls.pem", yard.folders[A] / "tls.key")
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        plain = socket.create_connection(("127.0.0.1", yard.district.port))
        with plain, context.wrap_socket(plain, server_hostname="localhost") as secured:
            return secured.version()

    with pytest.raises(ssl.SSLError):
        shake(ssl.TLSVersion.TLSv1_1)
    assert shake(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"


def test_threat_session_hijack_by_another_devices_client_id_takes_nothing(yard: Yard) -> None:
    thief = yard.client(A, client_id=B)
    try:
        thief.connect()  # Mosquitto renames it to A, and so ends A's own session; the embedded broker refuses it
    except (OSError, AssertionError):
        assert not yard.five
    assert yard.clients[B].paho.is_connected()
    yard.clients[R].publish(device_topic(PLACE, DeviceId(B), RECEIPT), b"still mine")
    yard.until(B, b"still mine")
    thief.close()
    _bring_back(yard, A)


@pytest.mark.skipif(not shutil.which("mosquitto", path=SYSTEM_PATH), reason="no mosquitto")
def test_threat_session_hijack_works_without_the_line_that_makes_the_name_the_client_id(tmp_path: Path) -> None:
    """Shows that the test above can fail: the same broker without `use_username_as_clientid` lets A end B's session."""
    yard = Yard(tmp_path, "mosquitto", "5")
    conf = tmp_path / "broker" / "mosquitto.conf"
    conf.write_text(conf.read_text().replace("use_username_as_clientid true\n", ""))
    with running(yard.broker, yard.district.port):
        victim, thief = yard.client(B).connect(), yard.client(A, client_id=B)
        thief.connect()
        eventually(lambda: not victim.paho.is_connected(), "the victim is thrown out")
        victim.close(), thief.close()


SLY = ["#", "+/#", "$share/group/#", "$SYS/#", f"{BASE}/rec/{B}/#", f"$share/g/{BASE}/rec/+/ack"]


@pytest.mark.parametrize("asked", SLY)
def test_subscription_that_is_granted_delivers_nothing_of_another(yard: Yard, asked: str) -> None:
    """Mosquitto grants all of them (SUBACK) and filters at delivery; only what arrives counts."""
    yard.clients[K].paho.subscribe(asked, 1)
    for topic in (f"{BASE}/rec/{B}/ack", f"{BASE}/rec/{B}/cmd/9"):
        assert yard.heard(R, topic, K) == []
    yard.clients[K].paho.unsubscribe(asked)


def test_last_will_on_another_devices_topic_is_not_delivered(yard: Yard) -> None:
    liar = yard.client(A)
    liar.paho.will_set(f"{BASE}/rec/{B}/state", b"try will", 1, retain=True)
    yard.clients[A].close()
    try:
        liar.connect()
        liar.paho.socket().close()  # vanish without DISCONNECT
        eventually(lambda: not liar.paho.is_connected(), "the loss is noticed")
    except (OSError, AssertionError):
        assert not yard.five
    liar.close()
    _bring_back(yard, A)
    assert b"try will" not in yard.settle(R)


def test_retained_message_for_one_device_reaches_no_other_on_connection(yard: Yard) -> None:
    assert yard.heard(R, f"{BASE}/rec/{A}/twin/desired", A, retain=True)
    yard.clients[B].close()
    _bring_back(yard, B)
    assert not [found for found in yard.settle(B) if found.startswith(b"try")]


def test_revoked_device_is_mute_after_the_rules_are_written_again(tmp_path: Path) -> None:
    for engine, protocol in (("mosquitto", "5"), ("embedded", "3.1.1")):
        if engine == "mosquitto" and not shutil.which("mosquitto", path=SYSTEM_PATH):
            continue
        yard = Yard(tmp_path / engine, engine, protocol)
        yard.district.authority.revoke(A, "遗失", yard.district.moment())
        yard.district.broker(engine)
        with running(yard.broker, yard.district.port):
            yard.clients = {name: yard.client(name).connect() for name in (B, R)}
            yard.clients[R].subscribe("#", f"{BASE}/#")
            lost = yard.client(A)
            try:
                lost.connect()
                lost.publish(f"{BASE}/rec/{A}/evt", b"try lost")
            except (OSError, AssertionError):
                assert not lost.paho.is_connected()  # by the revocation list, or the embedded broker's rules
            assert b"try lost" not in yard.settle(R, B)
            for client in (lost, *yard.clients.values()):
                client.close()


def test_person_has_no_way_to_connect(yard: Yard) -> None:
    yard.district.person("示例-000009", Role.EDITOR)
    assert not (yard.district.base / "示例-000009" / "tls.pem").exists()


def test_filters_cover_only_what_they_should() -> None:
    assert covers("a/+/c", "a/b/c")
    assert covers("a/#", "a/+/c")
    assert not covers("a/+", "a/b/c")
    assert not covers("a/b", "a/+")
    assert not covers("a/+", "a/#")
    assert not covers("a/b/+", "a/b")
    assert not covers("a/b", "#")


def _bring_back(yard: Yard, name: str) -> None:
    yard.clients[name].close()
    yard.bring(name)
