"""Logging (ground floor): one English line per record to stderr. Only named loggers are set, never the root logger.

What a record quotes may come from anywhere: nothing in it may begin a line of its own or steer a terminal.
"""

import logging
import sys

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LINE = "%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"


def one_line(text: str) -> str:
    """`text` with everything that cannot be printed (line ends, escapes, controls of direction) shown as an escape."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


class OneLine(logging.Formatter):
    """Keeps a record on one line, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """As the parent, through `one_line`."""
        return one_line(super().format(record))


def start_logging(level: str, *names: str) -> None:
    """Send records of the loggers `names` from `level` (a key of `LEVELS`) on to stderr."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(OneLine(LINE))
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers[:] = [lines]
        logger.setLevel(LEVELS[level])
        logger.propagate = False
