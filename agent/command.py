"""What every command does around its work (ground floor): a fault becomes one line and an exit code."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

from agent.errors import LiuhenFault, OperatorFault
from agent.log import LEVELS, one_line, start_logging

# Libraries that only some installations have, and the extra of this distribution that brings each (pyproject.toml).
EXTRAS = {"sqlalchemy": "center", "amqtt": "rehearsal", "obstore": "offload"}


def run_command(command: Callable[[], object]) -> None:
    """Run a command line; a fault is one Chinese line on stderr and the exit code of its root, never a traceback.

    Signs that a terminal's encoding lacks (GBK has no check mark) are shown as a question mark.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        _with_extras(command)
    except LiuhenFault as fault:
        sys.stderr.write(f"错误：{one_line(str(fault))}\n")
        raise SystemExit(fault.exit_code) from None


def become(module: str, *words: str) -> None:
    """Go on as a module of ours, in this process's place and without what is loaded here; found where this one was,
    not in the folder one happens to stand in."""
    here = [] if {"", str(Path.cwd())} & set(sys.path) else ["-P"]
    os.execv(sys.executable, [sys.executable, *here, "-m", module, *words])  # noqa: S606


def _with_extras(command: Callable[[], object]) -> None:
    try:
        command()
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(str(error.name).partition(".")[0])
        if extra is None:
            raise
        raise OperatorFault(f"本机没有安装 {error.name}。请运行 pip install 'liuhen[{extra}]'。") from error


def log_from(level: str, *names: str) -> None:
    """`start_logging` for an option that a person typed; raises `OperatorFault` for a level that is none."""
    if level not in LEVELS:
        raise OperatorFault(f"没有日志级别“{level[:20]}”。可用的有：{'、'.join(LEVELS)}。")
    start_logging(level, *names)
