"""From the entries of an imported table to drafts that one envelope each can carry. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.duty.disclosure_rules import MAX_ENTRIES
from agent.duty.publication_rules import KIND_WORDS
from agent.duty.table_shapes import SHAPES
from agent.errors import OperatorFault
from agent.wire import canonical
from agent.wire.disclosures import DUTY_AUDIENCE, POLICY_KINDS, DisclosureKind
from agent.wire.topics import EVERYONE
from kiosk.publishing.drafting import MAX_PAYLOAD_BYTES

HEAD_BYTES = 4096  # ours: everything of a document beside its entries
TITLES = {
    DisclosureKind.RECORDING_LIST: "音像记录事项清单",
    DisclosureKind.RECORDING_RULES: "行政执法全过程记录办法",
    DisclosureKind.MAJOR_CATALOGUE: "重大执法决定法制审核目录清单",
    DisclosureKind.REASON_CODES: "原因代码",
    DisclosureKind.TIME_LIMITS: "执法时限清单",
    DisclosureKind.PUBLICATION_RULES: "行政执法公示办法",
    **KIND_WORDS,
}


@dataclass(frozen=True)
class Heading:
    """What stands above the entries; `name` is the id, or its beginning where there are several documents."""

    kind: DisclosureKind
    name: str
    title: str
    audience: str
    publisher: str


def policy_kind(text: str) -> DisclosureKind:
    """The kind that `text` names, of those that come as tables; raises `OperatorFault`."""
    kind = next((kind for kind in SHAPES if kind.value == text), None)
    if kind is None:
        raise OperatorFault(f"--kind 是 {text[:40]}，可导入的有：{'、'.join(SHAPES)}。其他种类请用 draft。")
    return kind


def audience_of(kind: DisclosureKind) -> str:
    """For whom a table of `kind` is when nobody says: the department's devices, or everybody."""
    return DUTY_AUDIENCE if kind in POLICY_KINDS else EVERYONE


def split(heading: Heading, entries: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Drafts as `kiosk.publishing.drafting.compose` reads them, as few as hold the entries in their order."""
    parts: list[list[Mapping[str, Any]]] = []
    room = 0
    for entry in entries:
        size = len(canonical.encode(dict(entry))) + 1
        if not parts or size > room or len(parts[-1]) >= MAX_ENTRIES:
            parts.append([])
            room = MAX_PAYLOAD_BYTES - HEAD_BYTES
        parts[-1].append(entry)
        room -= size
    return [_source(heading, number, len(parts), part) for number, part in enumerate(parts, 1)]


def left_over(heading: Heading, count: int, held: Iterable[str]) -> list[str]:
    """The documents of an earlier import, among the names `held`, that the present one of `count` parts replaces
    no longer."""
    now = {_name(heading, number, count) for number in range(1, count + 1)}
    earlier = re.compile(rf"{re.escape(heading.kind.value)}\.({re.escape(heading.name)}(?:-\d+)?)")
    found = {match[0]: match[1] for name in held if (match := earlier.fullmatch(name))}
    return sorted(name for name, part in found.items() if part not in now)


def _source(heading: Heading, number: int, count: int, entries: Sequence[Mapping[str, Any]]) -> bytes:
    title = heading.title if count == 1 else f"{heading.title}（{number}/{count}）"
    head = {"kind": heading.kind.value, "id": _name(heading, number, count), "title": title}
    rest = {"audience": heading.audience, "publisher": heading.publisher}
    return canonical.encode({**head, **rest, "entries": [dict(entry) for entry in entries]})


def _name(heading: Heading, number: int, count: int) -> str:
    return heading.name if count == 1 else f"{heading.name}-{number}"
