"""The folders that roles run from: a device's, a person's, a receiver's. Each call is idempotent: what is there stays,
what is missing is added, other options are refused; only the trust list is renewed."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent import durable
from agent.errors import OperatorFault
from agent.wire.trust import Role
from provisioning.authority.authority import Authority
from provisioning.authority.complaint_key import COMPLAINT_PUBLIC, read_complaint_public
from provisioning.authority.subjects import PERSON_ROLES, checked_subject, device_role
from provisioning.fleet.gm_key import write_sm2_key
from provisioning.fleet.identity_files import (
    EVIDENCE,
    TLS,
    nearly_over_at,
    refuse_second_home,
    write_identity,
    write_missing,
    write_trust,
)
from provisioning.fleet.inventory import Planned, open_inventory
from provisioning.fleet.orders import ARCHIVE_NAME, DeviceOrder, ReceiverOrder, agent_toml, center_toml, kiosk_toml
from provisioning.fleet.states import LEGAL, State

AGENT_TOML, KIOSK_TOML, CENTER_TOML = "agent.toml", "kiosk.toml", "center.toml"
RECEIVER = "receiver"


@dataclass(frozen=True)
class FolderOutcome:
    """A folder that is complete now; `changed` is False when it was so before."""

    folder: Path
    changed: bool


def write_device_folder(authority: Authority, order: DeviceOrder, folder: Path, now: datetime) -> FolderOutcome:
    """Make or complete the folder of a device; raises `OperatorFault` for a bad id, an id that another folder holds, or
    other options than before."""
    role = device_role(order.device)
    if (order.kiosk is None) == (role is Role.KIOSK):
        raise OperatorFault(
            "窗口终端（KSK-）必须写明 --hall、--audience 与 --complaint-phone，记录仪（REC-）不得写。请改正参数。"
        )
    if order.archive is not None and role is Role.KIOSK:
        raise OperatorFault("窗口终端不录像，不需要存档公钥。请删去 --archive。")
    if order.gm and role is Role.KIOSK:
        raise OperatorFault("窗口终端不录像，不需要 --gm。请删去该参数。")
    place = authority.register(entries=False).district
    files = {AGENT_TOML: agent_toml(order, place)}
    if order.archive is not None:
        files[ARCHIVE_NAME] = order.archive
    if order.kiosk is not None:
        files[KIOSK_TOML] = kiosk_toml(order, order.kiosk, place)
        files |= _complaints(authority)
    refuse_second_home(authority, folder, order.device, EVIDENCE)
    durable.make_directory(folder, 0o700)
    changed = [write_missing(folder, files)]
    if order.gm:
        changed.append(write_sm2_key(folder))
    changed += _identities(authority, folder, order.device, role, EVIDENCE, now)
    changed.append(write_trust(folder, authority))
    _list(authority, order, now)
    return FolderOutcome(folder, any(changed))


def write_receiver_folder(authority: Authority, order: ReceiverOrder, folder: Path, now: datetime) -> FolderOutcome:
    """Make or complete the folder of a receiver of the centre; faults as `write_device_folder`."""
    checked_subject(order.receiver, Role.RECEIVER)
    refuse_second_home(authority, folder, order.receiver, RECEIVER)
    durable.make_directory(folder, 0o700)
    changed = [write_missing(folder, {CENTER_TOML: center_toml(order, authority.register(entries=False).district)})]
    changed += _identities(authority, folder, order.receiver, Role.RECEIVER, RECEIVER, now)
    changed.append(write_trust(folder, authority))
    return FolderOutcome(folder, any(changed))


def write_person_folder(authority: Authority, subject: str, role: Role, folder: Path, now: datetime) -> FolderOutcome:
    """Make or complete `{role}.key`, `{role}.pem`, `root.pem` and `trust.dsse` of a person who signs documents."""
    if role not in PERSON_ROLES:
        raise OperatorFault(f"角色 {role.value} 不属于人员，可用：{'、'.join(sorted(PERSON_ROLES))}。")
    checked_subject(subject, role)
    refuse_second_home(authority, folder, subject, role.value)
    durable.make_directory(folder, 0o700)
    changed = write_identity(
        folder, role.value, subject, lambda r: authority.certify_signer(r, subject, role, now), nearly_over_at(now)
    )
    return FolderOutcome(folder, write_trust(folder, authority) or changed)


def _complaints(authority: Authority) -> dict[str, bytes]:
    """The centre's key for complaints, where the authority has one: a kiosk without it takes none."""
    public = read_complaint_public(authority.folder)
    return {} if public is None else {COMPLAINT_PUBLIC: public}


def _list(authority: Authority, order: DeviceOrder, now: datetime) -> None:
    """A device whose folder is made here is in the inventory as one that enrolled itself is."""
    with open_inventory(authority.folder, authority.by) as inventory, inventory.records.transaction():
        held = inventory.find(order.device)
        if held is None:
            inventory.plan(Planned(order.device, unit=order.unit), now)
        for state in (State.BUNDLED, State.ENROLLED):
            current = inventory.device(order.device).state
            if current is not State.IN_REPAIR and state in LEGAL[current]:
                inventory.move(order.device, state, "密钥在工作台上生成", now)


def _identities(
    authority: Authority, folder: Path, subject: str, role: Role, signing: str, now: datetime
) -> list[bool]:
    spent = nearly_over_at(now)
    return [
        write_identity(folder, signing, subject, lambda r: authority.certify_signer(r, subject, role, now), spent),
        write_identity(folder, TLS, subject, lambda r: authority.certify_client(r, subject, role, now), spent),
    ]
