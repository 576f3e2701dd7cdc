"""What the text of one cell must say for whoever reads it afterwards, column by column: so that all wrong cells of a
row are told in one round. Each check raises `SenderFault` naming `where`, which is line and column.

Only the import asks here. A document that is signed already is read by its own parser, which knows less: a rule that
came later must not take away a list that devices go by.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date

from agent.duty.disclosure_rules import OFFICE_MOBILE
from agent.duty.factors import ANY, IMPACTS, LEVELS, checked_amount, parse_words
from agent.duty.masking import check_masked
from agent.duty.reason_codes import CODE, ReasonUse
from agent.duty.recording_list import BY_RULES, RecordClass
from agent.duty.retention import Retention, RetentionKind, parse_retention
from agent.duty.roster import AnnualCheck
from agent.duty.terms import parse_term
from agent.duty.time_limits import MATTERS
from agent.duty.windows import WindowState
from agent.errors import SenderFault
from agent.wire.disclosures import DisclosureKind

CellCheck = Callable[[str, str], object]  # text of the cell, where it stands
PLAN_CATEGORIES = ("行政许可", "行政处罚", "行政强制", "行政征收", "行政收费", "行政检查")  # the plan's section 一
CATEGORIES = (*PLAN_CATEGORIES, "行政给付", "行政确认", "行政奖励", "行政裁决", "行政征用", "其他行政权力")
"""The further ones stand in departments' lists of powers (权力清单)."""
LEAST_MONTHS = 6  # reference/domain.md 1.3: 公安机关现场执法视音频记录工作规定 article 13, which local rules follow
YES_NO = ("是", "否")
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")


def check_cells(
    kind: DisclosureKind, line: int, cells: Mapping[str, str], sound: set[tuple[str, str]]
) -> dict[str, str]:
    """What is wrong with the `cells` of line `line`, a Chinese line by column. `sound` are columns with texts that were
    found right before: most rows of a list say the same."""
    found: dict[str, str] = {}
    for name, check in CHECKS.get(kind, {}).items():
        text = cells.get(name, "")
        if not text or (name, text) in sound:
            continue
        try:
            check(text, f"第 {line} 行的“{name}”")
            sound.add((name, text))
        except SenderFault as fault:
            found[name] = str(fault)
    return found


def personal(line: int, cells: Mapping[str, str]) -> dict[str, str]:
    """Which `cells` hold an identity or mobile number, a Chinese line by column."""
    found: dict[str, str] = {}
    for name, text in cells.items():
        if name == OFFICE_MOBILE:
            continue  # an office's own, which `check_entries` judges
        try:
            check_masked(f"第 {line} 行", {name: text})
        except SenderFault as fault:
            found[name] = str(fault)
    return found


def one_of(*allowed: str) -> CellCheck:
    """A check for one of `allowed`, which tells what was probably meant."""

    def check(text: str, where: str) -> None:
        if text not in allowed:
            near = difflib.get_close_matches(text, allowed, n=1, cutoff=0.5)
            advice = f"是否应为“{near[0]}”？" if near else "请改正。"
            raise SenderFault(f"{where}是“{text[:40]}”，应为{'、'.join(allowed)}之一，{advice}")

    return check


def categories(text: str, where: str) -> None:
    """执法类别 of a catalogue: 不限, or kinds of enforcement that are known, joined by 、."""
    for word in text.split("、"):
        one_of(*CATEGORIES, ANY)(word, where)


def kept(text: str, where: str) -> Retention | None:
    """存储期限: a class that can be read and is not below the least one of any record; None where the rules say it."""
    if text == BY_RULES:
        return None
    found = parse_retention(text, where)
    if found.kind is RetentionKind.TERM and found.months < LEAST_MONTHS:
        text = f"{where}是“{text[:40]}”，短于音像记录的最低期限 {LEAST_MONTHS} 个月，请改正。"
        raise SenderFault(text)
    return found


def day(text: str, where: str) -> None:
    """A day such as `2027-12-31`."""
    try:
        date.fromisoformat(text)
    except ValueError as error:
        raise SenderFault(f"{where}是“{text[:40]}”，应形如 2027-12-31，请改正。") from error


def plain_day(text: str) -> str:
    """A day as sheets and keyboards write it (`2027/1/1`, `2027年1月1日`, full-width) as `2027-01-01`; any other text
    as it is. The year stands first, so that nothing is guessed."""
    found = _DAY.fullmatch(unicodedata.normalize("NFKC", text).strip())
    try:
        return text if found is None else date(*map(int, found.groups())).isoformat()
    except ValueError:
        return text


def code(text: str, where: str) -> None:
    """代码 of a reason."""
    if not CODE.fullmatch(text):
        raise SenderFault(f"{where}是“{text[:40]}”，应为小写字母、数字和连字符，请改正。")


def working_days(text: str, where: str) -> None:
    """A number of working days such as `20个工作日`."""
    if not re.fullmatch(r"\d{1,3} ?个?工作日(?:内)?", text):
        raise SenderFault(f"{where}是“{text[:20]}”，应形如 20个工作日，请改正。")


CHECKS: Mapping[DisclosureKind, Mapping[str, CellCheck]] = {
    DisclosureKind.RECORDING_LIST: {
        "执法类别": one_of(*CATEGORIES),
        "存储期限": kept,
        "执法记录类别": one_of(*RecordClass),
        "全过程记录": one_of(*YES_NO),
    },
    DisclosureKind.RECORDING_RULES: {"存储期限": kept},
    DisclosureKind.MAJOR_CATALOGUE: {
        "执法类别": categories,
        "执法层级": lambda text, where: parse_words(text, LEVELS, where),
        "涉案金额": checked_amount,
        "社会影响": lambda text, where: parse_words(text, IMPACTS, where),
    },
    DisclosureKind.REASON_CODES: {
        "代码": code,
        "用途": one_of(*ReasonUse),
        "须书面说明": one_of(*YES_NO),
    },
    DisclosureKind.TIME_LIMITS: {"时限事项": one_of(*MATTERS), "时限": parse_term},
    DisclosureKind.PERSONNEL_LIST: {"证件有效期至": day, "年度审验": one_of(*AnnualCheck)},
    DisclosureKind.WINDOW_BOARD: {"状态": one_of(*WindowState)},
    DisclosureKind.RESULTS: {"作出日期": day},
    DisclosureKind.RANDOM_INSPECTION_RESULTS: {"抽查日期": day},
    DisclosureKind.PUBLICATION_RULES: {
        "公示时限": working_days,
        "撤回时限": working_days,
        "备案时限": working_days,
    },
}
"""The columns of each kind whose words are bound."""
DAYS = frozenset(name for kind in CHECKS for name, check in CHECKS[kind].items() if check is day)
