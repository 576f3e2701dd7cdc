"""`python -m agent.daemon AGENT.TOML LOG-LEVEL`: the device's process without the command line's libraries, which it
would carry all day. `liuhen-agent run` becomes it."""

import sys
from pathlib import Path

from agent import app
from agent.clock import system_clock
from agent.command import log_from, run_command
from agent.config import read_config


def main() -> None:
    """Run the device until a stop signal; a fault is one line on stderr and the exit code of its root."""
    config, log_level = sys.argv[1:]
    log_from(log_level, "agent")
    raise SystemExit(app.run(read_config(Path(config)), system_clock(), app.equip_camera))


if __name__ == "__main__":
    run_command(main)
