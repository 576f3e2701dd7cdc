"""The rules of recording (全过程记录办法): the district's plan, section 二（二）1.

For every stage of enforcement what is recorded, how and on what carrier, when it begins and ends and how long it is
kept. They speak where the list of what must be recorded says nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agent.duty.entries import Entry
from agent.duty.retention import Retention, parse_retention
from agent.errors import SenderFault


@dataclass(frozen=True)
class RecordingRule:
    """One stage (执法环节); `contents` are the steps to be seen, `starts` and `stops` the words of the rules."""

    stage: str
    contents: tuple[str, ...]
    method: str
    carrier: str
    starts: str
    stops: str
    retention: Retention


def parse_recording_rules(entries: Iterable[Any]) -> tuple[RecordingRule, ...]:
    """The stages of a document; raises `SenderFault` naming entry and field, also when a stage stands twice."""
    rules = tuple(_rule(Entry("全过程记录办法", number, entry)) for number, entry in enumerate(entries, 1))
    if len({rule.stage for rule in rules}) != len(rules):
        raise SenderFault("全过程记录办法的执法环节有重复，请改正。")
    return rules


def _rule(entry: Entry) -> RecordingRule:
    return RecordingRule(
        entry.text("执法环节"),
        entry.texts("记录内容"),
        entry.text("记录方式"),
        entry.text("记录载体"),
        entry.text("开始记录"),
        entry.text("停止记录"),
        parse_retention(entry.text("存储期限"), entry.where("存储期限")),
    )
