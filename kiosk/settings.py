"""Reading TOML tables strictly: an unknown key is an error with a suggestion, a wrong type names key and value."""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.errors import OperatorFault


def read_toml(path: Path) -> dict[str, Any]:
    """The table in `path`; raises `OperatorFault` when it cannot be read or is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorFault(f"无法读取配置 {path}：{error.strerror}。请检查路径与权限。") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorFault(f"配置 {path} 不是有效的 TOML（{error}）。请改正后重试。") from error


def check_keys(where: str, table: Mapping[str, Any], allowed: Sequence[str]) -> Mapping[str, Any]:
    """Return `table` when it has no key beyond `allowed`; raises `OperatorFault` suggesting the nearest."""
    for key in table:
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, 1)
            advice = f"是否想写 {near[0]}？" if near else f"可用的键：{'、'.join(allowed)}。"
            raise OperatorFault(f"{where}中有未知的键 {key}。{advice}")
    return table


def text(where: str, table: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """A text that is not blank; `default` where the key is missing. Raises `OperatorFault`."""
    value = table.get(key, default)
    if value is None:
        raise OperatorFault(f"{where}缺少 {key}。请补填。")
    if not isinstance(value, str) or not value.strip():
        raise OperatorFault(f"{where}中的 {key} 是 {value!r}，应为非空文字。请改正。")
    return value
