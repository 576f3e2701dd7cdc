"""The last gate before anything is shown: personal numbers that must never be published.

Source: the withheld particulars of natural persons in provincial result-disclosure rules (reference/domain.md 1.7:
身份证号、通讯方式); the kiosk checks again because a published list cannot be called back from a citizen's memory.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from agent.errors import SenderFault

# GB 11643: 17 digits and a check character. Any run of 18 digits counts; a wrong birth date is still a leak.
IDENTITY_NUMBER = re.compile(r"(?<!\d)\d{6}[ -]?\d{8}[ -]?\d{3}[0-9Xx](?!\d)")
# Mainland mobile numbers: 11 digits beginning 13 to 19, with or without a country code, grouped or not.
MOBILE_NUMBER = re.compile(r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)")
FOUR_DIGITS = re.compile(r"\d{4}")  # both have so many in a row: most texts need no closer look
CREDIT_CODE = "信用代码"  # GB 32100: 18 characters too, public by law; told apart by the name of its field

_RULES = (("18 位身份证号", IDENTITY_NUMBER), ("11 位手机号", MOBILE_NUMBER))


# What else must not be published of natural persons in results (reference/domain.md 1.7): where they live,
# how to reach them, their accounts, and anything about minors. A public body's own address and telephone are no secret,
# so lists of subjects and guides are not looked through for them.
HOME = re.compile(r"\d+ ?(?:单元|室)|(?:家庭住址|现住址|户籍(?:地|所在地)|居住地|住所?地?)[:：为是]")
LANDLINE = re.compile(r"(?<!\d)0\d{2,3}[- ]?\d{7,8}(?!\d)")
ACCOUNT = re.compile(r"(?<!\d)(?:\d{4}[ -]?){3}\d{4,7}(?!\d)")
MINOR = re.compile(r"未成年|未满十[四六八]周?岁|未满1[468]周?岁|(?:小学|初中)生|(?<!\d)(?:[1-9]|1[0-7]) ?周?岁")
DECIDED_NUMBER = "文号"
_PERSONAL = (("家庭住址", HOME), ("固定电话", LANDLINE), ("银行账号", ACCOUNT), ("未成年人信息", MINOR))


def check_impersonal(where: str, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `entry`, of a result, when no field tells where a natural person lives, how to reach or pay
    one, or of a minor; raises `SenderFault` naming `where` and the field, never repeating what was found."""
    for field, text in _texts(entry):
        plain = unicodedata.normalize("NFKC", text)
        for name, pattern in _PERSONAL:
            if DECIDED_NUMBER not in field and CREDIT_CODE not in field and pattern.search(plain):
                raise SenderFault(f"{where}的“{field[:40]}”含有{name}，不得公示。请删去或遮盖后重新提交。")
    return entry


def check_masked(where: str, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `entry` when no field holds an identity or mobile number; raises `SenderFault` naming `where` (such as
    `第 3 条`) and the field, never repeating the number itself."""
    told = list(_texts(entry))
    whole = unicodedata.normalize("NFKC", "\n".join(text for _, text in told))  # no number goes over a line
    if not FOUR_DIGITS.search(whole) or not any(pattern.search(whole) for _, pattern in _RULES):
        return entry
    for field, text in told:
        found = _exposed(field, text)
        if found is not None:
            raise SenderFault(f"{where}的“{field[:40]}”含有未遮盖的{found}，不得公示。请遮盖后重新提交。")
    return entry


def _exposed(field: str, text: str) -> str | None:
    plain = unicodedata.normalize("NFKC", text)
    for name, pattern in _RULES:
        if pattern.search(plain) and not (pattern is IDENTITY_NUMBER and CREDIT_CODE in field):
            return name
    return None


def _texts(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field, value in entry.items():
        yield "字段名", field
        if isinstance(value, str):
            yield field, value
            continue
        for text in _leaves(value):
            yield field, text


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None:
        yield str(value)
