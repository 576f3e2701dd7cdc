"""Whether what signed the segments leads to a root that was given; nothing is trusted without one."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509

from agent.errors import SenderFault
from agent.evidence.certificates import trust_chain
from agent.evidence.places import Examined
from agent.evidence.report import NO_ROOTS, TRUST, Finding, Verdict
from agent.evidence.time_findings import Testimony, date_findings


def with_trust(
    findings: Sequence[Finding],
    segments: Sequence[Examined],
    roots: Sequence[x509.Certificate],
    now: datetime,
    said: Sequence[Testimony],
) -> list[Finding]:
    """`findings` and those about the certificates of `segments`, of each of which witnesses `said` something. Without
    `roots` it is only said that none were given, in place of everything about trust."""
    if not roots:
        return [*(it for it in findings if it.layer != TRUST), Finding(Verdict.UNTRUSTED, TRUST, NO_ROOTS)]
    pairs = zip(segments, said, strict=True)
    return [*findings, *(it for entry, told in pairs for it in _of_segment(entry, roots, now, told))]


def _of_segment(
    segment: Examined, roots: Sequence[x509.Certificate], now: datetime, said: Testimony
) -> Iterator[Finding]:
    found, origin = segment.found.manifest, segment.found.origin
    if found is None or origin is None:
        return
    name = segment.file.name
    try:
        chain = trust_chain(found.chain, roots)
    except SenderFault as fault:
        yield Finding(Verdict.UNTRUSTED, TRUST, f"{name}：{fault}")
        return
    if chain.subject != origin.device:
        text = f"{name}：证书属于 {chain.subject[:40]}，内容却自称 {origin.device}，不予信任。"
        yield Finding(Verdict.UNTRUSTED, TRUST, text)
    signed = [origin.opened] if segment.seal is None else [origin.opened, segment.seal.closing.at]
    yield from date_findings(name, chain, signed, now, said)
