"""A text as a reader takes it in, whatever it was typed with: one spelling for every digit, nothing invisible.

A number is read as easily in full-width, Arabic-Indic or circled digits, in Chinese numerals, or with invisible
characters inside; a search for it has to be as good a reader (Unicode Standard Annex 15 and its categories). Every
character is folded by itself, so that a place in the folded text is a place in the text as it stands.
"""

import unicodedata
from dataclasses import dataclass

_KEPT = 8192  # ours: characters whose folding is remembered; the rest of Unicode is folded each time
_NUMERALS = {
    "〇": "0", "○": "0", "零": "0", "洞": "0", "O": "0", "o": "0", "幺": "1", "么": "1", "l": "1", "I": "1",
    **dict(zip("一二三四五六七八九壹贰叁肆伍陆柒捌玖貳參陸弌弍弎", "123456789123456789236123", strict=True)),
}  # fmt: skip
"""Chinese numerals, and the letters that pass for a digit: read as digits where numbers are looked for."""
_ALIKE = {
    "х": "x", "Х": "X", "χ": "x", "Χ": "X", "×": "X", "滿": "满", "歲": "岁", "話": "话", "戶": "户", "證": "证",
    "號": "号", "單": "单", "學": "学", "賬": "账", "帳": "账", "帐": "账", "電": "电", "機": "机", "護": "护",
    "樓": "楼", "\u2800": "", "\u3164": "", "\u115f": "", "\u1160": "", "\uffa0": "",
}  # fmt: skip
"""What looks alike, traditional characters of the words that are looked for, and blanks that count as letters."""
_BLANK = frozenset({"Cc", "Zs", "Zl", "Zp"})
_INVISIBLE = frozenset({"Cf", "Mn", "Me"})


class _Folding(dict[int, str]):
    """What `str.translate` asks for each character."""

    def __init__(self, numerals: bool) -> None:
        super().__init__()
        self._numerals = numerals

    def __missing__(self, code: int) -> str:
        character = chr(code)
        found = _NUMERALS.get(character) if self._numerals else None
        found = _folded(character) if found is None else found
        if len(self) < _KEPT:
            self[code] = found
        return found


_PLAIN, _NUMERIC = _Folding(False), _Folding(True)


@dataclass(frozen=True)
class Folded:
    """`text` as it stands, and `plain` as it is read; with `numerals`, Chinese numerals too are digits."""

    text: str
    plain: str
    numerals: bool

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where in `text`, from 0, stands what is `plain[start:end]`."""
        folding = _NUMERIC if self.numerals else _PLAIN
        at, first, last = 0, None, len(self.text)
        for number, character in enumerate(self.text):
            width = len(folding[ord(character)])
            if first is None and at + width > start:
                first = number
            at += width
            if at >= end:
                last = number + 1
                break
        return first or 0, last


def fold(text: str, *, numerals: bool = False) -> Folded:
    """`text` folded, in time and memory of its length."""
    return Folded(text, text.translate(_NUMERIC if numerals else _PLAIN), numerals)


def _folded(character: str) -> str:
    if character in _ALIKE:
        return _ALIKE[character]
    category = unicodedata.category(character)
    if category in _BLANK:
        return "\n" if character in "\n\r\u2028\u2029" else " "
    if category in _INVISIBLE:
        return ""
    if category == "Pd":
        return "-"
    digit = unicodedata.digit(character, None)
    if digit is None:
        return unicodedata.normalize("NFKC", character)
    return f" {digit} " if category == "No" else str(digit)  # ① before a number is not its first digit
