"""The catalogue of major decisions (重大执法决定目录): which task will need a legal review before it is decided.

Five factors of the district's plan, section 二（三）3: 执法类别, 执法层级, 所属领域, 涉案金额, 社会影响. A row asks for
all that it names; 不限 asks for nothing. What is not known on scene is said to be open, never taken for a no.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.duty.entries import Entry
from agent.duty.factors import ANY, accepts, parse_amount
from agent.errors import SenderFault

AMOUNT = "涉案金额"
WORD_FACTORS = ("执法类别", "执法层级", "所属领域", "社会影响")


@dataclass(frozen=True)
class MajorRule:
    """One row. `words` are the accepted words by factor, without those that are 不限; `amount` in yuan, None: 不限."""

    number: str
    decision: str
    words: Mapping[str, tuple[str, ...]]
    amount: int | None


@dataclass(frozen=True)
class MajorMatter:
    """What is known of a task; empty or None is unknown. `amount` in yuan."""

    category: str
    level: str = ""
    domain: str = ""
    amount: int | None = None
    impact: str = ""


@dataclass(frozen=True)
class MajorAnswer:
    """`factors` that made it a major decision, empty for none; `open` the factors, not known yet, that may."""

    factors: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


class MajorCatalogue:
    """The rows by 执法类别, so that a task is held against its own few."""

    def __init__(self, rules: Iterable[MajorRule] = ()) -> None:
        self._by_category: dict[str, list[MajorRule]] = {}
        for rule in rules:
            for category in rule.words.get("执法类别", (ANY,)):
                self._by_category.setdefault(category, []).append(rule)

    def answer(self, matter: MajorMatter) -> MajorAnswer:
        """Whether `matter` is a major decision, and by what."""
        factors: dict[str, None] = {}
        unknown: dict[str, None] = {}
        for rule in (*self._by_category.get(matter.category, ()), *self._by_category.get(ANY, ())):
            held = _held(rule, matter)
            if held is not None:
                (unknown if held else factors).update(dict.fromkeys(held or _named(rule)))
        return MajorAnswer(tuple(factors), tuple(unknown))


def parse_major_catalogue(entries: Iterable[Any]) -> tuple[MajorRule, ...]:
    """The rows of a catalogue; raises `SenderFault` naming row and column, also when a 序号 stands twice."""
    rules = tuple(_rule(Entry("重大执法决定目录", number, entry)) for number, entry in enumerate(entries, 1))
    if len({rule.number for rule in rules}) != len(rules):
        raise SenderFault("重大执法决定目录的序号有重复，请改正。")
    return rules


def _rule(entry: Entry) -> MajorRule:
    split = {factor: entry.text(factor).split("、") for factor in WORD_FACTORS}
    words = {factor: tuple(found) for factor, found in split.items() if ANY not in found}
    amount = parse_amount(entry.text(AMOUNT), entry.where(AMOUNT))
    return MajorRule(entry.text("序号"), entry.text("决定事项"), words, amount)


def _held(rule: MajorRule, matter: MajorMatter) -> tuple[str, ...] | None:
    """None: not this row; else the factors that are not known yet, empty where every one holds."""
    known = {
        "执法类别": matter.category,
        "执法层级": matter.level,
        "所属领域": matter.domain,
        "社会影响": matter.impact,
    }
    unknown = []
    for factor, accepted in rule.words.items():
        holds = accepts(factor, accepted, known[factor])
        if holds is None:
            unknown.append(factor)
        elif not holds:
            return None
    if rule.amount is not None:
        if matter.amount is None:
            unknown.append(AMOUNT)
        elif matter.amount < rule.amount:
            return None
    return tuple(unknown)


def _named(rule: MajorRule) -> tuple[str, ...]:
    words = [f"{factor}：{'、'.join(accepted)}" for factor, accepted in rule.words.items()]
    amount = [] if rule.amount is None else [f"{AMOUNT}：{rule.amount} 元以上"]
    return (f"决定事项：{rule.decision}", *words, *amount)
