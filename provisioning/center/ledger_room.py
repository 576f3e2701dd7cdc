"""The departments of a district as their centre knows them: released lists, tasks, and what was entered by hand."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.duty.ledger import LedgerEntry
from agent.duty.readiness import Department, Released, day_of
from agent.duty.record_counts import UsedCase
from agent.duty.roster import parse_roster
from agent.errors import OperatorFault
from agent.wire.disclosures import Disclosure, DisclosureKind
from provisioning.authority.authority import read_file
from provisioning.center.cases import CaseRoom
from provisioning.center.rulings import documents


@dataclass(frozen=True)
class Sources:
    """What departments are made from."""

    documents: Sequence[Disclosure]
    cases: Sequence[UsedCase]
    entries: Sequence[LedgerEntry]
    now: datetime


def departments(sources: Sources) -> tuple[Department, ...]:
    """Every department that is named anywhere, by name."""
    held = _in_force(sources)
    units = {it.publisher for it in held} | {it.facts.unit for it in sources.cases}
    units |= {it.unit for it in sources.entries}
    return tuple(_department(unit, held, sources) for unit in sorted(units))


def released(room: CaseRoom) -> tuple[tuple[Disclosure, ...], tuple[str, ...]]:
    """Every released document that two people signed, and one line for each file in the folder that is none."""
    return documents(room.shelf(kind) for kind in DisclosureKind)


def read_entries(path: Path) -> list[Any]:
    """The JSON list in `path`; raises `OperatorFault`."""
    try:
        found = json.loads(read_file(path))
    except ValueError as error:
        raise OperatorFault(f"{path} 不是 JSON。请照 liuhen-center ledger sample 写出的样子填写。") from error
    if not isinstance(found, list):
        raise OperatorFault(f"{path} 应为一个列表。请照 liuhen-center ledger sample 写出的样子填写。")
    return found


def _in_force(sources: Sources) -> tuple[Disclosure, ...]:
    newest: dict[tuple[str, str, str], Disclosure] = {}
    for it in sorted(sources.documents, key=lambda document: document.version):
        newest[it.audience, it.kind, it.disclosure_id] = it
    return tuple(it for it in newest.values() if it.withdrawn is None and _rules(it, sources.now))


def _rules(document: Disclosure, now: datetime) -> bool:
    until = document.effective_until
    return document.effective_from <= now and (until is None or now < until)


def _department(unit: str, held: Sequence[Disclosure], sources: Sources) -> Department:
    cases = [it for it in sources.cases if it.facts.unit == unit]
    own = [it for it in held if it.publisher == unit]
    rosters = [it for it in held if it.kind is DisclosureKind.PERSONNEL_LIST]
    entries = [entry for it in rosters for entry in it.entries if entry.get("单位") == unit]
    listed = [it for it in rosters if any(entry.get("单位") == unit for entry in it.entries)]
    return Department(
        unit,
        _released(own, cases),
        _devices(cases),
        tuple(parse_roster(_distinct(entries)).officers.values()),
        min((day_of(it.effective_from) for it in listed), default=None),
        cases,
        [it for it in sources.entries if it.unit == unit],
    )


def _released(own: Iterable[Disclosure], cases: Sequence[UsedCase]) -> Mapping[DisclosureKind, Released]:
    found: dict[DisclosureKind, Released] = {}
    for it in own:
        name = f"{it.kind}.{it.disclosure_id}"
        used = [film.policies[name] for case in cases for film in case.facts.recordings if name in film.policies]
        shown = Released(it.title, it.version, day_of(it.effective_from), max(used, default=None))
        before = found.get(it.kind)
        found[it.kind] = shown if before is None else replace(before, since=min(before.since, shown.since))
    return found


def _devices(cases: Iterable[UsedCase]) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for case in cases:
        for film in case.facts.recordings:
            day = day_of(case.facts.began)
            found[film.device] = min(found.get(film.device, day), day)
    return found


def _distinct(entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list({str(entry.get("证件编号")): entry for entry in entries}.values())
