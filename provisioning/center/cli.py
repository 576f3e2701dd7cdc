"""`liuhen-center`: the command of the district's centre (中心端)."""

import json
import signal
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography import x509
from rich.box import SIMPLE_HEAD
from rich.table import Table

from agent.clock import system_clock
from agent.errors import OperatorFault, SenderFault
from agent.wire.identifiers import device_id
from provisioning.center.config import CenterConfig, read_config
from provisioning.center.store import Store, open_store
from provisioning.cli_frame import err, log_to_stderr, out, run, tell

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")

Config = Annotated[Path, typer.Option("--config", help="center.toml 的路径")]
Json = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]


@app.callback()
def center() -> None:
    """接收并核验设备事件，签发回执，发布公示 (receive, verify, receipt, publish)."""


@app.command(epilog="例：liuhen-center receive --config center.toml")
def receive(config: Config, level: Annotated[str, typer.Option(help="日志级别 info|warning|debug")] = "info") -> None:
    """运行接收端，直到收到 SIGTERM 或 Ctrl-C (run the receiver)."""
    from queue import SimpleQueue

    from provisioning.center.mqtt import Inbox, StopAsked
    from provisioning.center.receiver import open_receiver

    log_to_stderr(level)
    settings = read_config(config)
    inbox: Inbox = SimpleQueue()
    receiver = open_receiver(settings, system_clock(), inbox)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: inbox.put(StopAsked()))  # SimpleQueue.put is reentrant
    err.print(
        f"接收端 {settings.receiver} 已启动，消息服务器 {settings.broker.host}:{settings.broker.port}。", markup=False
    )
    receiver.run()


@app.command(epilog="例：liuhen-center summary --config center.toml --json")
def summary(config: Config, as_json: Json = False) -> None:
    """逐台设备查看：已收、回执、缺口、告警 (one line per device)."""
    store = _store(read_config(config))
    rows = [vars(row) for row in store.summary()]
    facts = {"devices": rows, "alarms": list(store.alarms())}
    store.close()
    if as_json:
        tell("", facts, as_json=True)
    else:
        _print_table(rows)


@app.command(epilog="例：liuhen-center events --config center.toml --device REC-0001 --json")
def events(
    config: Config,
    device: Annotated[str, typer.Option("--device", help="设备编号，如 REC-0001")],
    after: Annotated[int, typer.Option(help="只看此序号之后的事件")] = 0,
    as_json: Json = False,
) -> None:
    """查看一台设备已收的事件 (the stored chain of one device)."""
    store = _store(read_config(config))
    found = [json.loads(body) for body in store.events(device_id(device), after)]
    store.close()
    if as_json:
        tell("", {"device": device, "events": found}, as_json=True)
    for event in [] if as_json else found:
        out.print(f"{event['devseq']:>6}  {event['time']}  {event['type']}  {event['id']}", markup=False)


_TIMESTAMP_EXAMPLES = """例：

liuhen-center timestamp recordings/REC-0001-R000001 --tsa http://tsa.example/ --tsa-root tsa-root.pem

liuhen-center timestamp recordings/* --tsa-root tsa-root.pem --tsa-command 'openssl ts -reply -config tsa.cnf
-queryfile /dev/stdin'"""


@app.command(epilog=_TIMESTAMP_EXAMPLES)
def timestamp(
    recordings: Annotated[list[Path], typer.Argument(metavar="RECORDING...", help="录制文件夹")],
    tsa_root: Annotated[list[Path], typer.Option(help="时间戳服务的根证书 PEM，可多次给出")],
    tsa: Annotated[str, typer.Option(help="时间戳服务的地址（RFC 3161，HTTP）")] = "",
    tsa_command: Annotated[str, typer.Option(help="或以命令代替：标准输入收请求，标准输出给回答")] = "",
    as_json: Json = False,
) -> None:
    """给已封存的录像加盖可信时间戳：大小与签名不变，可重复运行 (RFC 3161, in place)."""
    from provisioning.center.stamping_authority import by_command, over_http
    from provisioning.center.time_stamping import Authority, stamp_recording

    if bool(tsa) == bool(tsa_command):
        raise OperatorFault("请用 --tsa 或 --tsa-command 之一指明时间戳服务。")
    roots = [certificate for place in tsa_root for certificate in _certificates(place)]
    authority = Authority(over_http(tsa) if tsa else by_command(tsa_command), roots)
    done = [outcome for folder in recordings for outcome in stamp_recording(folder, authority)]
    lines = [f"{each.file}  {f'已加盖 {each.at:%Y-%m-%d %H:%M:%S} UTC' if each.at else '已有时间戳'}" for each in done]
    facts = [{"file": each.file, "at": each.at and each.at.isoformat()} for each in done]
    tell("\n".join(lines), {"files": facts}, as_json=as_json)


@app.command("archive-key", epilog="例：liuhen-center archive-key --out archive")
def archive_key(out_dir: Annotated[Path, typer.Option("--out", help="存放目录")], as_json: Json = False) -> None:
    """生成存档密钥：录像在设备上为它加密，只有它能解开；archive.key 须离线备份 (archive key pair)."""
    from provisioning.center.archive import PUBLIC_NAME, make_archive_key

    changed = make_archive_key(out_dir)
    hint = f"下一步：liuhen-provision add-device … --archive {out_dir / PUBLIC_NAME}；并离线备份 archive.key。"
    facts = {"folder": out_dir, "changed": changed}
    tell(f"{out_dir} {'已写好' if changed else '没有变化'}。{hint}", facts, as_json=as_json)


@app.command(epilog="例：liuhen-center decrypt recordings/REC-0001-R000001 --key archive/archive.key --out clear")
def decrypt(
    recordings: Annotated[list[Path], typer.Argument(metavar="RECORDING...", help="录制文件夹")],
    key: Annotated[Path, typer.Option(help="存档私钥 archive.key")],
    out_dir: Annotated[Path, typer.Option("--out", help="明文写入此目录，每次录制一个子目录")],
    as_json: Json = False,
) -> None:
    """解密录像，连同旁证文件写入新目录；此后可用 sha256sum、openssl 手工核对 (decrypt for checking by hand)."""
    from provisioning.center.archive import decrypt_recording, read_archive_key

    private = read_archive_key(key)
    done = [each for folder in recordings for each in decrypt_recording(folder, private, out_dir / folder.name)]
    lines = [f"{each.file}  {each.size} 字节" + "".join(f"\n  {problem}" for problem in each.problems) for each in done]
    facts = [{"file": each.file, "size": each.size, "problems": list(each.problems)} for each in done]
    tell("\n".join(lines), {"files": facts}, as_json=as_json)
    if any(each.problems for each in done):
        raise SenderFault("有的加密文件被改动或不完整，读得出的部分已写出。请用 liuhen-verify 检验。")


def main() -> None:
    """Entry point."""
    run(app)


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OperatorFault(f"无法读取证书 {path}（{error}）。请检查 --tsa-root。") from error


def _store(config: CenterConfig) -> Store:
    return open_store(config.database, config.folder)


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table(title="设备一览", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    columns = {"device": "设备", "received": "已收", "upto": "连续至", "receipted": "回执至", "parked": "待补"}
    columns |= {"gaps": "缺口", "alarms": "告警", "online": "在线", "last_seen": "最近联系（UTC）"}
    for title in columns.values():
        table.add_column(title, no_wrap=True)
    for row in rows:
        seen = (row["last_seen"] or "—")[:16].replace("T", " ")
        shown = row | {"online": "是" if row["online"] else "否", "last_seen": seen}
        table.add_row(*(str(shown[name]) for name in columns))
    out.print(table)
    if not rows:
        out.print("还没有任何设备的事件。请先启动接收端（liuhen-center receive）和设备。", markup=False)


if __name__ == "__main__":
    main()
