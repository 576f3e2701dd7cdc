"""Running a command as a person at a terminal does, and what the screen was sent."""

import os
import pty
import struct
import subprocess
from collections.abc import Sequence
from fcntl import ioctl
from termios import TIOCSWINSZ


def on_terminal(command: Sequence[str], columns: int, rows: int = 40) -> tuple[int, str]:
    """The exit code of `command` and all that it wrote to a terminal of that size."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment |= {"TERM": "xterm"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        seen = b"".join(iter(lambda: _read(ours), b""))
        code = process.wait(timeout=60)
    os.close(ours)
    return code, seen.decode("utf-8", errors="replace")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux says that nobody holds the other end any more
        return b""
