"""The last gate before anything is shown: what leads to a natural person must never be published.

Source: the withheld particulars of natural persons in provincial result-disclosure rules (reference/domain.md 1.7:
身份证号、通讯方式、住址、银行账号、健康状况, 未成年人); the kiosk checks again because a published list cannot be
called back from a citizen's memory. Texts are read as people read them (`folding`); what is looked for stands in
`personal_numbers` and `personal_words`. A message points at the place and never repeats what was found.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from agent.duty.folding import fold
from agent.errors import SenderFault

if TYPE_CHECKING:
    from agent.duty.personal_numbers import Rule

WITHHELD = "（含个人信息，此处不录）"
KNOWN_TEXTS, KNOWN_LENGTH = 2048, 80  # ours; most rows of a list say the same few words
MAX_NAME = 40  # characters of a field's name in a message, ours
AROUND = 6  # characters on each side that a message shows the shape of, ours
_DIGIT = r"[\d〇○零洞OoIl幺么一二三四五六七八九壹贰叁肆伍陆柒捌玖貳參陸弌弍弎\u2776-\u2793]"
_ODD = r"[^\x00-\x7f\u2010-\u2027\u3000-\u3029\u4e00-\u9fff·×℃㎡\uff01-\uff5e]"  # what ordinary texts do not have
_NUMBERED = re.compile(rf"{_DIGIT}(?:(?:[^\w○]|_){{0,12}}+{_DIGIT}){{4}}|{_ODD}")  # 5 digits: the shortest number
_WORDED = re.compile(
    rf"[岁歲住籍@室癌孕娠童]|单元|單元|号楼|號樓|户口|居[住留]|未成年|[小初中高在][学學中校]|[幼婴嬰男女儿少][儿兒孩年]|年龄|学生|學生"
    rf"|出生|生于|微信|[qQ][qQ]|[wW][xXeE]|[病患诊感]|HIV|残疾|肝炎|乙肝|糖尿|血压|癫痫|肿瘤|抑郁|结核|梅毒|{_ODD}"
)
"""What a text has that is worth a closer look: few have it, and the look costs ten times as much."""
_LABELS = re.compile(r"身份证|证件|手机|电话|号码|住址|地址|账号|卡号|微信|邮箱|联系|姓名|[\W_]")
_PARTS = re.compile(f"({_LABELS.pattern})")


@dataclass(frozen=True)
class Found:
    """`name` of what was found; it stands in `text` from `start` to `end`, from 0."""

    name: str
    text: str
    start: int
    end: int

    def told(self) -> str:
        """The place: which characters, from 1, and the shape of what is around them. No character of a name or a
        number: a message is read aloud, logged and shown on screens."""
        before, after = self.text[max(0, self.start - AROUND) : self.start], self.text[self.end : self.end + AROUND]
        place = f"第 {self.start + 1} 至 {self.end} 字，共 {len(self.text)} 字"
        return f"{place}：“{_shape(before)}［{self.name}］{_shape(after)}”"


@dataclass(frozen=True)
class _Leaf:
    where: str
    field: str
    text: str
    joined: bool = False  # the items of a list one after the other: a number may go over them


_Finder = Callable[[str, str], Found | None]


def find_personal(text: str, field: str = "", *, about_people: bool = True) -> Found | None:
    """The first thing in `text`, of the field named `field`, that leads to a natural person; None when nothing does.
    `about_people` is for documents on what became of people: there a telephone or a home is somebody's own unless its
    words say that it is an office's."""
    read = unicodedata.normalize("NFKC", _joined(field, text))
    found = None
    if _NUMBERED.search(read):
        from agent.duty.personal_numbers import NUMBERS  # most texts need no closer look

        found = _first(NUMBERS, text, field, about_people, numerals=True)
    if found is None and _WORDED.search(read):
        from agent.duty.personal_words import WORDS

        found = _first(WORDS, text, field, about_people)
    return found


_known = lru_cache(maxsize=KNOWN_TEXTS)(find_personal)


def find_number(text: str, field: str = "") -> Found | None:
    """The first identity or mobile number in `text`, None when there is none."""
    if not _NUMBERED.search(unicodedata.normalize("NFKC", text)):
        return None
    from agent.duty.personal_numbers import CORE

    return _first(CORE, text, field, False, numerals=True)


def quoted(text: str, most: int) -> str:
    """The beginning of `text` for a message, `most` characters; none of it when it leads to a natural person."""
    return text[:most] if find_personal(text) is None else WITHHELD


def unnumbered(text: str) -> str:
    """`text`, a message, without the identity and mobile numbers that a cell brought into it."""
    while (found := find_number(text)) is not None:
        text = f"{text[: found.start]}{WITHHELD}{text[found.end :]}"
    return text


def check_masked(where: str, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `entry` when no field holds an identity or mobile number; raises `SenderFault` naming `where` (such as
    `第 3 条`), the field and the place in it, never repeating the number itself."""
    return _checked(where, entry, find_number, find_number)


def check_impersonal(where: str, entry: Mapping[str, Any], *, about_people: bool = True) -> Mapping[str, Any]:
    """Return `entry`, of a document that is published, when no field and no name of a field leads to a natural
    person; raises `SenderFault` as `check_masked` does."""

    def find(text: str, field: str) -> Found | None:
        look = _known if len(text) <= KNOWN_LENGTH else find_personal
        return look(text, field, about_people=about_people)

    return _checked(where, entry, find, find_number)


def _checked(where: str, entry: Mapping[str, Any], find: _Finder, find_split: _Finder) -> Mapping[str, Any]:
    doubtful = {name: value for name, value in entry.items() if not _is_plain(str(name), value, find, find_split)}
    for leaf in _leaves(where, "", doubtful):
        if not leaf.field and _is_harmless(leaf.text):
            continue
        found = (find_split if leaf.joined else find)(leaf.text, leaf.field)
        if found is not None:
            raise SenderFault(
                f"{leaf.where}含有未遮盖的{found.name}（{found.told()}），不得公示。请遮盖或删去后重新提交。"
            )
    return entry


def _first(rules: Iterable["Rule"], text: str, field: str, about_people: bool, numerals: bool = False) -> Found | None:
    from agent.duty.personal_numbers import personal

    whole = _joined(field, text)
    ways = [fold(whole)]
    if numerals and (numeric := fold(whole, numerals=True)).plain != ways[0].plain:
        ways.append(numeric)
    for folded in ways:
        for rule in rules:
            for spot in rule.spots(folded.plain, field):
                if about_people or not rule.strict or personal(spot):
                    begin, end = folded.place(spot.start, spot.end)
                    before = len(whole) - len(text)
                    return Found(rule.name, text, max(0, begin - before), max(0, end - before))
    return None


def _is_plain(name: str, value: Any, find: _Finder, find_split: _Finder) -> bool:
    """Whether nothing is found in a text or a list of texts, which most fields are."""
    if isinstance(value, str):
        return _is_harmless(name) and find(value, name) is None
    if not isinstance(value, list | tuple) or not all(isinstance(inner, str) for inner in value):
        return False
    alone = _is_harmless(name) and all(find(inner, name) is None for inner in value)
    return alone and (len(value) < 2 or find_split("\n".join(value), name) is None)


@lru_cache(maxsize=512)
def _is_harmless(name: str) -> bool:
    """Whether the name of a field is fit for any document; every entry of a list has the same ones."""
    return len(name) <= MAX_NAME and find_personal(name) is None


def _joined(field: str, text: str) -> str:
    """The text as it is read: under the name of its field."""
    return f"{field}：{text}" if field else text


def _shape(text: str) -> str:
    return "".join(part if _LABELS.fullmatch(part) else "＊" * len(part) for part in _PARTS.split(text))


def _leaves(where: str, field: str, value: Any) -> Iterator[_Leaf]:
    """Every text in `value` with where it stands, names of fields before what stands in them."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield _Leaf(f"{where}的字段名", "", str(key))
            yield from _leaves(f"{where}的“{str(key)[:MAX_NAME]}”", str(key), inner)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value, 1):
            yield from _leaves(f"{where}第 {number} 项", field, inner)
        if len(value) > 1 and all(isinstance(inner, str) for inner in value):
            yield _Leaf(f"{where}各项相连", field, "\n".join(value), joined=True)
    elif value is not None:
        yield _Leaf(where, field, str(value))
