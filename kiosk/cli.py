"""`liuhen-kiosk`: the window display of a service hall."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.cli_frame import run_app
from agent.clock import system_clock
from agent.command import log_from

app = typer.Typer(
    help="服务大厅公示屏 (service-hall kiosk)。\n\n示例：liuhen-kiosk serve --config kiosk.toml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
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


def main() -> None:
    """Run `liuhen-kiosk`."""
    run_app(app)


if __name__ == "__main__":
    main()
