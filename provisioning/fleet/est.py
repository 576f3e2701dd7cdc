"""Enrolment over secure transport (RFC 7030), so that another EST server (a district's own, or step-ca behind one) can
stand in for ours and ours for another.

    GET  /.well-known/est/cacerts                 the root and the issuing CA                       RFC 7030, 4.1
    GET  /.well-known/est/csrattrs                nothing is asked of a request                     4.5
    POST /.well-known/est/simpleenroll            the first TLS certificate, by a card's token      4.2.1, `est_first`
    POST /.well-known/est/evidence/simpleenroll   the evidence certificate that goes with it        3.2.2, likewise
    POST /.well-known/est/simplereenroll          the next TLS certificate of whoever the           4.2.2
                                                  connection's certificate names
    POST /liuhen/enrol                            a first boot, see `agent.wire.enrolment`: a card's proof
    POST /liuhen/rotate                           the next evidence key, see `agent.wire.rotation`
    GET  /liuhen/due                              whether the bench ordered a new TLS key: 200 or 204
    GET  /liuhen/accepted                         the authority's word of acceptance: 200, or 204 before it
    GET  /liuhen/trust                            the trust list, as the root signed it
    GET  /liuhen/crl                              the revocation list in force

Requests and answers are bytes; the server around it terminates TLS and says whose certificate the client showed.
"""

from collections.abc import Callable
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from agent.errors import LiuhenFault, OperatorFault, SenderFault
from agent.wire.canonical import timestamp
from agent.wire.enrolment import MAX_REQUEST_BYTES
from agent.wire.signing import certificate_key, key_id_of, load_certificate, load_pem_certificates
from provisioning.authority import cert_book
from provisioning.authority.certificates import Profile, checked_request
from provisioning.authority.revocation_list import SUPERSEDED_GRACE, current_list
from provisioning.fleet import est_first, life, rotation
from provisioning.fleet.enrolment import GONE, Desk
from provisioning.fleet.est_messages import PKCS10, Answered, Asked, certificates, pkcs10

ENROL, CRL, ROTATE, DUE = "/liuhen/enrol", "/liuhen/crl", "/liuhen/rotate", "/liuhen/due"
ACCEPTED, TRUST = "/liuhen/accepted", "/liuhen/trust"
EST = "/.well-known/est"
CA_CERTIFICATES, RENEW, ATTRIBUTES = f"{EST}/cacerts", f"{EST}/simplereenroll", f"{EST}/csrattrs"
FIRST, FIRST_EVIDENCE = f"{EST}/simpleenroll", f"{EST}/evidence/simpleenroll"


def respond(asked: Asked, desk: Desk, now: datetime) -> Answered:
    """The answer to one request; never raises for what came from outside."""
    answers: dict[tuple[str, str], Callable[[Asked, Desk, datetime], Answered]] = {
        ("POST", ENROL): _enrol,
        ("POST", RENEW): _renew,
        ("POST", ROTATE): _rotate,
        ("GET", DUE): _due,
        ("GET", ACCEPTED): _accepted,
        ("POST", FIRST): est_first.tls,
        ("POST", FIRST_EVIDENCE): _first_evidence,
        ("GET", CA_CERTIFICATES): _authorities,
        ("GET", ATTRIBUTES): lambda *_: Answered(204, b""),
        ("GET", CRL): _list,
        ("GET", TRUST): _trust,
    }
    found = answers.get((asked.method, asked.path))
    if found is None:
        return Answered(404, "没有这个地址。\n".encode())
    if len(asked.body) > MAX_REQUEST_BYTES:
        return Answered(413, "申请过大，已拒绝。\n".encode())
    if asked.method == "POST" and asked.path.startswith(EST) and asked.kind not in ("", PKCS10):
        return Answered(415, f"内容类型须为 {PKCS10}（RFC 7030）。\n".encode())
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
    return certificates([issuing, root])


def _list(_: Asked, desk: Desk, now: datetime) -> Answered:
    return Answered(200, current_list(desk.sitting, now).pem, "application/x-pem-file")


def _trust(_: Asked, desk: Desk, __: datetime) -> Answered:
    return Answered(200, desk.authority.trust_bytes, "application/json")


def _renew(asked: Asked, desk: Desk, now: datetime) -> Answered:
    """RFC 7030 section 4.2.2: the subject stays that of the certificate that the client showed."""
    if asked.peer is None:
        return Answered(401, "续期须出示现有的连接证书。\n".encode())
    shown = load_certificate(asked.peer)
    subject, role = _bearer(shown, desk, now)
    request = pkcs10(asked.body)
    _refuse_copy(shown, checked_request(request, subject), subject, desk)
    chain = desk.sitting.renew(request, subject, role, now)
    desk.inventory.note("certificate-renewed", subject, {"at": timestamp(now)}, now)
    return certificates(load_pem_certificates(chain)[:1])


def _rotate(asked: Asked, desk: Desk, now: datetime) -> Answered:
    return Answered(200, rotation.reply_to(desk, asked.body, now), "application/json")


def _due(asked: Asked, desk: Desk, now: datetime) -> Answered:
    if asked.peer is None:
        return Answered(401, "须出示现有的连接证书。\n".encode())
    subject, _ = _bearer(load_certificate(asked.peer), desk, now)
    return Answered(200, b"tls\n") if rotation.is_ordered(desk.inventory, subject) else Answered(204, b"")


def _accepted(asked: Asked, desk: Desk, now: datetime) -> Answered:
    if asked.peer is None:
        return Answered(401, "须出示现有的连接证书。\n".encode())
    subject, _ = _bearer(load_certificate(asked.peer), desk, now)
    word = life.accepted_word(life.Bench(desk.authority, desk.sitting, desk.inventory), subject)
    return Answered(204, b"") if word is None else Answered(200, word, "application/json")


def _first_evidence(asked: Asked, desk: Desk, now: datetime) -> Answered:
    if asked.peer is None:
        return Answered(401, "申请证据证书须出示本机的连接证书。\n".encode())
    subject, _ = _bearer(load_certificate(asked.peer), desk, now)
    return est_first.evidence(asked, desk, subject, now)


def _refuse_copy(shown: x509.Certificate, wanted: ec.EllipticCurvePublicKey, subject: str, desk: Desk) -> None:
    """Raise `SenderFault` when somebody with a superseded certificate wants one for a key of his own although the next
    one is in use: he has a copy of the old key. Who lost our answer has the new one in use nowhere, or asks for it."""
    live = cert_book.live(desk.sitting.records, subject, Profile.TLS_CLIENT)
    if live is None or live.certificate == shown or key_id_of(wanted) == live.key_id:
        return
    if cert_book.was_shown(desk.sitting.records, live.key_id):
        raise SenderFault("出示的证书已换发，新证书已在使用，不再凭旧证书发证。若旧密钥可能被复制，请吊销后重新入网。")


def _bearer(shown: x509.Certificate, desk: Desk, now: datetime) -> tuple[str, str]:
    """Whose certificate was shown, and in which role; it must be one that we gave and have not taken back."""
    held = cert_book.by_key(desk.sitting.records, key_id_of(certificate_key(shown)))
    if held is None or held.profile is not Profile.TLS_CLIENT or held.certificate != shown:
        raise SenderFault("出示的证书不是本机构发的连接证书，已拒绝。请重新入网。")
    if held.revoked_at is not None:
        raise SenderFault("出示的证书已被吊销，已拒绝。请向发证机构查明原因。")
    if held.superseded_at is not None and now > held.superseded_at + SUPERSEDED_GRACE:
        raise SenderFault("出示的证书早已换发，已拒绝。请用新证书，或重新入网。")
    if held.superseded_at is None:
        cert_book.note_shown(desk.sitting.records, held.key_id, now)
    device = desk.inventory.find(held.subject)
    if device is not None and device.state in GONE:
        raise SenderFault(f"{held.subject} 已停用，不能续期。请向发证机构查明原因。")
    return held.subject, held.role
