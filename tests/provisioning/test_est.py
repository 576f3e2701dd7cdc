"""EST as RFC 7030 has it: a client that is not ours (openssl and curl) at our server, and our device at a server that
is not ours (openssl behind http.server)."""

import base64
import http.server
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from agent import durable
from agent.tls_renewal import https_ask, renew
from agent.wire.card_bundle import bound_token
from provisioning.authority import keys
from provisioning.authority.authority import Authority
from provisioning.authority.certificates import Profile
from provisioning.fleet import est
from provisioning.fleet.enrolment import Desk, enrolment_desk
from provisioning.fleet.enrolment_server import server_identity
from provisioning.fleet.est import respond
from provisioning.fleet.est_messages import PKCS10, Answered, Asked
from provisioning.fleet.states import State
from tests.provisioning.bench_room import NewDevice, bench, planned, serial
from tests.provisioning.district import today
from tests.provisioning.test_enrolment_server import serving
from tests.provisioning.test_rotation import InUse
from tests.support.broker import free_port

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
A = "REC-0001"
NEW_KEY = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def run(*words: object, given: bytes | None = None) -> bytes:
    return subprocess.run(list(map(str, words)), input=given, check=True, capture_output=True).stdout


class Stranger:
    """An EST client of openssl and curl, with a name and a password; its files are in `folder`."""

    def __init__(self, folder: Path, port: int, root: Path, password: str) -> None:
        self.folder, self.root, self.url = durable.make_directory(folder), root, f"https://localhost:{port}{est.EST}"
        durable.write_bytes(folder / "who", f'user = "{A}:{password}"\n'.encode(), durable.PRIVATE)

    def request(self, name: str) -> None:
        """RFC 7030 section 4.2.1: PKCS#10, DER, base64."""
        key, der = self.folder / f"{name}.key", self.folder / f"{name}.der"
        run(
            "openssl",
            "req",
            "-new",
            "-newkey",
            *NEW_KEY,
            "-keyout",
            key,
            "-subj",
            f"/CN={A}",
            "-outform",
            "DER",
            "-out",
            der,
        )
        run("openssl", "base64", "-in", der, "-out", self.folder / f"{name}.b64")

    def curl(self, path: str, *words: object) -> tuple[int, dict[str, str], bytes]:
        head, body = self.folder / "head", self.folder / "body"
        status = run(
            "curl", "-sS", "--cacert", self.root, "-D", head, "-o", body, "-w", "%{http_code}", *words, self.url + path
        )
        lines = [line.partition(":") for line in head.read_text().splitlines()]
        return (
            int(status),
            {name.lower(): said.strip() for name, _, said in lines},
            body.read_bytes() if body.exists() else b"",
        )

    def post(self, path: str, name: str, *words: object) -> tuple[int, dict[str, str], bytes]:
        kind = ("-H", f"Content-Type: {PKCS10}", "-H", "Content-Transfer-Encoding: base64")
        return self.curl(path, *kind, "--data-binary", f"@{self.folder / name}.b64", *words)

    def take(self, answer: tuple[int, dict[str, str], bytes], name: str) -> Path:
        """The certificates of an answer, as RFC 7030 section 4.2.3 has it: certs-only PKCS#7, base64."""
        status, head, body = answer
        assert (status, head["content-type"]) == (200, "application/pkcs7-mime; smime-type=certs-only"), body
        assert head["content-transfer-encoding"] == "base64"
        der, pem = run("openssl", "base64", "-d", given=body), self.folder / f"{name}.pem"
        pem.write_bytes(run("openssl", "pkcs7", "-inform", "DER", "-print_certs", given=der))
        return pem

    def shown(self, name: str) -> tuple[object, ...]:
        return "--cert", self.folder / f"{name}.pem", "--key", self.folder / f"{name}.key"


@needs_curl
def test_a_client_that_is_not_ours_enrols_twice_and_renews(tmp_path: Path) -> None:
    with bench(tmp_path / "ca", now=today()) as desk:
        desk.inventory.plan(planned(1), today())
        token, authority = NewDevice(desk, desk.card(A, today()), today()).card.token, desk.authority
    with serving(authority, tmp_path / "serve.log") as port:
        client = Stranger(tmp_path / "c", port, authority.folder / "root.pem", bound_token(token, A, serial(1)).hex())
        for name in ("tls", "evidence", "next", "other"):
            client.request(name)
        assert client.curl("/csrattrs")[0] == 204
        chain = client.take(client.curl("/cacerts"), "ca")
        assert len(x509.load_pem_x509_certificates(chain.read_bytes())) == 2
        status, head, _ = client.post("/simpleenroll", "tls")
        assert (status, head["www-authenticate"].startswith("Basic")) == (401, True)
        client.take(client.post("/simpleenroll", "tls", "-K", client.folder / "who"), "tls")
        client.take(client.post("/simpleenroll", "tls", "-K", client.folder / "who"), "tls")  # the answer got lost
        assert client.post("/simpleenroll", "other", "-K", client.folder / "who")[0] == 403
        leaf = client.take(client.post("/evidence/simpleenroll", "evidence", *client.shown("tls")), "evidence")
        run("openssl", "verify", "-CAfile", authority.folder / "root.pem", "-untrusted", chain, leaf)
        assert client.post("/evidence/simpleenroll", "other", *client.shown("tls"))[0] == 403, "it has one"
        client.take(client.post("/simplereenroll", "next", *client.shown("tls")), "next")
        assert (
            client.post("/simplereenroll", "other", *client.shown("next"), "-H", "Content-Type: text/plain")[0] == 415
        )
    with enrolment_desk(authority) as desk:
        assert desk.inventory.device(A).state is State.ENROLLED
    profiles = [it.profile for it in authority.register().entries if it.subject == A]
    assert profiles == [Profile.TLS_CLIENT, Profile.EVIDENCE, Profile.TLS_CLIENT]
    assert [it.subject for it in authority.trust().credentials.values()] == [A]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bench(tmp_path / "ca", now=today()) as opened:
        yield opened


@pytest.mark.parametrize(
    "said", ["", "Bearer x", "Basic !", "Basic " + base64.b64encode(b"no colon").decode(), "REC-0002", "empty", "wrong"]
)
def test_a_first_enrolment_without_its_own_token_is_challenged(desk: Desk, said: str) -> None:
    desk.inventory.plan(planned(1), today())
    token = NewDevice(desk, desk.card(A, today()), today()).card.token
    shown = {
        "REC-0002": f"REC-0002:{bound_token(token, A, serial(1)).hex()}",
        "empty": f"{A}:",
        "wrong": f"{A}:{token}",
    }
    header = f"Basic {base64.b64encode(shown[said].encode()).decode()}" if said in shown else said
    request = keys.signing_request(keys.new_key(), A)
    answer = respond(Asked("POST", est.FIRST, request, None, PKCS10, header), desk, today())
    assert (answer.status, bool(answer.challenge)) == (401, True)
    assert desk.authority.register().entries == ()


class ForeignServer(http.server.BaseHTTPRequestHandler):
    """An EST server out of openssl and RFC 7030 section 4.2, for one renewal."""

    folder: Path

    def do_POST(self) -> None:
        assert (self.path, self.headers["Content-Type"]) == ("/.well-known/est/simplereenroll", "application/pkcs10")
        place = self.folder
        body = self.rfile.read(int(self.headers["Content-Length"]))
        (place / "csr.der").write_bytes(run("openssl", "base64", "-d", given=body))
        (place / "ext").write_text("extendedKeyUsage=clientAuth\n")
        run("openssl", "x509", "-req", "-inform", "DER", "-in", place / "csr.der", "-CA", place / "issuing.pem",
            "-CAkey", place / "issuing.key", "-days", "90", "-extfile", place / "ext",
            "-out", place / "leaf.pem")  # fmt: skip
        der = run("openssl", "crl2pkcs7", "-nocrl", "-certfile", place / "leaf.pem", "-outform", "DER")
        answer = run("openssl", "base64", given=der)
        self.send_response(200)
        self.send_header("Content-Type", "application/pkcs7-mime; smime-type=certs-only")
        self.send_header("Content-Transfer-Encoding", "base64")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@contextmanager
def foreign(authority: Authority) -> Iterator[int]:
    identity = server_identity(authority, ("localhost",), today())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.chain, identity.key)
    context.load_verify_locations(identity.root)
    context.verify_mode = ssl.CERT_REQUIRED
    kind = type("Server", (ForeignServer,), {"folder": authority.folder})
    server = http.server.HTTPServer(("127.0.0.1", free_port()), kind)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown(), thread.join(), server.server_close()


def test_our_device_renews_at_an_est_server_that_is_not_ours(desk: Desk, tmp_path: Path) -> None:
    device = InUse(desk, tmp_path / "device")
    before = (device.folder / "tls.pem").read_bytes()
    with foreign(desk.authority) as port:
        text = (device.folder / "agent.toml").read_text().replace("127.0.0.1:8491", f"localhost:{port}")
        durable.write_bytes(device.folder / "agent.toml", text.encode())
        assert renew(device.config, today(), https_ask(device.config), lambda *_: None, force=True).changed
    assert (device.folder / "tls.pem").read_bytes() != before


def test_what_our_server_answers_has_no_body_where_there_is_none() -> None:
    assert respond(Asked("GET", est.ATTRIBUTES, b""), None, today()) == Answered(204, b"")  # type: ignore[arg-type]
