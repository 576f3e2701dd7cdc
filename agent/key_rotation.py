"""The device's next evidence key: made here, asked for with the one there is, and put in its place in two renames.

    evidence.key.new -> rotation.dsse (the request, sent again as it is) -> reply -> trust list -> evidence.pem, .key

The agent must not run and no recording be open: a segment that one key certified is not to be sealed by another. A
power cut between the two renames is finished by whoever opens the key next (`agent.app.own_signer`).
"""

import http.client
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from agent import durable
from agent.adapters.snapshot import read_snapshot
from agent.adapters.state_lock import is_held
from agent.app import own_signer
from agent.config import DATABASE, AgentConfig
from agent.device_keys import checked_chain, finish_swap, own_key, renewed_name, signing_request
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.key_files import read_certificates
from agent.key_places import KeyFile
from agent.stick import read_plain
from agent.tls_renewal import renewal_line
from agent.wire.enrolment import MAX_REPLY_BYTES, parse_reply
from agent.wire.envelope import MAX_ENVELOPE_BYTES, open_trust_list, parse_envelope, seal
from agent.wire.rotation import ROTATION_REQUEST_TYPE, RotationRequest, open_rotated, parse_rotation_request
from agent.wire.signing import certificate_key, key_id_of

REQUEST, ROTATE_PATH = "rotation.dsse", "/liuhen/rotate"
ASK_AGAIN = timedelta(days=1)  # ours: the authority takes requests of the last two days
Ask = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Rotated:
    """The new evidence certificate is in place until `until`; its key is named `key`."""

    key: str
    until: datetime


def rotation_request(config: AgentConfig, hardware: str, now: datetime) -> bytes:
    """The request, made once and kept; raises `OperatorFault` while the agent runs, a recording is open, or where the
    key is in no file of ours."""
    key = _key(config)
    _idle(config)
    _finished(config)
    kept = _kept(config)
    if kept is not None and abs(now - parse_rotation_request(parse_envelope(kept).payload).made_at) < ASK_AGAIN:
        return kept
    asked = signing_request(own_key(renewed_name(key)), config.device)
    word = RotationRequest(config.device, hardware, asked, now)
    sealed = seal(ROTATION_REQUEST_TYPE, word.encode(), [own_signer(config)])
    durable.write_bytes(_place(config), sealed, durable.PRIVATE)
    return sealed


def install(config: AgentConfig, reply: bytes, now: datetime) -> Rotated:
    """Check the reply to the kept request and put the new key in its place; raises `SenderFault` for another one. What
    an earlier call has put there already is only told."""
    key_file, chain_file, request = _key(config), config.identity.evidence_chain, _kept(config)
    if request is None:
        raise OperatorFault("本机没有待答复的换钥申请。请先运行 liuhen-agent rotate --out。")
    _idle(config)
    if (done := _finished(config)) is not None:
        return done
    key, root = own_key(renewed_name(key_file)), read_certificates(config.identity.root)[0]
    issuing = read_certificates(chain_file)[1]
    found = parse_reply(reply)
    answer = open_rotated(found.answer, issuing, root, now, config.device, request)
    leaf = checked_chain(answer.evidence, key, config.device, issuing)
    _with_both(found.trust, root, (leaf, read_certificates(chain_file)[0]))
    durable.write_bytes(config.identity.trust_list, found.trust)
    durable.write_bytes(renewed_name(chain_file), answer.evidence.encode())
    durable.move(renewed_name(chain_file), chain_file)
    durable.move(renewed_name(key_file), key_file)
    durable.remove(_place(config))
    return Rotated(key_id_of(key.public_key()), leaf.not_valid_after_utc)


def https_ask(config: AgentConfig) -> Ask:
    """Ask the server that `[identity] renewal` names."""

    def ask(request: bytes) -> bytes:
        line = renewal_line(config)
        try:
            line.request("POST", ROTATE_PATH, request, {"Content-Type": "application/json"})
            answer = line.getresponse()
            body = answer.read(MAX_REPLY_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise EnvironmentFault(f"连不上发证服务器（{error}）。仍用现有密钥，稍后再试。") from error
        finally:
            line.close()
        if answer.status != http.HTTPStatus.OK:
            raise EnvironmentFault(f"发证服务器暂时不能答复（{answer.status}）。仍用现有密钥，稍后再试。")
        return body

    return ask


def read_reply(path: Path) -> bytes:
    """The bench's reply in a file; raises `OperatorFault` when it is not there, `SenderFault` for what is no file."""
    content = read_plain(path.parent, path.name, MAX_REPLY_BYTES)
    if content is None:
        raise OperatorFault(f"没有找到 {path}。请检查路径。")
    return content


def _with_both(trust: bytes, root: x509.Certificate, both: tuple[x509.Certificate, x509.Certificate]) -> None:
    """Raises `SenderFault` unless the list has the new key, and the old one for what it signed."""
    listed = open_trust_list(trust, root)
    for leaf in both:
        listed.listed(key_id_of(certificate_key(leaf)))


def _key(config: AgentConfig) -> Path:
    place = config.identity.evidence_key
    if not isinstance(place, KeyFile):
        raise OperatorFault("证据密钥在令牌或固件中，此命令不能更换。请先在其中生成新密钥，再重新入网。")
    return place.path


def _idle(config: AgentConfig) -> None:
    if is_held(config.state_dir):
        raise OperatorFault("本机正在运行，不能更换证据密钥。请先执行 systemctl stop liuhen-agent。")
    store = config.state_dir / DATABASE
    if store.is_file() and (left := read_snapshot(store).open_recordings):
        raise OperatorFault(f"还有 {left} 个录制没有结束，不能更换证据密钥。请先启动一次本机，让它收尾。")


def _finished(config: AgentConfig) -> Rotated | None:
    """What an `install` has done that was cut off before it removed the request, which asks for the key in use."""
    kept, chain_file = _kept(config), config.identity.evidence_chain
    if kept is None:
        return None
    finish_swap(chain_file, _key(config))
    asked = parse_rotation_request(parse_envelope(kept).payload).evidence
    leaf = read_certificates(chain_file)[0]
    if x509.load_pem_x509_csr(asked.encode()).public_key() != certificate_key(leaf):
        return None
    durable.remove(_place(config))
    return Rotated(key_id_of(certificate_key(leaf)), leaf.not_valid_after_utc)


def _kept(config: AgentConfig) -> bytes | None:
    place = _place(config)
    try:
        return read_plain(place.parent, place.name, MAX_ENVELOPE_BYTES)
    except SenderFault as fault:
        raise OperatorFault(f"{place} 无法读取（{fault}）。请删去它，再重新申请。") from fault


def _place(config: AgentConfig) -> Path:
    return config.identity.root.with_name(REQUEST)
