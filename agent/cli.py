"""`liuhen-agent`: run the device, look at its state, look at its configuration."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from agent import duty_cli, firstboot_cli, paper_cli, renewal_cli
from agent.adapters import state_lock
from agent.adapters.snapshot import read_snapshot
from agent.cli_frame import FoldingTable, run_app
from agent.command import become
from agent.config import DATABASE, PAGE, RECORDINGS, AgentConfig, read_config, shown
from agent.errors import EnvironmentFault, OperatorFault
from agent.offload_status import offload_line
from agent.wire.identifiers import parse_recording_id
from agent.wire.instant import BEIJING

HELP = """留痕执法终端代理 (Liuhen edge agent)：录制并签名现场音像，断网时本机保存，联网后送达中心并取得回执。

示例：

  liuhen-agent run --config /etc/liuhen/agent.toml

  liuhen-agent status --config /etc/liuhen/agent.toml --json

  liuhen-agent check --config /etc/liuhen/agent.toml

  liuhen-agent config --config /etc/liuhen/agent.toml

  liuhen-agent task show --config /etc/liuhen/agent.toml

  liuhen-agent step --config /etc/liuhen/agent.toml

  liuhen-agent receipt new --print --config /etc/liuhen/agent.toml

  liuhen-agent pin --config /etc/liuhen/agent.toml && liuhen-agent page --config /etc/liuhen/agent.toml

  liuhen-agent note REC-0001-R000001 --config /etc/liuhen/agent.toml --reason secrecy --text "…" --author 示例-000001
"""

application = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
output = Console(markup=False)
ConfigOption = Annotated[Path, typer.Option("--config", help="设备文件夹中的 agent.toml")]
JsonOption = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]
LEVELS = {"pass": "[合格]", "attention": "[注意]", "fail": "[不合格]"}
LABELS = {
    "device": "设备",
    "unit": "单位",
    "running": "正在运行",
    "session": "尝试连接次数",
    "devseq": "事件总数",
    "acked": "中心已回执",
    "waiting": "等待回执",
    "head": "事件链摘要",
    "recording": "录制编号",
    "open_recordings": "未结束的录制",
    "recordings_on_disk": "本机录像数",
    "offload": "录像上传",
    "acceptance": "验收",
    "last_error": "最近的问题",
}


@application.command()
def run(
    config: ConfigOption,
    log_level: Annotated[str, typer.Option(help="日志级别：debug、info、warning、error")] = "info",
) -> None:
    """运行设备，直到收到停止信号（SIGTERM 后 5 秒内结束）。 Run the device."""
    become("agent.daemon", str(config), log_level)  # 11 MB less, all day


@application.command()
def status(config: ConfigOption, as_json: JsonOption = False) -> None:
    """显示设备状态；设备运行时也可使用。 Show the device's state."""
    figures = device_status(read_config(config))
    if as_json:
        output.out(json.dumps(figures, ensure_ascii=False, indent=2), highlight=False)
        return
    from agent.page.view import latest_fault

    figures["last_error"] = latest_fault(figures["last_error"]).lstrip("：")
    table = FoldingTable("项目", "值", title=f"{figures['device']} 状态")
    for name, value in figures.items():
        table.add_row(
            LABELS[name], {True: "是", False: "否"}.get(value, str(value)) if isinstance(value, bool) else str(value)
        )
    output.print(table)


@application.command()
def check(config: ConfigOption, as_json: JsonOption = False) -> None:
    """出勤前自检：电量、存储、温度、时钟、摄像头、麦克风、证书、同步；有一项不合格即以 4 结束。 Check before duty.

    示例： liuhen-agent check --config /etc/liuhen/agent.toml
    """
    from agent.checkup import observe
    from agent.clock import system_clock
    from agent.control.self_check import Level, self_check, worst

    found = read_config(config)
    if not found.records:
        raise OperatorFault("自检只用于执法记录仪；大厅终端请用 liuhen-agent status。")
    items = self_check(observe(found, system_clock()))
    if as_json:
        listed = [{"item": it.name, "level": it.level.value, "text": it.text} for it in items]
        told = {"device": found.device, "level": worst(items).value, "items": listed}
        output.out(json.dumps(told, ensure_ascii=False, indent=2), highlight=False)
    else:
        for item in items:
            output.out(f"{LEVELS[item.level]}  {item.text}", highlight=False)
    raise typer.Exit(EnvironmentFault.exit_code if worst(items) is Level.FAIL else 0)


@application.command()
def page(
    config: ConfigOption,
    ready_file: Annotated[Path | None, typer.Option(help="开始服务后把网址写入此文件")] = None,
) -> None:
    """在回环或 USB 网络上提供执法人员页面：今日录制、播放、检验结论；没有删除。 Serve the officer's page.

    示例： liuhen-agent page --config /etc/liuhen/agent.toml
    """
    read_config(config)
    # What scrypt takes for a moment (16 MiB) goes back to the system at once, mallopt(3), instead of staying for good.
    os.environ["MALLOC_MMAP_THRESHOLD_"] = "131072"
    become("agent.page", str(config), *([str(ready_file)] if ready_file else []))


@application.command()
def pin(config: ConfigOption) -> None:
    """设置执法人员页面的 PIN（只保存散列）；不在终端上时从标准输入读一行。 Set the PIN of the officer's page.

    示例： liuhen-agent pin --config /etc/liuhen/agent.toml
    """
    from agent.page.pin import PinFile

    folder = read_config(config).state_dir / PAGE
    typed = typer.prompt("新 PIN", hide_input=True, confirmation_prompt="再输一次") if sys.stdin.isatty() else input()
    output.out(f"已设置，散列保存在 {PinFile(folder).set(typed.strip())}", highlight=False)


@application.command()
def note(
    recording: Annotated[str, typer.Argument(metavar="RECORDING", help="录制编号，例如 REC-0001-R000001")],
    config: ConfigOption,
    reason: Annotated[str, typer.Option(help="本部门清单或规定中的原因代码，例如 secrecy（涉密/商业秘密/个人隐私）")],
    text: Annotated[str, typer.Option(help="说明文字；不写姓名、身份证号、手机号")],
    author: Annotated[str, typer.Option(help="作者代号，不写姓名")],
    first: Annotated[int | None, typer.Option(min=1, help="说明所及的第一个片段；缺省为录制开头")] = None,
    last: Annotated[int | None, typer.Option(min=1, help="说明所及的最后一个片段；缺省为录制结尾")] = None,
) -> None:
    """给已封存的录制补充书面说明；签名后放在录制旁边，不改动原录制。 Add a signed note beside a recording.

    示例： liuhen-agent note REC-0001-R000001 --config agent.toml --reason secrecy --text "…" --author 示例-000001
    """
    from agent.adapters.notes_folder import RULES_CAUSES, NoteDraft, add_note
    from agent.adapters.spool import Spool
    from agent.app import own_signer
    from agent.asking import interruption_codes
    from agent.clock import system_clock

    found = read_config(config)
    offered = interruption_codes(found.state_dir) or RULES_CAUSES
    spool = Spool(found.state_dir / "recordings")
    draft = NoteDraft(reason, text, author, first, last)
    now = system_clock().read().wall
    place = add_note(spool, parse_recording_id(recording), draft, own_signer(found), now, offered)
    output.out(f"已签名并保存：{place}", highlight=False)


@application.command(name="config")
def show_config(config: ConfigOption, as_json: JsonOption = False) -> None:
    """显示生效的配置（不显示密钥内容）。 Show the effective configuration."""
    lines = shown(read_config(config))
    if as_json:
        output.out(json.dumps(lines, ensure_ascii=False, indent=2), highlight=False)
        return
    for line in _lines(lines, ""):
        output.out(line, highlight=False)


application.add_typer(duty_cli.tasks, name="task")
application.add_typer(paper_cli.documents, name="document")
application.add_typer(paper_cli.receipts, name="receipt")
application.add_typer(paper_cli.sheets, name="keycontent")
for command in (
    duty_cli.step,
    duty_cli.identity,
    duty_cli.enrol,
    firstboot_cli.firstboot,
    firstboot_cli.acceptance,
    firstboot_cli.retire,
    renewal_cli.renew,
    renewal_cli.rotate,
    firstboot_cli.update,
):
    application.command()(command)


def device_status(config: AgentConfig) -> dict[str, Any]:
    """The figures of `status`, keys as in `LABELS`; raises `OperatorFault` before the device ever ran."""
    store = config.state_dir / DATABASE
    if not store.is_file():
        raise OperatorFault(f"{config.state_dir} 中还没有运行记录。请先执行 liuhen-agent run。")
    figures = {"device": config.device, "unit": config.unit, "running": state_lock.is_held(config.state_dir)}
    recordings = config.state_dir / RECORDINGS
    on_disk = sum(place.is_dir() for place in recordings.iterdir()) if recordings.is_dir() else 0
    found = {**figures, **asdict(read_snapshot(store)), "recordings_on_disk": on_disk}
    found["offload"] = offload_line(config)
    found["acceptance"] = _acceptance_line(config)
    return {name: found[name] for name in LABELS}


def _acceptance_line(config: AgentConfig) -> str:
    from agent.accepted import NOT_ACCEPTED, acceptance_of, is_accepted
    from agent.clock import system_clock

    now = system_clock().read().wall
    word = acceptance_of(config, now)
    if word is not None:
        return f"{word.at.astimezone(BEIJING):%Y-%m-%d} 由 {word.by} 验收"
    return "由工作台发放" if is_accepted(config, now) is None else NOT_ACCEPTED


def _lines(part: dict[str, Any], prefix: str) -> list[str]:
    lines = []
    for name, value in part.items():
        lines += _lines(value, f"{prefix}{name}.") if isinstance(value, dict) else [f"{prefix}{name} = {value}"]
    return lines


def main() -> None:
    """The command; a fault is one line on stderr and the exit code of its root."""
    run_app(application)
