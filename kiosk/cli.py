"""`liuhen-kiosk`: the window display of a service hall."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.cli_frame import run_app
from agent.clock import system_clock
from agent.command import log_from
from agent.errors import OperatorFault
from kiosk.log_cli import app as log_app

app = typer.Typer(
    help="服务大厅公示屏 (service-hall kiosk)。\n\n示例：liuhen-kiosk serve --config kiosk.toml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(log_app, name="log")
LOGGERS = ("kiosk", "uvicorn", "asyncio")
out = Console(soft_wrap=True, highlight=False, markup=False)


@app.callback()
def _group() -> None:
    """服务大厅公示屏 (service-hall kiosk)。"""


@app.command(epilog="示例：liuhen-kiosk serve --config /etc/liuhen/kiosk.toml --ready-file /run/liuhen/kiosk.url")
def serve(
    config: Annotated[Path, typer.Option(help="kiosk.toml 的路径")],
    ready_file: Annotated[Path | None, typer.Option(help="开始服务后把网址写入此文件")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="日志更详细 (log at INFO)")] = False,
) -> None:
    """在本机回环地址上展示公示内容，直到收到 SIGTERM (serve on loopback)。"""
    from kiosk.config import read_config
    from kiosk.serving import serve_kiosk

    log_from("info" if verbose else "warning", *LOGGERS)
    serve_kiosk(read_config(config), system_clock(), out.print, ready_file)


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


def main() -> None:
    """Run `liuhen-kiosk`."""
    run_app(app)


if __name__ == "__main__":
    main()
