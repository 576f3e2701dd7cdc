"""How every command of this package speaks: Chinese lines, JSON on request."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from agent.errors import OperatorFault
from agent.log import one_line
from agent.stick import read_plain
from agent.wire.envelope import MAX_ENVELOPE_BYTES
from agent.wire.instant import BEIJING

out = Console(soft_wrap=True, highlight=False, markup=False)
err = Console(soft_wrap=True, highlight=False, markup=False, stderr=True)


def tell(message: str, facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Say what was done: the facts as one JSON object, or the message, in which no sign moves the terminal."""
    if as_json:
        out.print(json.dumps(facts, ensure_ascii=False, default=str))
    else:
        out.print("\n".join(map(one_line, message.split("\n"))))


def read_given(path: Path) -> bytes:
    """A sealed document that a person points at; raises as `agent.stick.read_plain`, `OperatorFault` without one."""
    content = read_plain(path.parent, path.name, MAX_ENVELOPE_BYTES)
    if content is None:
        raise OperatorFault(f"没有找到 {path}。请检查路径。")
    return content


def parse_moment(text: str) -> datetime:
    """A moment in Beijing time, `2026-11-22 10:00:05` with or without a fraction; raises `OperatorFault`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise OperatorFault(f"时间 {text!r} 应写成 2026-11-22 10:00:05（北京时间）。") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)
