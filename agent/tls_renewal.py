"""The device's next TLS certificate, before the one it has is over: asked for, tried, and only then put in its place.

    due? -> tls.key.new -> request -> tls.pem.new -> TLS with the broker by the new pair -> swap -> next connection

The live session is left alone: it goes on with the certificate it began with, and the next connection takes the new
one (`MqttLink.connect`). A pair that the broker does not accept is thrown away and the old one stays. A power cut
between the two renames of a swap is finished by `finish_swap`, which whoever reads the pair calls first.
"""

import base64
import http.client
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from agent import durable
from agent.config import AgentConfig, BrokerConfig
from agent.device_keys import checked_chain, finish_swap, own_key, renewed_name, signing_request
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.firstboot import FLOOR
from agent.key_files import read_certificates
from agent.tls import client_context
from agent.wire import canonical
from agent.wire.envelope import MAX_TRUST_LIST_BYTES

RENEW_PATH = "/.well-known/est/simplereenroll"  # RFC 7030 section 4.2.2
ACCEPTED_PATH = "/liuhen/accepted"  # ours: the acceptance, once there is one
TRUST_PATH = "/liuhen/trust"  # ours
DUE_PATH = "/liuhen/due"  # ours: whether the bench ordered a new key
TIMEOUT_S = 20.0  # ours: a poor mobile network
MAX_ANSWER = 64 * 1024
SETTLE_S = 2.0  # ours; with TLS 1.3 a refused certificate shows at the first read
Ask = Callable[[bytes], bytes]
"""A PKCS#10 request (PEM) in, certificates (PKCS#7 in base64, RFC 7030) out; raises as `https_ask`."""
Probe = Callable[[Path, Path], None]
"""Tries a chain and its key; raises `EnvironmentFault` when the broker does not take them."""


@dataclass(frozen=True)
class Renewed:
    """How it went: `changed` is False while nothing was due; `until` is when the certificate in place is over."""

    changed: bool
    until: datetime


def renew(config: AgentConfig, now: datetime, ask: Ask, probe: Probe, *, force: bool = False) -> Renewed:
    """Take the next certificate into use when the one there is has lived two thirds of its life, or with `force`.

    Raises `EnvironmentFault` when nobody could be asked or the broker refused the new pair, `SenderFault` for an answer
    that is not for this device, `OperatorFault` while the clock is before the floor; the old pair stays in each case.
    """
    broker = config.broker
    finish_swap(broker.certificate, broker.key)
    held, issuing = _held(broker)
    _checked_clock(config, held, now)
    if not force and now < due_at(held):
        return Renewed(False, held.not_valid_after_utc)
    new_key, new_chain = renewed_name(broker.key), renewed_name(broker.certificate)
    key = own_key(new_key)
    leaf = _taken(ask(signing_request(key, config.device).encode()), key, config.device, issuing)
    if leaf.not_valid_after_utc <= now:
        raise SenderFault("续期答复中的证书已过期，已拒绝，仍用现有证书。请核对本机与机构的时钟。", "expired")
    pem = leaf.public_bytes(Encoding.PEM) + issuing.public_bytes(Encoding.PEM)
    durable.write_bytes(new_chain, pem)
    try:
        probe(new_chain, new_key)
    except EnvironmentFault:
        for path in (new_chain, new_key):
            durable.remove(path)
        raise
    durable.move(new_chain, broker.certificate)
    durable.move(new_key, broker.key)
    return Renewed(True, leaf.not_valid_after_utc)


def due_at(certificate: x509.Certificate) -> datetime:
    """When two thirds of the certificate's life are over (reference: provisioning, section 5)."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begin + (end - begin) * 2 / 3


def renewal_line(config: AgentConfig) -> http.client.HTTPSConnection:
    """A connection to the server that `[identity] renewal` names, showing the certificate there is."""
    url = urlsplit(config.identity.renewal)
    if url.scheme != "https" or not url.hostname:
        raise OperatorFault('配置中没有续期服务器。请在 [identity] 写明 renewal = "https://主机:端口"。')
    context = ssl.create_default_context(cafile=str(config.identity.root))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.broker.certificate, config.broker.key)
    return http.client.HTTPSConnection(str(url.hostname), url.port or 443, timeout=TIMEOUT_S, context=context)


def https_ask(config: AgentConfig) -> Ask:
    """Ask the EST server that `[identity] renewal` names, showing the certificate there is."""

    def ask(request: bytes) -> bytes:
        der = base64.encodebytes(x509.load_pem_x509_csr(request).public_bytes(Encoding.DER))
        headers = {"Content-Type": "application/pkcs10", "Content-Transfer-Encoding": "base64"}
        status, body = _asked(config, "POST", RENEW_PATH, der, headers)
        if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            raise SenderFault(f"续期被拒绝：{body.decode(errors='replace').strip()[:200]}", "refused")
        if status != http.HTTPStatus.OK:
            raise EnvironmentFault(f"续期服务器暂时不能答复（{status}）。仍用现有证书，稍后再试。")
        return body

    return ask


def is_ordered(config: AgentConfig) -> bool:
    """Whether the bench ordered a new key for this device; a server that does not know the question ordered none."""
    return _asked(config, "GET", DUE_PATH, None, {})[0] == http.HTTPStatus.OK


def fetch_acceptance(config: AgentConfig) -> bytes | None:
    """The authority's word that this device is accepted, not yet verified; None while it is not."""
    status, body = _asked(config, "GET", ACCEPTED_PATH, None, {})
    return body if status == http.HTTPStatus.OK else None


def fetch_trust(config: AgentConfig) -> bytes | None:
    """The authority's trust list, not yet verified; None from a server that has none."""
    status, body = _asked(config, "GET", TRUST_PATH, None, {}, MAX_TRUST_LIST_BYTES + 1)
    return body if status == http.HTTPStatus.OK else None


def _asked(
    config: AgentConfig, method: str, path: str, body: bytes | None, headers: dict[str, str], limit: int = MAX_ANSWER
) -> tuple[int, bytes]:
    line = renewal_line(config)
    try:
        line.request(method, path, body, headers)
        answer = line.getresponse()
        return answer.status, answer.read(limit)
    except (OSError, http.client.HTTPException) as error:
        raise EnvironmentFault(f"连不上续期服务器（{error}）。仍用现有证书，稍后再试。") from error
    finally:
        line.close()


def broker_probe(broker: BrokerConfig) -> Probe:
    """Try a pair by TLS alone with the broker: no CONNECT is sent, so the live session is not touched."""

    def probe(chain: Path, key: Path) -> None:
        context = client_context(broker.server_name, broker.ca, chain, key)
        try:
            with (
                socket.create_connection((broker.host, broker.port), TIMEOUT_S) as plain,
                context.wrap_socket(plain) as line,
            ):
                line.settimeout(SETTLE_S)
                if line.recv(1) == b"":
                    raise ConnectionResetError("closed")
        except TimeoutError:
            return  # it waits for our CONNECT: the certificate was accepted
        except OSError as error:
            raise EnvironmentFault(f"消息服务器不接受新证书（{error}）。已弃用新证书，仍用现有证书。") from error

    return probe


def _held(broker: BrokerConfig) -> tuple[x509.Certificate, x509.Certificate]:
    chain = read_certificates(broker.certificate)
    if len(chain) < 2:
        raise OperatorFault(f"{broker.certificate} 中没有签发机构的证书。请重新入网。")
    return chain[0], chain[1]


def _checked_clock(config: AgentConfig, held: x509.Certificate, now: datetime) -> None:
    """A clock that is before what is surely past cannot say what is due or over."""
    path = config.broker.certificate.parent / FLOOR
    floor = held.not_valid_before_utc
    if path.exists():
        floor = max(floor, canonical.parse_timestamp(path.read_text(encoding="ascii")))
    if now < floor - timedelta(minutes=5):
        raise OperatorFault(f"本机时钟（{now:%Y-%m-%d %H:%M}）早于 {floor:%Y-%m-%d}，未续期，现有证书照用。请校时。")


def _taken(answer: bytes, key: ec.EllipticCurvePrivateKey, device: str, issuing: x509.Certificate) -> x509.Certificate:
    try:
        found = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SenderFault("续期答复无法读取，已拒绝，仍用现有证书。请稍后再试。", "malformed") from error
    for certificate in found:
        if certificate.public_key() == key.public_key():
            pem = certificate.public_bytes(Encoding.PEM).decode()
            return checked_chain(pem, key, device, issuing)
    raise SenderFault("续期答复中没有给本机这把密钥的证书，已拒绝，仍用现有证书。", "other-request")
