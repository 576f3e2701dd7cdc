"""A time-stamping authority made of `openssl ts`, offline or on loopback; its clock may be set back with faketime."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAME = "Liuhen bench TSA"
CONFIGURATION = """[tsa]
default_tsa = bench
[bench]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True)
class Tsa:
    """The authority in `folder`; `root` is what its tokens are verified with."""

    folder: Path
    root: x509.Certificate

    @property
    def root_pem(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)

    @property
    def root_file(self) -> Path:
        return self.folder / "tsa-root.pem"

    def command(self, hours_ago: int = 0) -> list[str]:
        """What turns a request on standard input into a response on standard output."""
        reply = ["openssl", "ts", "-reply", "-config", str(self.folder / "tsa.cnf"), "-queryfile", "/dev/stdin"]
        if not hours_ago:
            return reply
        if shutil.which("faketime") is None:
            pytest.skip("faketime is not installed")
        return ["faketime", f"{hours_ago} hours ago", *reply]

    def answer(self, request: bytes, hours_ago: int = 0) -> bytes:
        done = subprocess.run(self.command(hours_ago), input=request, capture_output=True, check=True, timeout=60)
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its address on loopback, while the context lasts."""
        answer = self.answer

        class Desk(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                reply = answer(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}/"
            finally:
                server.shutdown()
                thread.join()


def make_tsa(
    folder: Path,
    *,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING,
    days: int = 300,
    chain: bool = False,
) -> Tsa:
    """A fresh authority; `usage` is what its certificate is for, `days` from now it ends. With `chain` it sends its
    root along, in the order in which openssl writes them."""
    folder.mkdir(exist_ok=True)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{NAME} Root")])
    root = _certificate(name, root_key.public_key(), name, ca=True)
    root_certificate = _signed(root, root_key, root_key.public_key())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bench"), x509.NameAttribute(NameOID.COMMON_NAME, NAME)]
    )
    leaf = _certificate(subject, key.public_key(), name, ca=False, days=days)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
    (folder / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "tsa.pem").write_bytes(_signed(leaf, root_key, root_key.public_key()).public_bytes(Encoding.PEM))
    (folder / "tsa-root.pem").write_bytes(root_certificate.public_bytes(Encoding.PEM))
    (folder / "serial").write_text("01\n")
    sent = f"certs = {folder}/tsa-root.pem\n" if chain else ""
    (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder) + sent)
    return Tsa(folder, root_certificate)


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name, *, ca: bool, days: int = 300
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), critical=True)
    )


def _signed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePublicKey
) -> x509.Certificate:
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer)
    return builder.add_extension(authority, critical=False).sign(key, hashes.SHA256())
