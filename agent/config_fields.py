"""How a key of `agent.toml` says what its value may be."""

import re
from dataclasses import field
from typing import Any


def within(lowest: int, highest: int, default: int) -> Any:
    """An integer between the two, ends included."""
    return field(default=default, metadata={"range": (lowest, highest)})


def matching(pattern: str, words: str, default: str, *, address: bool = False) -> Any:
    """A text that is wholly as `pattern`, which is `words` for people; of an `address` the password is not shown."""
    return field(default=default, metadata={"pattern": re.compile(pattern), "words": words, "address": address})
