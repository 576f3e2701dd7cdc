"""The next TLS certificate: taken when it is good, thrown away when it is not, and a cut in between is mended."""

import base64
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from agent.adapters.mqtt_link import LastWill, MqttLink
from agent.config import AgentConfig, read_config
from agent.device_keys import finish_swap, own_key, renewed_name
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.key_files import read_signer
from agent.tls_renewal import broker_probe, due_at, renew
from agent.wire.identifiers import DeviceId
from provisioning.fleet import est
from provisioning.fleet.enrolment import enrolment_desk
from provisioning.fleet.est import respond
from provisioning.fleet.est_messages import Asked
from tests.provisioning.district import NOW, Client, TestDistrict, broker_process, running, today
from tests.support.broker import free_port, needs_mosquitto

A = "REC-0001"
YEAR = timedelta(days=365)


class Held:
    """A device folder, and the authority as it is asked over its connection."""

    def __init__(self, base: Path, moment: Callable[[], datetime], port: int = 8883) -> None:
        self.district = TestDistrict(base, port, moment=moment)
        self.folder, self.moment = self.district.device(A), moment
        self.config: AgentConfig = read_config(self.folder / "agent.toml")

    def ask(self, request: bytes, at: timedelta = timedelta()) -> bytes:
        shown = x509.load_pem_x509_certificates((self.folder / "tls.pem").read_bytes())[0]
        with enrolment_desk(self.district.authority) as desk:
            asked = Asked("POST", est.RENEW, request, shown.public_bytes(Encoding.DER))
            answer = respond(asked, desk, self.moment() + at)
        assert answer.status == 200, answer.body.decode()
        return answer.body

    def pair(self) -> tuple[bytes, bytes]:
        return (self.folder / "tls.pem").read_bytes(), (self.folder / "tls.key").read_bytes()

    def fits(self) -> bool:
        read_signer(self.folder / "tls.key", self.folder / "tls.pem")
        return True


@pytest.fixture
def held(tmp_path: Path) -> Held:
    return Held(tmp_path, lambda: NOW)


def good(chain: Path, key: Path) -> None:
    read_signer(key, chain)


def bad(_: Path, __: Path) -> None:
    raise EnvironmentFault("示例：消息服务器不接受")


def test_nothing_is_asked_before_two_thirds_of_the_life(held: Held) -> None:
    before = held.pair()
    leaf = x509.load_pem_x509_certificates(before[0])[0]
    for moment in (NOW, due_at(leaf) - timedelta(seconds=1)):
        assert not renew(held.config, moment, bad, bad).changed  # type: ignore[arg-type]
    assert held.pair() == before


def test_due_certificate_is_asked_for_tried_and_swapped_with_a_new_key(held: Held) -> None:
    before, later = held.pair(), timedelta(days=250)
    done = renew(held.config, NOW + later, lambda request: held.ask(request, later), good)
    assert done.changed
    assert done.until == NOW + later + YEAR
    assert held.fits()
    assert not set(held.pair()) & set(before)
    assert not list(held.folder.glob("*.new"))


def test_pair_that_the_broker_refuses_never_replaces_the_old_one(held: Held) -> None:
    before = held.pair()
    with pytest.raises(EnvironmentFault, match="不接受"):
        renew(held.config, NOW, held.ask, bad, force=True)
    assert held.pair() == before
    assert not list(held.folder.glob("*.new"))
    assert renew(held.config, NOW, held.ask, good, force=True).changed, "and it can be tried again"
    assert held.fits()


@pytest.mark.parametrize("answer", [b"", b"garbage", base64.b64encode(b"0\x03abc"), "foreign", "other device"])
def test_answer_that_is_not_ours_leaves_the_old_pair(held: Held, tmp_path: Path, answer: bytes | str) -> None:
    before = held.pair()
    if isinstance(answer, str):
        other = TestDistrict(tmp_path / "o", 8883, moment=lambda: NOW) if answer == "foreign" else held.district
        folder = other.device(A if answer == "foreign" else "REC-0002")
        chain = x509.load_pem_x509_certificates((folder / "tls.pem").read_bytes())
        answer = base64.encodebytes(pkcs7.serialize_certificates(chain, Encoding.DER))
    with pytest.raises(SenderFault, match="现有证书"):
        renew(held.config, NOW, lambda _: answer, good, force=True)
    assert held.pair() == before


def test_lost_answer_is_asked_for_again_with_the_same_key(held: Held) -> None:
    def lost(request: bytes) -> bytes:
        held.ask(request)
        raise EnvironmentFault("示例：连接断了")

    with pytest.raises(EnvironmentFault):
        renew(held.config, NOW, lost, good, force=True)
    key = renewed_name(held.config.broker.key).read_bytes()
    assert renew(held.config, NOW, held.ask, good, force=True).changed
    assert held.pair()[1] == key
    assert len(held.district.authority.register().entries) == 3  # evidence, the old TLS one, one new one


def test_power_cut_between_the_two_renames_is_mended(held: Held, tmp_path: Path) -> None:
    old = held.pair()
    renew(held.config, NOW, held.ask, good, force=True)
    chain, key = held.pair()
    certificate, place = held.config.broker.certificate, held.config.broker.key
    place.write_bytes(old[1])
    renewed_name(place).write_bytes(key)
    renewed_name(place).chmod(0o600)
    finish_swap(certificate, place)
    assert held.pair() == (chain, key)
    own_key(renewed_name(place))  # a key whose request was not yet answered is left for the next try
    finish_swap(certificate, place)
    assert held.pair() == (chain, key)


@pytest.mark.parametrize("days", [-20_000, -1000, -3])
def test_threat_clock_rollback_before_the_floor_renews_nothing_and_judges_nothing(held: Held, days: int) -> None:
    (held.folder / "clock.floor").write_text("2026-11-22T09:00:00.000Z", encoding="ascii")
    before = held.pair()
    with pytest.raises(OperatorFault, match="时钟"):
        renew(held.config, NOW + timedelta(days=days), held.ask, good, force=True)
    assert held.pair() == before


def test_clock_far_ahead_asks_but_takes_nothing_that_is_over_by_it(held: Held) -> None:
    before = held.pair()
    with pytest.raises(SenderFault, match="时钟"):
        renew(held.config, NOW + timedelta(days=400), held.ask, good)
    assert held.pair() == before


class Door:
    """Speaks TLS as the district's broker does, and notes the serial number of whoever comes; nothing more."""

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "broker.pem", folder / "broker.key")
        self.context.load_verify_locations(folder / "root.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.listener = listener

    def next_serial(self) -> int:
        plain, _ = self.listener.accept()
        plain.settimeout(60)
        with self.context.wrap_socket(plain, server_side=True) as line:
            line.recv(1)  # CONNECT: the link has finished its side of the handshake
            return x509.load_der_x509_certificate(line.getpeercert(binary_form=True) or b"").serial_number


def test_the_links_next_connection_shows_the_renewed_certificate(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        held = Held(tmp_path, today, listener.getsockname()[1])
        door = Door(held.district.broker().parent, listener)
        link = MqttLink(DeviceId(A), held.config.broker, lambda _: None)
        link.open()
        seen = []
        for number in (1, 2, 3):
            link.connect(number, LastWill("gov/xinghe/v1/rec/REC-0001/state", b"{}"))
            seen.append(door.next_serial())
            if number == 2:
                assert renew(held.config, today(), held.ask, good, force=True).changed
        link.close(5)
    leaf = x509.load_pem_x509_certificates(held.pair()[0])[0]
    assert (seen[0], seen[2]) == (seen[1], leaf.serial_number)
    assert seen[0] != seen[2]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Held]:
    made = Held(tmp_path, today, free_port())
    with running(broker_process(made.district), made.district.port):
        yield made


@needs_mosquitto
def test_real_broker_takes_the_new_pair_refuses_a_foreign_one_and_the_session_lives_on(
    live: Held, tmp_path: Path
) -> None:
    session = Client(live.district.port, live.folder / "root.pem", live.folder, A).connect()
    probe = broker_probe(live.config.broker)
    foreign = TestDistrict(tmp_path / "o", live.district.port).device(A)
    with pytest.raises(EnvironmentFault, match="不接受新证书"):
        probe(foreign / "tls.pem", foreign / "tls.key")
    assert renew(live.config, today(), live.ask, probe, force=True).changed
    assert session.paho.is_connected()
    again = Client(live.district.port, live.folder / "root.pem", live.folder, A).connect()
    again.close(), session.close()
