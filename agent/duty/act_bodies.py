"""The bodies of the acts of a review: which fields each kind has, and of what type.

This holds for ever, for every act that is kept: whatever reads a chain of acts later, a page, a packet, a report, finds
in each field what it expects there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from agent.duty.review_elements import QUESTIONS
from agent.errors import SenderFault
from agent.wire.canonical import Fields

MAX_NAMES = 100  # ours; of materials, officers and factors in one act, each
_Word = TypeVar("_Word", bound=StrEnum)
TEXTS = ("document", "facts", "outcome", "settled", "text", "transfer")
LISTS = ("major", "materials", "officers")
ELEMENTS = "elements"


class Finding(StrEnum):
    """What a reviewer finds of one element."""

    MET = "符合"
    UNMET = "不符合"
    SUPPLEMENT = "需补充"
    NOT_APPLICABLE = "不适用"


class Outcome(StrEnum):
    """What coordination (协调) ended with."""

    REVIEW = "按审核意见办理"
    HANDLING = "按承办意见办理"
    BOTH = "修改后办理"


@dataclass(frozen=True)
class Judged:
    """A reviewer's finding on one element, with reasons where they are asked for."""

    number: int
    finding: Finding
    note: str

    def as_json(self) -> Mapping[str, Any]:
        """As it stands in the act."""
        return {"number": self.number, "finding": self.finding.value, "note": self.note}


def check_body(body: Mapping[str, Any], needed: Iterable[str]) -> Fields:
    """The fields of a body, which has those that are `needed` and beside them nothing but other known ones, each of
    its type; raises `SenderFault` naming the field."""
    fields = Fields("办理记录", dict(body))
    if odd := sorted(body.keys() - {*TEXTS, *LISTS, ELEMENTS}):
        raise SenderFault(f"办理记录的字段 {odd[0][:40]} 未知，已拒绝。请用本中心的页面或命令办理。", "body")
    for name in dict.fromkeys((*needed, *sorted(body))):
        _check(fields, name)
    return fields


def parse_findings(entries: Iterable[Any]) -> tuple[Judged, ...]:
    """The findings of an opinion, one for each of the eleven elements, in their order; raises `SenderFault`."""
    found = tuple(_judged(Fields("审核要素意见", entry)) for entry in entries)
    if [judged.number for judged in found] != list(range(1, len(QUESTIONS) + 1)):
        raise SenderFault(f"审核意见须依次包含全部 {len(QUESTIONS)} 项要素，请补全。", "elements")
    return found


def choice(words: type[_Word], text: str, noun: str) -> _Word:
    """The word `text`; raises `SenderFault` when it is none of them."""
    try:
        return words(text)
    except ValueError as error:
        raise SenderFault(f"{noun}“{text[:20]}”应为{'、'.join(words)}之一。", "word") from error


def _check(fields: Fields, name: str) -> None:
    if name in TEXTS:
        fields.text(name)
    elif name == ELEMENTS:
        parse_findings(fields.array(name))
    else:
        names = fields.array(name)
        if len(names) > MAX_NAMES or not all(isinstance(it, str) and it.strip() for it in names):
            raise SenderFault(f"办理记录的字段 {name} 应为不超过 {MAX_NAMES} 项文字，已拒绝。请重新办理。", "body")


def _judged(fields: Fields) -> Judged:
    return Judged(fields.integer("number", 1), choice(Finding, fields.text("finding"), "要素意见"), fields.text("note"))
