"""Canonical JSON: one byte string for one value, so that bytes can be signed and hashed.

A subset of RFC 8785: objects with sorted unique string keys, arrays, strings, booleans, null and integers within
±(2^53-1). No floating point, no insignificant white space, UTF-8 without escapes beyond those JSON demands.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from agent.errors import SenderFault

MAX_INTEGER = 2**53 - 1  # RFC 8785 section 3.2.2.3 / I-JSON (RFC 7493 section 2.2)
MAX_DEPTH = 32  # ours; a document nests at most 6 deep
TIMESTAMP_PATTERN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")

_SPELLING = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS  # keys may be enumerations of strings; `_check` sees to it
_T = TypeVar("_T")
_TEXT = frozenset({str})
_PLAIN = frozenset({str, bool, type(None)})
_ARRAYS = (list, tuple)
_CONTAINERS = (dict, *_ARRAYS)


def encode(value: Any) -> bytes:
    """Return the canonical bytes of `value`; raises `ValueError` for a value that has none."""
    _check(value, MAX_DEPTH)
    return _spelled(value)


def decode(data: bytes) -> Any:
    """Parse `data`, refusing anything that is not exactly the canonical form of its value (`SenderFault`)."""
    value, again = _parsed(data, encode)
    _same(data, again)
    return value


def decode_items(data: bytes) -> tuple[tuple[Any, bytes], ...]:
    """The items of the array in `data`, each with its canonical bytes; refuses as `decode` does, and whatever is not an
    array. Cheaper than to encode every item once more."""
    value, spelled = _parsed(data, _spelled_items)
    if not isinstance(value, list):
        raise SenderFault("收到的数据应为一个 JSON 数组，已拒绝。")
    _same(data, b"[" + b",".join(spelled) + b"]")
    return tuple(zip(value, spelled, strict=True))


def parse_loose(text: str | bytes) -> Any:
    """The value of JSON as people and other programs write it, canonical or not; raises `ValueError` for what is none,
    numbers without a value and lone surrogates included. An integer beyond 64 bits comes as floating point."""
    return orjson.loads(text)


def decode_object(data: bytes) -> dict[str, Any]:
    """As `decode`, for a document whose top is an object."""
    value = decode(data)
    if not isinstance(value, dict):
        raise SenderFault("收到的数据应为一个 JSON 对象，已拒绝。")
    return value


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, such as `2026-11-22T10:06:14.123Z`; `moment` must be aware."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def parse_timestamp(text: Any) -> datetime:
    """The aware UTC moment of a string made by `timestamp`; raises `SenderFault` otherwise."""
    if not isinstance(text, str) or not TIMESTAMP_PATTERN.fullmatch(text):
        raise SenderFault(f"时间“{str(text)[:40]}”不是 UTC 毫秒格式，已拒绝。")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise SenderFault(f"时间“{text}”不存在，已拒绝。") from error


class Fields:
    """Typed reading of one decoded object; every miss names the document and the field (`SenderFault`)."""

    def __init__(self, document: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise SenderFault(f"{document}应为一个 JSON 对象，已拒绝。")
        self._document, self._value = document, value

    def text(self, name: str) -> str:
        """A string that has UTF-8: JSON's escapes can spell lone surrogates, which no file, log or database takes."""
        value = self._value.get(name)
        if type(value) is str and value.isascii():
            return value
        value = self._typed(name, str)
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise SenderFault(f"{self._document}的字段 {name} 不是有效的文字，已拒绝。") from error
        return value

    def integer(self, name: str, minimum: int = 0) -> int:
        """An integer not below `minimum`."""
        value = self._value.get(name)
        if type(value) is int and value >= minimum:
            return value
        value = self._typed(name, int)
        if value < minimum or isinstance(value, bool):
            raise SenderFault(f"{self._document}的字段 {name} 不应小于 {minimum}，已拒绝。")
        return value

    def boolean(self, name: str) -> bool:
        """`true` or `false`."""
        return self._typed(name, bool)

    def object(self, name: str) -> dict[str, Any]:
        """A JSON object."""
        return self._typed(name, dict)

    def array(self, name: str) -> list[Any]:
        """A JSON array."""
        return self._typed(name, list)

    def moment(self, name: str) -> datetime:
        """A UTC moment in the form of `timestamp`."""
        return parse_timestamp(self.text(name))

    def optional_moment(self, name: str) -> datetime | None:
        """A UTC moment, or None where the field is null."""
        return None if self.is_null(name) else self.moment(name)

    def is_null(self, name: str) -> bool:
        """Whether the field, which must be there, is null."""
        return self.any(name) is None

    def has(self, name: str) -> bool:
        """Whether there is such a field at all."""
        return name in self._value

    def any(self, name: str) -> Any:
        """A value of whatever type."""
        if name not in self._value:
            raise SenderFault(f"{self._document}缺少字段 {name}，已拒绝。")
        return self._value[name]

    def _typed(self, name: str, kind: type[_T]) -> _T:
        value = self.any(name)
        if not isinstance(value, kind):
            raise SenderFault(f"{self._document}的字段 {name} 类型不对，已拒绝。")
        return value


def _parsed(data: bytes, spell: Callable[[Any], _T]) -> tuple[Any, _T]:
    """What `data` says, and how that is spelled. Of a key that comes twice the parser keeps the last, and it reads what
    is no number of ours as floating point: the one is not spelled as it came, the other has no spelling."""
    try:
        value = parse_loose(data)
        return value, spell(value)
    except ValueError as error:
        raise SenderFault(f"收到的数据不是规范 JSON（{error}），已拒绝。") from error


def _same(data: bytes, again: bytes) -> None:
    if again != data:
        raise SenderFault("收到的数据不是规范 JSON（键序、空白或转义不合规定），已拒绝。")


def _spelled(value: Any) -> bytes:
    # Keys sort by Unicode code point; RFC 8785 sorts by UTF-16 unit: equal for every key inside the BMP.
    try:
        return orjson.dumps(value, option=_SPELLING)
    except TypeError as error:  # a lone surrogate, which no UTF-8 has
        raise ValueError(str(error)) from error


def _spelled_items(value: Any) -> tuple[bytes, ...]:
    _check(value, MAX_DEPTH)
    return tuple(_spelled(item) for item in value) if isinstance(value, list) else ()


def _check(value: Any, depth: int) -> None:
    if depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        if not _TEXT.issuperset(map(type, value)) and not all(isinstance(key, str) for key in value):
            raise ValueError("object keys must be strings")
        _check_all(value.values(), depth - 1)
    elif isinstance(value, _ARRAYS):
        _check_all(value, depth - 1)
    else:
        _check_all((value,), depth)


def _check_all(values: Iterable[Any], depth: int) -> None:
    """As `_check` for each. Most are plain, and to look into what a plain one might be is most of the cost."""
    for value in values:
        kind = type(value)
        if kind in _PLAIN or (kind is int and -MAX_INTEGER <= value <= MAX_INTEGER):
            continue
        if isinstance(value, _CONTAINERS):
            _check(value, depth)
        elif not isinstance(value, str) and (not isinstance(value, int) or abs(value) > MAX_INTEGER):
            raise ValueError(f"{kind.__name__} {str(value)[:30]} has no canonical form")
