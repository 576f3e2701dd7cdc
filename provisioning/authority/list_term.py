"""How long a revocation list still holds, and the alarm a week before its end, when a broker refuses everybody."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from agent.errors import SenderFault
from agent.wire.canonical import parse_timestamp
from agent.wire.signing import certificate_key
from provisioning.authority.records import Records

ALARM_BEFORE = timedelta(days=7)  # reference: provisioning, section 4
_STEP = "请运行 broker-config --reload"


@dataclass(frozen=True)
class Term:
    """`whose` list holds until `until`."""

    whose: str
    until: datetime

    def days(self, now: datetime) -> int:
        """Whole days left, negative when it is over."""
        return (self.until - now).days

    def good(self, now: datetime) -> bool:
        """Whether nobody has to be alarmed yet."""
        return now < self.until - ALARM_BEFORE

    def told(self, now: datetime) -> str:
        """One line for people, with the next step when there is one."""
        day = f"{self.until:%Y-%m-%d}"
        if self.good(now):
            return f"{self.whose}：有效期至 {day}，还有 {self.days(now)} 天。"
        if now < self.until:
            return f"{self.whose}：{day} 到期，只剩 {self.days(now)} 天，到期后消息服务器拒绝所有设备。{_STEP}。"
        return f"{self.whose}：已于 {day} 过期，消息服务器拒绝所有设备。{_STEP}。"


def signed_term(records: Records) -> Term | None:
    """That of the list which was signed last, None before the first. What a broker runs on may be older."""
    rows = records.rows("SELECT next_at FROM crl ORDER BY number DESC LIMIT 1")
    return Term("最近签发的吊销列表", parse_timestamp(rows[0]["next_at"])) if rows else None


def broker_term(pem: bytes, issuing: x509.Certificate) -> Term:
    """That of the list in a broker's folder; raises `SenderFault` for one that is unreadable or not by `issuing`."""
    try:
        found = x509.load_pem_x509_crl(pem)
        ours = found.is_signature_valid(certificate_key(issuing)) and found.issuer == issuing.subject
        until = found.next_update_utc
    except (ValueError, TypeError) as error:
        raise SenderFault(f"消息服务器的吊销列表：无法读取。{_STEP}。", "crl") from error
    if not ours or until is None:
        raise SenderFault(f"消息服务器的吊销列表：不是本区签发机构签署的，或没有期限。{_STEP}。", "crl")
    return Term("消息服务器的吊销列表", until)
