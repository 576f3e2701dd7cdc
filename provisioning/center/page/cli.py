"""`liuhen-center serve, invite`: the centre's page on this computer, and one-time links into it."""

from pathlib import Path
from typing import Annotated

import typer

from agent.clock import system_clock
from provisioning.center.config import read_config
from provisioning.center.page.door import LINK_S, Role, Visitor
from provisioning.cli_frame import err, tell

Config = Annotated[Path, typer.Option("--config", help="center.toml 的路径")]


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command(epilog="例：liuhen-center serve --config center.toml --recordings recordings --key archive.key")(serve)
    app.command(epilog="例：liuhen-center invite --config center.toml --name 示例-000003 --role auditor")(invite)


def serve(
    config: Config,
    recordings: Annotated[
        Path | None, typer.Option(help="中心存放录制文件夹的目录；缺省为 center.toml 旁的 recordings")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="存档私钥 archive.key：打开加密的录像与文书原文")] = None,
    milestones: Annotated[Path | None, typer.Option(help="台账的进度表（JSON）")] = None,
    entries: Annotated[Path | None, typer.Option(help="台账的工作登记（JSON）")] = None,
    inventory: Annotated[
        Path | None, typer.Option(help="台账的设备台账：liuhen-provision inventory --json 的输出")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="端口；缺省用 [page] listen")] = None,
    ready_file: Annotated[Path | None, typer.Option(help="可以访问时把网址写入此文件")] = None,
) -> None:
    """提供中心页面（设备、录像、审核、运用、台账、调阅记录），直到 Ctrl-C (the centre's page)."""
    from provisioning.center.page import serving
    from provisioning.center.page.frame import Shelves

    settings = read_config(config)
    how = "请用人员证书或一次性链接" if settings.page.certificate else "请用 liuhen-center invite 的链接"

    def say(line: str) -> None:
        err.print(f"中心页面：{line.removeprefix('listening ')} 。{how}进入。")

    shelves = Shelves(recordings, key, milestones, entries, inventory)
    serving.serve(settings, system_clock(), shelves, say, port, ready_file)


def invite(
    config: Config,
    name: Annotated[str, typer.Option(help="受邀人的编号，记入调阅记录；办理审核须是其证书的编号")],
    role: Annotated[Role, typer.Option(help="operator 看设备；reviewer 看录像、办审核；auditor 看全部与调阅记录")],
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="serve 所用的端口；缺省用 [page] listen")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")] = False,
) -> None:
    """取得进入中心页面的一次性链接，十分钟内有效 (a link that opens once)."""
    from provisioning.center.page.serving import links_of

    settings = read_config(config)
    secret = links_of(settings).invite(Visitor(name, role), system_clock().read().wall)
    page = settings.page
    link = f"{'http' if page.certificate is None else 'https'}://{page.host}:{port or page.port}/enter?k={secret}"
    tell(link, {"link": link, "name": name, "role": role.value, "seconds": LINK_S}, as_json=as_json)
