"""The factors of the catalogue of major decisions that have an order: 执法层级, 社会影响, 涉案金额.

区级以上 holds for 市级 too, and 5万元以上 for 60 000 yuan. A word of the task that stands on no scale is not compared:
whether the row holds is then open, never a no.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.errors import SenderFault

ANY = "不限"
UP = ("及以上", "（含）以上", "(含)以上", "以上")
MAX_AMOUNT = 10**11  # yuan, ours: a hundred thousand million; more is 元 written for 万元
_UPWARDS = r"(?:及|[（(]含[）)])?以上"
_AMOUNT = re.compile(
    rf"(?:人民币)?(?:(\d{{1,9}})(?:\.(\d{{1,4}}))?|([一二两三四五六七八九十百千]{{1,7}}))(万|亿)?元{_UPWARDS}"
)
_BARE = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,4}})?)({_UPWARDS})?")
_DIGITS = {"万": 4, "亿": 8}
_NUMERALS = {word: number for number, word in enumerate("一二三四五六七八九", 1)} | {"两": 2}
_TENS = {"十": 10, "百": 100, "千": 1000}


@dataclass(frozen=True)
class Scale:
    """Words from the lowest to the highest; words of one rank mean the same."""

    name: str
    ranks: tuple[tuple[str, ...], ...]

    def rank(self, word: str) -> int | None:
        """The place of `word` from the bottom, None where it is no word of the scale."""
        return next((place for place, words in enumerate(self.ranks) if word in words), None)

    @property
    def words(self) -> str:
        """The scale for a message: its usual words."""
        return " < ".join(words[0] for words in self.ranks)


LEVELS = Scale(
    "执法层级",
    (
        ("镇级", "乡级", "乡镇级", "镇街级", "街道级"),
        ("区级", "县级", "县区级", "区县级"),
        ("市级", "设区的市级"),
        ("省级",),
        ("国家级",),
    ),
)
IMPACTS = Scale("社会影响", (("较小",), ("一般",), ("较大",), ("重大",), ("特别重大",)))
SCALES = {scale.name: scale for scale in (LEVELS, IMPACTS)}


def accepts(factor: str, accepted: Sequence[str], known: str) -> bool | None:
    """Whether a row that names the words `accepted` for `factor` holds for what is `known` of a task; None where nobody
    can say: nothing is known, or a word that cannot be held against the scale."""
    scale = SCALES.get(factor)
    if not known:
        return None
    if known in accepted or scale is None:
        return known in accepted
    rank, bounds = scale.rank(known), [_bound(scale, word) for word in accepted]
    if rank is None:
        return None if any(bound is not None for bound in bounds) else False
    return any(bound is not None and (rank == bound[0] or (bound[1] and rank > bound[0])) for bound in bounds)


def parse_words(text: str, scale: Scale, where: str) -> tuple[str, ...]:
    """The words of a cell, joined by 、; raises `SenderFault` naming `where` for one that the scale does not have, and
    for words of which one says all that another does."""
    words = tuple(text.split("、"))
    if ANY in words and len(words) > 1:
        raise SenderFault(f"{where}是“{text[:40]}”，既写不限又写{scale.name}，请只留一种。")
    for word in words:
        if word != ANY and _bound(scale, word) is None:
            text = f"{where}的“{word[:40]}”不是{scale.name}（{scale.words}，可加“以上”），或写不限，请改正。"
            raise SenderFault(text)
    return words


def parse_amount(text: str, where: str) -> int | None:
    """The yuan of `50000元以上` or `5万元以上`, None for 不限; raises `SenderFault` naming `where`."""
    plain = re.sub(r"[\s,，]", "", text)
    if plain == ANY:
        return None
    found = _AMOUNT.fullmatch(plain)
    if found is None or (found[2] and not found[4]):
        raise SenderFault(f"{where}是“{text[:40]}”，应为不限，或如 50000元以上、5万元以上，请改正。")
    digits: int = _DIGITS.get(found[4], 0)
    if found[3]:
        return _numeral(found[3]) * int(10**digits)
    return int(found[1] + (found[2] or "").ljust(digits, "0"))


def checked_amount(text: str, where: str) -> int | None:
    """As `parse_amount`, of a list that is not signed yet: refuses a border that is none, and one that nobody means."""
    yuan = parse_amount(text, where)
    if yuan is not None and not 0 < yuan <= MAX_AMOUNT:
        raise SenderFault(f"{where}是“{text[:40]}”，合 {yuan} 元，请核对单位是元还是万元；没有限额的写不限。")
    return yuan


def with_unit(text: str, unit: str) -> str:
    """A bare number under a header such as 涉案金额（万元）, with the unit of the header; anything else as it is."""
    found = _BARE.fullmatch(re.sub(r"[\s,，]", "", text))
    return text if found is None else f"{found[1]}{unit}{found[2] or '以上'}"


def _bound(scale: Scale, word: str) -> tuple[int, bool] | None:
    """The rank that `word` names and whether everything above it is meant too; None for no word of the scale."""
    ending = next((end for end in UP if word.endswith(end)), "")
    rank = scale.rank(word.removesuffix(ending))
    return None if rank is None else (rank, bool(ending))


def _numeral(text: str) -> int:
    total, digit = 0, 0
    for letter in text:
        if letter in _TENS:
            total, digit = total + (digit or 1) * _TENS[letter], 0
        else:
            digit = _NUMERALS[letter]
    return total + digit
