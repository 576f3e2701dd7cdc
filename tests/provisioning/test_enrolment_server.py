"""The enrolment server as a process: a first boot over HTTPS, and renewal with the certificate that is held (EST)."""

import base64
import http.client
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from agent import durable
from agent.config import parse_config
from agent.tls_renewal import https_ask, renew
from provisioning.authority import cert_book, keys
from provisioning.authority.authority import Authority
from provisioning.authority.certificates import Profile
from provisioning.authority.revocation_list import SUPERSEDED_GRACE
from provisioning.fleet import est
from provisioning.fleet.enrolment import Desk, enrolment_desk
from provisioning.fleet.est import respond
from provisioning.fleet.est_messages import Answered, Asked
from provisioning.fleet.states import State
from tests.provisioning.bench_room import NewDevice, bench, planned
from tests.provisioning.district import Process, eventually, today
from tests.support.broker import free_port

A = "REC-0001"


class Enrolled:
    """REC-0001 after its first boot at `desk`, with its TLS files in a folder."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        desk.inventory.plan(planned(1), today())
        self.device = NewDevice(desk, desk.card(A, today()), today())
        self.answer = self.device.granted(desk.answer(self.device.request(), today()))
        self.folder = durable.make_directory(folder)
        self.keep(self.answer.tls.encode(), self.device.tls)

    def keep(self, chain: bytes, key: object) -> None:
        durable.write_bytes(self.folder / "tls.pem", chain)
        durable.write_bytes(self.folder / "tls.key", keys.private_pem(key), 0o600)  # type: ignore[arg-type]

    @property
    def shown(self) -> bytes:
        leaf = x509.load_pem_x509_certificates((self.folder / "tls.pem").read_bytes())[0]
        return leaf.public_bytes(Encoding.DER)

    def renew(self, desk: Desk, key: object = None, name: str = A, at: timedelta = timedelta()) -> Answered:
        request = keys.signing_request(key or keys.new_key(), name)  # type: ignore[arg-type]
        der = x509.load_pem_x509_csr(request).public_bytes(Encoding.DER)
        return respond(Asked("POST", est.RENEW, base64.encodebytes(der), self.shown), desk, today() + at)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bench(tmp_path / "ca", now=today()) as opened:
        yield opened


def chain_of(answer: Answered) -> list[x509.Certificate]:
    assert answer.status == 200, answer.body.decode()
    return pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer.body))


def test_renewal_keeps_the_name_and_both_certificates_are_good_for_a_while(desk: Desk, tmp_path: Path) -> None:
    held = Enrolled(desk, tmp_path / "d")
    key = keys.new_key()
    leaf = next(it for it in chain_of(held.renew(desk, key)) if it.public_key() == key.public_key())
    assert {a.value for a in leaf.subject} >= {A, "recorder"}
    again = next(it for it in chain_of(held.renew(desk, key)) if it.public_key() == key.public_key())
    assert again == leaf, "an answer that got lost is given again"
    assert [
        it.superseded_at is None for it in desk.authority.register().entries if it.profile is Profile.TLS_CLIENT
    ] == [
        False,
        True,
    ]
    assert held.renew(desk, at=SUPERSEDED_GRACE + timedelta(days=1)).status == 403


def test_renewal_in_another_name_without_certificate_or_after_revocation_is_refused(desk: Desk, tmp_path: Path) -> None:
    held = Enrolled(desk, tmp_path / "d")
    assert held.renew(desk, name="REC-0002").status == 403
    assert respond(Asked("POST", est.RENEW, b"", None), desk, today()).status == 401
    evidence = x509.load_pem_x509_certificates(held.answer.evidence.encode())[0].public_bytes(Encoding.DER)
    request = keys.signing_request(keys.new_key(), A)
    assert respond(Asked("POST", est.RENEW, request, evidence), desk, today()).status == 403
    desk.inventory.move(A, State.LOST, "示例", today())
    assert held.renew(desk).status == 403
    cert_book.revoke(desk.sitting.records, A, "遗失", today(), "示例")
    assert held.renew(desk).status == 403
    assert len([it for it in desk.authority.register().entries if it.profile is Profile.TLS_CLIENT]) == 1


@pytest.mark.parametrize("body", [b"", b"garbage", b"A" * 20_000, base64.b64encode(b"\x30\x03abc")])
def test_what_is_no_request_is_refused(desk: Desk, tmp_path: Path, body: bytes) -> None:
    held = Enrolled(desk, tmp_path / "d")
    assert respond(Asked("POST", est.RENEW, body, held.shown), desk, today()).status in (403, 413)
    assert respond(Asked("GET", "/etc/passwd", b""), desk, today()).status == 404


class Caller:
    """An HTTPS client of the district's root, with a device's certificate or without one."""

    def __init__(self, port: int, root: Path, identity: Path | None = None) -> None:
        context = ssl.create_default_context(cafile=str(root))
        if identity is not None:
            context.load_cert_chain(identity / "tls.pem", identity / "tls.key")
        self.line = http.client.HTTPSConnection("localhost", port, context=context, timeout=60)

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        try:
            self.line.request(method, path, body)
            answer = self.line.getresponse()
            return answer.status, answer.read()
        finally:
            self.line.close()


@contextmanager
def serving(authority: Authority, log: Path) -> Iterator[int]:
    """`liuhen-provision serve` as a process; its port."""
    port = free_port()
    command = [sys.executable, "-m", "provisioning.cli", "serve", "--authority", str(authority.folder)]
    process = Process([*command, "--bind", "127.0.0.1", "--port", str(port)], log)
    process.start()
    try:
        eventually(lambda: "入网服务" in process.text, f"the server says where it is: {process.text}")
        yield port
    finally:
        code = process.end()
    assert code == 0, process.text


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, Authority, Enrolled]]:
    with bench(tmp_path / "ca", now=today()) as desk:
        held, authority = Enrolled(desk, tmp_path / "d"), desk.authority
    with serving(authority, tmp_path / "serve.log") as port:
        yield port, authority, held


def test_device_enrols_and_renews_over_https_and_a_stranger_does_not(
    server: tuple[int, Authority, Enrolled], tmp_path: Path
) -> None:
    port, authority, held = server
    root = authority.folder / "root.pem"
    with enrolment_desk(authority) as desk:
        desk.inventory.plan(planned(2), today())
        device = NewDevice(desk, desk.card("REC-0002", today()), today())
    status, reply = eventually(lambda: Caller(port, root).ask("POST", est.ENROL, device.request()), "an answer")
    assert status == 200
    assert device.granted(reply).device == "REC-0002"
    key = keys.new_key()
    status, body = Caller(port, root, held.folder).ask("POST", est.RENEW, keys.signing_request(key, A))
    assert status == 200
    held.keep(next(c for c in pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
                   if c.public_key() == key.public_key()).public_bytes(Encoding.PEM)
              + (authority.folder / "issuing.pem").read_bytes(), key)  # fmt: skip
    status, body = Caller(port, root, held.folder).ask("POST", est.RENEW, keys.signing_request(keys.new_key(), A))
    assert status == 200, "the renewed certificate renews"
    assert Caller(port, root).ask("POST", est.RENEW, b"")[0] == 401
    for name, content in (("agent.toml", held.answer.files["agent.toml"]), ("root.pem", root.read_text())):
        durable.write_bytes(held.folder / name, content.replace(":8491", f":{port}").encode())
    config = parse_config((held.folder / "agent.toml").read_text(), held.folder)
    before = (held.folder / "tls.pem").read_bytes()
    assert renew(config, today(), https_ask(config), lambda _, __: None, force=True).changed
    assert (held.folder / "tls.pem").read_bytes() != before
    assert (
        len(pkcs7.load_der_pkcs7_certificates(base64.b64decode(Caller(port, root).ask("GET", est.CA_CERTIFICATES)[1])))
        == 2
    )
    crl = x509.load_pem_x509_crl(Caller(port, root).ask("GET", est.CRL)[1])
    assert crl.issuer.rfc4514_string().startswith("CN=Liuhen xinghe Issuing CA")
    with bench(tmp_path / "foreign", now=today()) as foreign:
        stranger = Enrolled(foreign, tmp_path / "s")
    with pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
        Caller(port, root, stranger.folder).ask("POST", est.RENEW, b"")
