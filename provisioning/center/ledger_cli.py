"""`liuhen-center ledger`: the ledger of carrying out the three systems (工作台账) and how ready departments are."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from agent import durable
from agent.clock import system_clock
from agent.duty.ledger import parse_ledger
from agent.duty.readiness import day_of, parse_profile
from agent.duty.record_use import moment
from provisioning.authority.authority import read_file
from provisioning.center.cases import CaseRoom, there
from provisioning.center.config import read_config
from provisioning.center.ledger_files import read_entries
from provisioning.center.ledger_page import LOOKS, custody_sheets, sheets
from provisioning.center.ledger_room import departments, gathered
from provisioning.center.use_room import gather, write_page, write_table
from provisioning.cli_frame import tell

app = typer.Typer(no_args_is_help=True, help="工作台账：就绪情况、工作步骤、考核表、月报 (ledger, readiness).")

SAMPLES = Path(__file__).with_name("samples")
NAMES = ("milestones-2017.json", "ledger.json")
EMPTIES = {
    "工作步骤": "没有给出进度表。请用 --milestones 指定；liuhen-center ledger sample 写出 2017 年的样本。",
    "工作登记": "没有登记。请用 --entries 指定工作登记。",
}
Out = Annotated[Path, typer.Option("--out", help="写入此文件夹")]
Json = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]


@app.command(
    epilog="例：liuhen-center ledger write --config center.toml --recordings recordings "
    "--milestones milestones-2017.json --entries ledger.json --out 台账"
)
def write(
    config: Annotated[Path, typer.Option("--config", help="center.toml 的路径")],
    recordings: Annotated[Path, typer.Option("--recordings", help="中心存放录制文件夹的目录")],
    out: Out,
    milestones: Annotated[Path | None, typer.Option(help="进度表（JSON）")] = None,
    entries: Annotated[Path | None, typer.Option(help="工作登记（JSON）：培训、监督检查、总结等")] = None,
    inventory: Annotated[Path | None, typer.Option(help="设备台账：liuhen-provision inventory --json 的输出")] = None,
    as_json: Json = False,
) -> None:
    """写台账：一页，每张表一份 CSV 与 JSON (one page, tables)."""
    room = CaseRoom(read_config(config), there(recordings), system_clock().read().wall)
    profile = parse_profile(read_entries(milestones)) if milestones else ()
    by_hand = parse_ledger(read_entries(entries)) if entries else ()
    found = gather(room)
    sources, odd = gathered(room, found.cases, by_hand, inventory)
    units = departments(sources)
    made = (*sheets(units, profile, day_of(room.now)), *custody_sheets(room.events))
    durable.make_directory(out)
    files = [write_table(out / sheet.name, sheet.columns, sheet.rows) for sheet in made]
    shown = {
        "title": "三项制度工作台账", "place": room.config.district, "made": moment(room.now),
        "troubles": tuple(dict.fromkeys((*odd, *found.troubles))), "sheets": made, "looks": LOOKS, "empties": EMPTIES,
    }  # fmt: skip
    page = write_page(out / "ledger.html", "ledger.html", shown)
    facts = {"page": page, "tables": files, "sheets": [dataclasses.asdict(sheet) for sheet in made]}
    tell(f"{len(units)} 个单位。请打开 {page}；表格在同一文件夹。", facts, as_json=as_json)


@app.command(epilog="例：liuhen-center ledger sample --out .")
def sample(out: Out, as_json: Json = False) -> None:
    """写出进度表（2017 年方案的日期）与工作登记的样本 (samples to fill in)."""
    durable.make_directory(out)
    files = [durable.write_bytes(out / name, read_file(SAMPLES / name)) for name in NAMES]
    tell(f"已写好样本：{'、'.join(map(str, files))}。请改成本单位的内容。", {"files": files}, as_json=as_json)
