"""Enrolment over secure transport (RFC 7030), as much of it as a renewal needs, so that another EST server (a
district's own, or step-ca behind one) can stand in for ours and ours for another.

    GET  /.well-known/est/cacerts          the root and the issuing CA           RFC 7030 section 4.1
    POST /.well-known/est/simplereenroll   the next TLS certificate of whoever   section 4.2.2
                                           the connection's certificate names
    POST /liuhen/enrol                     a first boot, see `agent.wire.enrolment`: a card's proof, no password
    GET  /liuhen/crl                       the revocation list in force

Requests and answers are bytes; the server around it terminates TLS and says whose certificate the client showed.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from agent.errors import LiuhenFault, OperatorFault, SenderFault
from agent.wire.canonical import timestamp
from agent.wire.enrolment import MAX_REQUEST_BYTES
from agent.wire.signing import certificate_key, key_id_of, load_certificate, load_pem_certificates
from provisioning.authority import cert_book
from provisioning.authority.certificates import Profile
from provisioning.authority.revocation_list import SUPERSEDED_GRACE, current_list
from provisioning.fleet.enrolment import Desk
from provisioning.fleet.states import State

ENROL, CRL = "/liuhen/enrol", "/liuhen/crl"
CA_CERTIFICATES, RENEW = "/.well-known/est/cacerts", "/.well-known/est/simplereenroll"
PKCS7 = "application/pkcs7-mime; smime-type=certs-only"
_GONE = (State.LOST, State.REVOKED, State.DECOMMISSIONED)


@dataclass(frozen=True)
class Asked:
    """A request; `peer` is the client's certificate (DER), already verified against our root by TLS, or None."""

    method: str
    path: str
    body: bytes
    peer: bytes | None = None


@dataclass(frozen=True)
class Answered:
    """The answer; `encoding` is the Content-Transfer-Encoding of RFC 7030, or ""."""

    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    encoding: str = ""


def respond(asked: Asked, desk: Desk, now: datetime) -> Answered:
    """The answer to one request; never raises for what came from outside."""
    answers: dict[tuple[str, str], Callable[[Asked, Desk, datetime], Answered]] = {
        ("POST", ENROL): _enrol,
        ("POST", RENEW): _renew,
        ("GET", CA_CERTIFICATES): _authorities,
        ("GET", CRL): _list,
    }
    found = answers.get((asked.method, asked.path))
    if found is None:
        return Answered(404, "没有这个地址。\n".encode())
    if len(asked.body) > MAX_REQUEST_BYTES:
        return Answered(413, "申请过大，已拒绝。\n".encode())
    try:
        return found(asked, desk, now)
    except (SenderFault, OperatorFault) as fault:
        return Answered(403, f"{fault}\n".encode())
    except LiuhenFault as fault:
        return Answered(503, f"{fault}\n".encode())


def _enrol(asked: Asked, desk: Desk, now: datetime) -> Answered:
    return Answered(200, desk.answer(asked.body, now), "application/json")


def _authorities(_: Asked, desk: Desk, __: datetime) -> Answered:
    root, issuing = (load_pem_certificates(pem)[0] for pem in desk.certificates)
    return _certificates([issuing, root])


def _list(_: Asked, desk: Desk, now: datetime) -> Answered:
    return Answered(200, current_list(desk.sitting, now).pem, "application/x-pem-file")


def _renew(asked: Asked, desk: Desk, now: datetime) -> Answered:
    """RFC 7030 section 4.2.2: the subject stays that of the certificate that the client showed."""
    if asked.peer is None:
        return Answered(401, "续期须出示现有的连接证书。\n".encode())
    subject, role = _bearer(load_certificate(asked.peer), desk, now)
    chain = desk.sitting.renew(_request(asked.body), subject, role, now)
    desk.inventory.note("certificate-renewed", subject, {"at": timestamp(now)}, now)
    return _certificates(load_pem_certificates(chain))


def _bearer(shown: x509.Certificate, desk: Desk, now: datetime) -> tuple[str, str]:
    """Whose certificate was shown, and in which role; it must be one that we gave and have not taken back."""
    held = cert_book.by_key(desk.sitting.records, key_id_of(certificate_key(shown)))
    if held is None or held.profile is not Profile.TLS_CLIENT or held.certificate != shown:
        raise SenderFault("出示的证书不是本机构发的连接证书，已拒绝。请重新入网。")
    if held.revoked_at is not None:
        raise SenderFault("出示的证书已被吊销，已拒绝。请向发证机构查明原因。")
    if held.superseded_at is not None and now > held.superseded_at + SUPERSEDED_GRACE:
        raise SenderFault("出示的证书早已换发，已拒绝。请用新证书，或重新入网。")
    device = desk.inventory.find(held.subject)
    if device is not None and device.state in _GONE:
        raise SenderFault(f"{held.subject} 已停用，不能续期。请向发证机构查明原因。")
    return held.subject, held.role


def _request(body: bytes) -> bytes:
    """PKCS#10 in base64 (RFC 7030 section 4.2.1), or PEM, as PEM."""
    if body.startswith(b"-----BEGIN"):
        return body
    try:
        der = base64.b64decode(body, validate=False)
        return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM)
    except (ValueError, TypeError, binascii.Error, InvalidSignature) as error:
        raise SenderFault("证书请求无法读取，请在设备上重新生成。") from error


def _certificates(found: list[x509.Certificate]) -> Answered:
    der = pkcs7.serialize_certificates(found, Encoding.DER)
    return Answered(200, base64.encodebytes(der), PKCS7, "base64")
