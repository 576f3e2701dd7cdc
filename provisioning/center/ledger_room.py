"""The departments of a district as their centre knows them: released lists, tasks, and what was entered by hand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from agent.duty.ledger import LedgerEntry
from agent.duty.readiness import Department, Released, day_of
from agent.duty.record_counts import UsedCase
from agent.duty.roster import parse_roster
from agent.wire.device_events import EventType
from agent.wire.disclosures import Disclosure, DisclosureKind
from provisioning.center.cases import CaseRoom
from provisioning.center.ledger_files import document_name, first_days, read_accepted
from provisioning.center.rulings import documents

FIRST_DAYS = "cases/.first-days.json"
ABOUT_UNITS = {DisclosureKind.SUBJECT_LIST: "执法主体机构名称", DisclosureKind.PERSONNEL_LIST: "单位"}
"""The district's lists about its departments, whoever publishes them, with the field that names each."""


@dataclass(frozen=True)
class Sources:
    """What departments are made from: `since` is the day on which each document first took effect, by its name,
    `enrolled` the certificates that devices were told, `accepted` the devices that passed their acceptance, by unit,
    with the day (None: no inventory was given)."""

    documents: Sequence[Disclosure]
    cases: Sequence[UsedCase]
    entries: Sequence[LedgerEntry]
    now: datetime
    since: Mapping[str, date] = field(default_factory=dict)
    enrolled: frozenset[str] = frozenset()
    accepted: Mapping[str, Mapping[str, date]] | None = None


def departments(sources: Sources) -> tuple[Department, ...]:
    """Every department that enforces, as far as anything names it, by name. Who publishes nothing but the district's
    lists of others (the legal office, the plan's section 二（一）3, 4) is none by that."""
    held = _in_force(sources)
    units = {it.publisher for it in held if it.kind not in ABOUT_UNITS}
    units |= {unit for it in held for unit in _named(it)} | {it.facts.unit for it in sources.cases}
    units |= {it.unit for it in sources.entries} | set(sources.accepted or ())
    return tuple(_department(unit, held, sources) for unit in sorted(units))


def gathered(
    room: CaseRoom, cases: Sequence[UsedCase], entries: Sequence[LedgerEntry], inventory: Path | None
) -> tuple[Sources, tuple[str, ...]]:
    """What the departments of the centre of `room` are made from, and one line for each released file that is none;
    `inventory` is what `liuhen-provision inventory --json` wrote, None without it."""
    held, odd = released(room)
    told = (event.data.get("certificate") for event in room.events if event.type is EventType.OFFICER_ENROLLED)
    accepted = None if inventory is None else read_accepted(inventory)
    since = first_days(room.config.folder / FIRST_DAYS, held)
    enrolled = frozenset(certificate for certificate in told if isinstance(certificate, str))
    return Sources(held, cases, entries, room.now, since, enrolled, accepted), odd


def released(room: CaseRoom) -> tuple[tuple[Disclosure, ...], tuple[str, ...]]:
    """Every released document that two people signed, and one line for each file in the folder that is none."""
    return documents(room.releases.shelf(kind) for kind in DisclosureKind)


def _in_force(sources: Sources) -> tuple[Disclosure, ...]:
    newest: dict[tuple[str, str, str], Disclosure] = {}
    for it in sorted(sources.documents, key=lambda document: (document.version, document.issued_at)):
        newest[it.audience, it.kind, it.disclosure_id] = it
    return tuple(it for it in newest.values() if it.withdrawn is None and _rules(it, sources.now))


def _began(document: Disclosure, since: Mapping[str, date]) -> date:
    return min(since.get(document_name(document), date.max), day_of(document.effective_from))


def _named(document: Disclosure) -> frozenset[str]:
    """The units that a list of the district names as enforcing."""
    if document.kind not in ABOUT_UNITS:
        return frozenset()
    name = ABOUT_UNITS[document.kind]
    return frozenset(str(entry[name]) for entry in document.entries if name in entry)


def _rules(document: Disclosure, now: datetime) -> bool:
    until = document.effective_until
    return document.effective_from <= now and (until is None or now < until)


def _department(unit: str, held: Sequence[Disclosure], sources: Sources) -> Department:
    cases = [it for it in sources.cases if it.facts.unit == unit]
    own = [it for it in held if it.publisher == unit or unit in _named(it)]
    rosters = [it for it in held if it.kind is DisclosureKind.PERSONNEL_LIST]
    entries = [entry for it in rosters for entry in it.entries if entry.get("单位") == unit]
    listed = [it for it in rosters if any(entry.get("单位") == unit for entry in it.entries)]
    return Department(
        unit,
        _released(own, cases, sources.since),
        _devices(cases),
        tuple(parse_roster(_distinct(entries)).officers.values()),
        min((_began(it, sources.since) for it in listed), default=None),
        cases,
        [it for it in sources.entries if it.unit == unit],
        frozenset(str(entry.get("证件编号")) for entry in entries) & sources.enrolled,
        None if sources.accepted is None else sources.accepted.get(unit, {}),
    )


def _released(
    own: Iterable[Disclosure], cases: Sequence[UsedCase], since: Mapping[str, date]
) -> Mapping[DisclosureKind, Released]:
    found: dict[DisclosureKind, Released] = {}
    for it in own:
        name = f"{it.kind}.{it.disclosure_id}"
        used = [film.policies[name] for case in cases for film in case.facts.recordings if name in film.policies]
        shown = Released(it.title, it.version, _began(it, since), max(used, default=None))
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
