"""`liuhen-center contract, conformance`: what any centre must do, written down, and asked of one."""

from pathlib import Path
from typing import Annotated

import typer

from agent import durable
from provisioning.cli_frame import tell
from provisioning.contract.asyncapi import documents

HERE = Path("agent/wire/contract")


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command(epilog="例：liuhen-center contract --out contract")(contract)


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
