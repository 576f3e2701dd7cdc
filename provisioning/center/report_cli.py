"""`liuhen-center report`: what records are used for (强化记录结果运用), six exports and one page with plots."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from agent import durable
from agent.clock import system_clock
from agent.duty.record_counts import count
from agent.duty.record_use import tables
from agent.key_files import read_private_key
from provisioning.center.cases import CaseRoom, there
from provisioning.center.config import read_config
from provisioning.center.report_room import report_shown
from provisioning.center.use_room import gather, write_page, write_table
from provisioning.cli_frame import tell

SHOWN_TROUBLES = 3  # ours: the page has them all


def report(
    config: Annotated[Path, typer.Option("--config", help="center.toml 的路径")],
    recordings: Annotated[Path, typer.Option("--recordings", help="中心存放录制文件夹的目录")],
    out: Annotated[Path, typer.Option("--out", help="报告写入此文件夹")],
    key: Annotated[Path | None, typer.Option(help="存档私钥 archive.key，打开加密的录像与文书原文")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")] = False,
) -> None:
    """六项运用的表格（CSV、JSON）与一页统计图 (six exports, one page)."""
    archive = None if key is None else read_private_key(key)
    room = CaseRoom(read_config(config), there(recordings), system_clock().read().wall, archive)
    found = gather(room)
    counts, made = count(found.cases, room.now), tables(found.cases, room.now)
    durable.make_directory(out)
    files = [write_table(out / it.use.value, it.columns, it.rows) for it in made]
    page = write_page(out / "report.html", "use.html", report_shown(room, found, counts, made))
    good = f"{counts.recordings.good}/{counts.recordings.asked}"
    more = len(found.troubles) - SHOWN_TROUBLES
    warned = "".join(f"\n{line}" for line in found.troubles[:SHOWN_TROUBLES])
    warned += f"\n另有 {more} 项，见 report.html 文末。" if more > 0 else ""
    told = f"{counts.cases} 项任务，录像完整 {good}。请打开 {page}；表格在同一文件夹。{warned}"
    facts = {"page": page, "tables": files, "counts": dataclasses.asdict(counts), "troubles": found.troubles}
    tell(told, facts, as_json=as_json)
