"""All cases of a centre for reports and ledger; one whose acts were changed is told, and the others go on."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent import durable
from agent.duty.case_facts import CaseFacts
from agent.duty.record_counts import UsedCase
from agent.duty.review import MOVE_WORDS, Move, Review, Turn, turns
from agent.errors import OperatorFault, SenderFault
from agent.markup import templates
from agent.wire.instant import BEIJING
from provisioning.center.cases import CaseRoom
from provisioning.csv_cells import inert

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Gathered:
    """The cases that could be put together, and one line for each thing that could not."""

    cases: tuple[UsedCase, ...]
    troubles: tuple[str, ...]


def gather(room: CaseRoom) -> Gathered:
    """Every case of the centre, by task."""
    cases: list[UsedCase] = []
    troubles: list[str] = [*_rules_troubles(room)]
    for task in room.tasks():
        try:
            cases.append(_case(room, task, troubles))
        except (OperatorFault, SenderFault) as fault:  # one device's odd word takes nothing from the others' cases
            troubles.append(f"{task} 没有计入：{fault}")
    return Gathered(tuple(cases), tuple(dict.fromkeys(troubles)))


def _rules_troubles(room: CaseRoom) -> tuple[str, ...]:
    try:
        return room.releases.rules.troubles
    except (OperatorFault, SenderFault) as fault:
        return (str(fault),)


def _case(room: CaseRoom, task: str, troubles: list[str]) -> UsedCase:
    review, facts = _review(room, task, troubles)
    troubles += _refused(room, task)
    used = _used(facts, review, _turns(room, facts.unit, review, troubles))
    return replace(used, papers=room.papers(facts))


def _review(room: CaseRoom, task: str, troubles: list[str]) -> tuple[Review, CaseFacts]:
    try:
        review = room.review(task)
    except SenderFault as fault:  # the acts were changed; what devices signed stands all the same
        troubles.append(f"{task} 的审核记录不能采信：{fault}")
        return Review(task), room.facts(task, "")
    return review, room.facts(task)


def _refused(room: CaseRoom, task: str) -> Iterator[str]:
    """What somebody signed in the review of `task` and the rules refused: a handler who would review, an act out of
    its turn."""
    try:
        refused = room.folder.refused(task)
    except SenderFault as fault:
        yield f"{task} 的被拒记录无法读取：{fault}"
        return
    for tried in refused:
        move = MOVE_WORDS[Move(tried.kind)] if tried.kind in set(Move) else tried.kind
        when = f"{tried.at.astimezone(BEIJING):%Y-%m-%d %H:%M}"
        yield f"{task}：{tried.by} 于 {when} 办理“{move}”被拒：{tried.why}"


def _turns(room: CaseRoom, unit: str, review: Review, troubles: list[str]) -> tuple[Turn, ...]:
    try:
        ruling = room.ruling(unit)
    except (OperatorFault, SenderFault) as fault:
        troubles += [f"{unit} 的审核用时没有统计：{fault}"] if review.acts else []
        return ()
    troubles += [ruling.told] if ruling.told else []
    return turns(review, ruling.rules) if review.acts else ()


def _used(facts: CaseFacts, review: Review, found: tuple[Turn, ...]) -> UsedCase:
    decided = [it.act for it in review.acts if it.act.kind == Move.DECIDE]
    if not decided:
        return UsedCase(facts, review.stage, found)
    return UsedCase(facts, review.stage, found, str(decided[-1].body.get("document", "")), decided[-1].at)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Path:
    """`path`.csv and `path`.json; returns the first."""
    kept = list(rows)
    durable.write_bytes(path.with_suffix(".json"), json_bytes(columns, kept))
    return durable.write_bytes(path.with_suffix(".csv"), csv_bytes(columns, kept))


def json_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The rows as JSON, with `columns` only, in their order."""
    return json.dumps([{name: row[name] for name in columns} for row in rows], ensure_ascii=False, indent=1).encode()


def csv_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The rows as CSV: UTF-8 with a mark, as table programs want it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def write_page(path: Path, template: str, shown: Mapping[str, Any]) -> Path:
    """The page that `template` makes of `shown`, whole in one file."""
    return durable.write_bytes(path, templates(TEMPLATES).get_template(template).render(shown).encode())


def _cell(value: Any) -> Any:
    return inert(value) if isinstance(value, str) else value
