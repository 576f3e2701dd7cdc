"""Who was there, as the devices of a task tell it."""

from collections.abc import Iterable
from dataclasses import replace

from agent.duty.case_facts import OfficerFact
from agent.duty.told_facts import labels, readable
from agent.wire.canonical import Fields
from agent.wire.device_events import DeviceEvent, EventType


def told_officers(own: Iterable[DeviceEvent]) -> tuple[OfficerFact, ...]:
    """Everybody who was told of, with every label that was ever put; the roster's version is that of the first word."""
    found: dict[str, OfficerFact] = {}
    for officers in readable(own, EventType.OFFICERS_LABELLED, _entries):
        for officer in officers:
            before = found.setdefault(officer.certificate, officer)
            labels = tuple(dict.fromkeys((*before.labels, *officer.labels)))
            found[officer.certificate] = replace(before, labels=labels)
    return tuple(found.values())


def _entries(fields: Fields) -> tuple[OfficerFact, ...]:
    entries = [Fields("执法人员", entry) for entry in fields.array("officers")]
    return tuple(
        OfficerFact(
            entry.text("certificate"),
            entry.text("unit"),
            entry.integer("roster_version"),
            labels(entry.array("labels")),
        )
        for entry in entries
    )


def told_holders(own: Iterable[DeviceEvent]) -> tuple[str, ...]:
    """The certificates of those who took a device out for the task, in the order in which that is told."""
    return tuple(dict.fromkeys(readable(own, EventType.OFFICER_TOOK_OUT, lambda fields: fields.text("certificate"))))
