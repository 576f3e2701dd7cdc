"""`liuhen-provision`: the technician's bench (发证与配置)."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.cli_frame import run_app
from agent.clock import system_clock
from agent.errors import OperatorFault
from agent.settings import KIOSK_LISTEN
from agent.wire.trust import Credential, Role
from provisioning import key_cli
from provisioning.authority.archive_key import ARCHIVE_PUBLIC, read_archive_public
from provisioning.authority.authority import Authority, init_authority, open_authority, read_file, waiting
from provisioning.authority.subjects import device_role
from provisioning.center.broker_config import Listener
from provisioning.center.broker_folder import (
    MOSQUITTO,
    BridgeOrder,
    BrokerOrder,
    current_user,
    parse_bridge,
    write_broker_folder,
)
from provisioning.center.force import broker_site, put_in_force, shut_out
from provisioning.cli_frame import parse_moment, tell
from provisioning.fleet import card_cli, inventory_cli, life_cli, rotation_cli
from provisioning.fleet.folders import FolderOutcome, write_device_folder, write_person_folder, write_receiver_folder
from provisioning.fleet.identity_files import write_trust
from provisioning.fleet.inventory import Planned, open_inventory
from provisioning.fleet.listing import list_device
from provisioning.fleet.orders import DeviceOrder, KioskOrder, ReceiverOrder, broker_address
from provisioning.fleet.site import checked_settings
from provisioning.page_cli import add_to as add_page_commands
from provisioning.rehearsal import cli as rehearsal_cli

ENGINE_HELP = "mosquitto（即 mosquitto-2.0）、mosquitto-2.1、emqx-5，或仅供演练的 embedded"

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")

AuthorityDir = Annotated[Path, typer.Option("--authority", help="机构目录（init-ca 所建）")]
OutDir = Annotated[Path, typer.Option("--out", help="要写的目录")]
BrokerOption = Annotated[str, typer.Option("--broker", help="消息服务器 主机:端口")]
Protocol = Annotated[str, typer.Option("--protocol", help="MQTT 版本：5，或不得已时 3.1.1")]
Json = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]


@app.callback()
def provision() -> None:
    """建立机构、发放设备与人员的密钥证书、生成消息服务器配置 (authority, devices, people, broker)."""


@app.command("init-ca", epilog="例：liuhen-provision init-ca authority --district xinghe --name 星河区")
def init_ca(
    folder: Annotated[Path, typer.Argument(help="机构目录，须妥善保管并离线备份")],
    district: Annotated[str, typer.Option(help="区域代号，小写")],
    name: Annotated[str, typer.Option(help="区域名称")],
    keystore: Annotated[
        Path | None, typer.Option(help="密钥在 PKCS#11 令牌中：一个写明 root 与 issuing 的 TOML 文件")
    ] = None,
    as_json: Json = False,
) -> None:
    """建立一个区的发证机构 (root, issuing CA, empty trust list)."""
    authority = init_authority(folder, district, name, _now(), None if keystore is None else read_file(keystore))
    version = authority.trust().version
    message = (
        f"机构目录 {folder} 已就绪（信任清单第 {version} 版）。请现在把整个目录离线备份一份，此后每次办理完再备份 "
        "inventory.db：缺了其中的密钥（root、issuing、audit、archive）或台账都不能重做。备份后 root.key 移走离线保管，"
        "archive.key 移交档案，complaint.key 移交投诉受理处。"
        "下一步：依次 site、add-receiver、broker-config，再 add-device。"
    )
    tell(message, {"authority": folder, "district": district, "trust_version": version}, as_json=as_json)


app.command("archive-key", epilog="例：liuhen-provision archive-key --authority authority")(key_cli.archive_key)
app.command("complaint-key", epilog="例：liuhen-provision complaint-key --authority authority")(key_cli.complaint_key)


@app.command(
    "add-device",
    epilog="例：liuhen-provision add-device REC-0001 --authority authority --unit 星河区综合行政执法局 "
    "--broker broker.example:8883 --out devices/REC-0001",
)
def add_device(
    device: Annotated[str, typer.Argument(help="REC-0001（记录仪）或 KSK-0001（窗口终端）")],
    authority: AuthorityDir,
    unit: Annotated[str, typer.Option(help="使用单位全称")],
    broker: Annotated[str, typer.Option("--broker", help="消息服务器 主机:端口；仅与 --out 同用，否则按站点")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="在工作台上生成密钥并写成目录；缺省只登记，由设备自己入网")
    ] = None,
    hardware: Annotated[str, typer.Option(help="硬件序列号，卡只在这台硬件上有效")] = "",
    model: Annotated[str, typer.Option(help="型号")] = "",
    correct: Annotated[bool, typer.Option("--correct", help="更正尚未入网的登记；为它写过的卡随即作废")] = False,
    by: inventory_cli.By = "",
    protocol: Protocol = "5",
    camera: Annotated[str, typer.Option(help="auto|picamera2|v4l2:DEV|rtsp:URL|file:PATH|test")] = "auto",
    mcu: Annotated[str, typer.Option(help="按键板串口，空为没有")] = "",
    archive: Annotated[Path | None, typer.Option(help="记录仪：存档公钥；缺省用机构目录的 archive.pub")] = None,
    no_archive: Annotated[bool, typer.Option("--no-archive", help="记录仪：录像与照片不加密，以明文存卡")] = False,
    partner: Annotated[str, typer.Option(help="搭档的记录仪，本机为其链头见证；另须 broker-config --pair")] = "",
    gm: Annotated[bool, typer.Option("--gm", help="记录仪：另加 SM3 清单与 SM2 设备完整性签名")] = False,
    hall: Annotated[str | None, typer.Option(help="窗口终端：大厅名称")] = None,
    audience: Annotated[str | None, typer.Option(help="窗口终端：大厅标识，如 hall-1")] = None,
    listen: Annotated[str, typer.Option(help="窗口终端：本机网页地址")] = KIOSK_LISTEN,
    complaint_phone: Annotated[str | None, typer.Option(help="窗口终端：投诉举报电话，将展示给公众")] = None,
    as_json: Json = False,
) -> None:
    """登记一台设备，由它首次启动时自己入网；或用 --out 写成带密钥的目录 (list a device, or make its folder here)."""
    source = open_authority(authority, inventory_cli.operator(by))
    if out is None:
        told = {"camera": "" if kiosk_like(device) else camera, "mcu": mcu, "partner": partner, "hall": hall,
                "audience": audience, "complaint_phone": complaint_phone, "archive": "none" if no_archive else "",
                "listen": "" if listen == KIOSK_LISTEN else listen}  # fmt: skip
        settings = checked_settings(device_role(device).value, told)
        _list_device(source, Planned(device, hardware, unit, model, settings), correct=correct, as_json=as_json)
        return
    said = [hall, audience, complaint_phone]
    if any(said) and not all(said):
        raise OperatorFault("窗口终端须同时写明 --hall、--audience 与 --complaint-phone。请补上。")
    kiosk = KioskOrder(hall, audience, complaint_phone, listen) if hall and audience and complaint_phone else None
    source = open_authority(authority)
    public = archive or source.folder / ARCHIVE_PUBLIC
    pem = None if kiosk or (no_archive and not public.exists()) else read_archive_public(public)
    where = broker_address(broker, protocol)
    order = DeviceOrder(device, unit, where, camera, mcu, kiosk, partner, gm, archive=pem, clear=no_archive)
    outcome = write_device_folder(source, order, out, _now())
    card = (
        "" if kiosk else "录像与照片在卡上以明文存放。" if no_archive else "录像与照片在卡上加密，只有存档密钥能解开。"
    )
    hint = "下一步：把整个目录装到设备上，运行 liuhen-agent run --config agent.toml。"
    _tell_folder(source, device, outcome, card + hint, as_json)


@app.command(
    "add-person",
    epilog="例：liuhen-provision add-person --role editor --subject 示例-000001 --authority authority --out 拟稿人",
)
def add_person(
    role: Annotated[str, typer.Option(help="editor 拟稿 | reviewer 审核 | commander 指令")],
    subject: Annotated[str, typer.Option(help="人员编号")],
    authority: AuthorityDir,
    out: OutDir,
    as_json: Json = False,
) -> None:
    """给一名签名人员发密钥与证书 (a person who signs documents)."""
    source = open_authority(authority)
    outcome = write_person_folder(source, subject, _role(role), out, _now())
    hint = "下一步：把目录交给本人，并用 trust --install 更新各设备的信任清单。"
    _tell_folder(source, subject, outcome, hint, as_json)


@app.command(
    "add-receiver",
    epilog="例：liuhen-provision add-receiver receiver-1 --authority authority --broker 127.0.0.1:8883 --out center",
)
def add_receiver(
    receiver: Annotated[str, typer.Argument(help="接收端名称，如 receiver-1")],
    authority: AuthorityDir,
    broker: BrokerOption,
    out: OutDir,
    protocol: Protocol = "5",
    released: Annotated[str, typer.Option(help="已放行公示文件的目录")] = "released",
    as_json: Json = False,
) -> None:
    """写中心接收端的目录：center.toml、密钥、证书 (the centre's receiver)."""
    order = ReceiverOrder(receiver, broker_address(broker, protocol), released)
    source = open_authority(authority)
    outcome = write_receiver_folder(source, order, out, _now())
    hint = "下一步：重新生成 broker-config，再运行 liuhen-center receive --config center.toml。"
    _tell_folder(source, receiver, outcome, hint, as_json)


@app.command(epilog="例：liuhen-provision trust --authority authority --install devices/REC-0001 --install center")
def trust(
    authority: AuthorityDir,
    install: Annotated[list[Path] | None, typer.Option(help="把最新清单写进此目录，可重复")] = None,
    as_json: Json = False,
) -> None:
    """查看信任清单，并可写进各目录 (show and hand out the trust list)."""
    source, now = open_authority(authority), _now()
    listed = source.trust()
    written = [str(folder) for folder in install or [] if write_trust(_existing(folder), source)]
    credentials = sorted(listed.credentials.values(), key=lambda entry: (entry.role, entry.subject))
    lines = [f"信任清单第 {listed.version} 版，{len(credentials)} 项；已更新 {len(written)} 个目录。"]
    lines += [f"{each.role.value:10} {each.subject:16} {_state(each, now)}  {each.key_id[:16]}" for each in credentials]
    entries = [
        {"subject": each.subject, "role": each.role.value, "key": each.key_id, "state": _state(each, now)}
        for each in credentials
    ]
    facts = {"version": listed.version, "installed": written, "credentials": entries}
    tell("\n".join(lines), facts, as_json=as_json)


@app.command(epilog="例：liuhen-provision revoke REC-0001 --authority authority --reason 遗失 --broker-folder broker")
def revoke(
    subject: Annotated[str, typer.Argument(help="设备、接收端或人员编号")],
    authority: AuthorityDir,
    reason: Annotated[str, typer.Option(help="原因：遗失、被盗（台账记为遗失）、退役、离岗……")],
    since: Annotated[str, typer.Option(help="自何时起（北京时间），如 2026-11-20 09:30；已吊销的，更正其时刻")] = "",
    broker: Annotated[Path | None, typer.Option("--broker-folder", help="运行中的 Mosquitto 的目录，立即生效")] = None,
    host: Annotated[str, typer.Option("--host", help="该服务器的名称，写在其证书中")] = "localhost",
    port: Annotated[int, typer.Option("--port", help="该服务器的端口")] = 8883,
    reload_command: Annotated[str, typer.Option("--reload-command", help="让它重读的命令；缺省按 pid 发 SIGHUP")] = "",
    by: inventory_cli.By = "",
    as_json: Json = False,
) -> None:
    """吊销其全部证书或未用的卡；签名不再被接受，--broker-folder 使会话立即失效；根密钥不在即以 5 结束 (revoke)."""
    source = open_authority(authority, inventory_cli.operator(by))
    site = None if broker is None else broker_site(broker, host, port, reload_command)
    listed = shut_out(source, subject, reason, site, _now(), parse_moment(since) if since else None)
    late = waiting(source)
    in_force = "，消息服务器已不再接受它" if site else ""
    step = "下一步：trust --install 更新各目录" + ("。" if site else "；再用 broker-config --reload 使消息服务器生效。")
    facts = {"subject": subject, "trust_version": listed, "broker": site is not None, "trust_current": not late}
    tell(f"{subject} 已吊销（信任清单第 {listed} 版）{in_force}。{late or step}", facts, as_json=as_json)
    if late:
        raise typer.Exit(life_cli.FAILED)


@app.command(
    "broker-config",
    epilog="例：liuhen-provision broker-config --for mosquitto --authority authority --out broker --port 8883",
)
def broker_config(
    authority: AuthorityDir,
    out: OutDir,
    engine: Annotated[str, typer.Option("--for", help=ENGINE_HELP)] = "mosquitto",
    port: Annotated[int, typer.Option(min=1, max=65535, help="监听端口")] = 8883,
    bind: Annotated[str, typer.Option(help="监听地址；演练用 127.0.0.1")] = "0.0.0.0",  # noqa: S104
    host: Annotated[list[str] | None, typer.Option(help="设备连接所用的名称或地址，可重复")] = None,
    user: Annotated[str, typer.Option(help="root 启动时 Mosquitto 改用的用户，目录须归其所有；默认为本人")] = "",
    pair: Annotated[list[str] | None, typer.Option(help="互为见证的两台记录仪 REC-0001:REC-0002，可重复")] = None,
    bridge: Annotated[str, typer.Option(help="上级平台的消息服务器 host:port，只上送事件与在线状态")] = "",
    bridge_identity: Annotated[Path | None, typer.Option(help="上级平台发来的目录：root.pem、tls.pem、tls.key")] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Mosquitto 在运行：换规则与吊销列表，重读，并核验")] = False,
    reload_command: Annotated[str, typer.Option("--reload-command", help="让它重读的命令；缺省按 pid 发 SIGHUP")] = "",
    as_json: Json = False,
) -> None:
    """生成消息服务器的配置、证书与访问规则；增减接收端或吊销后再运行一次 (broker folder)."""
    if reload:
        source = open_authority(authority)
        put_in_force(broker_site(out, (host or ["localhost"])[0], port, reload_command), source, _now())
        tell(f"{out} 的规则与吊销列表已生效，并已核验。", {"folder": out, "reloaded": True}, as_json=as_json)
        return
    known = BrokerOrder(Listener(bind, port, user or current_user()), engine)
    upper = _bridge_order(bridge, bridge_identity)
    order = BrokerOrder(known.listener, engine, known.subject, tuple(host or known.hosts), tuple(pair or ()), upper)
    entry, changed = write_broker_folder(open_authority(authority), order, out, _now())
    start = f"mosquitto -c {entry}" if engine in MOSQUITTO else f"放到每个 EMQX 节点的 etc 目录：{entry}"
    start = _embedded_command(entry) if engine == "embedded" else start
    message = f"{out} {'已写好' if changed else '没有变化'}。下一步：{start}"
    tell(message, {"folder": out, "config": entry, "changed": changed, "start": start}, as_json=as_json)


for commands in (inventory_cli, card_cli, life_cli, rotation_cli):
    commands.add_to(app)
add_page_commands(app)
app.command("rehearse", epilog=rehearsal_cli.EPILOG)(rehearsal_cli.command)


def kiosk_like(device: str) -> bool:
    """Whether the id is a kiosk's."""
    return device.startswith("KSK-")


def _list_device(source: Authority, wanted: Planned, *, correct: bool, as_json: bool) -> None:
    with open_inventory(source.folder, source.by) as inventory:
        changed = list_device(inventory, wanted, _now(), correct=correct)
        known = bool(inventory.device(wanted.device).hardware)
    device = wanted.device
    step = f"write-card {device}" if known else f"add-device {device} --hardware 序列号，制卡要用"
    message = f"{device} {'已登记' if changed else '没有变化'}。下一步：{step}。"
    tell(message, {"subject": device, "changed": changed}, as_json=as_json)


def main() -> None:
    """Entry point."""
    run_app(app)


def _bridge_order(address: str, identity: Path | None) -> BridgeOrder | None:
    if bool(address) != bool(identity):
        raise OperatorFault("--bridge 与 --bridge-identity 须同时写明。请补上。")
    if identity is None:
        return None
    files = (identity / name for name in ("root.pem", "tls.pem", "tls.key"))
    return BridgeOrder(parse_bridge(address), *files)


def _embedded_command(entry: Path) -> str:
    return f"python -m provisioning.rehearsal.embedded_broker --config {entry}"


def _now() -> datetime:
    return system_clock().read().wall


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as error:
        raise OperatorFault(
            f"不认识的角色“{text[:20]}”，--role 可用 editor、reviewer、commander、handler、examiner、leader。"
        ) from error


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise OperatorFault(f"目录 {folder} 不存在，请检查 --install。")
    return folder


def _state(entry: Credential, now: datetime) -> str:
    if entry.revoked_at is not None:
        return "已吊销"
    return "有效" if now <= entry.certificate.not_valid_after_utc else "已过期"


def _tell_folder(source: Authority, subject: str, outcome: FolderOutcome, hint: str, as_json: bool) -> None:
    late = waiting(source)
    message = f"{subject} 的目录 {outcome.folder} {'已写好' if outcome.changed else '没有变化'}。{hint}{late}"
    facts = {"subject": subject, "folder": outcome.folder, "changed": outcome.changed, "trust_current": not late}
    tell(message, facts, as_json=as_json)


if __name__ == "__main__":
    main()
