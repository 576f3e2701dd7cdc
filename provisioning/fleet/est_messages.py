"""What EST asks and answers, in the forms of RFC 7030: PKCS#10 and certs-only PKCS#7, both DER in base64."""

import base64
import binascii
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from agent.errors import SenderFault
from provisioning.authority.certificates import UNREADABLE

PKCS10 = "application/pkcs10"  # section 4.2.1
PKCS7 = "application/pkcs7-mime; smime-type=certs-only"  # sections 4.1.3 and 4.2.3
CHALLENGE = 'Basic realm="liuhen", charset="UTF-8"'  # section 3.2.3, RFC 7617


@dataclass(frozen=True)
class Asked:
    """A request; `peer` is the client's certificate (DER), already verified against our root by TLS, or None; `kind`
    the media type without parameters, "" when none was told; `authorization` that header, or ""."""

    method: str
    path: str
    body: bytes
    peer: bytes | None = None
    kind: str = ""
    authorization: str = ""


@dataclass(frozen=True)
class Answered:
    """The answer; `encoding` is the Content-Transfer-Encoding of RFC 7030, `challenge` the WWW-Authenticate of a 401,
    each "" for none."""

    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    encoding: str = ""
    challenge: str = ""


def pkcs10(body: bytes) -> bytes:
    """A PKCS#10 request in base64 (section 4.2.1) or PEM, as PEM; raises `SenderFault`."""
    if body.startswith(b"-----BEGIN"):
        return body
    try:
        der = base64.b64decode(body, validate=False)
        return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM)
    except UNREADABLE as error:
        raise SenderFault("证书请求无法读取，请在设备上重新生成。") from error


def certificates(found: list[x509.Certificate]) -> Answered:
    """The certificates as a certs-only answer; to an enrolment it is the issued one alone (section 4.2.3)."""
    return Answered(200, base64.encodebytes(pkcs7.serialize_certificates(found, Encoding.DER)), PKCS7, "base64")


def basic(authorization: str) -> tuple[str, str] | None:
    """Name and password of HTTP Basic (RFC 7617); None when there are none."""
    scheme, _, said = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, separator, password = base64.b64decode(said, validate=True).decode("utf-8").partition(":")
    except (ValueError, binascii.Error):
        return None
    return (name, password) if separator else None
