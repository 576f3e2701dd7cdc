"""The officers who take a recorder out: what the personnel list says of them at that moment, and what is wrong with it.

Two officers, both with a certificate for that category and area, are what the law asks for (行政处罚法 42, 55;
行政强制法 18; the district's plan 二（一）4 and 5). A device never refuses to record on this ground: it labels, and
tells the centre.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from agent.duty.case_facts import Label, OfficerFact
from agent.duty.labels import LABEL_WORDS, LAWFUL_OFFICERS
from agent.duty.roster import Officer

RESERVED = 14  # ours; two separators, and "等123项" twice
FROZEN_CHARACTERS = 200  # what the recorder keeps of a note in its journal


@dataclass(frozen=True)
class Listed:
    """The personnel list as a device has it: by certificate, with its version; `outdated` when its time is over."""

    officers: Mapping[str, Officer]
    version: int
    outdated: bool = False


NOT_LISTED = Listed({}, 0)


@dataclass(frozen=True)
class Demand:
    """For what an officer must be licensed: that day, that category, that area; empty where nobody said."""

    day: date
    category: str = ""
    area: str = ""


def personal_labels(officer: Officer | None, demand: Demand) -> tuple[Label, ...]:
    """Everything that speaks against this officer there, not only the first; None is nobody of the list."""
    if officer is None:
        return (Label.NOT_ON_ROSTER,)
    wrong = {
        Label.CERTIFICATE_EXPIRED: demand.day > officer.valid_until,
        Label.CHECK_MISSING: not officer.checked(demand.day),
        Label.WRONG_CATEGORY: bool(demand.category) and demand.category not in officer.categories,
        Label.WRONG_AREA: bool(demand.area) and demand.area not in officer.areas,
    }
    return tuple(label for label, holds in wrong.items() if holds)


def officer_fact(certificate: str, listed: Listed, demand: Demand) -> OfficerFact:
    """The officer with this certificate as the list has him now."""
    officer = listed.officers.get(certificate)
    unit = "" if officer is None else officer.unit
    return OfficerFact(certificate, unit, listed.version, personal_labels(officer, demand))


def crew_labels(crew: Sequence[OfficerFact], listed: Listed, *, has_task: bool, clock_set: bool) -> tuple[Label, ...]:
    """What is wrong with the recording that these officers make together."""
    wrong = {
        Label.NO_TASK: not has_task,
        Label.SINGLE_OFFICER: len({fact.certificate for fact in crew}) < LAWFUL_OFFICERS,
        Label.POLICY_MISSING: listed.version == 0,
        Label.POLICY_OUTDATED: listed.outdated,
        Label.CLOCK_UNSET: not clock_set,
    }
    return tuple(label for label, holds in wrong.items() if holds)


def frozen(certificate: str, listed: Listed) -> str:
    """The entry of the list as it is signed into the recording, at most `FROZEN_CHARACTERS`. Who it is and whether he
    may enforce stands whole; of many categories and areas as many as there is room for, and how many more."""
    officer = listed.officers.get(certificate)
    if officer is None:
        return f"{certificate}｜不在名单（第 {listed.version} 版）"
    year = "" if officer.check_year is None else f"（{officer.check_year} 年）"
    parts = (
        certificate,
        f"名单第 {listed.version} 版",
        f"有效期至 {officer.valid_until}",
        f"审验{officer.check.value}{year}",
        f"{officer.name} {officer.post}",
        officer.unit,
    )
    whole = "｜".join(parts)
    for words in (officer.categories, officer.areas):
        whole += "｜" + _fitting(words, FROZEN_CHARACTERS - len(whole) - RESERVED)
    return whole[:FROZEN_CHARACTERS]


def _fitting(words: Sequence[str], room: int) -> str:
    count = next((count for count in range(len(words), 0, -1) if len("、".join(words[:count])) <= room), 0)
    rest = len(words) - count
    return "、".join(words[:count]) + (f"等{len(words)}项" if rest else "")


def label_lines(crew: Iterable[OfficerFact], labels: Iterable[Label]) -> list[str]:
    """The labels as notes for the journal: `single-officer 单人执法`, `wrong-area 示例-1 执法证件不含该执法区域`."""
    own = [f"{label} {fact.certificate} {LABEL_WORDS[label]}" for fact in crew for label in fact.labels]
    return [*(f"{label} {LABEL_WORDS[label]}" for label in labels), *own]
