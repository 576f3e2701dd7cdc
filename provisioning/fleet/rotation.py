"""New keys for devices that are in use, at the bench: a TLS key is ordered and the device fetches it; an evidence key
is answered to the device's own signed request, and both chains stay good."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.errors import LiuhenFault, OperatorFault, SenderFault
from agent.wire.canonical import parse_timestamp, timestamp
from agent.wire.enrolment import Refusal, Reply, refusal, request_digest
from agent.wire.envelope import open_envelope, seal
from agent.wire.identifiers import KeyId
from agent.wire.rotation import ROTATED_TYPE, ROTATION_REQUEST_TYPE, Rotated, RotationRequest, parse_rotation_request
from agent.wire.signing import KeySigner, key_id_of
from provisioning.authority import cert_book
from provisioning.authority.certificates import Profile, checked_request
from provisioning.fleet.enrolment import Desk
from provisioning.fleet.inventory import Inventory
from provisioning.fleet.states import State

REQUEST_AGE = timedelta(days=2)  # ours: as for an acceptance report
EVIDENCE_BEFORE = timedelta(days=365)  # ours: a technician sees every device once a year
IN_USE = (State.ENROLLED, State.ACCEPTED, State.ASSIGNED, State.IN_REPAIR)


@dataclass(frozen=True)
class Due:
    """A key of a device in use that is to be replaced: `ordered`, or because its certificate (`until`) has passed two
    thirds of its life (TLS) or is in its last year (evidence)."""

    device: str
    profile: Profile
    until: datetime
    ordered: bool


def order(inventory: Inventory, device: str, now: datetime) -> None:
    """The device is to take a new TLS key: told when it asks next (`/liuhen/due`). Raises `OperatorFault` when it is
    not in use."""
    with inventory.records.transaction():
        held = inventory.device(device)
        if held.state not in IN_USE or cert_book.live(inventory.records, device, Profile.TLS_CLIENT) is None:
            raise OperatorFault(f"{device} 现为 {held.state}，没有在用的连接证书，不能换钥。请查看 inventory。")
        sql = "INSERT OR REPLACE INTO rotation (device, ordered_at, ordered_by) VALUES (?, ?, ?)"
        inventory.records.rows(sql, device, timestamp(now), inventory.by)
        inventory.note("rotation-ordered", device, {"which": Profile.TLS_CLIENT.label}, now)


def is_ordered(inventory: Inventory, device: str) -> bool:
    """Whether a new TLS key was ordered after the one the device has was certified."""
    rows = inventory.records.rows("SELECT ordered_at FROM rotation WHERE device = ?", device)
    held = cert_book.live(inventory.records, device, Profile.TLS_CLIENT)
    return bool(rows) and held is not None and held.issued_at <= parse_timestamp(rows[0]["ordered_at"])


def due(inventory: Inventory, now: datetime) -> tuple[Due, ...]:
    """What is to be replaced, by device."""
    return tuple(
        found
        for held in inventory.devices()
        if held.state in IN_USE
        for profile in (Profile.TLS_CLIENT, Profile.EVIDENCE)
        if (found := _due(inventory, held.device, profile, now)) is not None
    )


def rotate_evidence(desk: Desk, data: bytes, now: datetime, device: str = "") -> bytes:
    """The reply (`enrolment.Reply`) to a device's request; raises `SenderFault` when it is forged, foreign, old or not
    of `device`, `OperatorFault` when the device is not in use."""
    asked = _checked(desk, data, now)
    if device not in ("", asked.device):
        raise SenderFault(f"这份申请是 {asked.device} 的，不是 {device} 的，已拒绝。请核对文件。")
    if not desk.sitting.has_root:
        raise OperatorFault("根密钥不在，信任清单不能更新，没有换钥。请带根密钥再来。")
    with desk.inventory.records.transaction():
        role = desk.inventory.device(asked.device).role
        chain = desk.sitting.renew(asked.evidence.encode(), asked.device, role, now, Profile.EVIDENCE)
        desk.inventory.note("evidence-rotated", asked.device, {"request": request_digest(data)}, now)
    if not desk.sitting.publish():
        raise OperatorFault(
            "根密钥刚被取走：已登记新钥，信任清单还没有。请带回根密钥，运行 doctor 补签，再向设备答复。"
        )
    word = Rotated(asked.device, request_digest(data), chain.decode(), now)
    sealed = seal(ROTATED_TYPE, word.encode(), [KeySigner(desk.sitting.issuer.key)])
    return Reply(sealed, desk.authority.trust_bytes).encode()


def reply_to(desk: Desk, data: bytes, now: datetime) -> bytes:
    """As `rotate_evidence`, for what came over a network: never raises for it."""
    try:
        return rotate_evidence(desk, data, now)
    except LiuhenFault as fault:
        return refusal(Refusal.KEY, str(fault))


def _due(inventory: Inventory, device: str, profile: Profile, now: datetime) -> Due | None:
    held = cert_book.live(inventory.records, device, profile)
    if held is None:
        return None
    begin, end = held.certificate.not_valid_before_utc, held.certificate.not_valid_after_utc
    limit = begin + (end - begin) * 2 / 3 if profile is Profile.TLS_CLIENT else end - EVIDENCE_BEFORE
    ordered = profile is Profile.TLS_CLIENT and is_ordered(inventory, device)
    return Due(device, profile, end, ordered) if ordered or now >= limit else None


def _checked(desk: Desk, data: bytes, now: datetime) -> RotationRequest:
    desk.sitting.publish()
    opened = open_envelope(data, ROTATION_REQUEST_TYPE, desk.authority.trust(), now)
    asked = parse_rotation_request(opened.payload)
    held = desk.expected(asked.device)
    if held.state not in IN_USE:
        raise OperatorFault(f"{asked.device} 现为 {held.state}，不能换钥。请查看 inventory。")
    if asked.hardware.lower() != held.hardware.lower():
        raise SenderFault(f"申请写的硬件是 {asked.hardware}，不是登记的 {held.hardware}，已拒绝。请核对设备。")
    if not now - REQUEST_AGE <= asked.made_at <= now + REQUEST_AGE:
        raise SenderFault(f"申请写于 {asked.made_at:%Y-%m-%d %H:%M}，与现在相差两天以上，已拒绝。请重新申请。")
    return _by_its_key(desk, asked, {credential.key_id for credential in opened.signers})


def _by_its_key(desk: Desk, asked: RotationRequest, signers: set[KeyId]) -> RotationRequest:
    """Signed by the key in use; or by one before it, asking for the key in use: the answer got lost."""
    live = cert_book.live(desk.sitting.records, asked.device, Profile.EVIDENCE)
    if live is None:
        raise OperatorFault(f"{asked.device} 没有有效的证据证书。请重新入网。")
    wanted = key_id_of(checked_request(asked.evidence.encode(), asked.device))
    entries = [cert_book.by_key(desk.sitting.records, key) for key in signers]
    own = all(it and (it.subject, it.profile) == (asked.device, Profile.EVIDENCE) for it in entries)
    if signers == {live.key_id} or (own and wanted == live.key_id):
        return asked
    raise SenderFault(f"申请不是 {asked.device} 现在的证据密钥签的，已拒绝。请在设备上重新申请。", "signature")
