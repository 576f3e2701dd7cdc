"""`liuhen-center complaints`: what citizens told at a kiosk, opened with the centre's complaint key."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.errors import SenderFault
from agent.key_files import read_private_key
from agent.wire.complaints import open_complaint
from agent.wire.device_events import EventType
from agent.wire.identifiers import device_id
from provisioning.center.config import read_config
from provisioning.cli_frame import tell

WORDS = {"category": "类别", "about": "对象", "text": "情况", "phone": "电话", "hall": "大厅", "written": "时间（UTC）"}


def complaints(
    config: Annotated[Path, typer.Option("--config", help="center.toml 的路径")],
    device: Annotated[str, typer.Option("--device", help="窗口终端编号，如 KSK-0001")],
    key: Annotated[Path, typer.Option(help="投诉私钥 complaint.key")],
    after: Annotated[int, typer.Option(help="只看此序号之后的")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")] = False,
) -> None:
    """用投诉私钥打开一台公示屏收到的投诉；打不开的指明是哪一件 (complaints filed at a kiosk)."""
    private = read_private_key(key)
    found = []
    for event in _filed(config, device, after):
        one: dict[str, Any] = {"devseq": event["devseq"]}
        try:
            one |= json.loads(open_complaint(str(event["data"]["sealed"]), private).encode())
        except SenderFault as fault:
            one["problem"] = str(fault)
        found.append(one)
    tell("\n".join(map(_line, found)) or f"{device} 没有投诉。", {"complaints": found}, as_json=as_json)


def _filed(config: Path, device: str, after: int) -> Iterator[dict[str, Any]]:
    from provisioning.center.store import open_store  # needs the extra `center`

    settings = read_config(config)
    store = open_store(settings.database, settings.folder, create=False)
    try:
        while bodies := store.events(device_id(device), after):
            page = [json.loads(body) for body in bodies]
            yield from (event for event in page if event["type"] == EventType.COMPLAINT_FILED)
            after = page[-1]["devseq"]
    finally:
        store.close()


def _line(one: dict[str, Any]) -> str:
    told = one.get("problem") or "；".join(f"{words}：{one[name]}" for name, words in WORDS.items() if one[name])
    return f"{one['devseq']:>6}  {told}"
