"""What the centre and other witnesses hold about a device's recordings, opened from an exported account.

An account (agent/wire/README.md) is lines of sealed envelopes. The newest receipt names the head of the device's event
chain at the centre; every event up to it must be there and hash to it, so nothing in the middle can be left out, and
what the events tell of recordings is what the device itself signed while it recorded.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from cryptography import x509

from agent.errors import SenderFault
from agent.evidence.told import ToldHead, ToldRecording, tell_recordings
from agent.wire.device_events import (
    EVENTS_TYPE,
    GENESIS,
    DamagedRun,
    DeviceEvent,
    declared_damage,
    declared_loss,
    decode_batch,
    event_hash,
)
from agent.wire.envelope import MAX_TRUST_LIST_BYTES, open_archived, open_trust_list, parse_envelope
from agent.wire.identifiers import DeviceId, Digest, RecordingId, recording_device
from agent.wire.receipts import RECEIPT_TYPE, Receipt, parse_receipt
from agent.wire.recording_receipts import RECORDING_RECEIPT_TYPE, RecordingReceipt, parse_recording_receipt
from agent.wire.trust import TRUST_TYPE, Credential, Role, TrustList
from agent.wire.witness import WITNESS_ROLES, WITNESS_TYPE, Witness, countersigned, parse_witness

MAX_EVENTS = 1_000_000  # ours; a recorder that records eight hours a day makes 700 000 in a year


@dataclass(frozen=True)
class Account:
    """What is known of one device: everything its own chain told up to event `upto`, which `receiver` had at `as_of`
    (both None without a receipt), and what witnesses saw."""

    device: DeviceId
    upto: int
    receiver: str | None
    as_of: datetime | None
    recordings: Mapping[RecordingId, ToldRecording]
    receipted: Mapping[RecordingId, RecordingReceipt] = field(default_factory=dict)


@dataclass(frozen=True)
class Accounts:
    """The accounts by device, and the newest trust list they were opened with."""

    trust: TrustList
    devices: Mapping[DeviceId, Account]


class _Line(NamedTuple):
    number: int
    kind: str
    data: bytes


class _Link(NamedTuple):
    number: int
    prev: Digest
    event: DeviceEvent | None  # None where it tells nothing of recordings or of a loss


@dataclass
class _Sheet:
    """One device's part while the lines are read."""

    links: dict[Digest, _Link] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    receipted: dict[RecordingId, RecordingReceipt] = field(default_factory=dict)


def newest_trust(sealed: Iterable[bytes], roots: Sequence[x509.Certificate]) -> TrustList | None:
    """The newest of sealed trust lists that one of `roots` signed, None when there are none; raises `SenderFault` for
    one that no root signed."""
    lists = [_trust_list(data, roots) for data in sealed]
    return max(lists, key=lambda listed: listed.version, default=None)


def open_accounts(lines: Iterable[bytes], roots: Sequence[x509.Certificate], trust: TrustList | None) -> Accounts:
    """The accounts in `lines`; `trust` is a list that the verifier has already, the newest of all is used.

    Raises `SenderFault`, naming the line, for anything that is not sealed by whom it must be, and for a chain that does
    not reach its receipt.
    """
    sealed = [_Line(number, _kind(number, line), line) for number, line in enumerate(lines, start=1) if line.strip()]
    listed = newest_trust((line.data for line in sealed if line.kind == TRUST_TYPE), roots)
    known = [it for it in (listed, trust) if it is not None]
    if not known:
        raise SenderFault("其中没有信任清单，无从核验签名；请用 --trust 给出本区的 trust.dsse。")
    newest = max(known, key=lambda it: it.version)
    sheets: dict[DeviceId, _Sheet] = {}
    for line in sealed:
        _take(sheets, line, newest)
    return Accounts(newest, {device: _account(device, sheet) for device, sheet in sheets.items()})


def _trust_list(data: bytes, roots: Sequence[x509.Certificate]) -> TrustList:
    for root in roots:
        try:
            return open_trust_list(data, root)
        except SenderFault:
            continue
    raise SenderFault("信任清单没有所给任何根证书的签名，已拒绝。")


def _kind(number: int, line: bytes) -> str:
    try:
        kind = parse_envelope(line, MAX_TRUST_LIST_BYTES).payload_type
    except SenderFault as fault:
        raise SenderFault(f"第 {number} 行：{fault}") from fault
    if kind != TRUST_TYPE and kind not in _TAKE:
        raise SenderFault(f"第 {number} 行：不认识的信封类型 {kind[:80]}，已拒绝。")
    return kind


def _take(sheets: dict[DeviceId, _Sheet], line: _Line, trust: TrustList) -> None:
    take = _TAKE.get(line.kind)
    try:
        if take is not None:
            take(sheets, line.data, trust)
    except SenderFault as fault:
        raise SenderFault(f"第 {line.number} 行：{fault}") from fault


def _sheet(sheets: dict[DeviceId, _Sheet], device: DeviceId) -> _Sheet:
    return sheets.setdefault(device, _Sheet())


def _take_batch(sheets: dict[DeviceId, _Sheet], data: bytes, trust: TrustList) -> None:
    # Only what a receipt covers is used, and the centre judged the device's key when it signed that.
    opened = open_archived(data, EVENTS_TYPE, trust)
    signer = _only(opened.signers)
    for event, body in decode_batch(opened.payload):
        if signer.role not in (Role.RECORDER, Role.KIOSK) or signer.subject != event.device:
            raise SenderFault(f"{event.device} 的事件由 {signer.subject} 签名，已拒绝。")
        _take_countersigned(sheets, event, signer)
        links = _sheet(sheets, event.device).links
        if len(links) >= MAX_EVENTS:
            raise SenderFault(f"一台设备的事件超过 {MAX_EVENTS} 个，目前没有分段导出，请与系统维护者联系。")
        links[event_hash(body)] = _Link(event.devseq, event.prev, event if _tells(event) else None)


def _take_countersigned(sheets: dict[DeviceId, _Sheet], event: DeviceEvent, signer: Credential) -> None:
    """A second recorder's word on another one's head: its own signature carries it, no receipt is needed."""
    witness = countersigned(event)
    if witness is not None and signer.role in WITNESS_ROLES:
        signer.valid_at(witness.at)
        _sheet(sheets, recording_device(witness.recording)).witnesses.append(witness)


def _take_receipt(sheets: dict[DeviceId, _Sheet], data: bytes, trust: TrustList) -> None:
    opened = open_archived(data, RECEIPT_TYPE, trust)
    signer, receipt = _only(opened.signers), parse_receipt(opened.payload)
    if (signer.role, signer.subject) != (Role.RECEIVER, receipt.receiver):
        raise SenderFault(f"回执自称来自 {receipt.receiver}，却由 {signer.subject} 签名，已拒绝。")
    signer.valid_at(receipt.received_at)
    _sheet(sheets, receipt.device).receipts.append(receipt)


def _take_recording_receipt(sheets: dict[DeviceId, _Sheet], data: bytes, trust: TrustList) -> None:
    opened = open_archived(data, RECORDING_RECEIPT_TYPE, trust)
    signer, receipt = _only(opened.signers), parse_recording_receipt(opened.payload)
    if (signer.role, signer.subject) != (Role.RECEIVER, receipt.receiver):
        raise SenderFault(f"录像回执自称来自 {receipt.receiver}，却由 {signer.subject} 签名，已拒绝。")
    signer.valid_at(receipt.received_at)
    receipted = _sheet(sheets, recording_device(receipt.recording)).receipted
    before = receipted.get(receipt.recording)
    if before is None or before.signed_at <= receipt.signed_at:
        receipted[receipt.recording] = receipt


def _take_witness(sheets: dict[DeviceId, _Sheet], data: bytes, trust: TrustList) -> None:
    opened = open_archived(data, WITNESS_TYPE, trust)
    signer, witness = _only(opened.signers), parse_witness(opened.payload)
    if signer.role not in WITNESS_ROLES or signer.subject != witness.witness:
        raise SenderFault(f"见证自称来自 {witness.witness}，却由 {signer.subject} 签名，已拒绝。")
    device = recording_device(witness.recording)
    if witness.witness == device:
        raise SenderFault(f"{witness.witness} 不能为自己的录制作见证，已拒绝。")
    signer.valid_at(witness.at)
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


def _account(device: DeviceId, sheet: _Sheet) -> Account:
    last = max(sheet.receipts, key=lambda receipt: receipt.upto, default=None)
    chain = [] if last is None else _chain(sheet.links, last)
    numbers = {link.number: digest for digest, link in chain}
    for receipt in sheet.receipts:
        if numbers.get(receipt.upto, GENESIS) != receipt.head:
            raise SenderFault(f"{device} 的回执互相矛盾（第 {receipt.upto} 号事件），请向中心核对。")
    seen = [ToldHead(it.sequence, it.head, None, None, it.at, it.witness, it.recording) for it in sheet.witnesses]
    told = tell_recordings((link.event for _, link in chain if link.event and "recording" in link.event.data), seen)
    if last is None:
        return Account(device, 0, None, None, told, sheet.receipted)
    return Account(device, last.upto, last.receiver, last.received_at, told, sheet.receipted)


def _chain(links: Mapping[Digest, _Link], last: Receipt) -> list[tuple[Digest, _Link]]:
    """The device's chain from its first event to the one the receipt names."""
    return list(_walk_back(links, last))[::-1]


def _tells(event: DeviceEvent) -> bool:
    declares = declared_loss(event) is not None or declared_damage(event) is not None
    return "recording" in event.data or declares


def _walk_back(links: Mapping[Digest, _Link], last: Receipt) -> Iterator[tuple[Digest, _Link]]:
    damaged = _damaged(links)
    head, number = last.head, last.upto
    while number > 0:
        link = links.get(head)
        run = damaged.get((number, head))
        if link is None and run is not None:
            head, number = run.prev, run.first - 1
            continue
        if link is None or link.number != number:
            raise SenderFault(f"{last.device} 的事件链缺第 {number} 号事件，导出不完整；请向中心重新导出。")
        yield head, link
        head, number = link.prev, number - 1
        if link.event is not None and declared_loss(link.event) is not None:
            head, number = _before_loss(links, number)
    if head != GENESIS:
        raise SenderFault(f"{last.device} 的事件链没有从头开始，导出不完整；请向中心重新导出。")


def _damaged(links: Mapping[Digest, _Link]) -> Mapping[tuple[int, Digest], DamagedRun]:
    """The runs that the device declared damaged, by the number and hash of their last event."""
    declared = (declared_damage(link.event) for link in links.values() if link.event is not None)
    return {(run.last, run.digest): run for run in declared if run is not None}


def _before_loss(links: Mapping[Digest, _Link], number: int) -> tuple[Digest, int]:
    """Where the chain ended before the device lost its memory: the last event up to `number` that the centre had."""
    known = {link.number: digest for digest, link in links.items() if link.number <= number}
    return (known[max(known)], max(known)) if known else (GENESIS, 0)
