"""`liuhen-provision site, batch, inventory, audit`: many devices, and what has become of them."""

import getpass
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.table import Table as Screen

from agent import durable
from agent.clock import system_clock
from agent.errors import LiuhenFault, OperatorFault
from agent.log import one_line
from agent.wire.canonical import timestamp
from agent.wire.card_bundle import Site
from agent.wire.enrolment import REFUSED, Refusal
from agent.wire.instant import BEIJING
from provisioning.authority.audit_chain import CLOCK_CHECKED, Act, Head
from provisioning.authority.authority import open_authority, read_file
from provisioning.authority.certificates import LOOPBACK_NAMES
from provisioning.authority.list_term import Term, signed_term
from provisioning.cli_frame import err, out, tell
from provisioning.fleet.batch import Outcome, RowFault, Table, conflicts, faults_of, parse_table, run_batch
from provisioning.fleet.enrolment import Desk, enrolment_desk
from provisioning.fleet.equipment import Line, as_csv, ledger
from provisioning.fleet.inventory import Inventory, Planned, open_inventory
from provisioning.fleet.listing import judged
from provisioning.fleet.orders import broker_address
from provisioning.fleet.site import checked_site, set_site
from provisioning.fleet.states import CHINESE, State

AUDIT_TITLE = "  序号 时间（北京时间）    经办 事项 编号 内容"
SOON_DAYS = 30  # reference: provisioning, section 1 (thin-edge.io renews 30 days before)
AuthorityDir = Annotated[Path, typer.Option("--authority", help="机构目录（init-ca 所建）")]
By = Annotated[str, typer.Option("--by", help="操作人编号，记入审计；缺省为登录名")]
Json = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]
audit_app = typer.Typer(no_args_is_help=True, help="审计记录：查看、核验、取链头 (hash-chained audit).")


class PartlyDone(LiuhenFault):
    """Some rows of a batch were done and some were not: exit code 3, the sender's rows were refused."""

    exit_code = 3


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command(epilog="例：liuhen-provision site --authority authority --broker broker.example:8883")(site)
    app.command(epilog="例：liuhen-provision batch devices.csv --authority authority --out cards --dry-run")(batch)
    app.command(epilog="例：liuhen-provision inventory --authority authority --csv > 台账.csv")(inventory)
    app.command(epilog="例：liuhen-provision serve --authority authority --host enrol.example")(serve)
    app.add_typer(audit_app, name="audit")


def operator(by: str) -> str:
    """Who works here: what was said, or the login name."""
    return by or getpass.getuser()


def now() -> datetime:
    """The moment."""
    return system_clock().read().wall


def site(
    authority: AuthorityDir,
    broker: Annotated[str, typer.Option(help="消息服务器 主机:端口")],
    broker_name: Annotated[str, typer.Option(help="其证书中的名称；缺省同主机")] = "",
    enrol: Annotated[str, typer.Option(help="入网服务器网址；留空则只能用串口线或 U 盘入网")] = "",
    enrol_name: Annotated[str, typer.Option(help="其证书中的名称；缺省同网址")] = "",
    protocol: Annotated[str, typer.Option(help="MQTT 版本：5，或不得已时 3.1.1")] = "5",
    by: By = "",
    as_json: Json = False,
) -> None:
    """设置站点：全部设备向哪里报告、在哪里入网 (where devices report and enrol)."""
    address = broker_address(broker, protocol)
    wanted = checked_site(Site(address.host, address.port, broker_name, protocol, enrol, enrol_name))
    judged(Planned("REC-0001", unit="-"), wanted)
    with open_inventory(open_authority(authority).folder, operator(by)) as opened:
        changed = set_site(opened, wanted, now())
    state = "已设置，此后制的卡都按它" if changed else "没有变化"
    tell(f"站点{state}。下一步：add-device 或 batch。", {"changed": changed}, as_json=as_json)


def batch(
    table: Annotated[Path, typer.Argument(help="CSV：编号,硬件序列号,使用单位,型号,…（UTF-8 或 GBK）")],
    authority: AuthorityDir,
    cards: Annotated[Path, typer.Option("--out", help="写卡文件的目录，每台一个子目录")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查表格，不作任何改动")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="表格有错的行先跳过，其余照做；中断后再运行也用它")] = False,
    by: By = "",
    as_json: Json = False,
) -> None:
    """按表格登记多台设备并制卡；可中断，再运行一次即接着做 (many devices from a table)."""
    with enrolment_desk(open_authority(authority, operator(by))) as desk:
        read = parse_table(read_file(table))
        faults = _told(faults_of(read, conflicts(read, desk)))
        if dry_run or (faults and not resume):
            refused = {fault["line"] for fault in faults}
            _judged(sum(line not in refused for line, _ in read.rows), faults, as_json)
            return
        outcomes = _with_bar(read, desk, cards)
    known = {fault["line"] for fault in faults}
    faults += _told(RowFault(it.line, it.fault) for it in outcomes if it.fault and it.line not in known)
    done, changed = sum(not it.fault for it in outcomes), sum(it.changed for it in outcomes)
    facts = {"rows": done, "changed": changed, "faults": faults}
    left = f"，{len(faults)} 行有错未做" if faults else ""
    tell(f"{done} 台已登记并制卡（新做 {changed} 台{left}）。下一步：write-card。", facts, as_json=as_json)
    if faults:
        raise PartlyDone(f"{len(faults)} 行未做，见上。改正后再运行一次，已做的不会重做。")


def serve(
    authority: AuthorityDir,
    host: Annotated[list[str] | None, typer.Option(help="设备连接所用的名称或地址，写进证书，可重复")] = None,
    bind: Annotated[str, typer.Option(help="监听地址")] = "0.0.0.0",  # noqa: S104
    port: Annotated[int, typer.Option(min=0, max=65_535, help="监听端口")] = 8491,
    broker: Annotated[
        Path | None, typer.Option("--broker-folder", help="运行中的 Mosquitto 的目录：规则与吊销列表随登记自动更新")
    ] = None,
    install: Annotated[list[Path] | None, typer.Option(help="信任清单随登记自动写进此目录，如 center，可重复")] = None,
    broker_port: Annotated[int, typer.Option(help="该服务器的端口")] = 8883,
    broker_name: Annotated[str, typer.Option(help="该服务器证书中的名称")] = "localhost",
    reload_command: Annotated[str, typer.Option("--reload-command", help="让它重读的命令；缺省按 pid 发 SIGHUP")] = "",
    by: Annotated[str, typer.Option("--by", help="记入审计的经办")] = "serve",
) -> None:
    """提供入网与续期服务（HTTPS，EST 路径），直到 Ctrl-C (first-boot enrolment and renewal)."""
    from agent.web.server import listen
    from provisioning.center.force import broker_site
    from provisioning.center.keeping import Keeper
    from provisioning.fleet import enrolment_server

    source = open_authority(authority, by)
    site = None if broker is None else broker_site(broker, broker_name, broker_port, reload_command)
    keeper = Keeper(source, lambda line: err.print(line), site, install or ())
    identity = enrolment_server.server_identity(source, tuple(host or LOOPBACK_NAMES), now())
    sock = listen(bind, port, "请用 --port 换一个端口。")
    told = f"https://{(host or LOOPBACK_NAMES)[0]}:{sock.getsockname()[1]}/liuhen/enrol"
    err.print(f"入网服务：{told} 。Ctrl-C 结束。")
    enrolment_server.serve(source, identity, system_clock(), sock, keeper.look)


def inventory(
    authority: AuthorityDir,
    as_csv_text: Annotated[bool, typer.Option("--csv", help="输出 CSV 台账（配备、使用、管理）")] = False,
    pending: Annotated[bool, typer.Option("--pending", help="列出未获准入网的请求")] = False,
    as_json: Json = False,
) -> None:
    """设备台账：状态、使用人、检验、证书剩余天数；吊销列表将到期时告警 (the fleet's inventory)."""
    if as_csv_text and (as_json or pending):
        raise OperatorFault("--csv 只能单独使用。请删去 --json 或 --pending。")
    with open_inventory(open_authority(authority).folder, "inventory") as opened:
        if pending:
            _pending(opened, as_json)
            return
        lines, term = ledger(opened), signed_term(opened.records)
    if as_csv_text:
        out.file.write(as_csv(lines, now()))
    elif as_json:
        devices = [line.as_json(now()) for line in lines]
        tell("", {"devices": devices, "revocation_list_days": term and term.days(now())}, as_json=True)
    else:
        _screen(lines, term, now())


@audit_app.command("verify", epilog="例：liuhen-provision audit verify --authority authority --head 上月链头.dsse")
def verify(
    authority: AuthorityDir,
    head: Annotated[list[Path] | None, typer.Option(help="先前取出的链头，可重复")] = None,
    as_json: Json = False,
) -> None:
    """核验审计记录：改动、删除、截去、调换的行会被指出 (verify the audit chain)."""
    with open_inventory(open_authority(authority).folder, "audit") as opened:
        end = opened.records.verified_audit([read_file(path) for path in head or []])
    message = f"审计记录完整：{end.number} 条，链头 {end.hash[:16]}…。下一步：用 audit head 取出链头另行保存。"
    tell(message, {"rows": end.number, "head": end.hash}, as_json=as_json)


@audit_app.command("head", epilog="例：liuhen-provision audit head --authority authority --out 链头.dsse")
def head_out(
    authority: AuthorityDir, to: Annotated[Path, typer.Option("--out", help="写到此文件")], as_json: Json = False
) -> None:
    """取出已签署的链头，带离机构目录保存，日后据此查出整体重写 (signed head to carry away)."""
    with open_inventory(open_authority(authority).folder, "audit") as opened:
        sealed = opened.records.sealed_head()
        end = opened.records.opened_head(sealed) if sealed else Head()
    if sealed is None:
        raise OperatorFault("审计记录还是空的。请先登记设备。")
    durable.write_bytes(to, sealed)
    facts = {"rows": end.number, "head": end.hash, "out": to}
    tell(f"第 {end.number} 条的链头已写到 {to}。下一步：交由他人保存。", facts, as_json=as_json)


@audit_app.command("clock", epilog="例：liuhen-provision audit clock --authority authority")
def clock(authority: AuthorityDir, by: By = "", as_json: Json = False) -> None:
    """登记“本机时钟已核对无误”：时钟曾偏快，或很久没有办理过，此后才能继续 (the clock was looked at)."""
    moment = now()
    with open_inventory(open_authority(authority).folder, operator(by)) as opened:
        last = opened.records.last_row()
        before = "" if last is None else timestamp(last.act().at)
        opened.note(CLOCK_CHECKED, "bench", {"last": before}, moment)
    told = f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
    facts = {"clock": timestamp(moment), "last": before}
    tell(
        f"已登记：本机时钟 {told}（北京时间）无误。此前日期有错的吊销，用 revoke --since 更正。", facts, as_json=as_json
    )


@audit_app.command("show", epilog="例：liuhen-provision audit show --authority authority --subject REC-0001")
def show(
    authority: AuthorityDir,
    subject: Annotated[str, typer.Option(help="只看此编号")] = "",
    as_json: Json = False,
) -> None:
    """查看审计记录 (who did what, when)."""
    with open_inventory(open_authority(authority).folder, "audit") as opened:
        acts = [(row.number, row.act()) for row in opened.records.audit_rows()]
    wanted = [(number, act) for number, act in acts if subject in ("", act.subject)]
    lines = [AUDIT_TITLE, *(_act_line(number, act) for number, act in wanted)]
    facts = [{"number": n, "at": act.at, "by": act.by, "act": act.act, "subject": act.subject, "facts": act.facts}
             for n, act in wanted]  # fmt: skip
    tell("\n".join(lines), {"acts": facts}, as_json=as_json)


def _act_line(number: int, act: Act) -> str:
    """One row; its moment as `revoke --since` takes one."""
    facts = "，".join(f"{name}={_plain(value)}" for name, value in sorted(act.facts.items()))
    return (
        f"{number:6} {act.at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S} {act.by} {act.act} {act.subject} {facts}".rstrip()
    )


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _told(faults: Iterable[RowFault]) -> list[dict[str, Any]]:
    """Say each on the terminal; the same for a program."""
    told = [{"line": fault.line, "fault": fault.text} for fault in faults]
    for fault in told:
        err.print(f"第 {fault['line']} 行：{fault['fault']}")
    return told


def _judged(good: int, faults: list[dict[str, Any]], as_json: bool) -> None:
    message = f"表格已检查：{good} 行可做，{len(faults)} 行有错，未作任何改动。"
    step = "下一步：去掉 --dry-run 再运行。" if not faults else "下一步：改正后重来，或用 --resume 跳过有错的行。"
    tell(message + step, {"rows": good, "changed": 0, "faults": faults}, as_json=as_json)
    if faults:
        raise PartlyDone(f"表格有 {len(faults)} 行有错，未作任何改动。请改正，或用 --resume 先做其余的行。")


def _with_bar(read: Table, desk: Desk, cards: Path) -> tuple[Outcome, ...]:
    with _bar(len(read.rows)) as step:
        return run_batch(read, desk, cards, now, lambda outcome: step(outcome.device))


@contextmanager
def _bar(total: int) -> Iterator[Callable[[str], None]]:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("制卡", total=total)
        yield lambda device: bar.update(task, advance=1, description=device)


def _pending(opened: Inventory, as_json: bool) -> None:
    rows = opened.records.rows("SELECT * FROM pending ORDER BY last_at DESC")
    lines = [f"{row['device']:10} {row['hardware']:18} {row['times']:4} 次  {_why(row['why'])}" for row in rows]
    tell("\n".join(lines) or "没有未获准的入网请求。", {"pending": rows}, as_json=as_json)


def _why(code: str) -> str:
    return REFUSED[Refusal(code)] if code in Refusal.__members__.values() else code


def _screen(lines: tuple[Line, ...], term: Term | None, moment: datetime) -> None:
    titles = ("设备", "状态", "使用单位", "使用人", "硬件序列号", "检验", "证书剩余")
    table = Screen(*(Column(title, overflow="fold") for title in titles))  # a serial number is compared to its end
    for line in lines:
        days, held = line.days(moment), line.device
        told = "" if days is None else f"{days} 天"
        style = "red" if days is not None and days < SOON_DAYS else ""
        checked = "" if line.passed is None else "合格" if line.passed else "不合格"
        cells = (held.device, CHINESE[held.state], held.unit, held.officer, held.hardware, checked, told)
        table.add_row(*map(one_line, cells), style=style)
    counts = {state: sum(line.device.state is state for line in lines) for state in State}
    out.print(table)
    told = "、".join(f"{CHINESE[state]} {count}" for state, count in counts.items() if count) or "台账是空的"
    out.print(f"{len(lines)} 台：{told}。")
    if term is not None and not term.good(moment):
        out.print(term.told(moment), style="red")
