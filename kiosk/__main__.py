"""`python -m kiosk`, the same as `liuhen-kiosk`. A line that only starts the server goes on at once, without what the
command line needs: loading that would be a third of the time from power-on to the first page."""

import gc
import logging
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent.command import log_from, run_command
from agent.errors import OperatorFault

if TYPE_CHECKING:
    from kiosk.config import KioskConfig

PLAIN = {"--config", "--ready-file", "--evidence-key", "--retry"}
LOGGERS = ("kiosk", "uvicorn", "asyncio")


def main() -> None:
    """The command; whatever is more than a plain `serve` is read by `kiosk.cli`."""
    verb, *words = sys.argv[1:] or [""]
    given = dict(zip(words[::2], words[1::2], strict=False))
    plain = given.keys() <= PLAIN and len(words) == 2 * len(given) and given.get("--retry", "1").isdecimal()
    if verb == "serve" and "--config" in given and plain:
        ready, key, retry = given.get("--ready-file"), given.get("--evidence-key"), int(given.get("--retry", "0"))
        run_command(partial(serve, Path(given["--config"]), ready, evidence_key=key, retry_s=retry))
        return
    from kiosk import cli

    cli.main()


def serve(
    config: Path,
    ready_file: Path | str | None,
    level: str = "warning",
    evidence_key: Path | str | None = None,
    retry_s: int = 0,
) -> None:
    """Serve until SIGTERM; raises a fault as `kiosk.serving.serve_kiosk`. What is loaded stays for good: the collector
    of garbage looks at none of it, neither now nor later. `evidence_key` takes the place of the configured one. With
    `retry_s` (seconds, 0: never) a wrong configuration ends nothing and is read again so often."""
    gc.disable()
    from agent.clock import system_clock
    from kiosk.serving import serve_kiosk

    log_from(level, *LOGGERS)
    read = _configured(config, retry_s)
    if evidence_key is not None:
        read = replace(read, evidence_key=Path(evidence_key))
    serve_kiosk(read, system_clock(), _told, None if ready_file is None else Path(ready_file))


def _configured(path: Path, retry_s: int) -> "KioskConfig":
    """The configuration; in a hall nobody stands by to start the server once the file is mended. Each fault is told
    once."""
    from agent.systemd_notify import ALIVE, systemd_notify
    from kiosk.config import read_config

    told = ""
    while True:
        try:
            return read_config(path)
        except OperatorFault as fault:
            if not retry_s:
                raise
            if str(fault) != told:
                told = str(fault)
                logging.getLogger("kiosk").error("nothing is served until %s is mended: %s", path, told)  # noqa: TRY400
        systemd_notify().tell(ALIVE)
        time.sleep(retry_s)


def _told(line: str) -> None:
    """Pages can be had."""
    gc.freeze()
    gc.enable()
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
