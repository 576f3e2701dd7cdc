"""Who a certificate may name. The broker turns a common name into a topic level, so a name is checked before it is
certified: `REC-0002/up` as a common name once wrote inside the subtree of REC-0002 (reference: provisioning, 0.9)."""

import re

from agent.errors import OperatorFault, SenderFault
from agent.wire.identifiers import DEVICE_PATTERN, DeviceKind, device_id, device_kind, label
from agent.wire.trust import Role

PERSON_PATTERN = re.compile(r"[^\W_](?:[\w-]{0,30}[^\W_])?")  # letters of any script, digits, inner hyphen, <= 32
MAX_NAME_BYTES = 64  # RFC 5280 appendix A: ub-common-name; UTF-8 as our library counts it
PERSON_ROLES = frozenset({Role.EDITOR, Role.REVIEWER, Role.COMMANDER, Role.HANDLER, Role.EXAMINER, Role.LEADER})
DEVICE_ROLES = {DeviceKind.RECORDER: Role.RECORDER, DeviceKind.KIOSK: Role.KIOSK}


def device_role(device: str) -> Role:
    """The one role of a device id; raises `OperatorFault` when it is not one."""
    try:
        return DEVICE_ROLES[device_kind(device_id(device))]
    except SenderFault as fault:
        raise OperatorFault(f"{fault}请改用规定的设备编号。") from fault


def checked_subject(subject: str, role: Role) -> str:
    """Return `subject` when it may carry `role`; raises `OperatorFault` naming the form it should have."""
    if role in DEVICE_ROLES.values():
        return _device(subject, role)
    if role in PERSON_ROLES:
        return _person(subject)
    return _receiver(subject)


def checked_officer(number: str) -> str:
    """Return the number of who is handed a device; raises `OperatorFault` for what may be a name: the signed document
    and the audit would keep it."""
    if not any(sign.isdigit() for sign in _person(number)):
        raise OperatorFault(f"“{number}”不像人员编号（没有数字）。请写编号，不写姓名，如 示例-000001。")
    return number


def _device(subject: str, role: Role) -> str:
    if device_role(subject) is not role:
        raise OperatorFault(f"设备编号 {subject} 与角色 {role.value} 不符：REC- 为记录仪，KSK- 为窗口终端。")
    return subject


def _person(subject: str) -> str:
    fits = PERSON_PATTERN.fullmatch(subject) and len(subject.encode()) <= MAX_NAME_BYTES
    if not fits or DEVICE_PATTERN.fullmatch(subject):
        raise OperatorFault(f"人员编号“{subject[:40]}”不可用：请用 1 至 32 个文字、数字或连字符，如 示例-000001。")
    return subject


def _receiver(subject: str) -> str:
    try:
        return label(subject)
    except SenderFault as fault:
        raise OperatorFault(f"接收端名称“{subject[:40]}”不可用：请用小写字母、数字和连字符，如 receiver-1。") from fault
