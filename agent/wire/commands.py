"""Commands of the centre to one device: DSSE envelopes that a commander signed, on `cmd/{id}`.

What a command asks is in `body`, by `kind`; each rule that takes one reads its own body. Opened and checked here and
nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.envelope import open_envelope
from agent.wire.identifiers import DeviceId, District, device_id, district, label
from agent.wire.trust import Role, TrustList

COMMAND_TYPE = "application/vnd.liuhen.command+json"


class CommandKind(StrEnum):
    """What can be asked of a device."""

    ASSIGN_TASK = "assign-task"


@dataclass(frozen=True)
class Command:
    """Command `command_id` (the last level of its topic) for `device`, good until `expires_at`."""

    district: District
    device: DeviceId
    command_id: str
    kind: CommandKind
    issued_at: datetime
    expires_at: datetime
    body: Mapping[str, Any]

    def encode(self) -> bytes:
        """Canonical payload for a commander to seal."""
        return canonical.encode(
            {
                "body": dict(self.body),
                "device": self.device,
                "district": self.district,
                "expires_at": canonical.timestamp(self.expires_at),
                "id": self.command_id,
                "issued_at": canonical.timestamp(self.issued_at),
                "kind": self.kind.value,
            }
        )


def open_command(data: bytes, trust: TrustList, now: datetime, place: District, *, clock_set: bool) -> Command:
    """The command in an envelope that a commander alone signed; raises `SenderFault`. Whether it is for this device is
    the caller's question. Without a set clock its end cannot be judged and is not."""
    opened = open_envelope(data, COMMAND_TYPE, trust, now)
    if len(opened.signers) != 1:
        raise SenderFault("命令应有一个签发人签名，已拒绝。", "signature")
    opened.signer(Role.COMMANDER)
    command = parse_command(opened.payload)
    if command.district != place:
        raise SenderFault(f"命令属于区域 {command.district}，本机属于 {place}，已拒绝。", "district")
    if clock_set and now > command.expires_at:
        raise SenderFault(f"命令 {command.command_id} 已过期，未执行。请重新签发。", "expired")
    return command


def parse_command(payload: bytes) -> Command:
    """The command in an opened envelope's payload; raises `SenderFault`."""
    fields = Fields("命令", canonical.decode(payload))
    try:
        kind = CommandKind(fields.text("kind"))
    except ValueError as error:
        raise SenderFault(f"命令种类“{fields.text('kind')[:40]}”未知，已拒绝。", "kind") from error
    return Command(
        district(fields.text("district")),
        device_id(fields.text("device")),
        label(fields.text("id")),
        kind,
        fields.moment("issued_at"),
        fields.moment("expires_at"),
        fields.object("body"),
    )
