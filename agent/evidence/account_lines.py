"""The lines of an account, each opened and verified for itself, and laid on the sheet of its device."""

from dataclasses import dataclass, field

from agent.errors import SenderFault
from agent.evidence.account_chain import Link, UnsoundAccount
from agent.evidence.report import Verdict
from agent.wire.device_events import (
    EVENTS_TYPE,
    DeviceEvent,
    declared_damage,
    declared_loss,
    decode_batch,
    event_hash,
)
from agent.wire.envelope import MAX_TRUST_LIST_BYTES, open_archived, parse_envelope
from agent.wire.identifiers import DeviceId, Digest, RecordingId, recording_device
from agent.wire.receipts import RECEIPT_TYPE, Receipt, parse_receipt
from agent.wire.recording_receipts import RECORDING_RECEIPT_TYPE, RecordingReceipt, parse_recording_receipt
from agent.wire.trust import TRUST_TYPE, Credential, Role, TrustList
from agent.wire.witness import WITNESS_ROLES, WITNESS_TYPE, Witness, countersigned, parse_witness

MAX_EVENTS = 1_000_000  # ours; a recorder that records eight hours a day makes 700 000 in a year


@dataclass
class Sheet:
    """One device's part while the lines are read."""

    links: dict[Digest, Link] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    receipted: dict[RecordingId, RecordingReceipt] = field(default_factory=dict)


def kind_of(number: int, line: bytes) -> str:
    """The type of the envelope in line `number`; raises `SenderFault`, naming it, for none that belongs here."""
    try:
        kind = parse_envelope(line, MAX_TRUST_LIST_BYTES).payload_type
    except SenderFault as fault:
        raise SenderFault(f"第 {number} 行：{fault}请向中心重新导出。") from fault
    if kind != TRUST_TYPE and kind not in _TAKE:
        raise SenderFault(f"第 {number} 行：不认识的信封类型 {kind[:80]}，已拒绝。请向中心重新导出。")
    return kind


def take_line(sheets: dict[DeviceId, Sheet], number: int, line: bytes, trust: TrustList) -> None:
    """Verify line `number` by `trust` and keep what it says; a trust list was read before. Raises `SenderFault`, naming
    the line, `UnsoundAccount` for a receipt that no trusted centre signed."""
    kind = kind_of(number, line)
    take = _TAKE.get(kind)
    try:
        if take is not None:
            take(sheets, line, trust)
    except SenderFault as fault:
        words = f"第 {number} 行：{fault}"
        if kind == RECEIPT_TYPE:
            raise UnsoundAccount(
                f"{words}请向中心重新导出，或用 --trust 给出较新的 trust.dsse。", Verdict.UNTRUSTED
            ) from fault
        raise SenderFault(words) from fault


def _sheet(sheets: dict[DeviceId, Sheet], device: DeviceId) -> Sheet:
    return sheets.setdefault(device, Sheet())


def _take_batch(sheets: dict[DeviceId, Sheet], data: bytes, trust: TrustList) -> None:
    # Only what a receipt covers is used, and the centre judged the device's key when it signed that.
    opened = open_archived(data, EVENTS_TYPE, trust)
    signer = _only(opened.signers)
    for event, body in decode_batch(opened.payload):
        if signer.role not in (Role.RECORDER, Role.KIOSK) or signer.subject != event.device:
            raise SenderFault(f"{event.device} 的事件由 {signer.subject} 签名，已拒绝。")
        _take_countersigned(sheets, event, signer)
        links = _sheet(sheets, event.device).links
        if len(links) >= MAX_EVENTS:
            raise SenderFault(
                f"一台设备的事件超过 {MAX_EVENTS} 个。请让中心用 liuhen-center export --since 日期 导出较近的一段。"
            )
        links[event_hash(body)] = Link(event.devseq, event.prev, event if _tells(event) else None)


def _take_countersigned(sheets: dict[DeviceId, Sheet], event: DeviceEvent, signer: Credential) -> None:
    """A second recorder's word on another one's head: its own signature carries it, no receipt is needed. Nobody but
    its own clock says when, so that of one whose key was revoked at any time is none."""
    witness = countersigned(event)
    if witness is not None and signer.role in WITNESS_ROLES and signer.revoked_at is None:
        signer.valid_at(witness.at)
        _sheet(sheets, recording_device(witness.recording)).witnesses.append(witness)


def _take_receipt(sheets: dict[DeviceId, Sheet], data: bytes, trust: TrustList) -> None:
    opened = open_archived(data, RECEIPT_TYPE, trust)
    signer, receipt = _only(opened.signers), parse_receipt(opened.payload)
    if (signer.role, signer.subject) != (Role.RECEIVER, receipt.receiver):
        raise SenderFault(f"回执自称来自 {receipt.receiver}，却由 {signer.subject} 签名，已拒绝。")
    signer.valid_at(receipt.received_at)
    _sheet(sheets, receipt.device).receipts.append(receipt)


def _take_recording_receipt(sheets: dict[DeviceId, Sheet], data: bytes, trust: TrustList) -> None:
    opened = open_archived(data, RECORDING_RECEIPT_TYPE, trust)
    signer, receipt = _only(opened.signers), parse_recording_receipt(opened.payload)
    if (signer.role, signer.subject) != (Role.RECEIVER, receipt.receiver):
        raise SenderFault(f"录像回执自称来自 {receipt.receiver}，却由 {signer.subject} 签名，已拒绝。")
    signer.valid_at(receipt.received_at)
    receipted = _sheet(sheets, recording_device(receipt.recording)).receipted
    before = receipted.get(receipt.recording)
    if before is None or before.signed_at <= receipt.signed_at:
        receipted[receipt.recording] = receipt


def _take_witness(sheets: dict[DeviceId, Sheet], data: bytes, trust: TrustList) -> None:
    opened = open_archived(data, WITNESS_TYPE, trust)
    signer, witness = _only(opened.signers), parse_witness(opened.payload)
    if signer.role not in WITNESS_ROLES or signer.subject != witness.witness:
        raise SenderFault(f"见证自称来自 {witness.witness}，却由 {signer.subject} 签名，已拒绝。")
    device = recording_device(witness.recording)
    if witness.witness == device:
        raise SenderFault(f"{witness.witness} 不能为自己的录制作见证，已拒绝。")
    signer.valid_at(witness.at)
    if signer.revoked_at is None:  # as below: nobody but itself says when
        _sheet(sheets, device).witnesses.append(witness)


_TAKE = {
    EVENTS_TYPE: _take_batch,
    RECEIPT_TYPE: _take_receipt,
    WITNESS_TYPE: _take_witness,
    RECORDING_RECEIPT_TYPE: _take_recording_receipt,
}


def _only(signers: tuple[Credential, ...]) -> Credential:
    if len(signers) != 1:
        raise SenderFault("此信封应只有一个签名，已拒绝。")
    return signers[0]


def _tells(event: DeviceEvent) -> bool:
    declares = declared_loss(event) is not None or declared_damage(event) is not None
    return "recording" in event.data or declares
