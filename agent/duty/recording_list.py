"""The list of what must be recorded in sound and picture (音像记录事项清单): the district's plan, section 二（二）3.

Columns are those of published lists (reference/domain.md 1.4): the ten of 焦作市司法局 in their order, and from
贺兰县综合行政执法局 the place, the carrier, the person and the class of the record.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.duty.entries import Entry
from agent.duty.retention import Retention, parse_retention
from agent.errors import SenderFault
from agent.wire.disclosures import ENTRY_FIELDS, DisclosureKind

REQUIRED_COLUMNS = ENTRY_FIELDS[DisclosureKind.RECORDING_LIST]
EVERY_MATTER = "全部"  # the 执法事项 of a row that holds for its whole 执法类别
BY_RULES = "按记录办法"  # the 存储期限 of a row whose list leaves it to the recording rules


class RecordClass(StrEnum):
    """What a record shows (执法记录类别)."""

    SCENE = "场景类"
    INTERVIEW = "约谈类"
    CONFIRMATION = "确认类"


@dataclass(frozen=True)
class RecordingItem:
    """One row. `contents` are the steps to be seen, `starts` and `ends` the words of the list (执法人员抵达现场);
    `whole` says that the activity is recorded from beginning to end; `retention` is None where the rules say it."""

    number: str
    category: str
    matter: str
    stage: str
    method: str
    starts: str
    contents: tuple[str, ...]
    ends: str
    retention: Retention | None
    remark: str
    place: str
    carrier: str
    recorded_by: str
    record_class: RecordClass | None
    whole: bool


def parse_recording_list(entries: Iterable[Any]) -> tuple[RecordingItem, ...]:
    """The rows of a list; raises `SenderFault` naming row and column, also when a 序号 stands twice."""
    items = tuple(_item(Entry("音像记录事项清单", number, entry)) for number, entry in enumerate(entries, 1))
    if not items:
        raise SenderFault("音像记录事项清单没有任何条目，请补充。")
    if len({item.number for item in items}) != len(items):
        raise SenderFault("音像记录事项清单的序号有重复，请改正。")
    return items


def _item(entry: Entry) -> RecordingItem:
    retention = entry.text("存储期限")
    return RecordingItem(
        number=entry.text("序号"),
        category=entry.text("执法类别"),
        matter=entry.text("执法事项"),
        stage=entry.text("记录环节"),
        method=entry.text("记录方式"),
        starts=entry.text("记录开始时间"),
        contents=entry.texts("记录内容"),
        ends=entry.text("记录结束时间"),
        retention=None if retention == BY_RULES else parse_retention(retention, entry.where("存储期限")),
        remark=entry.text("备注"),
        place=entry.optional_text("记录场所"),
        carrier=entry.optional_text("记录载体"),
        recorded_by=entry.optional_text("记录人"),
        record_class=_record_class(entry),
        whole=entry.has("全过程记录") and entry.choice("全过程记录", ("是", "否")) == "是",
    )


def _record_class(entry: Entry) -> RecordClass | None:
    if not entry.has("执法记录类别"):
        return None
    return RecordClass(entry.choice("执法记录类别", tuple(kind.value for kind in RecordClass)))
