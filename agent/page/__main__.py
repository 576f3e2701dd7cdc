"""`python -m agent.page AGENT.TOML [READY-FILE]`: the officer's page without the command line's libraries, which this
small process would carry all day. `liuhen-agent page` becomes it."""

import sys
from pathlib import Path

from agent.clock import system_clock
from agent.command import run_command
from agent.config import read_config
from agent.page.serving import serve_page


def main() -> None:
    """Serve until SIGTERM; a fault is one line on stderr and the exit code of its root."""
    config, *ready_file = map(Path, sys.argv[1:])
    serve_page(config, read_config(config), system_clock(), _announce, next(iter(ready_file), None))


def _announce(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run_command(main)
