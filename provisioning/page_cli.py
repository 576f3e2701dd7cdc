"""`liuhen-provision page-certificate, add-login, add-tsa`: who the centre's page is, who comes in with a certificate,
and who stamps times."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.clock import system_clock
from provisioning.authority.authority import open_authority
from provisioning.authority.certificates import LOOPBACK_NAMES
from provisioning.cli_frame import tell
from provisioning.fleet.page_folders import write_login_folder, write_page_folder
from provisioning.fleet.stamper import write_stamper_folder

AuthorityDir = Annotated[Path, typer.Option("--authority", help="机构目录")]
OutDir = Annotated[Path, typer.Option("--out", help="写入此目录")]
Json = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    page = "例：liuhen-provision page-certificate --authority authority --host center.example --out 中心"
    app.command("page-certificate", epilog=page)(page_certificate)
    login = "例：liuhen-provision add-login 示例-000011 --authority authority --out 登录"
    app.command("add-login", epilog=login)(add_login)
    app.command("add-tsa", epilog="例：liuhen-provision add-tsa tsa-1 --authority authority --out tsa")(add_tsa)


def page_certificate(
    authority: AuthorityDir,
    out: OutDir,
    host: Annotated[list[str] | None, typer.Option(help="页面的域名或地址，可重复；缺省为本机")] = None,
    as_json: Json = False,
) -> None:
    """给中心页面发服务器证书 page.key、page.pem (TLS for `liuhen-center serve`)."""
    done = write_page_folder(open_authority(authority), host or list(LOOPBACK_NAMES), out, _now())
    hint = '下一步：在 center.toml 写 [page] certificate = "page.pem"、key = "page.key" 与人员名单。'
    told = f"{'已写好' if done.changed else '没有变化'} {out}。{hint}"
    tell(told, {"folder": done.folder, "changed": done.changed}, as_json=as_json)


def add_login(
    subject: Annotated[str, typer.Argument(help="人员编号，如 示例-000011")],
    authority: AuthorityDir,
    out: OutDir,
    as_json: Json = False,
) -> None:
    """给一名人员发登录中心页面的证书（不能签名） (a certificate to come in with)."""
    done, password = write_login_folder(open_authority(authority), subject, out, _now())
    words = f"login.p12 的导入口令：{password}（只显示这一次）。" if password else ""
    hint = "下一步：把 login.p12 导入本人浏览器，并把编号写入 center.toml 的 [page] operators、reviewers 或 auditors。"
    facts = {"folder": done.folder, "changed": done.changed, "password": password}
    tell(f"{subject}：{'已写好' if done.changed else '没有变化'} {out}。{words}{hint}", facts, as_json=as_json)


def add_tsa(
    subject: Annotated[str, typer.Argument(help="名称，如 tsa-1")],
    authority: AuthorityDir,
    out: OutDir,
    as_json: Json = False,
) -> None:
    """发时间戳签发者的密钥、证书与 openssl 配置；有独立的时间戳机构时请用它 (an RFC 3161 authority of our own)."""
    done = write_stamper_folder(open_authority(authority), subject, out, _now())
    command = f"openssl ts -reply -config {out / 'tsa.cnf'} -queryfile /dev/stdin"
    hint = f"下一步：liuhen-center timestamp 录像目录 --tsa-command '{command}' --tsa-root {out / 'root.pem'}"
    facts = {"folder": done.folder, "changed": done.changed, "command": command}
    tell(f"{subject}：{'已写好' if done.changed else '没有变化'} {out}。{hint}", facts, as_json=as_json)


def _now() -> datetime:
    return system_clock().read().wall
