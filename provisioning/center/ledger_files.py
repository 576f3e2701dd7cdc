"""Files that the ledger is made from beside signed facts: what is entered by hand, the inventory of devices, and since
when each released document has been in force."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from agent import durable
from agent.duty.readiness import day_of
from agent.errors import OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.disclosures import Disclosure
from provisioning.authority.authority import read_file

ACCEPTED = frozenset({"accepted", "assigned", "in-repair"})  # states of a device that passed its acceptance
EXPORT = "请用 liuhen-provision inventory --json 重新导出。"


def read_entries(path: Path) -> list[Any]:
    """The JSON list in `path`; raises `OperatorFault`."""
    try:
        found = json.loads(read_file(path))
    except ValueError as error:
        raise OperatorFault(f"{path} 不是 JSON。请照 liuhen-center ledger sample 写出的样子填写。") from error
    if not isinstance(found, list):
        raise OperatorFault(f"{path} 应为一个列表。请照 liuhen-center ledger sample 写出的样子填写。")
    return found


def read_accepted(path: Path) -> Mapping[str, Mapping[str, date]]:
    """The devices in the inventory's JSON that passed their acceptance, by unit, each with the day of the check; raises
    `OperatorFault`."""
    try:
        document = Fields("设备台账", json.loads(read_file(path)))
        lines = [Fields("设备台账", entry) for entry in document.array("devices")]
        found: dict[str, dict[str, date]] = {}
        for line in lines:
            if line.text("state") in ACCEPTED and not line.is_null("checked_at"):
                day = date.fromisoformat(line.text("checked_at")[:10])
                found.setdefault(line.text("unit"), {})[line.text("device")] = day
    except (ValueError, SenderFault) as error:
        raise OperatorFault(f"{path} 不是设备台账的 JSON。{EXPORT}") from error
    return found


def first_days(path: Path, documents: Iterable[Disclosure]) -> Mapping[str, date]:
    """The day on which each document first took effect here, by name, remembered in `path`: a version that corrects a
    list moves no day on which its first version was there. A damaged memory is begun anew."""
    held = _remembered(path)
    found = dict(held)
    for it in documents:
        if it.withdrawn is None:
            name = document_name(it)
            found[name] = min(found.get(name, date.max), day_of(it.effective_from))
    if found != held:
        durable.make_directory(path.parent)
        told = {name: day.isoformat() for name, day in found.items()}
        durable.write_bytes(path, canonical.encode(told), durable.SHARED)
    return found


def document_name(document: Disclosure) -> str:
    """`audience.kind.id`, as the file of a released document is named."""
    return ".".join((document.audience, *document.key))


def _remembered(path: Path) -> dict[str, date]:
    try:
        told: dict[str, Any] = canonical.decode_object(read_file(path)) if path.exists() else {}
        return {name: date.fromisoformat(str(day)) for name, day in told.items()}
    except (ValueError, SenderFault):
        return {}
