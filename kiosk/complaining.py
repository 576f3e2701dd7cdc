"""The complaint in three steps: what about, what happened, look it over. (fields) -> view. Pure.

Nothing is kept between the steps but what the form itself carries; the idle reset takes that away too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.duty.party_receipt import ALPHABET, read_code, spelled
from agent.errors import SenderFault
from agent.wire.complaints import CATEGORIES, CODE_BYTES, MAX_ABOUT, MAX_PHONE, MAX_TEXT, Complaint, check_complaint
from kiosk.asked import Asked

STEPS = ("选择类别", "填写情况", "核对提交")
PHRASES = ("等候时间过长", "窗口无人", "态度生硬", "没有一次告知所需材料", "拒绝出示执法证件", "公示内容与实际不符")
FIELDS = ("category", "about", "text", "phone")


@dataclass(frozen=True)
class ComplaintView:
    """`step` counts from 1; `said` are the fields so far; `code` is there once it was filed; `wrong` is one line."""

    step: int
    said: Mapping[str, str]
    places: tuple[str, ...]
    wrong: str = ""
    code: str = ""
    until: str = ""
    sealed: bool = True
    categories: tuple[str, ...] = CATEGORIES
    phrases: tuple[str, ...] = PHRASES
    steps: tuple[str, ...] = STEPS


def said_in(asked: Asked) -> dict[str, str]:
    """What the form carries; phrases that were ticked are part of the text."""
    limits = {"category": MAX_ABOUT, "about": MAX_ABOUT, "text": MAX_TEXT, "phone": MAX_PHONE}
    said = {name: asked.text(name, limits[name]) for name in FIELDS}
    ticked = [phrase for number, phrase in enumerate(PHRASES) if f"phrase{number}" in asked.form]
    said["text"] = "；".join(filter(None, (*ticked, said["text"])))[:MAX_TEXT]
    return said


def complaint_of(said: Mapping[str, str], hall: str, now: datetime) -> Complaint:
    """The complaint that the fields make; raises `SenderFault` when something is missing or too long."""
    complaint = Complaint(said["category"], said["about"], said["text"], said["phone"], hall, now)
    return check_complaint(complaint)


def next_step(asked: Asked) -> tuple[int, str]:
    """The step to show after what was posted, and what is wrong with it (or empty)."""
    said, wanted = said_in(asked), asked.text("go")
    if wanted == "1" or not said["category"]:
        return 1, "" if wanted in ("", "1") else "请先选择投诉类别。"
    if wanted == "3" and not (said["text"] or said["about"]):
        return 2, "请至少勾选一种情况，或写明是哪个窗口、哪件事。"
    return (3, "") if wanted == "3" else (2, "")


def code_text(code: bytes) -> str:
    """A code as it stands on the receipt."""
    bits = int.from_bytes(code)
    return spelled("".join(ALPHABET[bits >> shift & 31] for shift in range(8 * CODE_BYTES - 5, -1, -5)))


def code_bytes(text: str) -> bytes:
    """The code that somebody typed; raises `SenderFault`."""
    bits = 0
    for sign in read_code(text):
        bits = bits << 5 | ALPHABET.index(sign)
    if bits >> 8 * CODE_BYTES:
        raise SenderFault("投诉编号不对。请对照回执重新输入。")
    return bits.to_bytes(CODE_BYTES)
