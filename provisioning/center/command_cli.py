"""`liuhen-center command` and `commands`: what a commander tells a device, and what became of it."""

import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.clock import system_clock
from agent.duty.task import read_task
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.key_files import read_signer
from agent.wire.canonical import timestamp
from agent.wire.commands import CommandKind
from agent.wire.identifiers import device_id
from agent.wire.instant import BEIJING
from provisioning.authority.authority import read_file
from provisioning.center.cases import CaseRoom
from provisioning.center.command_book import REPLAYED, Answer, CommandBook, Events, Sent, answers
from provisioning.center.config import read_config
from provisioning.cli_frame import err, tell

LOOK_S = 0.3  # ours
LIST = "liuhen-center commands"
WORDS = {True: "已执行", False: "未执行"}
NEEDS: Mapping[CommandKind, tuple[str, ...]] = {
    CommandKind.ASSIGN_TASK: ("task",),
    CommandKind.SHOW_MESSAGE: ("text",),
    CommandKind.MARK_HOLD: ("recording", "hold", "reason"),
    CommandKind.LIFT_HOLD: ("recording", "hold", "reason"),
}
"""What a kind has to be given; the others need nothing."""

Config = Annotated[Path, typer.Option("--config", help="center.toml 的路径")]
Json = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]


def command(
    device: Annotated[str, typer.Argument(help="设备编号，如 REC-0001")],
    kind: Annotated[str, typer.Argument(metavar="VERB", help=" | ".join(CommandKind))],
    config: Config,
    key: Annotated[Path, typer.Option(help="签发人的私钥 (PKCS8 PEM)")],
    chain: Annotated[Path, typer.Option(help="签发人的证书链 (PEM)")],
    text: Annotated[str, typer.Option(help="show-message：一行消息")] = "",
    task: Annotated[Path | None, typer.Option(help="assign-task：任务文件 (JSON)")] = None,
    recording: Annotated[str, typer.Option(help="mark-hold、lift-hold：录制编号")] = "",
    hold: Annotated[str, typer.Option(help="mark-hold、lift-hold：冻结的名称")] = "",
    reason: Annotated[str, typer.Option(help="mark-hold、lift-hold：理由")] = "",
    hours: Annotated[int, typer.Option(min=1, max=744, help="有效期（小时），过期不再执行")] = 24,
    wait: Annotated[bool, typer.Option("--wait", help="等设备答复")] = False,
    wait_s: Annotated[int, typer.Option(min=1, help="最多等多少秒")] = 60,
    as_json: Json = False,
) -> None:
    """向一台设备下达签名命令，由接收端送达；设备只执行一次，答复记入其事件链 (signed, answered on the chain)."""
    given = {"task": task, "text": text, "recording": recording, "hold": hold, "reason": reason}
    verb = _verb(kind)
    body = _body(verb, given)
    settings, now = read_config(config), system_clock().read().wall
    if not settings.shard.owns(device_id(device)):
        raise OperatorFault(f"{device} 由另一个接收端负责。请用它的 center.toml。")
    signer, trust = read_signer(key, chain), CaseRoom(settings, config.parent, now).trust
    store, book = _store(config), CommandBook(settings.folder)
    try:
        sent = book.issue(store, signer, trust, device_id(device), verb, body, now, timedelta(hours=hours))
        answer = _await(store, sent, wait_s) if wait else None
    finally:
        store.close()
    _tell_one(sent, answer, wait_s if wait else 0, as_json)


def commands(
    config: Config,
    device: Annotated[str, typer.Option("--device", help="只看这台设备")] = "",
    as_json: Json = False,
) -> None:
    """已下达的命令与设备的答复 (sent commands and their answers)."""
    store, book = _store(config), CommandBook(read_config(config).folder)
    try:
        sent = book.sent(device and device_id(device))
        found = answers(store, sent)
    finally:
        store.close()
    facts = [_facts(one, found.get(one.digest)) for one in sent]
    lines = [_line(one, found.get(one.digest)) for one in sent]
    tell("\n".join(lines) or "还没有下达过命令。", {"commands": facts}, as_json=as_json)


def _verb(text: str) -> CommandKind:
    try:
        return CommandKind(text)
    except ValueError as error:
        raise OperatorFault(f"没有“{text[:40]}”这种命令，可用：{'、'.join(CommandKind)}。") from error


def _body(kind: CommandKind, given: Mapping[str, Any]) -> dict[str, Any]:
    needs = NEEDS.get(kind, ())
    missing = [f"--{name}" for name in needs if not given[name]]
    surplus = [f"--{name}" for name, value in given.items() if value and name not in needs]
    if missing or surplus:
        words = (f"缺少 {'、'.join(missing)}" if missing else "") + (f"不用 {'、'.join(surplus)}" if surplus else "")
        raise OperatorFault(f"{kind} {words}。请改正参数。")
    if kind is CommandKind.ASSIGN_TASK:
        return dict(read_task(read_file(given["task"]).decode(errors="replace")))
    return {name: given[name] for name in needs}


def _await(store: Events, sent: Sent, wait_s: int) -> Answer | None:
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        answer = answers(store, [sent]).get(sent.digest)
        if answer is not None and (answer.done or answer.code != REPLAYED):
            return answer
        time.sleep(LOOK_S)
    return None


def _tell_one(sent: Sent, answer: Answer | None, waited_s: int, as_json: bool) -> None:
    facts = _facts(sent, answer)
    if answer is not None and answer.done:
        tell(_line(sent, answer), facts, as_json=as_json)
        return
    if as_json:
        tell("", facts, as_json=True)
    if answer is not None:
        raise SenderFault(f"{sent.command.device} 未执行命令 {sent.command.command_id}：{answer.text}", answer.code)
    if waited_s:
        name = sent.command.command_id
        raise EnvironmentFault(f"{waited_s} 秒内没有答复。命令 {name} 在有效期内仍会送达，结果请看 {LIST}。")
    if not as_json:
        err.print(f"命令 {sent.command.command_id} 已签发，由接收端送达。结果请看 liuhen-center commands。")


def _line(sent: Sent, answer: Answer | None) -> str:
    command, outcome = sent.command, "等待送达或答复" if sent.waiting else "到期未答复"
    if answer is not None:
        outcome = f"{WORDS[answer.done]}：{answer.text}"
    issued = f"{command.issued_at.astimezone(BEIJING):%m-%d %H:%M:%S}"
    return f"{command.device} {command.command_id} {issued} {command.kind.value}  {outcome}"


def _facts(sent: Sent, answer: Answer | None) -> dict[str, Any]:
    command = sent.command
    told = None if answer is None else {**vars(answer), "result": dict(answer.result)}
    return {
        "device": command.device,
        "id": command.command_id,
        "counter": command.counter,
        "kind": command.kind.value,
        "issued_at": timestamp(command.issued_at),
        "expires_at": timestamp(command.expires_at),
        "waiting": sent.waiting and answer is None,
        "answer": told,
    }


def _store(config: Path) -> Any:
    from provisioning.center.store import open_store  # needs the extra `center`

    settings = read_config(config)
    return open_store(settings.database, settings.folder, create=False)
