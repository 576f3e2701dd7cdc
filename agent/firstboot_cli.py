"""`liuhen-agent firstboot`: from a card to a device that the district knows."""

import json
import os
import platform
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.config import AgentConfig
from agent.errors import OperatorFault
from agent.settings import read_text
from agent.wire.instant import BEIJING

output = Console(markup=False)
DEFAULT_CARD, DEFAULT_FOLDER = Path("/boot/firmware/liuhen"), Path("/var/lib/liuhen")
CardOption = Annotated[Path, typer.Option("--card", help="启动分区上的 liuhen 目录")]
IntoOption = Annotated[Path, typer.Option("--into", help="设备文件夹")]
FAILED_CHECK = 5  # README: it ran, but something did not hold
LEVELS = {"pass": "[合格]", "attention": "[注意]", "fail": "[不合格]"}
JsonOption = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]


def firstboot(
    card: CardOption = DEFAULT_CARD,
    into: IntoOption = DEFAULT_FOLDER,
    cable: Annotated[str, typer.Option(help="经串口线缆入网：设备名，如 /dev/ttyGS0")] = "",
    baud: Annotated[int, typer.Option(help="线缆的波特率")] = 115_200,
    stick: Annotated[Path | None, typer.Option(help="经 U 盘入网：U 盘的目录")] = None,
    serial_file: Annotated[Path | None, typer.Option(help="硬件序列号所在的文件；缺省为树莓派的")] = None,
    probe: Annotated[bool, typer.Option("--probe/--no-probe", help="入网后试连消息服务器并上报状态")] = True,
    as_json: JsonOption = False,
) -> None:
    """首次启动：核对写卡文件与本机序列号，生成密钥，入网，销毁口令，自检连接；中断后再运行即可继续。 First boot.

    示例： liuhen-agent firstboot --card /boot/firmware/liuhen --into /var/lib/liuhen

    示例： liuhen-agent firstboot --cable /dev/ttyGS0 --baud 115200

    示例： liuhen-agent firstboot --stick /media/usb （两次：写出申请时以 4 结束，带回答复后再运行）
    """
    from agent.accepted import NOT_ACCEPTED, is_accepted
    from agent.clock import system_clock
    from agent.config import read_config
    from agent.enrol_ways import AnswerAwaited, CableWay, HttpsWay, StickWay, Way
    from agent.firstboot import SERIAL_FILES, Here, first_boot, hardware_serial, system_clock_set
    from agent.wire.card_bundle import CardBundle

    if cable and stick:
        raise OperatorFault("--cable 与 --stick 只能写一个。请删去其一。")
    files = (serial_file,) if serial_file else SERIAL_FILES
    here = Here(hardware_serial(files), _facts(), system_clock(), system_clock_set)
    with ExitStack() as open_lines:

        def way(bundle: CardBundle, root: Path) -> Way:
            if cable:
                from agent.cable import SerialLine

                return CableWay(open_lines.enter_context(SerialLine(cable, baud)))
            return StickWay(stick, bundle.device) if stick else HttpsWay(bundle.site, root)

        try:
            done = first_boot(card, into, here, way)
        except AnswerAwaited as half:
            asked = {"folder": str(into), "enrolled": False, "next": str(half)}
            output.out(json.dumps(asked, ensure_ascii=False, indent=2) if as_json else str(half), highlight=False)
            raise typer.Exit(half.exit_code) from None
    told = {"device": done.device, "folder": str(into), "enrolled": True, "again": done.again, "access": None}
    lines = [f"{done.device} {'早已入网' if done.again else '已入网，口令已销毁'}（{into}）。"]
    if probe:
        said, told["access"] = _probed(into)
        lines.append(said)
    told["accepted"] = is_accepted(read_config(into / "agent.toml"), here.clock.read().wall)
    lines.append("已验收。" if told["accepted"] else f"{NOT_ACCEPTED}本机可先启动 liuhen-agent。")
    output.out(json.dumps(told, ensure_ascii=False, indent=2) if as_json else "\n".join(lines), highlight=False)


def acceptance(
    config: Annotated[Path, typer.Option("--config", help="设备文件夹中的 agent.toml")],
    out: Annotated[Path, typer.Option(help="签名的报告写到这里，交给工作台")] = Path("acceptance.dsse"),
    word: Annotated[Path | None, typer.Option("--accepted", help="工作台签的验收通知（check --out）：收下它")] = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="向发证服务器取验收通知")] = False,
    serial_file: Annotated[Path | None, typer.Option(help="硬件序列号所在的文件；缺省为树莓派的")] = None,
    as_json: JsonOption = False,
) -> None:
    """验收：逐项试一遍，签名写成报告；有一项不合格即以 5 结束。本机代理须先停止。 Acceptance report, signed.

    示例： liuhen-agent acceptance --config /var/lib/liuhen/agent.toml --out /media/usb/REC-0001.dsse
    """
    from agent import durable
    from agent.config import read_config

    if word is not None or fetch:
        _take_word(read_config(config), word, as_json)
        return
    from agent.acceptance import acceptance_report, sealed_report
    from agent.firstboot import SERIAL_FILES, hardware_serial

    found = read_config(config)
    report = acceptance_report(found, hardware_serial((serial_file,) if serial_file else SERIAL_FILES))
    durable.write_bytes(out, sealed_report(found, report))
    if as_json:
        items = [{"item": it.name, "level": it.level, "text": it.text} for it in report.items]
        told = {"device": report.device, "passed": report.passed, "report": str(out), "items": items}
        output.out(json.dumps(told, ensure_ascii=False, indent=2), highlight=False)
    else:
        for item in report.items:
            output.out(f"{LEVELS[item.level]}  {item.text}", highlight=False)
        output.out(f"报告已签名：{out}。下一步：在工作台运行 liuhen-provision check {report.device} --report {out}。")
    raise typer.Exit(0 if report.passed else FAILED_CHECK)


def retire(
    config: Annotated[Path, typer.Option("--config", help="设备文件夹中的 agent.toml")],
    order: Annotated[Path, typer.Option("--order", help="机构签发的退役指令（liuhen-provision decommission --order）")],
    out: Annotated[Path | None, typer.Option(help="签名的退役声明另存到这里，交给工作台")] = None,
    serial_file: Annotated[Path | None, typer.Option(help="硬件序列号所在的文件；缺省为树莓派的")] = None,
    as_json: JsonOption = False,
) -> None:
    """退役：凭机构的指令，在一切都有回执之后，签名声明并擦除密钥和全部内容；不能撤回。 Retire and erase.

    示例： liuhen-agent retire --order retire.dsse --config /var/lib/liuhen/agent.toml --out /media/usb/retired.dsse
    """
    from agent import durable
    from agent.clock import system_clock
    from agent.config import parse_config
    from agent.firstboot import SERIAL_FILES, hardware_serial
    from agent.retire import LAST_WORD, retire
    from agent.stick import read_plain
    from agent.wire.envelope import MAX_ENVELOPE_BYTES

    found = parse_config(read_text(config), config.resolve().parent)
    content = read_plain(order.parent, order.name, MAX_ENVELOPE_BYTES)
    if content is None:
        raise OperatorFault(f"没有找到 {order}。请在工作台运行 liuhen-provision decommission --order 签发。")
    hardware = hardware_serial((serial_file,) if serial_file else SERIAL_FILES)
    said = retire(found, content, hardware, system_clock())
    kept = durable.write_bytes(out, said) if out else config.with_name(LAST_WORD)
    told = {"device": found.device, "statement": str(kept)}
    line = f"{found.device} 已擦除。下一步：把 {kept} 交给工作台，运行 liuhen-provision decommission --statement。"
    output.out(json.dumps(told, ensure_ascii=False) if as_json else line, highlight=False)


def update(
    config: Annotated[Path, typer.Option("--config", help="设备文件夹中的 agent.toml")],
    bundle: Annotated[Path | None, typer.Argument(help="机构签发的更新包目录")] = None,
    place: Annotated[Path, typer.Option(help="软件所在的目录")] = Path("/opt/liuhen"),
    settle: Annotated[bool, typer.Option("--settle", help="开机时用：只了结上次被打断的更新")] = False,
    as_json: JsonOption = False,
) -> None:
    """更新软件：核对机构签名与每个文件，装在旁边试运行，再一次换过去；不能启动就换回来。 Signed update.

    示例： liuhen-agent update /media/usb/liuhen-0.2.0 --config /var/lib/liuhen/agent.toml
    """
    from dataclasses import asdict

    from agent import update as updates
    from agent.clock import system_clock
    from agent.config import read_config

    installer = updates.PipInstaller(config)
    if settle == (bundle is not None):
        raise OperatorFault("请写明更新包目录，或只写 --settle。加 --help 查看用法。")
    done = (
        updates.settle_at_boot(place, installer)
        if bundle is None
        else updates.update(read_config(config), bundle, place, system_clock(), installer)
    )
    line = "没有被打断的更新。" if done is None else f"现在使用 {done.version or '原来的版本'}。{done.why}"
    line += "" if line.endswith("。") else "。"
    told = None if done is None else asdict(done)
    output.out(json.dumps(told, ensure_ascii=False) if as_json else line, highlight=False)
    raise typer.Exit(FAILED_CHECK if done is not None and done.failed and bundle else 0)


def _take_word(config: AgentConfig, word: Path | None, as_json: bool) -> None:
    from agent import accepted, tls_renewal
    from agent.clock import system_clock
    from agent.stick import read_plain
    from agent.wire.envelope import MAX_ENVELOPE_BYTES

    sealed = read_plain(word.parent, word.name, MAX_ENVELOPE_BYTES) if word else tls_renewal.fetch_acceptance(config)
    if sealed is None:
        raise OperatorFault("还没有验收通知。请先由工作台 check 验收，再运行本命令。")
    found = accepted.keep_acceptance(config, sealed, system_clock().read().wall)
    told = {"device": found.device, "accepted": True, "by": found.by, "at": found.at.isoformat()}
    line = f"{found.device} 已于 {found.at.astimezone(BEIJING):%Y-%m-%d} 由 {found.by} 验收。"
    output.out(json.dumps(told, ensure_ascii=False) if as_json else line, highlight=False)


def _probed(folder: Path) -> tuple[str, dict[str, object]]:
    from dataclasses import asdict

    from agent.acceptance import access_item, probe_access
    from agent.config import read_config

    found = probe_access(read_config(folder / "agent.toml"))
    return access_item(found).text, asdict(found)


def _facts() -> dict[str, str]:
    from agent.version import software_version

    model = Path("/sys/firmware/devicetree/base/model")
    system = read_text(Path("/etc/os-release")) if Path("/etc/os-release").is_file() else ""
    named = [line.partition("=")[2].strip('"') for line in system.splitlines() if line.startswith("PRETTY_NAME=")]
    found = {
        "model": model.read_text(encoding="utf-8").strip("\0 \n") if model.is_file() else platform.machine(),
        "system": (named or [platform.system()])[0],
        "version": software_version(),
        "processors": str(os.cpu_count() or 1),
    }
    return {name: "".join(sign for sign in value if sign.isprintable())[:120] for name, value in found.items()}
