"""A device between its enrolment and its end, at the bench: accepted on its own signed report, assigned by a dated
document, erased on an order and taken out of the world. Every step moves the inventory and is a row of its audit."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.errors import OperatorFault, SenderFault
from agent.wire.envelope import open_archived, parse_envelope, seal
from agent.wire.identifiers import DeviceId, Digest, KeyId
from agent.wire.life_documents import (
    ACCEPTED_TYPE,
    ASSIGNMENT_TYPE,
    REPORT_TYPE,
    RETIRE_TYPE,
    RETIRED_TYPE,
    AcceptanceReport,
    Accepted,
    Assignment,
    Retired,
    RetireOrder,
    parse_report,
    parse_retired,
)
from agent.wire.signing import KeySigner, key_id_of
from agent.wire.signing import certificate_key as key_of
from provisioning.authority import cert_book
from provisioning.authority.authority import Authority
from provisioning.authority.certificates import Profile
from provisioning.authority.session import Sitting
from provisioning.authority.subjects import checked_officer
from provisioning.fleet.erasure import ERASURE_TYPE, Erasure
from provisioning.fleet.inventory import Device, Inventory
from provisioning.fleet.medium import Scanned
from provisioning.fleet.states import CHINESE, State

REPORT_AGE = timedelta(days=2)  # ours: a report is handed over on the day it was made
CLOCKS_APART = timedelta(minutes=10)  # ours: a device's clock and the bench's
ORDER_LIFE = timedelta(days=14)  # ours
ACCEPTABLE = (State.ENROLLED, State.ACCEPTED, State.ASSIGNED)


@dataclass(frozen=True)
class Bench:
    """One sitting at the bench, used by one thread."""

    authority: Authority
    sitting: Sitting
    inventory: Inventory

    def sealed(self, payload_type: str, payload: bytes) -> bytes:
        """The authority's word."""
        return seal(payload_type, payload, [KeySigner(self.sitting.issuer.key)])


@contextmanager
def bench(authority: Authority) -> Iterator[Bench]:
    """Sit down at the bench of `authority`."""
    with authority.sit() as sitting:
        yield Bench(authority, sitting, Inventory(sitting.records, authority.by))


def read_report(at: Bench, device: str, data: bytes, now: datetime) -> AcceptanceReport:
    """The report in `data`, signed by the device's own evidence key; raises `SenderFault` for a forged, foreign or old
    one, `OperatorFault` when the device is not listed or not enrolled."""
    held = at.inventory.device(device)
    if held.state not in ACCEPTABLE:
        raise OperatorFault(f"{device} 现为{CHINESE[held.state]}（{held.state}），不能验收。{_before(held.state)}")
    report = parse_report(_by_device(at, device, data, REPORT_TYPE))
    if (report.device, report.hardware.lower()) != (device, held.hardware.lower()):
        raise SenderFault(f"报告写的是 {report.device}（{report.hardware}），不是登记的 {device}，已拒绝。")
    if held.state is State.ENROLLED and report.made_at < held.changed_at - CLOCKS_APART:
        raise SenderFault(f"报告写于 {device} 入网或修好之前，已拒绝。请在设备上重做 liuhen-agent acceptance。")
    if not now - REPORT_AGE <= report.made_at <= now + REPORT_AGE:
        raise SenderFault(f"报告写于 {report.made_at:%Y-%m-%d %H:%M}，与现在相差两天以上，已拒绝。请重做验收。")
    return report


def accept(at: Bench, report: AcceptanceReport, data: bytes, now: datetime) -> bytes | None:
    """Keep the report; a passed one makes an enrolled device accepted and is answered with a sealed `Accepted`. Raises
    `SenderFault` for one that accepted it before it went to repair."""
    with at.inventory.records.transaction():
        _refuse_again(at, report, data)
        at.inventory.report(report.device, data, now, passed=report.passed)
        if not report.passed:
            return None
        if at.inventory.device(report.device).state is State.ENROLLED:
            at.inventory.move(report.device, State.ACCEPTED, "验收合格", now)
    word = Accepted(report.device, Digest(hashlib.sha256(data).hexdigest()), at.inventory.by, now)
    return at.sealed(ACCEPTED_TYPE, word.encode())


def _refuse_again(at: Bench, report: AcceptanceReport, data: bytes) -> None:
    """A report that accepted the device once says nothing of what was done to it since."""
    sql = "SELECT 1 FROM check_report WHERE device = ? AND document = ? AND passed = 1 LIMIT 1"
    used = at.inventory.records.rows(sql, report.device, data)
    if used and at.inventory.device(report.device).state is State.ENROLLED:
        told = f"这份报告已用于 {report.device} 上一次验收，此后它送修或重新入网过，已拒绝"
        raise SenderFault(f"{told}。请在设备上重做 liuhen-agent acceptance。")


def accepted_word(at: Bench, device: str) -> bytes | None:
    """The sealed word on the newest report that passed, as it was given then; None while the device is not accepted."""
    held = at.inventory.find(device)
    sql = "SELECT document FROM check_report WHERE device = ? AND passed = 1 ORDER BY rowid DESC LIMIT 1"
    reports = at.inventory.records.rows(sql, device)
    if held is None or held.state not in (State.ACCEPTED, State.ASSIGNED) or not reports:
        return None
    acts = (row.act() for row in reversed(at.inventory.records.audit_rows()))
    act = next(it for it in acts if (it.act, it.subject, it.facts) == ("device-checked", device, {"passed": True}))
    digest = Digest(hashlib.sha256(bytes(reports[0]["document"])).hexdigest())
    return at.sealed(ACCEPTED_TYPE, Accepted(DeviceId(device), digest, act.by, act.at).encode())


def assign(at: Bench, device: str, officer: str, now: datetime) -> bytes:
    """Hand an accepted device to `officer` (a number); returns the sealed document, the one there is when he has the
    device already. No certificate changes. Raises `OperatorFault` for what is no number."""
    checked_officer(officer)
    held = at.inventory.device(device)
    if held.state is State.ASSIGNED and held.officer == officer and (given := at.inventory.assignment(device)):
        return given
    word = Assignment(DeviceId(device), officer, held.unit, now, at.inventory.by)
    document = at.sealed(ASSIGNMENT_TYPE, word.encode())
    at.inventory.assign(device, officer, document, now)
    return document


def to_repair(at: Bench, device: str, reason: str, now: datetime) -> None:
    """A device goes to the workshop; its officer stays listed. Raises `OperatorFault` for an illegal move."""
    at.inventory.move(device, State.IN_REPAIR, reason, now)


def from_repair(at: Bench, device: str, now: datetime) -> None:
    """A repaired device is nobody's, and to be checked again. Raises `OperatorFault` for one that is in no workshop."""
    held = at.inventory.device(device)
    if held.state is not State.IN_REPAIR:
        raise OperatorFault(
            f"{device} 现为{CHINESE[held.state]}（{held.state}），不在维修。请用 inventory 查看其状态。"
        )
    at.inventory.move(device, State.ENROLLED, "修好", now)


def retire_order(at: Bench, device: str, now: datetime) -> bytes:
    """The sealed order with which the device erases itself; raises `OperatorFault` while an officer has it."""
    held = at.inventory.device(device)
    if held.state is State.ASSIGNED:
        raise OperatorFault(f"{device} 还配备给 {held.officer}，不能退役。请先运行 assign {device} --hand-back。")
    if held.state is State.DECOMMISSIONED or not cert_book.knows(at.sitting.records, device):
        told = f"{device} 现为{CHINESE[held.state]}（{held.state}），没有要擦除的密钥，不签指令"
        raise OperatorFault(f"{told}。从未入网的可直接 decommission --reason。")
    order = RetireOrder(DeviceId(device), held.hardware, _number(at, held), at.inventory.by, now + ORDER_LIFE)
    at.inventory.note("retire-ordered", device, {"number": order.number}, now)
    return at.sealed(RETIRE_TYPE, order.encode())


def read_last_word(at: Bench, device: str, data: bytes) -> Retired:
    """The device's signed statement on its order; raises `SenderFault` for another one."""
    if at.inventory.device(device).state is State.DECOMMISSIONED:
        return parse_retired(parse_envelope(data).payload)  # verified before: told by its digest
    said = parse_retired(_by_device(at, device, data, RETIRED_TYPE))
    if said.device != device or said.number != _number(at, at.inventory.device(device)):
        raise SenderFault(f"这份退役声明不是 {device} 对本次指令的答复，已拒绝。请重新执行退役。")
    return said


def conclude(
    at: Bench, device: str, said: tuple[Retired, bytes] | None, scanned: Scanned | None, reason: str, now: datetime
) -> tuple[Erasure, bytes]:
    """Revoke the device's certificates, list it as decommissioned, and say what is known: the certificate and its
    sealed form; again it says the same and changes nothing. Raises `OperatorFault` when its medium still shows
    something, or no reason stands for a missing word."""
    held = at.inventory.device(device)
    if held.state is State.DECOMMISSIONED:
        return _concluded(at, held, said)
    if scanned is not None and scanned.found:
        name, place = scanned.found[0]
        raise OperatorFault(f"介质上仍有{name}（{place}），没有退役。请重新擦除，或销毁存储卡后写明 --reason。")
    if said is None and not reason:
        raise OperatorFault("没有设备的退役声明。请用 --statement 给出；设备已不能启动时，用 --reason 写明如何处置。")
    statement = hashlib.sha256(said[1]).hexdigest() if said else ""
    counted = (said[0].events, said[0].recordings) if said else (0, 0)
    looked = (scanned.read, tuple(name for name, _ in scanned.found)) if scanned else (0, ())
    word = Erasure(device, held.hardware, statement, *counted, *looked, reason, at.inventory.by, now)
    with at.inventory.records.transaction():
        if cert_book.holds_any(at.sitting.records, device):
            cert_book.revoke(at.sitting.records, device, "退役", now, at.inventory.by)
        at.inventory.move(device, State.DECOMMISSIONED, reason or "退役", now)
        facts = {"statement": statement, "read": looked[0], "events": counted[0], "recordings": counted[1]}
        at.inventory.note("erased", device, facts | {"reason": reason}, now)
    return word, at.sealed(ERASURE_TYPE, word.encode())


def _concluded(at: Bench, held: Device, said: tuple[Retired, bytes] | None) -> tuple[Erasure, bytes]:
    """The certificate once more, out of the audit: it was cut off before it was printed."""
    rows = (row.act() for row in reversed(at.inventory.records.audit_rows()))
    act = next(it for it in rows if (it.act, it.subject) == ("erased", held.device))
    facts: dict[str, Any] = {"events": 0, "recordings": 0, "reason": ""} | act.facts
    if said is not None and hashlib.sha256(said[1]).hexdigest() != facts["statement"]:
        raise OperatorFault(f"{held.device} 已退役，登记的不是这份声明。请核对文件，或不写 --statement 重出证明。")
    counted = facts["statement"], facts["events"], facts["recordings"], facts["read"]
    word = Erasure(held.device, held.hardware, *counted, (), facts["reason"], act.by, act.at)
    return word, at.sealed(ERASURE_TYPE, word.encode())


def _before(state: State) -> str:
    """What is to be done before a device in `state` can be checked."""
    match state:
        case State.PLANNED | State.BUNDLED:
            return "它还没有入网，请先让它首次启动。"
        case State.IN_REPAIR:
            return "请先用 repair --back 登记修好。"
        case _:
            return "请用 inventory 查看其状态。"


def _number(at: Bench, held: Device) -> Digest:
    """Names one end of one device: another enrolment has another key, and another number."""
    entry = cert_book.live(at.sitting.records, held.device, Profile.EVIDENCE)
    key = KeyId("") if entry is None else entry.key_id
    return Digest(hashlib.sha256(f"retire {held.device} {held.hardware} {key}".encode()).hexdigest())


def _by_device(at: Bench, device: str, data: bytes, payload_type: str) -> bytes:
    entry = cert_book.live(at.sitting.records, device, Profile.EVIDENCE)
    if entry is None:
        raise OperatorFault(f"{device} 没有有效的证据证书。请查看 inventory。")
    at.sitting.publish()
    opened = open_archived(data, payload_type, at.authority.trust())
    if {credential.key_id for credential in opened.signers} != {key_id_of(key_of(entry.certificate))}:
        raise SenderFault(f"文件不是 {device} 现在的密钥签的，已拒绝。")
    return opened.payload
