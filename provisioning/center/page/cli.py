"""`liuhen-center serve, invite`: the centre's page on this computer, and one-time links into it."""

from pathlib import Path
from typing import Annotated

import typer

from agent.clock import system_clock
from provisioning.center.config import read_config
from provisioning.center.page.door import LINK_S, Role, Visitor
from provisioning.cli_frame import err, tell

PORT = 8490
Config = Annotated[Path, typer.Option("--config", help="center.toml 的路径")]
Port = Annotated[int, typer.Option(min=1, max=65_535, help="本机端口")]


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command(epilog="例：liuhen-center serve --config center.toml")(serve)
    app.command(epilog="例：liuhen-center invite --config center.toml --name 示例-000003 --role auditor")(invite)


def serve(config: Config, port: Port = PORT) -> None:
    """在本机提供中心页面（设备、录制、调阅记录），直到 Ctrl-C (the centre's page, loopback only)."""
    from provisioning.center.page import serving

    settings = read_config(config)
    sock = serving.listen_here(port)
    err.print(f"中心页面：http://127.0.0.1:{port}/ 。请用 liuhen-center invite 取得一次性链接。", markup=False)
    serving.serve(settings, system_clock(), sock)


def invite(
    config: Config,
    name: Annotated[str, typer.Option(help="受邀人的代号，记入调阅记录")],
    role: Annotated[Role, typer.Option(help="operator 看设备；reviewer 另看录制；auditor 另看证明与调阅记录")],
    port: Port = PORT,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")] = False,
) -> None:
    """取得进入中心页面的一次性链接，十分钟内有效 (a link that opens once)."""
    from provisioning.center.page.serving import links_of

    secret = links_of(read_config(config)).invite(Visitor(name, role), system_clock().read().wall)
    link = f"http://127.0.0.1:{port}/enter?k={secret}"
    tell(link, {"link": link, "name": name, "role": role.value, "seconds": LINK_S}, as_json=as_json)
