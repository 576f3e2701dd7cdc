"""JSON as people and other programs write it, not canonical: told apart from what is none, however deep it nests."""

import json
from typing import Any


def parse_loose(text: str | bytes) -> Any:
    """The value; raises `ValueError` for everything that is none, also where Python's own parser would run out of
    stack."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
