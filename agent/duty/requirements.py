"""The engine: what the policies in force ask of one task. Steps, start and end, retention, and whether it is major.

The list's rows for the matter speak first, then its rows for the whole category, then the rules for the stage. Several
rows are joined: their steps in the list's order, the longest retention of all.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.duty.case_facts import CaseFacts, Label
from agent.duty.major_catalogue import MajorAnswer, MajorMatter
from agent.duty.policies import Policies
from agent.duty.recording_list import EVERY_MATTER, RecordClass, RecordingItem
from agent.duty.recording_rules import RecordingRule
from agent.duty.retention import CASE_FILE, PERMANENT, Retention, longest

MAX_REMEMBERED = 4096  # ours: combinations of matter and stages; a department has some hundreds


@dataclass(frozen=True)
class Requirement:
    """What is asked for one matter. `steps` are the contents to be seen, in order; `starts` and `ends` the words for
    when recording begins and ends; `whole`: from beginning to end without a break; `listed`: a row of the list names
    the matter or its category. `whole_steps` are those of the rows that ask for it whole."""

    steps: tuple[str, ...]
    starts: str
    ends: str
    whole: bool
    methods: tuple[str, ...]
    carriers: tuple[str, ...]
    classes: tuple[RecordClass, ...]
    retention: Retention
    listed: bool
    whole_steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """A requirement with the answer of the catalogue and the labels of the policies."""

    requirement: Requirement
    major: MajorAnswer
    labels: tuple[Label, ...]


class PolicyEngine:
    """Answers from one set of policies; made anew when another is in force."""

    def __init__(self, policies: Policies) -> None:
        self.policies = policies
        self._labels, self._catalogue = policies.labels, policies.catalogue
        self._rules = {rule.stage: rule for rule in policies.rules}
        self._rows: dict[tuple[str, str], list[RecordingItem]] = {}
        for item in policies.items:
            self._rows.setdefault((item.category, item.matter), []).append(item)
        self.has_list = bool(self._rows)
        self._remembered: dict[tuple[str, str, tuple[str, ...]], Requirement] = {}

    def decide(self, matter: str, about: MajorMatter, stages: tuple[str, ...] = ()) -> Decision:
        """What is asked of a task of the 执法事项 `matter`, in the given 记录环节 (none: in all of them)."""
        answer = self._catalogue.answer(about)
        asked = self.requirement(about.category, matter, stages)
        if answer.factors and not asked.whole:
            asked = _whole(asked)
        return Decision(asked, answer, self._labels)

    def requirement(self, category: str, matter: str, stages: tuple[str, ...] = ()) -> Requirement:
        """What the list and the rules ask for, whatever the catalogue says."""
        key = (category, matter, stages)
        found = self._remembered.get(key)
        if found is None:
            found = self._required(*key)
            if len(self._remembered) < MAX_REMEMBERED:
                self._remembered[key] = found
        return found

    def judge(self, facts: CaseFacts) -> Requirement:
        """What was asked of a task that is over."""
        return self.requirement(facts.category, facts.matter)

    def _required(self, category: str, matter: str, stages: tuple[str, ...]) -> Requirement:
        own, common = self._rows.get((category, matter), ()), self._rows.get((category, EVERY_MATTER), ())
        rows = [row for row in (*own, *common) if not stages or row.stage in stages]
        listed = {row.stage for row in rows}
        unlisted = [rule for stage, rule in self._rules.items() if stage in stages and stage not in listed]
        if not rows and not stages:
            unlisted = list(self._rules.values())
        return _joined(rows, unlisted, self._rules)


def _joined(rows: list[RecordingItem], rules: list[RecordingRule], known: dict[str, RecordingRule]) -> Requirement:
    contents = [*(row.contents for row in rows), *(rule.contents for rule in rules)]
    kept = [_kept(row, known) for row in rows] + [rule.retention for rule in rules]
    carriers = [row.carrier or _carrier(row, known) for row in rows] + [rule.carrier for rule in rules]
    return Requirement(
        _once(step for steps in contents for step in steps),
        "；".join(_once([*(row.starts for row in rows), *(rule.starts for rule in rules)])),
        "；".join(_once([*(row.ends for row in rows), *(rule.stops for rule in rules)])),
        any(row.whole for row in rows),
        _once([*(row.method for row in rows), *(rule.method for rule in rules)]),
        _once(carrier for carrier in carriers if carrier),
        tuple(dict.fromkeys(row.record_class for row in rows if row.record_class is not None)),
        longest(kept) or PERMANENT,  # what nobody has ruled on is not let go
        bool(rows),
        _once(step for row in rows if row.whole for step in row.contents),
    )


def _kept(row: RecordingItem, known: dict[str, RecordingRule]) -> Retention:
    if row.retention is not None:
        return row.retention
    return known[row.stage].retention if row.stage in known else CASE_FILE


def _carrier(row: RecordingItem, known: dict[str, RecordingRule]) -> str:
    return known[row.stage].carrier if row.stage in known else ""


def _once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _whole(asked: Requirement) -> Requirement:
    """A major decision is recorded from beginning to end (DESIGN; 国办发〔2018〕118号 for major property interests)."""
    return Requirement(**{**vars(asked), "whole": True, "whole_steps": asked.steps})
