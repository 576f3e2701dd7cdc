"""TOML as we write it: `key = value` lines and `[table]` headings (TOML 1.0.0)."""

import json
from collections.abc import Mapping

from agent.errors import OperatorFault

Value = str | int | Mapping[str, str | int]


def toml_text(document: Mapping[str, Value]) -> bytes:
    """Bytes of a document with one level of tables; raises `OperatorFault` for a text with control characters."""
    plain = [_line(name, value) for name, value in document.items() if not isinstance(value, Mapping)]
    tables = [
        "\n".join([f"\n[{name}]", *(_line(key, inner) for key, inner in value.items())])
        for name, value in document.items()
        if isinstance(value, Mapping)
    ]
    return ("\n".join([*plain, *tables]) + "\n").encode()


def _line(name: str, value: str | int) -> str:
    if isinstance(value, str) and not value.isprintable():
        raise OperatorFault(f"参数 {name} 含有换行或控制字符，请改正。")
    # A JSON string without control characters is a TOML basic string (TOML 1.0.0, "String").
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"
