"""What the district's trust list says about the key that signed: whether it was revoked before or after."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from agent.evidence.places import wall_text
from agent.evidence.report import TRUST, Finding, Verdict
from agent.wire.identifiers import KeyId
from agent.wire.instant import Instant, TimeState
from agent.wire.signing import certificate_key, key_id_of, load_certificate
from agent.wire.trust import TrustList


def told_time(moment: Instant) -> datetime | None:
    """The wall time of `moment`, None where the device's clock was not set."""
    return None if moment.state is TimeState.UNSET else moment.wall


def leaf_key(chain: Sequence[bytes]) -> KeyId:
    """The id of the key of a chain's leaf (DER); raises `SenderFault` when it cannot be read."""
    return key_id_of(certificate_key(load_certificate(chain[0])))


def revocation_findings(
    name: str, key: KeyId, signed: datetime | None, seen: datetime | None, trust: TrustList
) -> Iterator[Finding]:
    """Whether `key`, which signed `name` at `signed` by the device's own clock (`told_time`), was revoked. `seen` is
    when a witness first saw what was signed, None when none did; it counts more than the device's clock, which whoever
    stole the key can set."""
    credential = trust.credentials.get(key)
    if credential is None:
        text = f"{name}：签名密钥不在信任清单第 {trust.version} 版中，无从知道是否被吊销。"
        yield Finding(Verdict.COMPLETE, TRUST, text)
        return
    revoked = credential.revoked_at
    if revoked is None:
        return
    told = f"{name}：{credential.subject} 的签名密钥已于 {wall_text(revoked)} 吊销"
    if seen is not None and seen < revoked:
        text = f"{told}；此前（{wall_text(seen)}）已有见证，仍予信任。"
        yield Finding(Verdict.COMPLETE, TRUST, text)
    elif signed is None or signed >= revoked:
        when = "签名时的时钟未校准" if signed is None else "签名在吊销之后"
        yield Finding(Verdict.UNTRUSTED, TRUST, f"{told}，{when}，不予信任。")
    else:
        text = f"{told}；自报签名时间在吊销之前，但只有设备自己的时钟为证，请另查回执或时间戳。"
        yield Finding(Verdict.COMPLETE, TRUST, text)
