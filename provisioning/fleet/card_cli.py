"""`liuhen-provision write-card, sticker, cable, usb, wheelhouse, sign-update`: from a listed device to one that asks,
by whatever way, and what is installed on it."""

from pathlib import Path
from typing import Annotated

import typer

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.stick import FOLDER, REPLIES, REQUESTS, names_in, read_plain, write_plain
from agent.wire.authority_seal import fingerprint
from agent.wire.enrolment import MAX_REPLY_BYTES, MAX_REQUEST_BYTES, parse_reply
from agent.wire.identifiers import device_id
from agent.wire.signing import load_pem_certificates
from provisioning.authority.authority import open_authority, waiting
from provisioning.cli_frame import err, tell
from provisioning.fleet.card_files import CardOrder
from provisioning.fleet.card_target import open_target
from provisioning.fleet.enrolment import Desk, enrolment_desk
from provisioning.fleet.inventory_cli import AuthorityDir, By, Json, now, operator
from provisioning.fleet.states import State
from provisioning.fleet.sticker import Sticker, sheets_svg
from provisioning.fleet.write_card import install_script, read_wheelhouse, read_wifi, write_card

CABLE_WAIT_S = 600.0  # ours: the technician plugs in and switches on


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command("write-card", epilog="例：liuhen-provision write-card REC-0001 card.img --authority authority")(card)
    app.command(epilog="例：liuhen-provision sticker 标签.pdf --range REC-0001..0024 --authority authority")(sticker)
    app.command(epilog="例：liuhen-provision cable /dev/ttyACM0 --authority authority")(cable)
    app.command(epilog="例：liuhen-provision usb /media/usb --authority authority")(usb)
    app.command(epilog="例：liuhen-provision wheelhouse wheels --wheel dist/liuhen-0.1.0-py3-none-any.whl")(wheelhouse)
    app.command("sign-update", epilog="例：liuhen-provision sign-update wheels --serial 2 --authority authority")(sign)


def card(
    device: Annotated[str, typer.Argument(help="已登记的设备，须有硬件序列号")],
    target: Annotated[Path, typer.Argument(help="映像文件、已挂载的启动分区目录，或读卡器中的卡 /dev/sdX")],
    authority: AuthorityDir,
    system: Annotated[str, typer.Option("--os", help="auto、bookworm、trixie；与卡上的系统不符即拒绝")] = "auto",
    wheels: Annotated[Path | None, typer.Option("--wheelhouse", help="离线安装目录，一并写到卡上")] = None,
    wifi_file: Annotated[Path | None, typer.Option(help="无线网络：两行文本，名称与密码；卡上只留派生密钥")] = None,
    by: By = "",
    as_json: Json = False,
) -> None:
    """把一台设备的入网文件写进系统卡的启动分区，读回核对；拒绝系统盘和挂载中的盘 (write a card)."""
    source = open_authority(authority, operator(by))
    wifi = read_wifi(wifi_file) if wifi_file else None
    extra = read_wheelhouse(wheels) if wheels else {}
    with open_target(target) as (place, what), enrolment_desk(source) as desk:
        root, issuing = desk.certificates
        draft = desk.draft(device, now())
        order = CardOrder(device, draft.bundle, root, issuing, install_script(), wifi)
        written = write_card(place, order, system, extra)
        with desk.inventory.records.transaction():
            desk.grant(draft, now())
            desk.inventory.move(device, State.BUNDLED, f"写卡 {target.name}", now())
    state = f"{device} 已写到{what}（{written.form}，{len(written.files)} 个文件，读回一致）。"
    message = f"{state}下一步：装卡开机，首次启动时自动入网。"
    tell(message, {"device": device, "target": target, "format": written.form, "files": written.files}, as_json=as_json)


def sticker(
    out: Annotated[Path, typer.Argument(help="写到 .svg（每页一个）或 .pdf")],
    authority: AuthorityDir,
    only: Annotated[str, typer.Option("--range", help="如 REC-0001..0024；缺省为全部有序列号的设备")] = "",
    as_json: Json = False,
) -> None:
    """打印机壳标签：编号、硬件序列号、根证书指纹的二维码，A4 每页 24 枚；不含任何秘密 (sticker sheet)."""
    source = open_authority(authority)
    root = fingerprint(load_pem_certificates(source.root_pem)[0])
    with enrolment_desk(source) as desk:
        listed = [it for it in desk.inventory.devices() if it.hardware and it.state is not State.DECOMMISSIONED]
        name = source.register(entries=False).name
    chosen = [Sticker(it.device, it.hardware, name, root) for it in listed if _within(it.device, only)]
    if not chosen:
        raise OperatorFault("没有可打印的设备：须已登记硬件序列号。请检查 --range，或先运行 add-device --hardware。")
    written = _print_stickers(chosen, out)
    names = "、".join(place.name for place in written)
    tell(
        f"{len(chosen)} 枚标签已写到 {names}。下一步：按实际大小打印。",
        {"files": written, "stickers": len(chosen)},
        as_json=as_json,
    )


def cable(
    line: Annotated[str, typer.Argument(help="串口，如 /dev/ttyACM0")],
    authority: AuthorityDir,
    baud: Annotated[int, typer.Option(help="波特率，两端须一致")] = 115_200,
    by: By = "",
    as_json: Json = False,
) -> None:
    """经串口线缆给一台没有网络的设备入网：等它来申请，答复，等它确认 (enrol over a serial cable)."""
    from agent.cable import SerialLine, serve

    said: list[bytes] = []
    source = open_authority(authority, operator(by))
    with enrolment_desk(source) as desk, SerialLine(line, baud) as open_line:

        def answer(request: bytes) -> bytes:
            said.append(desk.answer(request, now()))
            return said[-1]

        err.print(f"等待设备从 {line} 申请，最多 {CABLE_WAIT_S / 60:.0f} 分钟；Ctrl-C 结束。")
        confirmed = serve(open_line, answer, CABLE_WAIT_S, MAX_REQUEST_BYTES)
    parse_reply(said[-1])  # a refusal ends this command as it ends the device's
    state, late = "已保存" if confirmed else "没有确认；若它没有入网，再运行一次即可", waiting(source)
    facts = {"answered": True, "confirmed": confirmed, "trust_current": not late}
    tell(f"已答复，设备{state}。{late}下一步：check。", facts, as_json=as_json)


def usb(
    stick: Annotated[Path, typer.Argument(help="U 盘的目录，其中有设备写的 liuhen/requests")],
    authority: AuthorityDir,
    by: By = "",
    as_json: Json = False,
) -> None:
    """处理 U 盘上的入网申请，把答复写回；不跟随链接，不看别的文件 (enrol by USB stick)."""
    requests = stick / FOLDER / REQUESTS
    names = [name for name in names_in(requests) if name.endswith(".json")]
    if not names:
        raise OperatorFault(f"{requests} 中没有申请。请先在设备上运行 liuhen-agent firstboot --stick。")
    refused: dict[str, str] = {}
    source = open_authority(authority, operator(by))
    with enrolment_desk(source) as desk:
        for name in names:
            if why := _answer_one(desk, stick, name):
                refused[name] = why
    lines = [f"{len(names) - len(refused)} 份申请已答复。", *(f"{name}：{why}" for name, why in refused.items())]
    late = waiting(source)
    lines.append(f"{late}下一步：把 U 盘插回设备，再运行 liuhen-agent firstboot --stick。")
    facts = {"answered": len(names) - len(refused), "refused": refused, "trust_current": not late}
    tell("\n".join(lines), facts, as_json=as_json)
    if refused:
        raise typer.Exit(3)


def wheelhouse(
    out: Annotated[Path, typer.Argument(help="要写的目录")],
    wheel: Annotated[Path, typer.Option(help="本软件的 wheel")],
    constraints: Annotated[Path, typer.Option(help="固定版本的文件")] = Path("constraints.txt"),
    platform: Annotated[str, typer.Option(help="aarch64（树莓派 64 位）、armv7l、x86_64")] = "aarch64",
    system: Annotated[str, typer.Option("--os", help="bookworm（Python 3.11）或 trixie（3.13）")] = "trixie",
    extras: Annotated[str, typer.Option(help="附加组件，如 gpio,printer,offload")] = "gpio",
    as_json: Json = False,
) -> None:
    """下载离线安装所需的全部 wheel，逐个记下散列；之后写卡、更新都不需要网络 (offline installation)."""
    from provisioning.fleet.closure import Target
    from provisioning.fleet.wheelhouse import PYTHONS, fetch, finish

    if system not in PYTHONS:
        raise OperatorFault(f"不认识 --os {system[:20]}，可用 {'、'.join(PYTHONS)}。")
    wanted = frozenset(it.strip() for it in extras.split(",") if it.strip())
    fetch(out, wheel, constraints, Target(PYTHONS[system], platform), wanted)
    found = finish(out)
    step = f"下一步：write-card --wheelhouse {out}，或 sign-update {out}。"
    message = f"{out} 已备好 {len(found)} 个 wheel，每个都有散列。{step}"
    tell(message, {"folder": out, "wheels": [it.file for it in found]}, as_json=as_json)


def sign(
    folder: Annotated[Path, typer.Argument(help="wheelhouse 所写的目录")],
    serial: Annotated[int, typer.Option(min=1, help="更新的序号，只增不减")],
    authority: AuthorityDir,
    by: By = "",
    as_json: Json = False,
) -> None:
    """把离线安装目录签发为更新包：设备核对签名和每个文件后才安装 (signed update bundle)."""
    from provisioning.fleet.life import bench
    from provisioning.fleet.wheelhouse import sign_update

    with bench(open_authority(authority, operator(by))) as at:
        release = sign_update(at, folder, serial, now())
    message = (
        f"{release.version}（第 {serial} 号）已签发。下一步：在设备上运行 liuhen-agent update {folder} --config …。"
    )
    tell(message, {"version": release.version, "serial": serial, "files": len(release.files)}, as_json=as_json)


def _answer_one(desk: Desk, stick: Path, name: str) -> str:
    """Why the request `name` was refused, empty when it was granted; the reply goes back in either case."""
    try:
        device_id(name.removesuffix(".json"))
        request = read_plain(stick / FOLDER / REQUESTS, name, MAX_REQUEST_BYTES)
        reply = desk.answer(request or b"", now())
        write_plain(stick / FOLDER / REPLIES, name, reply[: MAX_REPLY_BYTES + 1])
        parse_reply(reply)
    except (SenderFault, EnvironmentFault) as fault:  # a bad sector or a foreign file keeps nobody else waiting
        return str(fault)
    return ""


def _within(device: str, only: str) -> bool:
    if not only:
        return True
    first, dots, last = only.partition("..")
    prefix, _, low = first.rpartition("-")
    high = (last.rpartition("-")[2] if dots else low) or low
    if not low.isdigit() or not high.isdigit():
        raise OperatorFault(f"范围“{only[:40]}”不合格式，应形如 REC-0001..0024。请改正 --range。")
    kind, _, number = device.rpartition("-")
    return kind == prefix and int(low) <= int(number) <= int(high)


def _print_stickers(stickers: list[Sticker], out: Path) -> list[Path]:
    if out.suffix == ".pdf":
        from provisioning.fleet.sheet_pdf import stickers_pdf

        return [durable.write_bytes(out, stickers_pdf(stickers))]
    if out.suffix != ".svg":
        raise OperatorFault(f"{out.name} 应以 .svg 或 .pdf 结尾。请改正。")
    pages = sheets_svg(stickers)
    places = [out if number == 1 else out.with_stem(f"{out.stem}-{number}") for number in range(1, len(pages) + 1)]
    return [durable.write_bytes(place, page.encode()) for place, page in zip(places, pages, strict=True)]
