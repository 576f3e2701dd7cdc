"""Typed reading of the entries of lists: a text, a list of texts, a day. Every miss names entry and field."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from agent.errors import SenderFault

MAX_TEXT = 2000  # characters, ours: the longest field of a published list (执法依据) stays below 1,000
MAX_NAME = 40  # characters of a field's name in a message, ours: the longest of the plan has 9
MAX_ITEMS = 64  # ours: no list inside an entry is longer


class Entry:
    """One entry, numbered from 1; the methods raise `SenderFault` with one Chinese line."""

    def __init__(self, document: str, number: int, value: Any) -> None:
        self._where = f"{document}第 {number} 条"
        if not isinstance(value, Mapping):
            raise SenderFault(f"{self._where}应为一个 JSON 对象，请改正。")
        self._value = value

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._value.get(name) is not None

    def text(self, name: str) -> str:
        """A text that is not blank, or the texts of a list joined by 、."""
        value = self._value.get(name)
        if isinstance(value, str):
            return value if _filled(value) else self._text(name, value)
        return "、".join(self.texts(name))

    def optional_text(self, name: str) -> str:
        """As `text`; empty where the field is missing or null."""
        return self.text(name) if self.has(name) else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; a single text is a list of one."""
        value = self._value.get(name)
        if isinstance(value, str):
            return (value if _filled(value) else self._text(name, value),)
        items = value if isinstance(value, list) else [value]
        if not items or len(items) > MAX_ITEMS:
            raise SenderFault(f"{self.where(name)}应有 1 至 {MAX_ITEMS} 项，请改正。")
        return tuple(self._text(name, item) for item in items)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of `allowed`."""
        value = self.text(name)
        if value not in allowed:
            raise SenderFault(f"{self.where(name)}是“{value[:40]}”，应为{'、'.join(allowed)}之一，请改正。")
        return value

    def day(self, name: str) -> date:
        """A day such as `2027-12-31`."""
        value = self.text(name)
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise SenderFault(f"{self.where(name)}是“{value[:40]}”，应形如 2027-12-31，请改正。") from error

    def year(self, name: str) -> int:
        """A year such as `2026`, as a text."""
        value = self.text(name)
        if not (len(value) == 4 and value.isascii() and value.isdigit()):
            raise SenderFault(f"{self.where(name)}是“{value[:40]}”，应形如 2026，请改正。")
        return int(value)

    def where(self, name: str) -> str:
        """Entry and field in words, for a message."""
        return f"{self._where}的“{name[:MAX_NAME]}”"

    def _text(self, name: str, item: Any) -> str:
        if item is None:
            raise SenderFault(f"{self._where}缺少“{name[:MAX_NAME]}”，请补填（没有的填“无”）。")
        if not isinstance(item, str) or not item.strip():
            raise SenderFault(f"{self.where(name)}应为非空文字，请补填（没有的填“无”）。")
        if len(item) > MAX_TEXT:
            raise SenderFault(f"{self.where(name)}超过 {MAX_TEXT} 字，请缩短。")
        return item


def _filled(item: str) -> bool:
    """Whether `item` is as almost all are: a list has tens of thousands of them."""
    return 0 < len(item) <= MAX_TEXT and not item.isspace()
