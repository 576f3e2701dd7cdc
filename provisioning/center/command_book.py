"""The commands of a centre: sealed files, numbered for each device, and what its events say became of them.

`commands/waiting/REC-0001-000007.dsse` until the device has answered or the command is past its end, then
`commands/closed/`. Whoever signs lays a file there; the receiver alone brings it to the broker.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.wire.canonical import Fields
from agent.wire.commands import COMMAND_TYPE, MAX_COUNTER, Command, CommandKind, Refusal, open_command, parse_command
from agent.wire.device_events import EventType
from agent.wire.envelope import parse_envelope, seal
from agent.wire.identifiers import DeviceId
from agent.wire.signing import Signer
from agent.wire.topics import COMMAND, device_topic
from agent.wire.trust import Role, TrustList
from provisioning.authority.authority import read_file

FOLDER, WAITING, CLOSED = "commands", "waiting", "closed"
NAME = re.compile(r"((?:REC|KSK)-[0-9]{4,6})-([0-9]{6,10})\.dsse")
TOLD = (EventType.COMMAND_ANSWERED.value, EventType.COMMAND_REFUSED.value)
UNREADABLE = "unreadable"  # an answer that is not as ours are
REPLAYED = "replayed"  # a command that came twice is refused the second time, and answered for the first


class Events(Protocol):
    """What a store is asked for."""

    def of_types(self, device: str, types: Iterable[str]) -> tuple[bytes, ...]:
        """Bodies of a device's events of these types, in order."""


@dataclass(frozen=True)
class Sent:
    """A command as it was sealed. `digest` is the SHA-256 of its envelope; `waiting`: it is not closed yet."""

    command: Command
    envelope: bytes
    waiting: bool

    @property
    def digest(self) -> str:
        """The name by which a device refuses it."""
        return hashlib.sha256(self.envelope).hexdigest()

    @property
    def topic(self) -> str:
        """Where it is published."""
        command = self.command
        return device_topic(command.district, command.device, f"{COMMAND}/{command.command_id}")


@dataclass(frozen=True)
class Answer:
    """What the device's chain says of a command; `event` is the number there."""

    done: bool
    code: str
    text: str
    result: Mapping[str, Any]
    event: int


class CommandBook:
    """The commands in `base`, the centre's folder."""

    def __init__(self, base: Path) -> None:
        self._waiting, self._closed = base / FOLDER / WAITING, base / FOLDER / CLOSED

    def issue(
        self,
        events: Events,
        signer: Signer,
        trust: TrustList,
        device: DeviceId,
        kind: CommandKind,
        body: Mapping[str, Any],
        now: datetime,
        life: timedelta,
    ) -> Sent:
        """Seal the next command for `device` and lay it ready; raises `OperatorFault` or `SenderFault` when no device
        would take it."""
        _check_signer(signer, trust)
        for folder in (self._waiting, self._closed):
            durable.make_directory(folder)
        with durable.exclusive(self._waiting.parent):
            counter = 1 + max([*self._numbers(device), *_numbers_told(events, device)], default=0)
            command = Command(trust.district, device, f"c-{counter:06d}", counter, kind, now, now, now + life, body)
            envelope = seal(COMMAND_TYPE, command.encode(), [signer])
            open_command(envelope, trust, trust.district, device, now, clock_set=True)
            durable.write_bytes(self._waiting / _name(command), envelope, durable.SHARED)
        return Sent(command, envelope, waiting=True)

    def sent(self, device: str = "") -> list[Sent]:
        """Every command to `device` (empty: to any), by device and number; one that is closed just now stands once."""
        both = [*self._read(self._waiting, device), *self._read(self._closed, device)]
        found = {(one.command.device, one.command.counter): one for one in both}
        return [found[key] for key in sorted(found)]

    def waiting(self) -> list[Sent]:
        """Those that no answer has closed, by device and number."""
        return sorted(self._read(self._waiting), key=lambda one: (one.command.device, one.command.counter))

    def close(self, sent: Sent) -> None:
        """Nothing more is to be done about it."""
        durable.move(self._waiting / _name(sent.command), self._closed / _name(sent.command))

    def _numbers(self, device: DeviceId) -> Iterator[int]:
        for folder in (self._waiting, self._closed):
            for path in folder.glob(f"{device}-*.dsse"):
                found = NAME.fullmatch(path.name)
                if found is not None and found[1] == device:
                    yield int(found[2])

    def _read(self, folder: Path, device: str = "") -> Iterator[Sent]:
        for path in sorted(folder.glob(f"{device or '*'}-*.dsse")):
            try:
                envelope = read_file(path)
                command = parse_command(parse_envelope(envelope).payload)
            except (SenderFault, OperatorFault):
                continue  # it was moved meanwhile, or is no command: no device would take it
            if path.name == _name(command):
                yield Sent(command, envelope, folder == self._waiting)


def _check_signer(signer: Signer, trust: TrustList) -> None:
    """Raise `SenderFault` for a key that no device takes commands from."""
    listed = trust.credentials.get(signer.key_id)
    if listed is None or listed.role is not Role.COMMANDER:
        text = f"密钥 {signer.key_id[:16]}… 不是信任清单第 {trust.version} 版中的签发人（commander），未签发。"
        advice = "请检查 --key 与 --chain；新的签发人用 liuhen-provision add-person --role commander 登记。"
        raise SenderFault(f"{text}{advice}", Refusal.SIGNATURE)


def answers(events: Events, sent: Iterable[Sent]) -> dict[str, Answer]:
    """What became of these commands, by the digest of their envelopes."""
    found: dict[str, Answer] = {}
    wanted = list(sent)
    for device in sorted({one.command.device for one in wanted}):
        told = [json.loads(body) for body in events.of_types(device, TOLD)]
        for one in (one for one in wanted if one.command.device == device):
            answer = _answer(one, told)
            if answer is not None:
                found[one.digest] = answer
    return found


def _answer(sent: Sent, told: list[dict[str, Any]]) -> Answer | None:
    refusal = None
    for event in told:
        data = event["data"]
        if event["type"] == EventType.COMMAND_ANSWERED and data.get("counter") == sent.command.counter:
            if data.get("id") == sent.command.command_id:
                return _answered(Fields("设备的答复", data), event["devseq"])
        elif data.get("digest") == sent.digest:
            code = str(data.get("code", UNREADABLE))
            refusal = Answer(False, code, f"设备未采用此命令（{code}）。", {}, event["devseq"])
    return refusal


def _answered(fields: Fields, devseq: int) -> Answer:
    """An answer as the device gave it. One that cannot be read is told as that: its number is used up all the same."""
    try:
        done, text, result = fields.boolean("done"), fields.text("text"), fields.object("result")
        return Answer(done, fields.text("code"), text, result, devseq)
    except SenderFault as fault:
        return Answer(False, UNREADABLE, f"设备的答复无法读取：{fault}请查看设备状态。", {}, devseq)


def _numbers_told(events: Events, device: DeviceId) -> Iterator[int]:
    """Numbers that the device says it has used up: files of an earlier centre may be gone."""
    for body in events.of_types(device, TOLD):
        data = json.loads(body)["data"]
        numbers = [data[name] for name in ("counter", "last") if isinstance(data.get(name), int)]
        yield from (number for number in numbers if 0 < number < MAX_COUNTER)


def _name(command: Command) -> str:
    return f"{command.device}-{command.counter:06d}.dsse"
