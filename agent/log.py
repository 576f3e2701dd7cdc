"""Logging: one English line per record to stderr. Only our own loggers are set, never the root logger."""

import logging
import sys

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LINE = "%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"


class OneLine(logging.Formatter):
    """Keeps a record on one line, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """As the parent, with line ends shown as text."""
        return super().format(record).replace("\r", "\\r").replace("\n", "\\n")


def start_logging(level: str) -> None:
    """Send records of package `agent` from `level` (a key of `LEVELS`) on to stderr."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(OneLine(LINE))
    logger = logging.getLogger("agent")
    logger.handlers[:] = [lines]
    logger.setLevel(LEVELS[level])
    logger.propagate = False
