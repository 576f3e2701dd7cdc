"""How every command of this package speaks: Chinese lines, JSON on request."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console

out = Console(soft_wrap=True, highlight=False)
err = Console(soft_wrap=True, highlight=False, stderr=True)


def tell(message: str, facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Say what was done: the facts as one JSON object, or the message."""
    if as_json:
        out.print(json.dumps(facts, ensure_ascii=False, default=str), markup=False)
    else:
        out.print(message, markup=False)
