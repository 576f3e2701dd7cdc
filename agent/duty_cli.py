"""`liuhen-agent task|step|identity|enrol`: what an officer asks of the running agent, by the folder `asked`."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from agent import asking
from agent.asking import read_state as read_state
from agent.config import AgentConfig, read_config
from agent.duty.asks import MAX_ASK_BYTES, What
from agent.duty.enrolment import SALT_BYTES, pin_record
from agent.errors import OperatorFault

output = Console(markup=False)
PRINT_S = 60.0  # ours: 40 cm of paper at 9600 baud, and a printer that is just being switched on
tasks = typer.Typer(no_args_is_help=False, invoke_without_command=True, help="领用、任务与交回。 Task and take-out.")
ConfigOption = Annotated[Path, typer.Option("--config", help="设备文件夹中的 agent.toml")]
JsonOption = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]
CertificateOption = Annotated[str, typer.Option("--certificate", help="执法证件编号，例如 示例-000123")]


@tasks.callback()
def shown(context: typer.Context) -> None:
    """不带子命令时请用 show。 See the commands below.

    示例： liuhen-agent task show --config agent.toml
    """
    if context.invoked_subcommand is None:
        raise OperatorFault("请写明要做什么：show、take-out、pick、reason、met、end 或 hand-in；加 --help 查看用法。")


@tasks.command()
def show(config: ConfigOption, as_json: JsonOption = False) -> None:
    """显示领用人、任务、环节与时限。 Who has the device, for what, what is missing."""
    state = read_state(recorder(config).state_dir)
    if as_json:
        output.out(json.dumps(state, ensure_ascii=False, indent=2), highlight=False)
        return
    for line in lines(state):
        output.out(line, highlight=False)


@tasks.command("take-out")
def take_out(
    config: ConfigOption,
    certificate: CertificateOption,
    pin: Annotated[str, typer.Option(help="登记时设的 PIN；不写则提示输入")] = "",
) -> None:
    """用 PIN 领用本机；用卡则在读卡器上刷卡。 Take the recorder out.

    示例： liuhen-agent task take-out --certificate 示例-000123 --config agent.toml
    """
    _ask(config, What.TAKE_OUT, certificate=certificate, pin=pin or _typed("PIN"))


@tasks.command("hand-in")
def hand_in(config: ConfigOption, certificate: CertificateOption) -> None:
    """交回本机。 Hand the recorder in."""
    _ask(config, What.HAND_IN, certificate=certificate)


@tasks.command()
def pick(
    config: ConfigOption,
    task: Annotated[str, typer.Argument(metavar="TASK", help="等待领取的任务编号，或任务文件")],
) -> None:
    """领取任务：已下发的写编号，文件写路径。 Pick a task.

    任务文件是 JSON，各项见 agent/wire/README.md 的 Task 一节；可用 stages 写明要录的环节。

    示例： liuhen-agent task pick 示例任务.json --config agent.toml
    """
    _ask(config, What.PICK, document=_document(task))


@tasks.command()
def end(config: ConfigOption) -> None:
    """结束当前任务；缺环节时会询问原因，但不会拒绝。 End the task."""
    _ask(config, What.END)


@tasks.command()
def reason(
    config: ConfigOption,
    text: Annotated[str, typer.Argument(metavar="REASON", help="原因代码（见 task show），或自写的原因")],
    note: Annotated[str, typer.Option(help="补充说明，与原因一起记录")] = "",
) -> None:
    """说明应录环节未录的原因。 Say why steps are missing.

    示例： liuhen-agent task reason party-absent --note 已电话通知 --config agent.toml
    """
    _ask(config, What.REASON, reason=text, note=note)


@tasks.command()
def met(
    config: ConfigOption,
    limit: Annotated[str, typer.Argument(help="时限：emergency 强制措施报告，preservation 登记保存处理")],
    note: Annotated[str, typer.Argument(help="办理情况，如 已向负责人报告，补办手续")],
) -> None:
    """登记时限内应办的事已办，不再计时。 Say that what a time limit asks for was done.

    示例： liuhen-agent task met emergency 已报告并补办批准手续 --config agent.toml
    """
    _ask(config, What.MEET, limit=limit, note=note)


def step(
    config: ConfigOption,
    name: Annotated[str, typer.Argument(help="环节名称或序号；不写则标记下一环节")] = "",
) -> None:
    """标记执法环节；不写环节即标记清单的下一项。 Mark a step.

    示例： liuhen-agent step --config agent.toml
    """
    _ask(config, What.STEP, step=name)


def identity(
    config: ConfigOption,
    certificate: Annotated[str, typer.Option("--certificate", help="执法证件编号；不写则为第一名领用人")] = "",
    print_it: Annotated[bool, typer.Option("--print", help="打印成纸条，不在屏幕显示")] = False,
    as_json: JsonOption = False,
) -> None:
    """亮证：显示 5 分钟内有效的身份二维码，并标记该环节。 Show an officer's signed code.

    示例： liuhen-agent identity --config agent.toml
    """
    if print_it:
        printed = asking.ask(
            recorder(config).state_dir, What.SHOW_IDENTITY, {"certificate": certificate, "print": "yes"}, PRINT_S
        )
        output.out(printed["text"], highlight=False)
        return
    answer = ask(recorder(config), What.SHOW_IDENTITY, certificate=certificate)
    if as_json:
        output.out(json.dumps(answer, ensure_ascii=False, indent=2), highlight=False)
        return
    from agent.adapters.qr_text import qr_text

    output.out(qr_text(answer["code"]), highlight=False)
    output.out(answer["text"], highlight=False)


def enrol(
    config: ConfigOption,
    certificate: CertificateOption,
    card: Annotated[str, typer.Option(help="卡号（十六进制）；不写则登记 PIN")] = "",
) -> None:
    """登记执法人员的卡或 PIN，供领用时核验。 Register a card or a PIN.

    示例： liuhen-agent enrol --config agent.toml --certificate 示例-000123 --card 04AABBCC
    """
    if card:
        _ask(config, What.ENROL, certificate=certificate, card=card)
        return
    chosen = _typed("PIN（6 至 12 位数字）", twice=True)
    _ask(config, What.ENROL, certificate=certificate, pin=pin_record(chosen, os.urandom(SALT_BYTES)))


def ask(config: AgentConfig, what: What, **values: str) -> dict[str, Any]:
    """As `agent.asking.ask`."""
    return asking.ask(config.state_dir, what, values)


def lines(state: dict[str, Any]) -> list[str]:
    """The state for people. Words of a task or a list steer no terminal."""
    people = [[one.get("name", ""), one["certificate"], *one["texts"]] for one in state["officers"]]
    told = [
        *_of_task(state),
        *(["领用：" + "、".join(filter(None, words)) for words in people] or ["无人领用"]),
        *(f"标注：{label['text']}" for label in state["labels"]),
        *_of_steps(state),
        *(limit["text"] for limit in state["limits"]),
        *(f"等待领取：{one['title']}" for one in state["waiting"]),
        *_of_reasons(state),
        *_of_interruptions(state),
    ]
    return ["".join(letter for letter in line if letter.isprintable()) for line in told]


def _of_task(state: dict[str, Any]) -> list[str]:
    task, manner = state["task"], state.get("asked", {})
    if not task:
        return ["没有任务"]
    asked = {
        "【重大】须法制审核：": task["major"],
        "重大与否尚未查明：": task["major_open"],
        "环节：": task.get("stages", []),
        "开始记录：": [manner.get("starts", "")],
        "停止记录：": [manner.get("ends", "")],
        "记录方式：": [*manner.get("methods", []), *(["全过程不间断"] if manner.get("whole") else [])],
        "记录载体：": manner.get("carriers", []),
    }
    return [f"任务：{task['title']}", *(name + "；".join(words) for name, words in asked.items() if any(words))]


def _of_steps(state: dict[str, Any]) -> list[str]:
    marked, given = {mark["step"] for mark in state["steps_marked"]}, state.get("reasons_given", {})
    told = []
    for number, name in enumerate(state["steps_required"], 1):
        why = f"（已说明：{given[name]}）" if name in given and name not in marked else ""
        told.append(f"{'[已标记]' if name in marked else '[未标记]'} {number} {name}{why}")
    return told


def _of_reasons(state: dict[str, Any]) -> list[str]:
    if not state["asking_reason"]:
        return []
    offered = "；".join(f"{one['code']} {one['text']}" for one in state.get("reasons", []))
    return ["请用 liuhen-agent task reason 说明未录环节的原因。" + (f"可选：{offered}；也可自写。" if offered else "")]


def _of_interruptions(state: dict[str, Any]) -> list[str]:
    offered = "；".join(f"{one['number']} {one['code']} {one['text']}" for one in state.get("interruptions", []))
    return [f"中断原因（按键编号、代码）：{offered}"] if offered else []


def _typed(prompt: str, *, twice: bool = False) -> str:
    """A secret, typed unseen at a terminal, or the next line of a pipe; raises `OperatorFault` without any."""
    if sys.stdin.isatty():
        return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=twice and "再输一次"))
    given = sys.stdin.readline().strip()
    if not given:
        raise OperatorFault("没有读到 PIN。请在终端输入，或由管道给出一行。")
    return given


def _ask(config: Path, what: What, **values: str) -> None:
    output.out(ask(recorder(config), what, **values)["text"], highlight=False)


def recorder(config: Path) -> AgentConfig:
    """The configuration of a recorder; raises `OperatorFault` for a kiosk host's."""
    found = read_config(config)
    if not found.records:
        raise OperatorFault("任务、环节与文书只用于执法记录仪，本机是大厅终端。")
    return found


def _document(task: str) -> str:
    path = Path(task)
    if not path.is_file():
        return task
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorFault(f"任务文件 {path} 无法读取。请检查文件。") from error
    if len(text.encode()) > MAX_ASK_BYTES // 2:
        raise OperatorFault(f"任务文件 {path} 过大。请检查文件。")
    return text
