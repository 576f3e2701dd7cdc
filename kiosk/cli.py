"""`liuhen-kiosk`: the window display of a service hall."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.cli_frame import run_app
from agent.command import log_from
from agent.errors import OperatorFault
from agent.settings import KIOSK_LISTEN
from kiosk.__main__ import LOGGERS
from kiosk.__main__ import serve as serve_plainly
from kiosk.log_cli import app as log_app

PROFILE = Path("/run/liuhen-screen/profile")

app = typer.Typer(
    help="服务大厅公示屏 (service-hall kiosk)。\n\n示例：liuhen-kiosk serve --config kiosk.toml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(log_app, name="log")
out = Console(soft_wrap=True, highlight=False, markup=False)


@app.callback()
def _group() -> None:
    """服务大厅公示屏 (service-hall kiosk)。"""


@app.command(epilog="示例：liuhen-kiosk serve --config /etc/liuhen/kiosk.toml --ready-file /run/liuhen/kiosk.url")
def serve(
    config: Annotated[Path, typer.Option(help="kiosk.toml 的路径")],
    ready_file: Annotated[Path | None, typer.Option(help="开始服务后把网址写入此文件")] = None,
    evidence_key: Annotated[Path | None, typer.Option(help="设备签名私钥，代替配置中的；服务由系统代管时用")] = None,
    retry: Annotated[int, typer.Option(help="配置有误时不退出，每隔几秒再读；0 为退出", min=0, max=3600)] = 0,
    verbose: Annotated[bool, typer.Option("--verbose", help="日志更详细 (log at INFO)")] = False,
) -> None:
    """在本机回环地址上展示公示内容，直到收到 SIGTERM (serve on loopback)。"""
    serve_plainly(config, ready_file, "info" if verbose else "warning", evidence_key, retry)


@app.command(epilog="示例：liuhen-kiosk enrol --config kiosk.toml --certificate 示例-000201 --window 3 --window 4")
def enrol(
    config: Annotated[Path, typer.Option(help="kiosk.toml 的路径")],
    certificate: Annotated[str, typer.Option(help="窗口人员的证件编号")],
    window: Annotated[list[str], typer.Option(help="可切换的窗口号，可重复")],
    card: Annotated[str, typer.Option(help="工作卡号（十六进制），没有则不填")] = "",
    pin: Annotated[str, typer.Option(prompt="PIN（6 至 12 位数字，仅用卡则留空）", hide_input=True, help="PIN")] = "",
) -> None:
    """登记可切换窗口状态的人员：只留 PIN 与卡号的摘要 (who may switch a window)。"""
    from kiosk.config import read_config
    from kiosk.outgoing import Outgoing
    from kiosk.staff_desk import StaffDesk

    if not (card or pin):
        raise OperatorFault("PIN 与工作卡至少要有一种。请重新运行并填写。")
    read = read_config(config)
    StaffDesk(read.state, Outgoing(read.outgoing)).enrol(certificate, window, card, pin)
    out.print(f"已登记 {certificate}，可切换窗口：{'、'.join(window)}")


@app.command(epilog="示例：liuhen-kiosk screen --url http://127.0.0.1:8480/ --output HDMI-A-1")
def screen(
    url: Annotated[str, typer.Option(help="公示屏服务的网址")] = f"http://{KIOSK_LISTEN}/",
    browser: Annotated[str, typer.Option(help="auto、chromium 或 cog（auto：内存小于 1.5 GB 用 cog）")] = "auto",
    output: Annotated[str, typer.Option(help="显示输出，如 HDMI-A-1；空为不控制显示电源")] = "",
    cec_power: Annotated[bool, typer.Option("--cec", help="用 HDMI-CEC 开关电视")] = False,
    width: Annotated[int, typer.Option(help="屏幕宽度（像素）", min=320, max=7680)] = 1920,
    profile: Annotated[Path, typer.Option(help="浏览器配置目录，应在 tmpfs 上")] = PROFILE,
    option: Annotated[list[str] | None, typer.Option(help="交给浏览器的其他选项，可重复")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="日志更详细 (log at INFO)")] = False,
) -> None:
    """在合成器（cage、sway、labwc）中运行：看住浏览器，十五秒内恢复公示 (keep the board on the screen)。"""
    from kiosk.screen_cli import keep_screen

    log_from("info" if verbose else "warning", *LOGGERS)
    keep_screen(url, browser, output, width, profile, tuple(option or ()), cec_power=cec_power)


@app.command(epilog="示例：liuhen-kiosk policy > /etc/chromium/policies/managed/liuhen-kiosk.json")
def policy(
    url: Annotated[str, typer.Option(help="公示屏服务的网址")] = f"http://{KIOSK_LISTEN}/",
    profile: Annotated[Path, typer.Option(help="浏览器配置目录，与 screen 的相同")] = PROFILE,
) -> None:
    """写出 Chromium 的受管策略：只许本屏页面，无对话框、下载、打印、开发者工具 (managed policy)。"""
    from kiosk.away_page import FILE
    from kiosk.browser import policy as written
    from kiosk.screen_cli import server_address

    out.print(written(server_address(url), profile / FILE).decode())


def main() -> None:
    """Run `liuhen-kiosk`."""
    run_app(app)


if __name__ == "__main__":
    main()
