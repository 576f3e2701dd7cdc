"""What the centre and other witnesses hold about a device's recordings, opened from an exported account.

An account (agent/wire/README.md) is lines of sealed envelopes. The newest receipt names the head of the device's event
chain at the centre; every event up to it, from the first or from an older receipt, must be there and hash to it
(`account_chain`), so nothing in the middle can be left out, and what the events tell of recordings is what the device
itself signed while it recorded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from agent.errors import SenderFault
from agent.evidence.account_chain import chain_of
from agent.evidence.account_lines import Sheet, kind_of, take_line
from agent.evidence.told import ToldHead, ToldPhoto, ToldRecording, tell_photos, tell_recordings
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import DeviceId, RecordingId, recording_number
from agent.wire.instant import BEIJING
from agent.wire.receipts import Receipt
from agent.wire.recording_receipts import RecordingReceipt
from agent.wire.trust import TRUST_TYPE, TrustList

_TRUST = TRUST_TYPE.partition("/")[2].encode()  # stands in every line with a trust list, and seldom in another


@dataclass(frozen=True)
class Account:
    """What is known of one device: everything its own chain told up to event `upto`, which `receiver` had at `as_of`
    (both None without a receipt), and what witnesses saw; `photos` in the order in which they were told. With an
    `anchor`, an older receipt, only what the chain told after it is here."""

    device: DeviceId
    upto: int
    receiver: str | None
    as_of: datetime | None
    recordings: Mapping[RecordingId, ToldRecording]
    receipted: Mapping[RecordingId, RecordingReceipt] = field(default_factory=dict)
    anchor: Receipt | None = None
    photos: tuple[ToldPhoto, ...] = ()

    @property
    def begins(self) -> str:
        """From when on it tells, in Chinese; empty where it does from the device's first event on."""
        anchor = self.anchor
        if anchor is None:
            return ""
        at = f"{anchor.received_at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
        return (
            f"所给凭据从 {at} 起（设备事件第 {anchor.upto + 1} 号）；"
            f"此前的内容只凭中心 {anchor.receiver} 当时的回执，不在其中。"
        )

    def reaches_back_to(self, recording: RecordingId, opened: datetime) -> bool:
        """Whether a recording that was opened at `opened` is later than where the account begins. The device's own
        chain decides; where that tells of no recording at all, the clocks."""
        if self.anchor is None:
            return True
        told = [recording_number(it.recording) for it in self.recordings.values() if it.by_device]
        return recording_number(recording) >= min(told) if told else opened >= self.anchor.received_at


@dataclass(frozen=True)
class Accounts:
    """The accounts by device, and the newest trust list they were opened with."""

    trust: TrustList
    devices: Mapping[DeviceId, Account]


def newest_trust(sealed: Iterable[bytes], roots: Sequence[x509.Certificate]) -> TrustList | None:
    """The newest of sealed trust lists that one of `roots` signed, None when there are none; raises `SenderFault` for
    one that no root signed, and for lists of several districts: each counts its versions by itself."""
    return _newest([_trust_list(data, roots) for data in sealed])


def open_accounts(lines: Iterable[bytes], roots: Sequence[x509.Certificate], trust: TrustList | None) -> Accounts:
    """The accounts in `lines`, which are gone through twice and held only when they can be had but once; `trust` is a
    list that the verifier has already, the newest of all is used.

    Raises `SenderFault`, naming the line, for anything that is not sealed by whom it must be, and for a chain that does
    not reach its receipt; `UnsoundAccount` where it is a receipt that does not hold.
    """
    lines = tuple(lines) if iter(lines) is lines else lines
    listed = newest_trust(_trust_lists(lines), roots)
    known = [it for it in (listed, trust) if it is not None]
    newest = _newest(known)
    if newest is None:
        raise SenderFault("其中没有信任清单，无从核验签名；请用 --trust 给出本区的 trust.dsse。")
    sheets: dict[DeviceId, Sheet] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            take_line(sheets, number, line, newest)
    told = sorted(sheets, key=lambda device: not sheets[device].links)  # a strange receipt is told by where it stands
    return Accounts(newest, {device: _account(device, sheets) for device in told})


def _newest(lists: Sequence[TrustList]) -> TrustList | None:
    if len(places := sorted({it.district for it in lists})) > 1:
        raise SenderFault(f"信任清单属于不同的区（{'、'.join(places)}），请每次只检验一个区的录像。")
    return max(lists, key=lambda it: it.version, default=None)


def _trust_lists(lines: Iterable[bytes]) -> list[bytes]:
    may_be = ((number, line) for number, line in enumerate(lines, start=1) if _TRUST in line)
    return [line for number, line in may_be if kind_of(number, line) == TRUST_TYPE]


def _trust_list(data: bytes, roots: Sequence[x509.Certificate]) -> TrustList:
    for root in roots:
        try:
            return open_trust_list(data, root)
        except SenderFault:
            continue
    raise SenderFault("信任清单没有所给任何根证书的签名，已拒绝。")


def _account(device: DeviceId, sheets: Mapping[DeviceId, Sheet]) -> Account:
    sheet = sheets[device]
    seen = [ToldHead(it.sequence, it.head, None, None, it.at, it.witness, it.recording) for it in sheet.witnesses]
    if not sheet.receipts:
        return Account(device, 0, None, None, tell_recordings((), seen), sheet.receipted)
    others = [it for other in sheets.values() if other is not sheet for it in other.receipts]
    chain = chain_of(sheet.links, sheet.receipts, others)
    last = max(sheet.receipts, key=lambda receipt: receipt.upto)
    events = [it.event for _, it in chain.links if it.event and "recording" in it.event.data]
    told, photos = tell_recordings(events, seen), tell_photos(events)
    return Account(device, last.upto, last.receiver, last.received_at, told, sheet.receipted, chain.anchor, photos)
