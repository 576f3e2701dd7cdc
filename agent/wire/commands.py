"""Commands of the centre to one device: DSSE envelopes that a commander signed, on `cmd/{id}`.

What a command asks is in `body`, by `kind`; each rule that takes one reads its own body. Opened and checked here and
nowhere else; that `counter` was never used before is the device's own question.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.envelope import open_archived, open_envelope
from agent.wire.identifiers import DeviceId, District, device_id, district, label
from agent.wire.trust import Credential, Role, TrustList

COMMAND_TYPE = "application/vnd.liuhen.command+json"
MAX_COMMAND_BYTES = 32 * 1024  # ours: the longest, a task with all its steps, has 4 KiB
MAX_LIFE = timedelta(days=31)  # ours: what a device that lost its whole memory could be told once more

MAX_COUNTER = 2**31  # ours: one that is far ahead would leave no numbers


class CommandKind(StrEnum):
    """What can be asked of a device."""

    ASSIGN_TASK = "assign-task"
    SYNC_TIME = "sync-time"
    MARK_HOLD = "mark-hold"
    LIFT_HOLD = "lift-hold"
    OFFLOAD_NOW = "offload-now"
    ROTATE_CERTIFICATE = "rotate-certificate"
    SHOW_MESSAGE = "show-message"
    PULL_DIAGNOSTICS = "pull-diagnostics"
    UPDATE_POLICY = "update-policy"


class Refusal(StrEnum):
    """Why a command never reached its verb; stands in the refusal's event."""

    OVERSIZE = "oversize"
    RETAINED = "retained"
    TOPIC = "topic"
    SIGNATURE = "signature"
    DISTRICT = "district"
    DEVICE = "other-device"
    KIND = "kind"
    LIFE = "life"
    EARLY = "not-yet"
    EXPIRED = "expired"
    REPLAYED = "replayed"
    UNDATED = "clock-unset"
    BUSY = "busy"


@dataclass(frozen=True)
class Command:
    """Command `command_id` (the last level of its topic) for `device`, good from `not_before` until `expires_at`.
    `counter` grows with every command to this device, whoever signs it; one at or below the last is refused."""

    district: District
    device: DeviceId
    command_id: str
    counter: int
    kind: CommandKind
    issued_at: datetime
    not_before: datetime
    expires_at: datetime
    body: Mapping[str, Any]

    def encode(self) -> bytes:
        """Canonical payload for a commander to seal."""
        return canonical.encode(
            {
                "body": dict(self.body),
                "counter": self.counter,
                "device": self.device,
                "district": self.district,
                "expires_at": canonical.timestamp(self.expires_at),
                "id": self.command_id,
                "issued_at": canonical.timestamp(self.issued_at),
                "kind": self.kind.value,
                "not_before": canonical.timestamp(self.not_before),
            }
        )


def open_command(
    data: bytes, trust: TrustList, place: District, device: DeviceId, now: datetime, *, clock_set: bool
) -> Command:
    """The command in an envelope that a commander alone signed, for this device and in date; raises `SenderFault` whose
    code is a `Refusal` (`content` for what is no command at all).

    Without a set clock no date can be judged: neither the command's own nor a certificate's. Then the signer's must
    hold at the moment that the command names, and must not be revoked at all.
    """
    if len(data) > MAX_COMMAND_BYTES:
        raise SenderFault(f"命令超过 {MAX_COMMAND_BYTES // 1024} KiB，已拒绝。", Refusal.OVERSIZE)
    opened = open_envelope(data, COMMAND_TYPE, trust, now) if clock_set else open_archived(data, COMMAND_TYPE, trust)
    if len(opened.signers) != 1 or opened.signers[0].role is not Role.COMMANDER:
        raise SenderFault("命令应由一个签发人（commander）签名，已拒绝。", Refusal.SIGNATURE)
    command = parse_command(opened.payload)
    if command.district != place:
        raise SenderFault(f"命令属于区域 {command.district}，本机属于 {place}，已拒绝。", Refusal.DISTRICT)
    if command.device != device:
        raise SenderFault(f"命令发给 {command.device}，本机是 {device}，未采用。", Refusal.DEVICE)
    _check_dates(command, opened.signers[0], now if clock_set else None)
    return command


def parse_command(payload: bytes) -> Command:
    """The command in an opened envelope's payload; raises `SenderFault`."""
    fields = Fields("命令", canonical.decode(payload))
    try:
        kind = CommandKind(fields.text("kind"))
    except ValueError as error:
        raise SenderFault(f"命令种类“{fields.text('kind')[:40]}”未知，已拒绝。", Refusal.KIND) from error
    if fields.integer("counter", 1) > MAX_COUNTER:
        raise SenderFault(f"命令的序号大于上限 {MAX_COUNTER}，已拒绝。")
    return Command(
        district(fields.text("district")),
        device_id(fields.text("device")),
        label(fields.text("id")),
        fields.integer("counter"),
        kind,
        fields.moment("issued_at"),
        fields.moment("not_before"),
        fields.moment("expires_at"),
        fields.object("body"),
    )


def _check_dates(command: Command, signer: Credential, now: datetime | None) -> None:
    if not command.issued_at <= command.expires_at <= command.issued_at + MAX_LIFE:
        raise SenderFault(f"命令的有效期应在 {MAX_LIFE.days} 天以内，已拒绝。请重新签发。", Refusal.LIFE)
    if now is None:
        signer.valid_at(command.issued_at)
        if signer.revoked_at is not None:
            raise SenderFault(f"{signer.subject} 的证书已被吊销，已拒绝其签名。", Refusal.SIGNATURE)
    elif now > command.expires_at:
        raise SenderFault(f"命令 {command.command_id} 已过期，未执行。请重新签发。", Refusal.EXPIRED)
    elif now < command.not_before:
        raise SenderFault(f"命令 {command.command_id} 还未到执行时间，未执行。请到时重新签发。", Refusal.EARLY)
