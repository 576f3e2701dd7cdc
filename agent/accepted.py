"""Whether the authority has accepted this device: its sealed word (`life_documents.Accepted`) lies in its folder.

A device that enrolled by itself records from its first boot on, and is told until it is accepted that it is not
(未验收); one whose folder was made at the bench is not asked.
"""

from datetime import datetime

from cryptography import x509

from agent import durable
from agent.config import AgentConfig
from agent.errors import LiuhenFault, SenderFault
from agent.firstboot import FLOOR, ISSUING
from agent.key_files import read_certificates
from agent.stick import read_plain
from agent.wire.authority_seal import open_by_authority
from agent.wire.envelope import MAX_ENVELOPE_BYTES
from agent.wire.life_documents import ACCEPTED_TYPE, Accepted, parse_accepted

WORD = "accepted.dsse"
NOT_ACCEPTED = "未验收：不妨碍使用；请由技术员验收（liuhen-agent acceptance，再 liuhen-provision check）。"


def authorities_of(config: AgentConfig) -> tuple[x509.Certificate, x509.Certificate]:
    """Root and issuing CA of this device's authority, as they lie in its folder."""
    beside = config.identity.root.with_name(ISSUING)
    chain = read_certificates(beside if beside.is_file() else config.identity.evidence_chain)
    return read_certificates(config.identity.root)[0], chain[-1]


def acceptance_of(config: AgentConfig, now: datetime) -> Accepted | None:
    """The authority's word in this device's folder; None while there is none that holds."""
    place = config.identity.root.with_name(WORD)
    try:
        sealed = read_plain(place.parent, WORD, MAX_ENVELOPE_BYTES)
        return None if sealed is None else _opened(config, sealed, now)
    except LiuhenFault:
        return None  # damaged, foreign or forged: as good as none, and told as none


def is_accepted(config: AgentConfig, now: datetime) -> bool | None:
    """Whether this device is accepted; None where nobody asks for it."""
    if not config.identity.root.with_name(FLOOR).exists():
        return None
    return acceptance_of(config, now) is not None


def keep_acceptance(config: AgentConfig, sealed: bytes, now: datetime) -> Accepted:
    """Put the authority's word into the device's folder; raises `SenderFault` for one that is forged or another's."""
    word = _opened(config, sealed, now)
    durable.write_bytes(config.identity.root.with_name(WORD), sealed)
    return word


def _opened(config: AgentConfig, sealed: bytes, now: datetime) -> Accepted:
    root, issuing = authorities_of(config)
    word = parse_accepted(open_by_authority(sealed, ACCEPTED_TYPE, issuing, root, now))
    if word.device != config.device:
        raise SenderFault(f"这份验收通知是给 {word.device} 的，不是本机的，已拒绝。请取回本机的。", "other-device")
    return word
