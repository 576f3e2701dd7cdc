"""`liuhen-publish due, overdue, as-of, index, bundle, preview, portal, badges`: what is due, and what goes out."""

import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from agent import durable
from agent.cli_frame import print_rows
from agent.clock import system_clock
from agent.errors import OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.disclosures import Disclosure, DisclosureKind
from agent.wire.identifiers import label
from agent.wire.instant import BEIJING
from kiosk.beijing import day_text, minute_text
from kiosk.publishing.badge_pdf import Form, write_badges
from kiosk.publishing.due import Due, Task, due_of_pending, due_of_released, sorted_due, to_be_filed
from kiosk.publishing.office import Holding, Office, Stage, open_office, places_of
from kiosk.publishing.shelves import as_of, unfiled_since
from kiosk.publishing.show_out import (
    badge_cards,
    fit_to_go_out,
    index_document,
    index_id,
    shown_to,
    write_bundle,
    write_portal,
    write_preview,
)
from kiosk.publishing.snapshot import Hall

out_app = typer.Typer()
out = Console(soft_wrap=True, highlight=False, markup=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
_T = TypeVar("_T")
HALL, PHONE = "政务服务大厅", "见各单位公示"

OfficeOption = Annotated[Path, typer.Option("--office", help="法制办公室的文件夹 (office folder)")]
JsonOption = Annotated[bool, typer.Option("--json", help="输出 JSON (for programs)")]
AudienceOption = Annotated[str, typer.Option(help="大厅代号，形如 hall-1")]
HallOption = Annotated[str, typer.Option("--hall", help="大厅名称，如屏上所示")]
PhoneOption = Annotated[str, typer.Option("--phone", help="投诉举报电话，如屏上所示")]


@out_app.command(epilog="示例：liuhen-publish due --office 法制办")
def due(office: OfficeOption, as_json: JsonOption = False) -> None:
    """按已发布的公示办法列出待办：应公示、应撤回、应撤下、应更新、应备案 (what is due)。"""
    _tell_due(office, as_json, only_overdue=False)


@out_app.command(epilog="示例：liuhen-publish overdue --office 法制办 --json")
def overdue(office: OfficeOption, as_json: JsonOption = False) -> None:
    """只列出已逾期的 (what is overdue)。"""
    _tell_due(office, as_json, only_overdue=True)


@out_app.command("as-of", epilog="示例：liuhen-publish as-of 2026-03-05 --office 法制办")
def as_of_(
    moment: Annotated[str, typer.Argument(metavar="DAY", help="日期，形如 2026-03-05；取当日终了时")],
    office: OfficeOption,
    name: Annotated[str | None, typer.Argument(metavar="[ID]", help="只看这一份，并列出当日的内容")] = None,
    as_json: JsonOption = False,
) -> None:
    """某一天公示着哪些文件、哪一版；给出 ID 时列出内容 (what was published on a day, or one as it read)。"""
    open_office(office)
    found = [one for one in as_of(office, _end_of(moment, system_clock().read().wall)) if name in (None, one.name)]
    if name is not None:
        if not found:
            raise OperatorFault(f"{moment} 没有公示 {name}。请用 liuhen-publish as-of {moment} 列出当日全部。")
        out.print(json.dumps(canonical.decode(found[0].document.encode()), ensure_ascii=False, indent=2))
        return
    if not found and not as_json:
        out.print(f"{moment} 没有公示任何文件。")
        return
    if as_json:
        rows = [{"id": one.name, "version": one.document.version, "title": one.document.title} for one in found]
        whole = [{**row, "released": canonical.timestamp(one.at)} for row, one in zip(rows, found, strict=True)]
        out.print(json.dumps(whole, ensure_ascii=False))
        return
    titles = ("名称", "标题", "版本", "发布于")
    cells = [(one.name, one.document.title, str(one.document.version), minute_text(one.at)) for one in found]
    print_rows(out, Table(*titles), titles, cells)


@out_app.command(epilog="示例：liuhen-publish index --office 法制办 --publisher 星河区司法局")
def index(
    office: OfficeOption,
    publisher: Annotated[str, typer.Option(help="发布单位")],
    audience: AudienceOption = "all",
) -> None:
    """由已发布的文件编制检索库与字体，作为草稿；同样须两人签名后发布 (draft the search index)。"""
    desk, now = open_office(office), system_clock().read().wall
    held, name = _holdings(desk), index_id(audience)
    latest = [one.document.version for one in held if one.document.key == (DisclosureKind.SEARCH_INDEX, name)]
    documents = [one.document for one in _going(office, held, audience, now)]
    head = (max(latest, default=0) + 1, publisher, audience, desk.place, now)
    draft = desk.put(*index_document(documents, *head, name))
    out.print(f"{draft.name} 第 {draft.document.version} 版：{draft.stage.value}。")
    out.print(f"下一步：由编辑运行 liuhen-publish sign {draft.name} --office {office} --as editor")


@out_app.command(epilog="示例：liuhen-publish bundle /media/usb/大厅一.liuhen --office 法制办 --audience hall-1")
def bundle(
    target: Annotated[Path, typer.Argument(metavar="FILE.liuhen", help="公示包")],
    office: OfficeOption,
    audience: AudienceOption,
) -> None:
    """把已发布的文件连同附件写成一个公示包，供没有网络的大厅使用 (for a USB stick)。"""
    desk = open_office(office)
    held = _going(office, _holdings(desk), audience, system_clock().read().wall)
    path = write_bundle(places_of(office), held, target)
    out.print(f"已写出 {path}，{len(held)} 份。在大厅的主机上放入 state/bundles 文件夹即可。")


@out_app.command(epilog="示例：liuhen-publish preview window-board.hall-1 --office 法制办 --out 预览")
def preview(
    name: Annotated[str, typer.Argument(metavar="ID", help="草稿或待发布的文件，形如 window-board.hall-1")],
    office: OfficeOption,
    target: Annotated[Path, typer.Option("--out", help="写入此文件夹")],
    audience: AudienceOption = "preview",
    hall: HallOption = HALL,
    phone: PhoneOption = PHONE,
) -> None:
    """用公示屏自己的页面预览，与发布后所见一致 (exactly as the kiosk will show it)。"""
    desk, now = open_office(office), system_clock().read().wall
    held = _holdings(desk)
    pending = [one for one in held if one.name == name and one.stage not in (Stage.RELEASED, Stage.WITHDRAWN)]
    if not pending:
        raise OperatorFault(f"没有名为 {name} 的草稿或待发布文件。请用 liuhen-publish show 查看。")
    document = max((one.document for one in pending), key=lambda one: one.version)
    audience = document.audience if document.audience != "all" else typed(label, audience, "--audience")
    others = [one.document for one in shown_to(held, audience) if one.name != name]
    place = Hall(desk.place, audience, f"预览 {hall}", phone)
    written = write_preview(places_of(office), [*others, document], place, target, now)
    out.print(f"已写出 {len(written)} 个文件。请打开 {target / 'index.html'} 查看。")


@out_app.command(epilog="示例：liuhen-publish portal /var/www/gongshi --office 法制办 --audience hall-1")
def portal(
    target: Annotated[Path, typer.Argument(metavar="OUT", help="网站的文件夹")],
    office: OfficeOption,
    audience: AudienceOption = "portal",
    hall: HallOption = HALL,
    phone: PhoneOption = PHONE,
) -> None:
    """由同一批签名文件写出门户网站的静态页面，附签名原件 (the website, from the same documents)。"""
    desk, now = open_office(office), system_clock().read().wall
    place = Hall(desk.place, typed(label, audience, "--audience"), hall, phone)
    written = write_portal(places_of(office), _going(office, _holdings(desk), audience, now), place, target, now)
    out.print(f"已写出 {len(written)} 个文件到 {target}。")


@out_app.command(epilog="示例：liuhen-publish badges 胸牌.pdf --office 法制办 --audience hall-1 --form desk")
def badges(
    target: Annotated[Path, typer.Argument(metavar="FILE.pdf", help="写出的 PDF")],
    office: OfficeOption,
    audience: AudienceOption,
    form: Annotated[Form, typer.Option(help="badge 胸牌，或 desk 公示牌")] = Form.BADGE,
) -> None:
    """由已发布的窗口公示印制胸牌或公示牌，带核验码 (chest badges and desk signs)。"""
    desk, now = open_office(office), system_clock().read().wall
    cards, left_out = badge_cards(places_of(office), _going(office, _holdings(desk), audience, now), now)
    for line in left_out:
        err.print(line)
    if not cards:
        raise OperatorFault("没有可以制牌的人员。请先发布窗口公示与人员资格清单。")
    durable.write_bytes(target, write_badges(cards, form, now))
    out.print(f"已写出 {target}，{len(cards)} 张。")


def typed(read: Callable[[str], _T], text: str, option: str) -> _T:
    """What was typed for `option`, as `read` understands it; raises `OperatorFault`."""
    try:
        return read(text)
    except SenderFault as fault:
        raise OperatorFault(f"{option}：{fault}") from fault


def _going(office: Path, held: list[Holding], audience: str, now: datetime) -> list[Holding]:
    going = fit_to_go_out(places_of(office), held, typed(label, audience, "--audience"), now)
    for line in going.told:
        err.print(line)
    return going.held


def _tell_due(office: Path, as_json: bool, *, only_overdue: bool) -> None:
    desk, now = open_office(office), system_clock().read().wall
    held, rules = _holdings(desk), desk.rules()
    if not rules.rules:
        raise OperatorFault("还没有发布公示办法，无从计算时限。请先起草并发布 publication-rules。")
    pending = [one.document for one in held if one.stage not in (Stage.RELEASED, Stage.WITHDRAWN)]
    released = [one for one in held if one.stage is Stage.RELEASED]
    found = [item for one in pending for item in due_of_pending(one, rules)]
    found += [item for one in released for item in due_of_released(one.document, rules, _unfiled(office, one.document))]
    rows = sorted_due(found, now, only_overdue=only_overdue)
    if as_json:
        out.print(json.dumps([_json(one, now) for one in rows], ensure_ascii=False))
        return
    if not rows:
        out.print("没有逾期的。" if only_overdue else "没有待办。")
        return
    titles = ("名称", "标题", "条", "待办", "期限")
    print_rows(out, Table(*titles), titles, [_row(one, now) for one in rows])


def _unfiled(office: Path, document: Disclosure) -> datetime | None:
    """As `unfiled_since`, of what has to be filed: the history is read for that alone."""
    return unfiled_since(office, ".".join(document.key)) if to_be_filed(document) else None


def _json(one: Due, now: datetime) -> dict[str, object]:
    by = None if one.by is None else canonical.timestamp(one.by)
    row = {"id": one.name, "title": one.title, "entry": one.number, "task": one.task.name.lower(), "by": by}
    return row | {"days_left": one.days_left(now), "overdue": one.overdue(now)}


def _row(one: Due, now: datetime) -> tuple[str, ...]:
    left = one.days_left(now)
    none = "公示办法未定期限" if one.task is Task.FILE else "—"
    term = none if one.by is None or left is None else f"{day_text(one.by - timedelta(seconds=1))}（{_left(left)}）"
    return one.name, one.title, str(one.number or "全部"), one.task.value, term


def _left(days: int) -> str:
    """`days` as `Due.days_left` counts them: 1 on the last day."""
    return f"剩 {days} 天" if days > 0 else f"逾期 {1 - days} 天"


def _holdings(desk: Office) -> list[Holding]:
    return [one for one in desk.show() if isinstance(one, Holding)]


def _end_of(text: str, now: datetime) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise OperatorFault(f"日期“{text[:20]}”应形如 2026-03-05。") from error
    if day > now.astimezone(BEIJING).date():
        raise OperatorFault(f"{day} 还没有到，不知道届时公示什么。请改用今天或以前的日期。")
    return datetime.combine(day + timedelta(days=1), time(), BEIJING) - timedelta(seconds=1)
