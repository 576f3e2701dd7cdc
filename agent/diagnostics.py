"""What a technician far away wants to know: configuration without secrets, figures, versions, the end of the log.

It goes into an event of the chain, which stays for ever: it is bounded, and no line with a person's number is in it.
"""

import logging
import platform
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agent.adapters.snapshot import read_snapshot
from agent.config import DATABASE, AgentConfig, shown
from agent.control.command_messages import CommandCarriedOut, OpenCommand
from agent.duty.masking import check_masked
from agent.errors import EnvironmentFault, SenderFault
from agent.log import LINE, OneLine
from agent.version import software_version
from agent.wire import canonical

MAX_BYTES = 12 * 1024  # ours: an event has room for 16 KiB
MAX_LINES, MAX_LINE = 200, 300  # ours; characters
LEFT_OUT = "（含个人号码，未附）"


class LogTail(logging.Handler):
    """Keeps the last lines of the log in memory."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(OneLine(LINE))
        self.lines: deque[str] = deque(maxlen=MAX_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(self.format(record)[:MAX_LINE])


class Diagnostics:
    """Of one device; `collect` belongs to the worker."""

    def __init__(self, config: AgentConfig, log: LogTail) -> None:
        self._config, self._log = config, log

    def collect(self, command: OpenCommand) -> CommandCarriedOut:
        """The answer to `command`; what finds no room of the log's end is left out, the oldest lines first."""
        try:
            figures = asdict(read_snapshot(self._config.state_dir / DATABASE))
        except EnvironmentFault as fault:
            figures = {"fault": str(fault)}
        told = {"config": shown(self._config), "figures": figures, "versions": _versions()}
        found = {name: _plain(value) for name, value in told.items()}
        lines = [_masked(line) for line in self._log.lines]
        while lines and len(canonical.encode({**found, "log": lines})) > MAX_BYTES:
            del lines[: 1 + len(lines) // 8]
        return CommandCarriedOut(
            command, f"已附上配置、状态、版本与日志末尾 {len(lines)} 行。", {**found, "log": lines}
        )


def _versions() -> Mapping[str, str]:
    return {"liuhen": software_version(), "python": platform.python_version(), "system": platform.platform()}


def _plain(value: Any) -> Any:
    """`value` as canonical JSON can have it, without the numbers of persons."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return _masked(str(value))


def _masked(text: str) -> str:
    try:
        check_masked("", {"": text})
    except SenderFault:
        return LEFT_OUT
    return text
