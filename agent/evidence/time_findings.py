"""When a segment was signed: what the device says of itself, and what a time-stamping authority witnessed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.errors import SenderFault
from agent.evidence.certificates import TrustedChain
from agent.evidence.places import Examined, named
from agent.evidence.report import INTEGRITY, TIME, Finding, Place, Verdict
from agent.evidence.time_stamps import TokenReader, UnknownAuthority, Witnessed
from agent.evidence.token_form import token_path
from agent.wire.instant import BEIJING, Instant, TimeState

TOLERANCE = timedelta(minutes=5)  # ours; how far ahead of the authority a device's clock may be without a word


@dataclass(frozen=True)
class Testimony:
    """What a segment's time-stamp says: `witnessed` when it holds, otherwise why it does not (or neither)."""

    witnessed: Witnessed | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def at(self) -> datetime | None:
        """When somebody else saw the signature; None when nobody did."""
        return None if self.witnessed is None else self.witnessed.at


NOBODY = Testimony()


def testimony(segment: Examined, read: TokenReader | None) -> Testimony:
    """Read the segment's time-stamp, if it has one and `read` is given."""
    found = segment.found.manifest
    if found is None or found.token is None:
        return NOBODY
    place = Place(segment.file.name, "manifest", segment.number, offset=segment.found.manifest_at)
    return token_testimony(place, found.token, found.countersigned, read)


def token_testimony(place: Place, token: bytes, countersigned: bytes, read: TokenReader | None) -> Testimony:
    """Read the time-stamp `token` about `countersigned`, which stands at `place`, if `read` is given."""
    try:
        if read is None:
            token_path(token)
            return Testimony(findings=(_note(f"{place.file}：带有时间戳，此处未核验。"),))
        return Testimony(read(token, countersigned))
    except UnknownAuthority as fault:
        return Testimony(findings=(_note(f"{place.file}：{fault}"),))
    except SenderFault as fault:
        return Testimony(findings=(Finding(Verdict.ALTERED, INTEGRITY, f"{named(place)}：{fault}", place),))


def date_findings(
    name: str, chain: TrustedChain, moments: Sequence[Instant], now: datetime, said: Testimony
) -> Iterator[Finding]:
    """Whether the certificates were in date at each of `moments`, the last of which is when the file `name` was signed,
    and how we know when that was."""
    signed = moments[-1]
    for moment in dict.fromkeys(moments):
        yield from _dates(name, chain, moment, now, said.witnessed)
    if said.witnessed is not None:
        yield from _witnessed(name, chain, signed, said.witnessed)
    elif not chain.covers(now):
        yield _note(f"{name}：证书今日已不在有效期内，且没有时间戳佐证；签名时间只有设备自报。")


def witness_lines(said: Sequence[Testimony]) -> list[str]:
    """Which authorities saw the signatures and when, in Chinese; for the time layer."""
    return [
        f"经第三方时间戳见证（witnessed）：{entry.witnessed.at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S} 之前已经签名，"
        f"见证者 {entry.witnessed.authority[:60]}。"
        for entry in said
        if entry.witnessed is not None
    ]


def _dates(
    name: str, chain: TrustedChain, moment: Instant, now: datetime, witnessed: Witnessed | None
) -> Iterator[Finding]:
    if chain.covers(moment.wall):
        return
    known = now if witnessed is None else witnessed.at
    if moment.state is TimeState.UNSET and chain.covers(known):
        when = "证书今日有效" if witnessed is None else "时间戳见证时证书有效"
        yield _note(f"{name}：设备时钟当时未校准，自报时间不在证书有效期内；{when}。")
        return
    yield Finding(Verdict.UNTRUSTED, TIME, f"{name}：自报的签名时间不在证书有效期内，不予信任。")


def _witnessed(name: str, chain: TrustedChain, signed: Instant, witnessed: Witnessed) -> Iterator[Finding]:
    if not chain.covers(witnessed.at):
        yield _note(f"{name}：时间戳晚于证书有效期，不能证明签名时证书有效。")
    if signed.state is not TimeState.UNSET and signed.wall > witnessed.at + TOLERANCE:
        yield _note(f"{name}：设备自报的签名时间晚于时间戳，设备时钟偏快；以时间戳为准。")


def _note(text: str) -> Finding:
    return Finding(Verdict.COMPLETE, TIME, text)
