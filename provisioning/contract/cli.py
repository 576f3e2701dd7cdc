"""`liuhen-center contract, conformance`: what any centre must do, written down, and asked of one."""

from pathlib import Path
from typing import Annotated

import typer

from agent import durable
from agent.errors import SenderFault
from provisioning.cli_frame import out as told
from provisioning.cli_frame import tell
from provisioning.contract.asyncapi import documents
from provisioning.contract.rules import Outcome, Result

HERE = Path("agent/wire/contract")


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command(epilog="例：liuhen-center contract --out contract")(contract)
    app.command(epilog="例：liuhen-center conformance --device REC-9001 --broker mqtts://broker.example:8883")(
        conformance
    )


def contract(
    out: Annotated[Path, typer.Option("--out", help="写入此文件夹")] = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")] = False,
) -> None:
    """写出接口契约：AsyncAPI 与 JSON Schema，由程序的类型生成 (the contract for anyone's centre)."""
    durable.make_directory(out)
    files = documents()
    for name, data in files.items():
        durable.write_bytes(out / name, data)
    tell(f"已写出 {len(files)} 个文件到 {out}。", {"files": sorted(files), "folder": str(out)}, as_json=as_json)


def conformance(
    device: Annotated[Path, typer.Option("--device", help="一台测试设备的文件夹（add-device 写出的）")],
    broker: Annotated[str, typer.Option("--broker", help="mqtts://主机:端口；缺省用该设备 agent.toml 的")] = "",
    patience: Annotated[float, typer.Option(min=1, help="等待一份回执的秒数")] = 15.0,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")] = False,
) -> None:
    """以一台测试设备的身份，逐条检查任何中心的消息服务器与接收端 (does a centre keep the contract?)."""
    from provisioning.contract.asking import ask

    outcomes: list[Outcome] = []
    for outcome in ask(device, broker, patience):
        outcomes.append(outcome)
        if not as_json:
            told.print(_line(outcome), markup=False)
    failed = [outcome.rule for outcome in outcomes if outcome.result is Result.FAIL]
    if as_json:
        tell("", {"rules": [vars(outcome) for outcome in outcomes], "failed": failed}, as_json=True)
    if failed:
        raise SenderFault(f"{len(outcomes)} 条规则中有 {len(failed)} 条不符：{'、'.join(failed)}。")
    if not as_json:
        told.print(f"{len(outcomes)} 条规则都符合（SKIP 为未能询问）。", markup=False)


def _line(outcome: Outcome) -> str:
    reason = f"：{outcome.reason}" if outcome.reason else ""
    return f"{outcome.result.value}  {outcome.rule:<24}{outcome.chinese}{reason}"
