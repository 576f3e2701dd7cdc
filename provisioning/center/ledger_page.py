"""The rows of the ledger's page and tables (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from agent.duty.holdings import Holding, RunLimit, holdings, run_limits
from agent.duty.labels import LABEL_WORDS
from agent.duty.ledger import MONTHLY_COLUMNS, monthly_sheet
from agent.duty.limits import limit_words
from agent.duty.publication_rules import KIND_WORDS
from agent.duty.readiness import ASSESSED, Department, Milestone, Progress, licensed, met, standings
from agent.duty.record_use import moment
from agent.wire.device_events import DeviceEvent
from agent.wire.disclosures import DisclosureKind

Row = Mapping[str, Any]
LOOKS = {Progress.DONE: "done", Progress.DONE_LATE: "due", Progress.OVERDUE: "late", Progress.AHEAD: "due",
         "有": "done", "缺": "late", "未整改": "late"}  # fmt: skip
WAYS = {"card": "刷卡", "pin": "口令"}
POLICY_WORDS: Mapping[DisclosureKind, str] = {
    DisclosureKind.MATTER_STATUS: "办理状态查询",
    DisclosureKind.SEARCH_INDEX: "检索目录",
    DisclosureKind.PUBLICATION_RULES: "行政执法公示办法",
    DisclosureKind.RECORDING_RULES: "全过程记录办法",
    DisclosureKind.RECORDING_LIST: "音像记录事项清单",
    DisclosureKind.MAJOR_CATALOGUE: "重大执法决定目录",
    DisclosureKind.DOCUMENT_TEMPLATES: "执法文书标准文本",
    DisclosureKind.REASON_CODES: "原因代码",
    DisclosureKind.REVIEW_RULES: "法制审核办法",
    DisclosureKind.TIME_LIMITS: "执法时限清单",
}
BY_HAND, SIGNED = "手工登记", "签名事实"


@dataclass(frozen=True)
class Sheet:
    """One table: its name, columns and rows."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def sheets(departments: Iterable[Department], profile: Sequence[Milestone], on: date) -> tuple[Sheet, ...]:
    """The six tables of the ledger over all departments, as they stand on `on`."""
    units = list(departments)
    makers = (
        (
            "就绪情况",
            (
                "单位",
                "已公布",
                "已验收设备",
                "有任务的设备",
                "在册人员",
                "设备已登记人员",
                "可执法人员",
                "任务数",
                "首次记录合格",
                "考核得分",
            ),
            _ready,
        ),
        ("制度与清单", ("单位", "文件", "名称", "版本", "生效", "设备所用版本"), _lists),
        ("考核表", ("单位", "考核项", "情况", "日期", "依据"), _assessment),
        ("工作登记", ("单位", "类别", "日期", "内容", "对象", "人数", "整改"), _entries),
        ("月报", ("单位", *MONTHLY_COLUMNS), _months),
    )
    made = [Sheet(name, columns, _rows(units, columns, rows, on)) for name, columns, rows in makers]
    columns = ("单位", "阶段", "期限", "事项", "进度", "完成日期", "尚缺")
    milestones = tuple(dict(zip(columns, row, strict=True)) for unit in units for row in _steps(unit, profile, on))
    return (made[0], Sheet("工作步骤", columns, milestones), *made[1:])


def custody_sheets(events: Sequence[DeviceEvent]) -> tuple[Sheet, ...]:
    """Who had which device when, and which limits ran (账: who, when, for what)."""
    held = ("设备", "证件编号", "方式", "领用", "任务", "交回", "问题")
    ran = ("设备", "任务", "限时事项", "开始", "期限", "办结", "逾期", "说明")
    return (
        Sheet("设备领用", held, tuple(dict(zip(held, _holding(it), strict=True)) for it in holdings(events))),
        Sheet("限时事项", ran, tuple(dict(zip(ran, _limit(it), strict=True)) for it in run_limits(events))),
    )


def _holding(it: Holding) -> Sequence[str]:
    wrong = "、".join(LABEL_WORDS[label] for label in it.labels)
    until = "尚未交回" if it.until is None else moment(it.until)
    return it.device, it.certificate, WAYS.get(it.by, it.by), moment(it.since), "、".join(it.tasks), until, wrong


def _limit(it: RunLimit) -> Sequence[str]:
    due = "时钟未校准，无法推算" if it.due is None else moment(it.due)
    met, late = "" if it.met is None else moment(it.met), "逾期" if it.passed else ""
    return it.device, it.task, limit_words(it.kind, it.term), moment(it.begun), due, met, late, it.note


def _rows(units: Iterable[Department], columns: Sequence[str], rows: Any, on: date) -> tuple[Row, ...]:
    return tuple(dict(zip(columns, (it.unit, *row), strict=True)) for it in units for row in rows(it, on))


def _ready(it: Department, on: date) -> Iterable[Sequence[Any]]:
    first, reached = met("首次记录", it, on), sum(met(condition, it, on) is not None for condition in ASSESSED)
    devices = "、".join(sorted(it.devices)) or "没有"
    ready, cases = licensed(it, on), len(it.cases)
    score = f"{reached} / {len(ASSESSED)}"
    accepted = "未给出设备台账" if it.accepted is None else "、".join(sorted(it.accepted)) or "没有"
    recorded = "没有" if first is None else f"{first}"
    yield len(it.released), accepted, devices, len(it.officers), len(it.enrolled), ready, cases, recorded, score


def _steps(it: Department, profile: Sequence[Milestone], on: date) -> Iterable[Sequence[Any]]:
    for standing in standings(profile, it, on):
        step = standing.milestone
        reached = "" if standing.reached is None else f"{standing.reached}"
        missing = "、".join(condition_words(condition) for condition in standing.missing)
        yield it.unit, step.stage, f"{step.due}", step.text, standing.progress.value, reached, missing


def _lists(it: Department, _: date) -> Iterable[Sequence[Any]]:
    for kind, held in it.released.items():
        used = "—" if held.recorded is None else held.recorded
        yield kind_words(kind), held.title, held.version, f"{held.since}", used


def _assessment(it: Department, on: date) -> Iterable[Sequence[Any]]:
    for condition, words in ASSESSED.items():
        day = met(condition, it, on)
        source = BY_HAND if condition.startswith("登记") else SIGNED
        yield words, "缺" if day is None else "有", "" if day is None else f"{day}", source


def _entries(it: Department, _: date) -> Iterable[Sequence[Any]]:
    for entry in it.entries:
        mended = "" if entry.kind != "监督检查" else "未整改" if entry.mended is None else f"{entry.mended}"
        yield entry.kind, f"{entry.on}", entry.text, entry.trained, entry.people or "", mended


def _months(it: Department, _: date) -> Iterable[Sequence[Any]]:
    for row in monthly_sheet(it.cases):
        yield tuple(row.values())


def condition_words(condition: str) -> str:
    """A condition as people say it."""
    word = condition.partition(":")[2]
    published = {kind.value: kind_words(kind) for kind in DisclosureKind}
    return ASSESSED.get(condition) or published.get(word) or word or condition


def kind_words(kind: DisclosureKind) -> str:
    """What a released document is called in the plan."""
    return KIND_WORDS.get(kind) or POLICY_WORDS[kind]
