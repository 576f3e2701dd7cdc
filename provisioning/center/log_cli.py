"""`liuhen-center prove, prove-growth, check-proof, watch`: the log of accepted events for anybody, and a live look."""

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.live import Live
from rich.table import Table

from agent import durable
from agent.clock import system_clock
from agent.errors import OperatorFault, SenderFault
from agent.evidence.log_proof import INCLUSION, kind_of, open_consistency, open_inclusion
from agent.log import one_line
from agent.wire.device_events import EventType
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import DeviceId, device_id
from agent.wire.signing import load_pem_certificates
from agent.wire.tree_head import TreeHead
from agent.wire.trust import TrustList
from provisioning.authority.authority import read_file
from provisioning.center.config import CenterConfig, read_config
from provisioning.center.list_state import list_state
from provisioning.center.page.view import readings
from provisioning.center.summary import SOON_DAYS, DeviceSummary, certificate_days
from provisioning.center.watched import TrustFile
from provisioning.cli_frame import err, out, tell

Config = Annotated[Path, typer.Option("--config", help="center.toml 的路径")]
Out = Annotated[Path | None, typer.Option("--out", help="写入此文件；缺省写到标准输出")]
CHECK_EVENT = "liuhen-center check-proof，或 tests/vectors/check_inclusion.py"
CHECK_GROWTH = "liuhen-center check-proof，或 tests/vectors/check_growth.py"
TITLES = ("设备", "在线", "连续至", "回执至", "待补", "缺口", "丢失", "告警", "余天", "最近联系")
MORE, WIDE = ("存储", "版本"), 100  # columns of a terminal from which these fit, too
PROVE_EXAMPLES = """例：liuhen-center prove REC-0001:17 --config center.toml --out proof.json

或以事件标识：liuhen-center prove boot/0001 --device REC-0001 --config center.toml"""

GROWTH_EXAMPLE = "例：liuhen-center prove-growth --since 1024 --config center.toml --out growth.json"
CHECK_EXAMPLES = """例：liuhen-center check-proof proof.json --root root.pem --trust trust.dsse

liuhen-center check-proof growth.json --root root.pem --trust trust.dsse --json"""


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command(epilog=PROVE_EXAMPLES)(prove)
    app.command(epilog=GROWTH_EXAMPLE)(prove_growth)
    app.command(epilog=CHECK_EXAMPLES)(check_proof)
    app.command(epilog="例：liuhen-center watch --config center.toml")(watch)


def prove(
    event: Annotated[str, typer.Argument(metavar="DEVICE:NUMBER|EVENT", help="设备:序号，或（同 --device）事件标识")],
    config: Config,
    device: Annotated[str, typer.Option("--device", help="事件标识所属的设备")] = "",
    target: Out = None,
) -> None:
    """证明一个事件在本中心的只增日志中，任何人可独立核验 (inclusion proof, RFC 6962)."""
    from provisioning.center import proving

    settings, store = _opened(config)
    try:
        if device:
            owner = device_id(device)
            with store.transaction() as ledger:
                number = proving.find_event(ledger, owner, event)
        else:
            owner, number = _numbered(event)
        _write(proving.prove_event(store, settings.receiver, owner, number), target, CHECK_EVENT)
    finally:
        store.close()


def prove_growth(
    config: Config,
    since: Annotated[int, typer.Option("--since", help="较早的条数，如旧回执 tree.size 所示")],
    target: Out = None,
) -> None:
    """证明日志自某一条数以来只增未改 (consistency proof, RFC 6962)."""
    from provisioning.center import proving

    settings, store = _opened(config)
    try:
        _write(proving.prove_growth(store, settings.receiver, since), target, CHECK_GROWTH)
    finally:
        store.close()


def check_proof(
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="prove 或 prove-growth 写出的文件")],
    root: Annotated[Path, typer.Option(help="本区根证书 root.pem，应另行取得")],
    trust: Annotated[Path, typer.Option(help="本区信任清单 trust.dsse")],
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")] = False,
) -> None:
    """核验 prove 或 prove-growth 写出的证明及其签名 (check either proof and the signature of its head)."""
    try:
        listed = open_trust_list(read_file(trust), load_pem_certificates(read_file(root))[0])
    except SenderFault as fault:
        raise OperatorFault(f"{fault}请检查 --root 与 --trust。") from fault
    data = read_file(proof)
    told, facts, head = _inclusion(data, listed) if kind_of(data) == INCLUSION else _growth(data, listed)
    facts |= {"log": head.log, "size": head.size, "root": head.root, "at": head.at.isoformat()}
    tell(f"成立：{told}日志头 {head.size} 条，签于 {head.at:%Y-%m-%d %H:%M:%S} UTC。", facts, as_json=as_json)


def watch(
    config: Config,
    every: Annotated[float, typer.Option(min=0.2, help="每隔几秒刷新")] = 1.0,
    times: Annotated[int, typer.Option(min=0, help="刷新几次后结束；0 为直到 Ctrl-C")] = 0,
) -> None:
    """实时查看各设备的收讫情况，Ctrl-C 结束 (a live table of every device)."""
    settings, store = _opened(config)
    try:
        listed = TrustFile(settings.trust_list, load_pem_certificates(read_file(settings.root))[0])
        trust, free = listed.load(), _Free(store)
        with Live(console=out, auto_refresh=False) as live:
            for turn in itertools.count(1):
                trust = listed.renew() or trust
                now = system_clock().read().wall
                days = certificate_days(trust, now)
                size = _log_size(store, settings.receiver)
                rows, wide = store.summary(), out.width >= WIDE
                found = free.look(rows) if wide else None
                live.update(_table(settings, rows, days, size, found, list_state(settings, now)), refresh=True)
                if turn == times:
                    break
                time.sleep(every)
        if not out.is_terminal:
            out.print()  # into a file or a pipe rich leaves the last line open
    except KeyboardInterrupt:
        err.print("已结束。")
    finally:
        store.close()


def _inclusion(data: bytes, listed: TrustList) -> tuple[str, dict[str, Any], TreeHead]:
    found = open_inclusion(data, listed)
    event = found.event
    facts = {"device": event.device, "devseq": event.devseq, "type": event.type.value, "position": found.position}
    place = f"{found.head.log} 日志的第 {found.position + 1} 条"
    return f"{event.device} 的第 {event.devseq} 号事件是 {place}，", facts, found.head


def _growth(data: bytes, listed: TrustList) -> tuple[str, dict[str, Any], TreeHead]:
    old, head = open_consistency(data, listed)
    facts = {"old_size": old.size, "old_root": old.root}
    return f"{head.log} 的日志自第 {old.size} 条以来只增未改，那时的根是 {old.root}，请与当时的回执核对；", facts, head


def _opened(config: Path) -> tuple[CenterConfig, Any]:
    from provisioning.center.store import open_store  # needs the extra `center`

    settings = read_config(config)
    return settings, open_store(settings.database, settings.folder, create=False)


def _log_size(store: Any, name: str) -> int:
    from provisioning.center.event_log import EventLog

    with store.transaction() as ledger:
        return EventLog(ledger.rows, name).size()


@dataclass
class _Free:
    """What devices last told of the room on their disks, asked for again when they told something new."""

    store: Any
    told: dict[str, str] = field(default_factory=dict)
    upto: dict[str, int] = field(default_factory=dict)

    def look(self, rows: tuple[DeviceSummary, ...]) -> Mapping[str, str]:
        """By device, in GiB."""
        for row in rows:
            if self.upto.get(row.device) != row.upto:
                self.upto[row.device] = row.upto
                found = readings({row.device: self.store.newest(row.device, EventType.HEALTH_REPORTED)})
                free = found[row.device].told.free_mib if row.device in found else None
                self.told[row.device] = "—" if free is None else f"{free / 1024:.0f} G"
        return self.told


def _table(
    settings: CenterConfig,
    rows: tuple[DeviceSummary, ...],
    days: Mapping[str, int],
    size: int,
    free: Mapping[str, str] | None = None,
    state: tuple[bool, str] | None = None,
) -> Table:
    title = f"{settings.receiver}：{len(rows)} 台设备，{sum(row.online for row in rows)} 台在线，日志 {size} 条"
    table = Table(
        title=title,
        caption="余天：签名证书（连接证书由设备自己续期），— 为已吊销或不在清单；最近联系为 UTC"
        + (f"\n{state[1]}" if state else ""),
        caption_style="red" if state and not state[0] else "dim",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for name in (*TITLES, *(() if free is None else MORE)):
        table.add_column(name, no_wrap=True)
    for row in rows:
        seen = (row.last_seen or "—")[5:19].replace("T", " ")
        numbers = (row.upto, row.receipted, row.parked, row.gaps, row.losses, row.alarms)
        left = days.get(row.device)
        waits = row.parked or row.upto > row.receipted or left is None or left <= SOON_DAYS
        style = "red" if row.alarms else "yellow" if waits else ""
        told = "—" if left is None else str(left)
        more = () if free is None else (free.get(row.device, "—"), one_line(row.version[:12]) or "—")
        table.add_row(row.device, "是" if row.online else "否", *map(str, numbers), told, seen, *more, style=style)
    return table


def _numbered(text: str) -> tuple[DeviceId, int]:
    name, _, number = text.partition(":")
    if not number.isascii() or not number.isdigit():
        raise OperatorFault(f"“{text[:40]}”应形如 REC-0001:17；若是事件标识，请加 --device REC-0001。")
    return device_id(name), int(number)


def _write(data: bytes, target: Path | None, check: str) -> None:
    if target is None:
        typer.echo(data.decode(), nl=False)
        return
    durable.write_bytes(target, data)
    err.print(f"证明已写入 {target}；核验：{check}。")
