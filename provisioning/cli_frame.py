"""What every command of this package does around its work: Chinese lines, JSON on request, faults as exit codes."""

import json
import logging
import sys
from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console

from agent.errors import LiuhenFault

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

out = Console(soft_wrap=True, highlight=False)
err = Console(soft_wrap=True, highlight=False, stderr=True)


def run(app: typer.Typer) -> None:
    """Run a command line; a fault is one line on stderr and its exit code, never a traceback."""
    try:
        app()
    except LiuhenFault as fault:
        err.print(str(fault), style="red", markup=False)
        sys.exit(fault.exit_code)


def tell(message: str, facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Say what was done: the facts as one JSON object, or the message."""
    if as_json:
        out.print(json.dumps(facts, ensure_ascii=False, default=str), markup=False)
    else:
        out.print(message, markup=False)


def log_to_stderr(level: str) -> None:
    """One line per log record, English, on stderr."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
