"""`liuhen-publish`: the office drafts, two people sign, a document is released, corrected or withdrawn."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from agent.cli_frame import print_rows, run_app
from agent.clock import system_clock
from agent.duty.disclosure_rules import office_mobiles
from agent.duty.statutory import beyond_law
from agent.duty.tables import Imported, import_table
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.key_files import read_signer
from agent.wire import canonical
from agent.wire.disclosures import DUTY_AUDIENCE, DisclosureKind
from agent.wire.identifiers import district as district_name
from agent.wire.trust import Role
from kiosk.publishing.importing import TITLES, Heading, audience_of, left_over, policy_kind, split
from kiosk.publishing.office import Damaged, Holding, Stage, found_office, open_office
from kiosk.publishing.out_cli import out_app, typed
from kiosk.publishing.table_files import read_rows

EXAMPLE = """

示例 examples：

liuhen-publish init --office 法制办 --district xinghe --root root.pem --trust-list trust.dsse

liuhen-publish draft window-board.json --office 法制办

liuhen-publish import 清单.xlsx --kind recording-list --publisher 星河区综合行政执法局 --office 法制办

liuhen-publish sign window-board.hall-1 --office 法制办 --as editor --key e.key --chain e.pem

liuhen-publish sign window-board.hall-1 --office 法制办 --as reviewer --key r.key --chain r.pem

liuhen-publish release window-board.hall-1 --office 法制办

liuhen-publish show --office 法制办
"""

app = typer.Typer(
    help="公示文件的起草、编辑、审核、发布、更正与撤回 (publish signed disclosures)。" + EXAMPLE,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(out_app)
out = Console(soft_wrap=True, highlight=False, markup=False)
err = Console(stderr=True)
TABLES = (".csv", ".xlsx", ".xls")
MAX_TOLD = 2000  # problems of a table that are listed, so that one round does; their number is always told
_T = TypeVar("_T")

OfficeOption = Annotated[Path, typer.Option("--office", help="法制办公室的文件夹 (office folder)")]
NameArgument = Annotated[str, typer.Argument(metavar="ID", help="公示文件名称，形如 window-board.hall-1")]
NamesArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="公示文件名称，可多份")]
JsonOption = Annotated[bool, typer.Option("--json", help="输出 JSON，一份一行 (one JSON object a line)")]

KEYS = "--key 本人私钥 --chain 本人证书"
NEXT_STEPS = {
    Stage.DRAFTED: "下一步：由编辑运行 liuhen-publish sign {name} --office {office} --as editor " + KEYS,
    Stage.EDITED: "下一步：由另一人审核后运行 liuhen-publish sign {name} --office {office} --as reviewer " + KEYS,
    Stage.REVIEWED: "下一步：运行 liuhen-publish release {name} --office {office}",
    Stage.RELEASED: "中心将把它发布到{place}",
    Stage.WITHDRAWN: "中心将把撤回通知发布到{place}",
}


@app.command(
    epilog="示例：liuhen-publish init --office 法制办 --district xinghe --root root.pem --trust-list trust.dsse"
)
def init(
    office: OfficeOption,
    district: Annotated[str, typer.Option(help="区域代号，形如 xinghe")],
    root: Annotated[Path, typer.Option(help="本区根证书")],
    trust_list: Annotated[Path, typer.Option("--trust-list", help="根密钥签名的信任清单")],
) -> None:
    """建立办公文件夹 (found an office folder)。"""
    path = found_office(office, typed(district_name, district, "--district"), root, trust_list)
    out.print(f"已建立 {path}。下一步：运行 liuhen-publish draft FILE.json --office {office}")


@app.command(epilog="示例：liuhen-publish draft window-board.json --office 法制办")
def draft(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.json...", help="公示稿，可多份")],
    office: OfficeOption,
    as_json: JsonOption = False,
) -> None:
    """检查公示稿并编定版本号 (check drafts, assign their versions)。更正也由此开始：版本号自动加一。"""
    for file in _each(files, "起草 drafting"):
        _tell(_drafted(file, office), office, as_json)


def _drafted(file: Path, office: Path) -> Holding:
    """The draft made of one file; of several, a fault says which."""
    if file.suffix.lower() in TABLES:
        raise OperatorFault(f"{file} 是表格。请运行 liuhen-publish import {file} --kind … --office {office}")
    try:
        source = file.read_bytes()
    except OSError as error:
        raise OperatorFault(f"无法读取 {file}：{error.strerror}。请检查路径。") from error
    try:
        return open_office(office).draft(source, system_clock().read().wall, file.parent)
    except OperatorFault as fault:
        raise OperatorFault(f"{file}：{fault}") from fault


@app.command(
    "import",
    epilog="示例：liuhen-publish import 音像记录事项清单.xlsx --kind recording-list --publisher 星河区综合行政执法局"
    " --office 法制办",
)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV 或 XLSX 表格")],
    office: OfficeOption,
    kind: Annotated[str, typer.Option(help="表格的种类，如 item-list、personnel-list、results、recording-list")],
    publisher: Annotated[str, typer.Option(help="发布单位，须与执法终端的 unit 一致")],
    name: Annotated[str, typer.Option("--id", help="编号；过长的表自动分为 编号-1、编号-2")] = "main",
    title: Annotated[str, typer.Option(help="标题；不填则用该种规则的名称")] = "",
    audience: Annotated[str, typer.Option(help="duty 只发给执法终端，all 各大厅；不填则依种类")] = "",
    as_json: JsonOption = False,
) -> None:
    """导入执法规则的表格并起草 (import a published table)。逐行检查，有一处问题即不起草。"""
    policy = policy_kind(kind)
    table = _imported(policy, file)
    for line in (*table.problems[:MAX_TOLD], *table.passed):
        err.print(line, soft_wrap=True, markup=False, highlight=False)
    if table.problems:
        raise OperatorFault(f"{file.name} 有 {len(table.problems)} 处问题，没有起草。请逐行改正后重新导入。")
    desk, now = open_office(office), system_clock().read().wall
    heading = Heading(policy, name, title or TITLES[policy], audience or audience_of(policy), publisher)
    sources = split(heading, table.entries)
    for source in _each(sources, "起草 drafting"):
        _tell(desk.draft(source, now), office, as_json)
    for left in left_over(heading, len(sources), [one.name for one in desk.show() if isinstance(one, Holding)]):
        advice = f"{left} 是更早导入的，本次不再有。如不再适用请运行 liuhen-publish withdraw {left}"
        err.print(advice, soft_wrap=True, markup=False, highlight=False)


@app.command(
    epilog="示例：liuhen-publish sign window-board.hall-1 --office 法制办 --as editor --key e.key --chain e.pem"
)
def sign(
    names: NamesArgument,
    office: OfficeOption,
    key: Annotated[Path, typer.Option(help="签名人的私钥 (PKCS8 PEM)")],
    chain: Annotated[Path, typer.Option(help="签名人的证书链 (PEM)")],
    role: Annotated[str, typer.Option("--as", help="editor 编辑，或 reviewer 审核")],
    as_json: JsonOption = False,
) -> None:
    """编辑或审核签名；须为两人 (two people sign, editor first)。"""
    if role not in (Role.EDITOR.value, Role.REVIEWER.value):
        raise OperatorFault(f"--as 是 {role}，应为 editor 或 reviewer。")
    signer = read_signer(key, chain)
    for name in _each(names, "签名 signing"):
        _tell(open_office(office).sign(name, signer, Role(role), system_clock().read().wall), office, as_json)


@app.command(epilog="示例：liuhen-publish release window-board.hall-1 --office 法制办")
def release(names: NamesArgument, office: OfficeOption, as_json: JsonOption = False) -> None:
    """核对两个签名后发布 (check both signatures, release)。"""
    for name in _each(names, "发布 releasing"):
        _tell(open_office(office).release(name, system_clock().read().wall), office, as_json)
    _follow(names, office)


def _follow(names: Sequence[str], office: Path) -> None:
    """The next search index lies there to be signed; without what it is made with the release stands all the same."""
    from kiosk.publishing.reindexing import renewed_indexes, told

    try:
        drafts = renewed_indexes(open_office(office), system_clock().read().wall)
    except EnvironmentFault as fault:
        err.print(f"检索库未能重新起草：{fault}", soft_wrap=True, markup=False, highlight=False)
        return
    for draft in drafts:
        err.print(told(names, draft), soft_wrap=True, markup=False, highlight=False)


@app.command(epilog="示例：liuhen-publish withdraw results.decisions --reason 决定已被撤销 --office 法制办")
def withdraw(
    name: NameArgument,
    office: OfficeOption,
    reason: Annotated[str, typer.Option(help="撤回原因，将展示给公众")],
    as_json: JsonOption = False,
) -> None:
    """起草撤回通知；同样须两人签名后发布 (draft a withdrawal)。"""
    _tell(open_office(office).withdraw(name, reason, system_clock().read().wall), office, as_json)


@app.command(epilog="示例：liuhen-publish show window-board.hall-1 --office 法制办")
def show(
    office: OfficeOption,
    name: Annotated[str | None, typer.Argument(metavar="[ID]", help="只看这一份，并列出内容")] = None,
    as_json: JsonOption = False,
) -> None:
    """列出各阶段的公示文件；给出 ID 时列出内容，供审核 (list, or read one before signing)。"""
    held = open_office(office).show(name)
    if as_json:
        out.print(json.dumps([_json(one, name is not None) for one in held], ensure_ascii=False))
        return
    if not held:
        out.print(f"还没有公示文件。下一步：运行 liuhen-publish draft FILE.json --office {office}")
        return
    titles = ("名称", "标题", "版本", "范围", "状态")
    print_rows(out, Table(*titles), titles, [_row(one) for one in held])
    for one in held if name is not None else ():
        out.print(json.dumps(_json(one, True), ensure_ascii=False, indent=2))


def _imported(policy: DisclosureKind, file: Path) -> Imported:
    """The table in `file`; raises `OperatorFault`, for the file lies in the hands of who imports it."""
    rows = read_rows(file)
    if not rows:
        raise OperatorFault(f"{file} 是空的，没有导入。请核对是否选对了文件。")
    try:
        return import_table(policy, rows)
    except SenderFault as fault:
        wide = "，" in "".join(rows[0].cells) and len(rows[0].cells) == 1
        hint = "各列之间应是半角逗号，不是“，”。" if wide else "请核对 --kind，或补上表头。"
        raise OperatorFault(f"{file}：{fault}{hint}") from fault


def _tell(held: Holding, office: Path, as_json: bool) -> None:
    if as_json:
        out.print(json.dumps(_json(held, False), ensure_ascii=False))
        return
    out.print(f"{held.document.title}（{held.name}）第 {held.document.version} 版：{held.stage.value}。")
    out.print(next_step(held.stage, held.name, held.document.audience, office))
    for note in (*held.notes, *beyond_law(held.document), *office_mobiles(held.document)):
        err.print(note, soft_wrap=True, markup=False, highlight=False)


def next_step(stage: Stage, name: str, audience: str, office: Path) -> str:
    """What is to be done next with a document, or where it goes."""
    place = "执法终端" if audience == DUTY_AUDIENCE else "各大厅"
    return NEXT_STEPS[stage].format(name=name, office=office, place=place)


def _json(held: Holding | Damaged, whole: bool) -> dict[str, Any]:
    if isinstance(held, Damaged):
        return {"id": held.name, "stage": "damaged", "path": str(held.path), "reason": held.reason}
    document = held.document
    row: dict[str, Any] = {"id": held.name, "stage": held.stage.name.lower(), "version": document.version}
    row |= {"title": document.title, "audience": document.audience, "path": str(held.path)}
    return row | {"document": canonical.decode(document.encode())} if whole else row


def _row(one: Holding | Damaged) -> tuple[str, ...]:
    if isinstance(one, Damaged):
        return one.name, "", "", "", f"损坏：{one.path}（{one.reason}）请从备份恢复"
    return one.name, one.document.title, str(one.document.version), one.document.audience, one.stage.value


def _each(names: Sequence[_T], what: str) -> Iterable[_T]:
    """One after the other, with a bar on a terminal when there are several."""
    hidden = len(names) < 2 or not err.is_terminal
    return track(names, what, console=err, transient=True, disable=hidden)


def main() -> None:
    """Run `liuhen-publish`; a fault is one line on stderr and its exit code."""
    run_app(app)


if __name__ == "__main__":
    main()
