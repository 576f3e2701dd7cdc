"""The inputs that reached something new, kept from run to run: `corpus.json`, target to a list of base64."""

import base64
import json
from pathlib import Path

from agent import durable

FILE = Path(__file__).with_name("corpus.json")
MOST, LONGEST = 40, 1200  # of one target, the shortest; bytes


def corpus(target: str) -> list[bytes]:
    """What is kept for `target`."""
    return [base64.b64decode(text) for text in _read().get(target, [])]


def keep(target: str, inputs: list[bytes]) -> None:
    """Keep the shortest of `inputs` for `target`; a run that is killed leaves what was kept before."""
    short = {data for data in inputs if len(data) <= LONGEST}
    kept = sorted(short, key=lambda data: (len(data), data))[:MOST]
    held = _read() | {target: [base64.b64encode(data).decode() for data in kept]}
    durable.write_bytes(FILE, (json.dumps(held, indent=0, sort_keys=True) + "\n").encode("ascii"))


def _read() -> dict[str, list[str]]:
    return dict(json.loads(FILE.read_text(encoding="ascii"))) if FILE.exists() else {}
