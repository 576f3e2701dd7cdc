"""The account of a device as it leaves the centre: all that is kept, or what came after an older receipt (`--since`).

An account that begins later opens with that receipt, the anchor: the verifier joins the first event to it
(`agent.evidence.account_chain`). The first receipt of every day is kept for this; any other one that somebody has
kept, alone or in an older account, does as well.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path

from agent.errors import OperatorFault, SenderFault
from agent.wire.device_events import MAX_BATCH_EVENTS, DeviceEvent, decode_batch, event_hash
from agent.wire.envelope import open_archived, open_trust_list, parse_envelope
from agent.wire.identifiers import DeviceId, recording_device
from agent.wire.instant import BEIJING
from agent.wire.receipts import RECEIPT_TYPE, Receipt, parse_receipt
from agent.wire.signing import load_pem_certificates
from agent.wire.trust import Role, TrustList
from agent.wire.witness import countersigned
from provisioning.authority.authority import read_file
from provisioning.center.config import CenterConfig
from provisioning.center.intake import SealedKind
from provisioning.center.receipt_folder import ReceiptFolder
from provisioning.center.store import Store

Anchor = tuple[Receipt, bytes]
"""A receipt and the envelope it came in."""


def account_lines(store: Store, settings: CenterConfig, device: DeviceId, since: str = "") -> Iterator[bytes]:
    """Every envelope of the account, the trust list first; with `since` as `find_anchor` takes it.

    Raises `OperatorFault` for a device that nothing is kept of, and as `find_anchor`.
    """
    if next(store.sealed(device), None) is None:
        raise OperatorFault(f"中心没有 {device} 的任何凭据，请检查设备编号，或先让设备联网。")
    trust = read_file(settings.trust_list).strip()
    root = load_pem_certificates(read_file(settings.root))[0]
    anchor = find_anchor(store, device, since, open_trust_list(trust, root)) if since else None
    kept = account_since(store, device, anchor) if anchor else _whole(store, device)
    return chain((trust,), kept, ReceiptFolder(settings.folder).of(device))


def find_anchor(store: Store, device: DeviceId, since: str, trust: TrustList) -> Anchor:
    """The receipt to begin at: `since` is a file that holds receipts (the newest of the device counts), or a day or
    moment in Beijing time (the newest kept receipt that was signed before it).

    Raises `OperatorFault` when there is none, or nothing came after it; `SenderFault` for one that no receiver of the
    district signed, or that is not of what is stored here.
    """
    named = Path(since)
    anchor = _in_file(named, device, trust) if named.is_file() else _before(store, device, _moment(since))
    receipt = anchor[0]
    body = next(iter(store.events(device, receipt.upto - 1, 1)), b"")
    if event_hash(body) != receipt.head:
        raise SenderFault(f"{since} 的回执与中心所存 {device} 的第 {receipt.upto} 号事件不符，不能作起点。请核对来源。")
    if not store.events(device, receipt.upto, 1):
        raise OperatorFault(f"{device} 在此回执（第 {receipt.upto} 号事件）之后没有新的事件。请给出更早的 --since。")
    return anchor


def _whole(store: Store, device: DeviceId) -> Iterator[bytes]:
    return (envelope for kind, _, envelope in store.sealed(device) if kind != SealedKind.DAY_RECEIPT)


def account_since(store: Store, device: DeviceId, anchor: Anchor) -> Iterator[bytes]:
    """The envelopes of the account that begins after `anchor`, that first."""
    receipt, envelope = anchor
    yield envelope
    for kind, number, kept in store.sealed(device, receipt.upto - MAX_BATCH_EVENTS):
        if _belongs(kind, number, kept, device, receipt.upto):
            yield kept


def _belongs(kind: str, number: int, envelope: bytes, device: DeviceId, upto: int) -> bool:
    if number > upto and kind in (SealedKind.BATCH, SealedKind.WITNESS):
        return True
    if kind in (SealedKind.DAY_RECEIPT, SealedKind.WITNESS):
        return False
    if kind == SealedKind.RECEIPT:
        return True
    events = [event for event, _ in decode_batch(parse_envelope(envelope).payload)]
    if kind == SealedKind.BATCH:
        return any(event.devseq > upto for event in events)
    return any(_heard(event, device, upto) for event in events)


def _heard(event: DeviceEvent, device: DeviceId, upto: int) -> bool:
    """Whether another device countersigns a head that `device` told after its event `upto`, as far as it says so."""
    witness = countersigned(event)
    if witness is None or recording_device(witness.recording) != device:
        return False
    number = event.data.get("devseq")
    return not isinstance(number, int) or number > upto


def _before(store: Store, device: DeviceId, moment: datetime) -> Anchor:
    newest = 2**62  # beyond the number of any event: no batch, no witness
    kept = [_receipt(envelope) for kind, _, envelope in store.sealed(device, newest) if kind == SealedKind.DAY_RECEIPT]
    early = [it for it in kept if it[0].received_at < moment]
    if early:
        return max(early, key=lambda it: it[0].upto)
    first = min((it[0].received_at for it in kept), default=None)
    known = "没有留存逐日回执" if first is None else f"最早的在 {first.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
    raise OperatorFault(
        f"中心没有 {device} 在 {moment:%Y-%m-%d %H:%M:%S} 之前的回执（{known}）。"
        "请改用更晚的日期、--since 某份旧回执或旧凭据的文件，或不加 --since 导出全部。"
    )


def _in_file(path: Path, device: DeviceId, trust: TrustList) -> Anchor:
    found = [it for it in _receipts(read_file(path).splitlines()) if it[0].device == device and it[0].upto]
    if not found:
        raise OperatorFault(f"{path} 中没有 {device} 的回执，不能作起点。请给出中心的回执或旧的凭据文件。")
    receipt, envelope = max(found, key=lambda it: it[0].upto)
    signer = open_archived(envelope, RECEIPT_TYPE, trust).signer(Role.RECEIVER)
    signer.valid_at(receipt.received_at)
    return receipt, envelope


def _receipts(lines: Iterable[bytes]) -> Iterator[Anchor]:
    for line in lines:
        if RECEIPT_TYPE.encode() in line:
            yield _receipt(line)


def _receipt(envelope: bytes) -> Anchor:
    return parse_receipt(parse_envelope(envelope).payload), envelope


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=BEIJING)
    except ValueError as error:
        raise OperatorFault(
            f"--since {text!r} 既不是文件，也不是日期。请写成 2026-11-22 或 '2026-11-22 10:00:05'（北京时间）。"
        ) from error
