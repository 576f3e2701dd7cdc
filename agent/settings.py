"""Strict reading of configuration tables (ground floor): one wording for every role's file.

An unknown key is an error with a suggestion; a wrong type or value names file, key, value and what is allowed.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.errors import OperatorFault

PROTOCOLS = ("5", "3.1.1")  # MQTT versions; the second only as a stated fallback
KIOSK_LISTEN = "127.0.0.1:8480"  # ours: what a kiosk serves on unless told otherwise
PORTS = (1, 65_535)
MAX_HOST_BYTES = 253  # RFC 1035 section 2.3.4, as text
KEEPALIVES_S = (5, 120)  # 120 is the broker's max_keepalive (reference: mqtt, section 4)


def read_toml(path: Path) -> dict[str, Any]:
    """The document in `path`; raises `OperatorFault` when it cannot be read or is not TOML."""
    return parse_toml(read_text(path), str(path))


def read_text(path: Path, advice: str = "请检查路径与权限。") -> str:
    """The text in `path`; raises `OperatorFault`, with `advice`, when it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise OperatorFault(f"无法读取配置 {path}：{error.strerror or error}。{advice}") from error
    except UnicodeDecodeError as error:
        raise OperatorFault(f"配置 {path} 不是 UTF-8 文本。{advice}") from error


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """The document in `text`, which stands in the file `where`; raises `OperatorFault`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OperatorFault(f"配置 {where} 不是有效的 TOML（{error}）。请改正后重试。") from error


class Settings:
    """The keys of one table. `where` names the file to people; every method raises `OperatorFault`."""

    def __init__(self, where: str, values: Mapping[str, Any], known: Sequence[str], table: str = "") -> None:
        self._where, self._values = where, values
        self._prefix = f"{table}." if table else ""
        for key in values:
            if key not in known:
                import difflib  # for a fault alone

                near = difflib.get_close_matches(key, known, 1)
                advice = f"是否想写 {near[0]}？" if near else f"可用的有：{'、'.join(known)}。"
                raise OperatorFault(f"{where}：未知的键 {self._prefix}{key}。{advice}")

    def given(self, key: str) -> bool:
        """Whether the key is there with a value."""
        return self._values.get(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not blank, unless its default is."""
        value = self._value(key, str, "加引号的非空文字", default)
        if not value.strip() and default != "":
            raise self._wrong(key, "加引号的非空文字")
        return str(value)

    def integer(self, key: str, bounds: tuple[int, int], default: int | None = None) -> int:
        """An integer within `bounds`, ends included."""
        value = self._value(key, int, "整数", default)
        if not bounds[0] <= value <= bounds[1]:
            raise self._wrong(key, f"{bounds[0]} 至 {bounds[1]} 之间的整数")
        return int(value)

    def one_of(self, key: str, allowed: Sequence[str], default: str | None = None) -> str:
        """One of the `allowed` texts."""
        value = self.text(key, default)
        if value not in allowed:
            raise self._wrong(key, f"{'、'.join(allowed)} 之一")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, none of them blank; empty where the key is not there."""
        value = self._value(key, list, '一列加引号的文字，如 ["甲"]', [])
        if not all(isinstance(text, str) and text.strip() for text in value):
            raise self._wrong(key, '一列加引号的文字，如 ["甲"]')
        return tuple(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """A truth value."""
        return bool(self._value(key, bool, "true 或 false", default))

    def matching(
        self,
        key: str,
        pattern: re.Pattern[str],
        words: str,
        default: str | None = None,
        shown: Callable[[str], str] = repr,
    ) -> str:
        """A text that is wholly as `pattern`, which is `words` for people; a wrong one is told as `shown` gives it."""
        value = self.text(key, default)
        if not pattern.fullmatch(value):
            raise OperatorFault(
                f"{self._where}：{self._prefix}{key} = {shown(value)[:80]} 不对，应是 {words}。请改正。"
            )
        return value

    def host(self, key: str, default: str | None = None) -> str:
        """An address or a name that a resolver can be asked for (RFC 1035, 2.3.4: 63 bytes a part, 253 in all)."""
        value = self.text(key, default)
        try:
            fits = len(value.encode("idna")) <= MAX_HOST_BYTES and value.isprintable() and " " not in value
        except UnicodeError:
            fits = False
        if not fits:
            raise self._wrong(key, "主机名或 IP 地址")
        return value

    def path(self, key: str, folder: Path, default: str | None = None) -> Path:
        """A path, relative ones in `folder`."""
        return folder / self.text(key, default)

    def table(self, key: str, known: Sequence[str]) -> "Settings":
        """The table `[key]` inside this one."""
        return Settings(self._where, self._value(key, dict, f"一节（写作 [{key}]）"), known, f"{self._prefix}{key}")

    def _value(self, key: str, kind: type, wanted: str, default: Any = None) -> Any:
        value = self._values.get(key, default)
        if value is None:
            raise OperatorFault(f"{self._where}：缺少 {self._prefix}{key}。请补填。")
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            raise self._wrong(key, wanted)
        return value

    def _wrong(self, key: str, wanted: str) -> OperatorFault:
        shown = repr(self._values.get(key))[:80]
        return OperatorFault(f"{self._where}：{self._prefix}{key} = {shown} 不对，应是{wanted}。请改正。")
