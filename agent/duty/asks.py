"""What an officer's command or page asks of the running agent: a small JSON file in `asked/`, answered in `duty.json`.

    {"id": "1f0c…", "what": "step", "step": "表明身份"}

Whoever can write into the state folder can ask: its rights are the door; card and PIN are what an officer shows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.errors import SenderFault
from agent.wire import canonical

ASK_ID = re.compile(r"[0-9a-f]{16,64}")
MAX_ASK_BYTES = 256 * 1024  # ours: a signed task is the largest, and an envelope is at most so large
ASKED, STATE, ASK_SUFFIX = "asked", "duty.json", ".json"  # names in the state folder


class What(StrEnum):
    """What can be asked, with the texts that go with it."""

    ENROL = "enrol"
    """certificate, card, pin (a record of `agent.duty.enrolment`)"""
    TAKE_OUT = "take-out"
    """certificate, pin"""
    HAND_IN = "hand-in"
    """certificate"""
    PICK = "pick"
    """document: a task's JSON, a signed command, or the number of a waiting task"""
    END = "end"
    STEP = "step"
    """step: its words, its number, or empty for the next"""
    REASON = "reason"
    """reason: why steps are missing, a code of the department or words; note: more of it"""
    MEET = "meet"
    """limit (a kind of `agent.duty.limits`), note: what was done"""
    SHOW_IDENTITY = "show-identity"
    """certificate, empty for the first officer who has the device; print: `yes` for a slip"""
    DOCUMENT = "document"
    """template, fields (a JSON object of texts)"""
    SERVE = "serve"
    """number, served"""
    RECEIPT = "receipt"
    CONFIRM = "confirm"
    """served, name, paper, receipt (its number, empty for the newest)"""
    PRINT = "print"
    """number, empty for the newest paper"""
    SHEET_DRAFT = "sheet-draft"
    """author, empty for the first officer who has the device"""
    SHEET_SIGN = "sheet-sign"
    """draft and title (what `SHEET_DRAFT` called it), author, lines (a JSON array of [text, element], or of [text,
    element, heading] with the draft's own words for the range)"""


@dataclass(frozen=True)
class Ask:
    """One request; `values` are texts by name."""

    ask: str
    what: str
    values: Mapping[str, str]

    def value(self, name: str) -> str:
        """The text, empty where it was not given."""
        return self.values.get(name, "")

    def encode(self) -> bytes:
        """The content of the file."""
        return canonical.encode({"id": self.ask, "what": self.what, **self.values})


@dataclass(frozen=True)
class Answer:
    """What came of it: `text` is one Chinese line; `more` what a program may want, as JSON."""

    done: bool
    text: str
    more: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """As it stands in `duty.json` under `answers`."""
        return {"done": self.done, "text": self.text, **self.more}


def parse_ask(data: bytes) -> Ask:
    """The request in a file; raises `SenderFault`."""
    if len(data) > MAX_ASK_BYTES:
        raise SenderFault("请求文件过大，未处理。")
    values = canonical.decode_object(data)
    if not all(isinstance(value, str) for value in values.values()):
        raise SenderFault("请求文件的各项应为文字，未处理。")
    ask, what = values.pop("id", ""), values.pop("what", "")
    if not ASK_ID.fullmatch(ask):
        raise SenderFault("请求文件没有编号，未处理。")
    return Ask(ask, what, values)
