"""`python -m kiosk`, the same as `liuhen-kiosk`. A line that only starts the server goes on at once, without what the
command line needs: loading that would be a third of the time from power-on to the first page."""

import gc
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from agent.command import log_from, run_command

PLAIN = {"--config", "--ready-file", "--evidence-key"}
LOGGERS = ("kiosk", "uvicorn", "asyncio")


def main() -> None:
    """The command; whatever is more than a plain `serve` is read by `kiosk.cli`."""
    verb, *words = sys.argv[1:] or [""]
    given = dict(zip(words[::2], words[1::2], strict=False))
    if verb == "serve" and "--config" in given and given.keys() <= PLAIN and len(words) == 2 * len(given):
        ready, key = given.get("--ready-file"), given.get("--evidence-key")
        run_command(partial(serve, Path(given["--config"]), ready, evidence_key=key))
        return
    from kiosk import cli

    cli.main()


def serve(
    config: Path, ready_file: Path | str | None, level: str = "warning", evidence_key: Path | str | None = None
) -> None:
    """Serve until SIGTERM; raises a fault as `kiosk.serving.serve_kiosk`. What is loaded stays for good: the collector
    of garbage looks at none of it, neither now nor later. `evidence_key` takes the place of the configured one."""
    gc.disable()
    from agent.clock import system_clock
    from kiosk.config import read_config
    from kiosk.serving import serve_kiosk

    log_from(level, *LOGGERS)
    read = read_config(config)
    if evidence_key is not None:
        read = replace(read, evidence_key=Path(evidence_key))
    serve_kiosk(read, system_clock(), _told, None if ready_file is None else Path(ready_file))


def _told(line: str) -> None:
    """Pages can be had."""
    gc.freeze()
    gc.enable()
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
