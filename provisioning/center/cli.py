"""`liuhen-center`: the command of the district's centre (中心端)."""

import json
import signal
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from cryptography import x509
from rich.box import SIMPLE_HEAD
from rich.table import Table

from agent import durable
from agent.cli_frame import print_rows, run_app
from agent.clock import system_clock
from agent.command import log_from
from agent.errors import OperatorFault, SenderFault
from agent.key_files import read_private_key
from agent.wire.identifiers import device_id
from agent.wire.signing import load_pem_certificates
from provisioning.center import log_cli
from provisioning.center.command_cli import command, commands
from provisioning.center.complaints_cli import complaints
from provisioning.center.config import CenterConfig, read_config
from provisioning.center.ledger_cli import app as ledger_app
from provisioning.center.offload_cli import intake, unfinished
from provisioning.center.page import cli as page_cli
from provisioning.center.paper_cli import EXAMPLES as PAPER_EXAMPLES
from provisioning.center.paper_cli import paper
from provisioning.center.push_cli import push
from provisioning.center.receipts_cli import EXAMPLES as RECEIPTS_EXAMPLES
from provisioning.center.receipts_cli import receipts
from provisioning.center.report_cli import report
from provisioning.center.retention_cli import app as retention_app
from provisioning.center.review_cli import app as review_app
from provisioning.cli_frame import err, out, parse_moment, tell
from provisioning.contract import cli as contract_cli

if TYPE_CHECKING:
    from provisioning.center.store import Store

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")

app.add_typer(review_app, name="review")
app.add_typer(retention_app, name="retention")
app.add_typer(ledger_app, name="ledger")
app.command(
    epilog="例：liuhen-center command REC-0001 mark-hold --recording REC-0001-R000001 --hold 诉讼-1 "
    "--reason 诉讼调取 --key commander.key --chain commander.pem --config center.toml --wait"
)(command)
app.command(epilog="例：liuhen-center commands --config center.toml --device REC-0001 --json")(commands)
app.command(epilog="例：liuhen-center report --config center.toml --recordings recordings --out 报告")(report)
app.command(epilog="例：liuhen-center push --config center.toml --to https://… --watch")(push)
app.command(epilog=RECEIPTS_EXAMPLES)(receipts)
app.command(epilog=PAPER_EXAMPLES)(paper)

log_cli.add_to(app)
app.command(epilog="例：liuhen-center intake --config center.toml --recordings recordings --watch")(intake)
app.command(epilog="例：liuhen-center unfinished REC-0001-R000001 --config center.toml --out 取回")(unfinished)
contract_cli.add_to(app)
app.command(epilog="例：liuhen-center complaints --config center.toml --device KSK-0001 --key complaint.key")(
    complaints
)
page_cli.add_to(app)

Config = Annotated[Path, typer.Option("--config", help="center.toml 的路径")]
Json = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]


@app.callback()
def center() -> None:
    """接收并核验设备事件，签发回执，发布公示 (receive, verify, receipt, publish)."""


@app.command(epilog="例：liuhen-center receive --config center.toml")
def receive(config: Config, level: Annotated[str, typer.Option(help="日志级别 info|warning|debug")] = "info") -> None:
    """运行接收端，直到收到 SIGTERM 或 Ctrl-C (run the receiver)."""
    from provisioning.center.mqtt import Inbox
    from provisioning.center.receiver import open_receiver

    log_from(level, "liuhen", "agent")
    settings = read_config(config)
    inbox = Inbox()
    receiver = open_receiver(settings, system_clock(), inbox)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: inbox.ask_stop())
    err.print(f"接收端 {settings.receiver} 已启动，消息服务器 {settings.broker.host}:{settings.broker.port}。")
    receiver.run()


@app.command(epilog="例：liuhen-center summary --config center.toml --json")
def summary(config: Config, as_json: Json = False) -> None:
    """逐台设备查看：已收、回执、缺口、告警 (one line per device)."""
    store = _store(read_config(config))
    rows, losses = [vars(row) for row in store.summary()], store.losses()
    facts = {"devices": rows, "alarms": list(store.alarms()), "losses": list(losses)}
    store.close()
    if as_json:
        tell("", facts, as_json=True)
        return
    _print_table(rows)
    for loss in losses:
        numbers = "无事件" if loss["last"] < loss["first"] else f"第 {loss['first']} 至 {loss['last']} 号"
        out.print(
            f"{loss['device']} 声明本机记录丢失：{numbers}，其中 {loss['kept']} 个先前已收到；"
            f"由第 {loss['declared_by']} 号事件声明，{loss['declared_at']}。",
        )


@app.command(epilog="例：liuhen-center events --config center.toml --device REC-0001 --json")
def events(
    config: Config,
    device: Annotated[str, typer.Option("--device", help="设备编号，如 REC-0001")],
    after: Annotated[int, typer.Option(help="只看此序号之后的事件")] = 0,
    as_json: Json = False,
) -> None:
    """查看一台设备已收的事件 (the stored chain of one device)."""
    store = _store(read_config(config))
    found = list(_events(store, device_id(device), after))
    store.close()
    if as_json:
        tell("", {"device": device, "events": found}, as_json=True)
    for event in [] if as_json else found:
        out.print(f"{event['devseq']:>6}  {event['time']}  {event['type']}  {event['id']}")


_EXPORT_EXAMPLES = """例：

liuhen-center export --config center.toml --device REC-0001 --out REC-0001.receipts.jsonl

liuhen-center export --config center.toml --device REC-0001 --since 2026-11-01 --out REC-0001.receipts.jsonl"""


@app.command(epilog=_EXPORT_EXAMPLES)
def export(
    config: Config,
    device: Annotated[str, typer.Option("--device", help="设备编号，如 REC-0001")],
    target: Annotated[Path | None, typer.Option("--out", help="写入此文件；缺省写到标准输出")] = None,
    since: Annotated[
        str, typer.Option("--since", help="只导出此后的：日期（北京时间），或存有旧回执、旧凭据的文件")
    ] = "",
) -> None:
    """导出一台设备的往来凭据（事件批、回执、见证），供 liuhen-verify --receipts 使用 (account of a device).

    --since 的凭据从一份较早的回执起：此前的录制不在其中，liuhen-verify 会说明“未涵盖”。
    """
    from provisioning.center.account_export import account_lines

    settings = read_config(config)
    with closing(_store(settings)) as store:
        lines = account_lines(store, settings, device_id(device), since)
        if target is None:
            for line in lines:
                typer.echo(line)
            return
        durable.write_stream(target, (line + b"\n" for line in lines))
    err.print(f"已导出 {device} 的凭据到 {target}（{target.stat().st_size} 字节）。")


@app.command(
    "export-recording",
    epilog="例：liuhen-center export-recording recordings/REC-0001-R000001 --config center.toml --out out/R1 "
    '--by 示例-000003 --reason "法院调取" --approved-by 示例-000004 '
    '--from "2026-11-22 10:00:05" --to "2026-11-22 10:00:20"',
)
def export_recording(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="录制文件夹")],
    config: Config,
    out_folder: Annotated[Path, typer.Option("--out", help="新文件夹")],
    by: Annotated[str, typer.Option(help="导出人")],
    reason: Annotated[str, typer.Option(help="事由")],
    approved_by: Annotated[str, typer.Option(help="批准人，不能是导出人")],
    begin: Annotated[str, typer.Option("--from", help="起始时间，北京时间，如 2026-11-22 10:00:05")] = "",
    end: Annotated[str, typer.Option("--to", help="结束时间，北京时间")] = "",
    mask: Annotated[list[str] | None, typer.Option(help="涂黑区域 x,y,宽,高（像素），可多次给出")] = None,
    blur: Annotated[list[str] | None, typer.Option(help="打码区域 x,y,宽,高（像素），可多次给出")] = None,
    mute: Annotated[bool, typer.Option("--mute", help="去除声音")] = False,
    as_json: Json = False,
) -> None:
    """导出录像或其中一段，附检验办法与导出证明，记入导出台账 (export, with certificate and ledger line)."""
    from provisioning.center import export as exporting
    from provisioning.center.export_certificate import Responsibility
    from provisioning.center.masked_clip import parse_mask

    masks = (*(parse_mask(it) for it in mask or []), *(parse_mask(it, blur=True) for it in blur or []))
    begins, ends = (parse_moment(text) if text else None for text in (begin, end))
    wish = exporting.Wish(Responsibility(by, reason, approved_by), begins, ends, masks, mute)
    office = exporting.open_office(read_config(config))
    now = system_clock().read().wall
    certificate = exporting.export_recording(recording, out_folder, wish, office, now)
    facts = {"folder": str(out_folder), **json.loads(certificate.encode())}
    tell(f"已导出到 {out_folder}，已记入 {office.ledger}。请打印 export.html 由双方签字。", facts, as_json=as_json)


@app.command(epilog="例：liuhen-center decrypt recordings/REC-0001-R000001 --key archive.key --out clear")
def decrypt(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="录制文件夹，或加密的照片 .jpg.enc")],
    key: Annotated[Path, typer.Option(help="存档私钥 archive.key")],
    out_folder: Annotated[Path, typer.Option("--out", help="明文写入此目录，每次录制一个子目录")],
    as_json: Json = False,
) -> None:
    """用存档私钥解密录像与照片，写到新目录；此后可手工核对、导出 (decrypt for checking by hand and export)."""
    from provisioning.center import archive

    private = read_private_key(key)
    done = [each for path in paths for each in archive.decrypt(path, private, out_folder)]
    lines = [f"{each.file}  {each.size} 字节" + "".join(f"\n  {problem}" for problem in each.problems) for each in done]
    facts = [{"file": str(each.file), "size": each.size, "problems": list(each.problems)} for each in done]
    tell("\n".join(lines), {"files": facts}, as_json=as_json)
    if any(each.problems for each in done):
        raise SenderFault("有的加密文件被改动或不完整，读得出的部分已写出。请用 liuhen-verify 检验。")


_TIMESTAMP_EXAMPLES = """例：

liuhen-center timestamp recordings/REC-0001-R000001 --tsa http://tsa.example/ --tsa-root tsa-root.pem

liuhen-center timestamp photos --tsa http://tsa.example/ --tsa-root tsa-root.pem

liuhen-center timestamp recordings/* --tsa-root tsa-root.pem --tsa-command 'openssl ts -reply -config tsa.cnf
-queryfile /dev/stdin'"""


@app.command(epilog=_TIMESTAMP_EXAMPLES)
def timestamp(
    recordings: Annotated[list[Path], typer.Argument(metavar="RECORDING...", help="录制文件夹，或照片文件夹")],
    tsa_root: Annotated[list[Path], typer.Option(help="时间戳服务的根证书 PEM，可多次给出")],
    tsa: Annotated[str, typer.Option(help="时间戳服务的地址（RFC 3161，HTTP）")] = "",
    tsa_command: Annotated[str, typer.Option(help="或以命令代替：标准输入收请求，标准输出给回答")] = "",
    as_json: Json = False,
) -> None:
    """给已封存的录像与照片加盖可信时间戳：大小与签名不变，可重复运行 (RFC 3161, in place)."""
    from provisioning.center.stamping_authority import by_command, over_http
    from provisioning.center.time_stamping import Authority, stamp_recording

    if bool(tsa) == bool(tsa_command):
        raise OperatorFault("请用 --tsa 或 --tsa-command 之一指明时间戳服务。")
    roots = [certificate for place in tsa_root for certificate in _certificates(place)]
    authority = Authority(over_http(tsa) if tsa else by_command(tsa_command), roots)
    done = [outcome for folder in recordings for outcome in stamp_recording(folder, authority)]
    lines = [f"{each.file}  {f'已加盖 {each.at:%Y-%m-%d %H:%M:%S} UTC' if each.at else '已有时间戳'}" for each in done]
    facts = [{"file": str(each.file), "at": each.at and each.at.isoformat()} for each in done]
    tell("\n".join(lines), {"files": facts}, as_json=as_json)


def main() -> None:
    """Entry point."""
    run_app(app)


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return load_pem_certificates(path.read_bytes())
    except (OSError, SenderFault) as error:
        raise OperatorFault(f"无法读取证书 {path}（{error}）。请检查 --tsa-root。") from error


def _store(config: CenterConfig) -> "Store":
    from provisioning.center.store import open_store  # needs the extra `center`

    return open_store(config.database, config.folder, create=False)


def _events(store: "Store", device: str, after: int) -> Iterator[dict[str, Any]]:
    while bodies := store.events(device, after):
        page = [json.loads(body) for body in bodies]
        yield from page
        after = page[-1]["devseq"]


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table(title="设备一览", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    columns = {"device": "设备", "received": "已收", "upto": "连续至", "receipted": "回执至", "parked": "待补"}
    columns |= {
        "gaps": "缺口",
        "losses": "丢失",
        "alarms": "告警",
        "online": "在线",
        "last_seen": "最近联系（UTC）",
    }
    for title in columns.values():
        table.add_column(title, no_wrap=True)
    print_rows(out, table, tuple(columns.values()), [_cells(row, columns) for row in rows])
    if not rows:
        out.print("还没有任何设备的事件。请先启动接收端（liuhen-center receive）和设备。")


def _cells(row: dict[str, Any], names: Iterable[str]) -> list[str]:
    seen = (row["last_seen"] or "—")[:16].replace("T", " ")
    shown = row | {"online": "是" if row["online"] else "否", "last_seen": seen}
    return [str(shown[name]) for name in names]


if __name__ == "__main__":
    main()
