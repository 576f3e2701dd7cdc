"""What a device can be told to do: one table of verbs, each a rule from a command to a ruling.

A verb gets an opened command that no other was like, and says what it changes (`drafts`, `notes`), what follows once
that is on the disk (`then`), or what the worker has to do for it (`later`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from agent.control import duty_tasks
from agent.control.command_messages import Diagnose, HoldsKept, OffloadNow, OpenCommand, RequestCertificate
from agent.control.deletion import Kept
from agent.control.duty_book import DutyBook, task_refused
from agent.control.duty_situation import Outcome
from agent.control.effects import DutyKept, Effect, EventDraft, Note, RaiseAlarm, ReadTrustList, StoreEvent, StoreNote
from agent.control.offload_messages import OffloadWanted
from agent.duty.masking import check_masked
from agent.duty.policies import PolicyShelf
from agent.errors import OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.commands import Command, CommandKind
from agent.wire.device_events import EventType
from agent.wire.identifiers import DeviceId, RecordingId, parse_recording_id, recording_device
from agent.wire.instant import Instant

MAX_MESSAGE, MAX_REASON, MAX_HOLD = 100, 100, 64  # characters, ours: one line on a small screen
MAX_HOLDS = 16  # ours, on one recording
MAX_VERSIONS = 40  # ours: policies named in an answer
UNREADABLE_HOLD = "unreadable"  # the name of a hold whose record the card has damaged: it holds until it is lifted
MILLISECOND = timedelta(milliseconds=1)

Holds = dict[RecordingId, Mapping[str, str]]


@dataclass(frozen=True)
class Hands:
    """What verbs work with. `holds` are those in force; `book` is None on a kiosk host; `hear_again` asks the broker
    for everything retained; `offloads`: recordings are brought to a store outside; `kept` is what is remembered of a
    recording, None of one that is not here."""

    device: DeviceId
    holds: Holds
    book: DutyBook | None
    policies: PolicyShelf
    hear_again: Callable[[], list[Effect]]
    offloads: bool = True
    kept: Callable[[RecordingId], Kept | None] = lambda _: None


@dataclass(frozen=True)
class Ruling:
    """What is done about a command. `text` is one Chinese line for whoever sent it, `code` empty when it was or will be
    done; `result` stands in the answer."""

    text: str
    code: str = ""
    drafts: tuple[EventDraft, ...] = ()
    notes: tuple[Note, ...] = ()
    result: Mapping[str, Any] = field(default_factory=dict)
    then: Callable[[Instant], list[Effect]] | None = None
    later: Callable[[OpenCommand], Effect] | None = None


@dataclass(frozen=True)
class Verb:
    """`undated`: it may also be carried out while the device cannot tell the time, so cannot see that a command is past
    its end. What would set something free may not."""

    decide: Callable[[Hands, Command, bytes, Instant], Ruling]
    undated: bool = True


def assign_task(hands: Hands, command: Command, payload: bytes, now: Instant) -> Ruling:
    """Take the task in the body, or keep it waiting."""
    book = _book(hands)
    try:
        body = {"device": command.device, **command.body}  # one that names another device is refused, not rewritten
        outcome = duty_tasks.offered(book.at(now), body, duty_tasks.COMMAND, payload)
    except SenderFault as fault:
        return Ruling(str(fault), fault.code, (task_refused(payload, fault, now),))
    return _of_duty(book, outcome)


def show_message(hands: Hands, command: Command, _: bytes, now: Instant) -> Ruling:
    """Put one line where the bearer sees it; it stays until the next one."""
    text = _line(command, "text", MAX_MESSAGE)
    check_masked("消息", {"text": text})
    book = _book(hands)
    shift = replace(book.shift, message=text, message_at=canonical.timestamp(now.wall))
    return _of_duty(book, Outcome(shift, "消息已显示在执法人员页面。"))


def mark_hold(hands: Hands, command: Command, _: bytes, now: Instant) -> Ruling:
    """Forbid deleting a recording, under a name and for a reason."""
    recording, name, reason = _hold_of(hands, command)
    before, kept = hands.holds.get(recording, {}), hands.kept(recording)
    if kept is not None and kept.going:
        raise SenderFault(f"{recording} 的删除已入事件链，不能再冻结。请在中心冻结并调取已签收的文件。", "deleting")
    if name not in before and len(before) >= MAX_HOLDS:
        raise SenderFault(f"{recording} 已有 {MAX_HOLDS} 项冻结，未再增加。请先解除不再需要的。", "holds")
    doubt = "" if kept is not None else "本机没有这次录制的记录，请核对编号。"
    text = f"{recording} 已冻结（{name}），解除前本机不删除。{doubt}"
    return _held(hands, recording, {**before, name: reason}, EventType.RECORDING_HELD, command, text, now)


def lift_hold(hands: Hands, command: Command, _: bytes, now: Instant) -> Ruling:
    """Lift a hold by its name; others on the same recording stay."""
    recording, name, _reason = _hold_of(hands, command)
    before = hands.holds.get(recording, {})
    if name not in before:
        raise SenderFault(f"{recording} 没有名为 {name} 的冻结，请核对名称。", "no-hold")
    rest = {other: why for other, why in before.items() if other != name}
    text = f"{recording} 的冻结（{name}）已解除" + (f"，还有 {len(rest)} 项。" if rest else "。")
    return _held(hands, recording, rest, EventType.RECORDING_RELEASED, command, text, now)


def sync_time(_: Hands, command: Command, __: bytes, now: Instant) -> Ruling:
    """Tell how far this clock lies behind the moment at which the centre signed. Nothing is set: a command may have
    been on its way for any time, so it only bounds the true time from below."""
    behind_ms = max(0, (command.issued_at - now.wall) // MILLISECOND)
    result = {"behind_ms": behind_ms, "error_ms": now.error_ms, "state": now.state.value}
    if (now.error_ms is not None and behind_ms <= now.error_ms) or not behind_ms:
        return Ruling(f"本机时间（{now.state.chinese}）与中心签发时间不矛盾。", result=result)
    text = f"本机时间比中心签发时间至少慢 {behind_ms} 毫秒，只作标注，未调整时钟。请检查校时。"
    return Ruling(text, result=result, then=lambda _now: [RaiseAlarm(text)])


def update_policy(hands: Hands, _: Command, __: bytes, now: Instant) -> Ruling:
    """Read the trust list again and ask for every publication again; the answer tells the versions until now."""
    versions = dict([*hands.policies.in_force(now.wall).versions.items()][:MAX_VERSIONS])
    text = f"正在重新获取公示与办法，目前生效 {len(versions)} 份；新采用的逐份上报。"
    return Ruling(text, result={"versions": versions}, then=lambda _now: [ReadTrustList(), *hands.hear_again()])


def offload_now(hands: Hands, command: Command, _: bytes, __: Instant) -> Ruling:
    """Bring recordings to the store outside now."""
    if hands.book is None or not hands.offloads:
        raise OperatorFault("本机没有配置录像上传（agent.toml 的 [offload]），不能上传。")
    notes = (OffloadWanted(True),)  # what is begun goes on after a power cut
    return Ruling("已开始上传录像，进度见设备状态。", notes=notes, then=lambda _now: [OffloadNow(command.counter)])


def rotate_certificate(_: Hands, __: Command, ___: bytes, ____: Instant) -> Ruling:
    """Begin to renew the TLS certificate: a new key, and the signing request in the answer."""
    return Ruling("正在生成新密钥与证书请求。", later=RequestCertificate)


def pull_diagnostics(_: Hands, __: Command, ___: bytes, ____: Instant) -> Ruling:
    """Collect what a technician wants to know; it stands in the answer."""
    return Ruling("正在收集诊断信息。", later=Diagnose)


VERBS: Mapping[CommandKind, Verb] = {
    CommandKind.ASSIGN_TASK: Verb(assign_task),
    CommandKind.SYNC_TIME: Verb(sync_time),
    CommandKind.MARK_HOLD: Verb(mark_hold),
    CommandKind.LIFT_HOLD: Verb(lift_hold, undated=False),
    CommandKind.OFFLOAD_NOW: Verb(offload_now),
    CommandKind.ROTATE_CERTIFICATE: Verb(rotate_certificate),
    CommandKind.SHOW_MESSAGE: Verb(show_message),
    CommandKind.PULL_DIAGNOSTICS: Verb(pull_diagnostics),
    CommandKind.UPDATE_POLICY: Verb(update_policy),
}
"""Whatever is not in here no device does."""


def _of_duty(book: DutyBook, outcome: Outcome) -> Ruling:
    """The outcome of a duty rule; its shift is stored with the command and shown once that is done."""

    def then(now: Instant) -> list[Effect]:
        return [it for it in book.carry_out(outcome, now) if not isinstance(it, StoreEvent | StoreNote)]

    note = DutyKept(outcome.shift.encode().decode())
    return Ruling(outcome.text, drafts=outcome.drafts, notes=(note,), then=then)


def _held(
    hands: Hands,
    recording: RecordingId,
    holds: Mapping[str, str],
    kind: EventType,
    command: Command,
    text: str,
    now: Instant,
) -> Ruling:
    def then(_now: Instant) -> list[Effect]:
        if holds:
            hands.holds[recording] = holds
        else:
            hands.holds.pop(recording, None)
        return []

    fields = Fields("命令", command.body)
    data = {"hold": fields.text("hold"), "reason": fields.text("reason"), "recording": recording, "left": len(holds)}
    draft = EventDraft(f"hold/{command.counter}", kind, now, data)
    return Ruling(text, "", (draft,), (HoldsKept(recording, holds),), {"holds": sorted(holds)}, then)


def _hold_of(hands: Hands, command: Command) -> tuple[RecordingId, str, str]:
    recording = parse_recording_id(Fields("命令", command.body).text("recording"))
    if recording_device(recording) != hands.device:
        raise SenderFault(f"{recording} 不是本机 {hands.device} 的录制，未采用。", "other-device")
    name, reason = _line(command, "hold", MAX_HOLD), _line(command, "reason", MAX_REASON)
    check_masked("冻结", {"hold": name, "reason": reason})
    return recording, name, reason


def _line(command: Command, name: str, most: int) -> str:
    text = Fields("命令", command.body).text(name)
    if not 0 < len(text.strip()) <= most or not text.isprintable():
        raise SenderFault(f"命令的 {name} 应是 1 至 {most} 字的一行文字，未采用。", "text")
    return text


def _book(hands: Hands) -> DutyBook:
    if hands.book is None:
        raise OperatorFault("本机不是执法记录仪，不能办理任务，也没有执法人员页面。")
    return hands.book
