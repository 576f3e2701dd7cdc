"""The list pages: items, guides, units, people, results. (documents, now) -> sections. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.duty.roster import parse_roster
from agent.wire.disclosures import ENTRY_FIELDS, DisclosureKind
from kiosk.beijing import day
from kiosk.board import Banner, Site, Source, banners, current_documents, source
from kiosk.faces import Face, face_of
from kiosk.shelf import Shelf, Shown


@dataclass(frozen=True)
class Topic:
    """A page of lists: its path, its name in words and the kinds it gathers; `table` asks for rows, else cards."""

    path: str
    title: str
    kinds: tuple[DisclosureKind, ...]
    table: bool


TOPICS = (
    Topic("items", "执法事项", (DisclosureKind.ITEM_LIST, DisclosureKind.RANDOM_INSPECTION_LIST), True),
    Topic("guide", "服务指南", (DisclosureKind.SERVICE_GUIDE, DisclosureKind.FLOW_CHART), False),
    Topic("units", "执法主体", (DisclosureKind.SUBJECT_LIST,), False),
    Topic("people", "执法人员", (DisclosureKind.PERSONNEL_LIST,), True),
    Topic("results", "执法结果", (DisclosureKind.RESULTS, DisclosureKind.RANDOM_INSPECTION_RESULTS), True),
)
STEPS = ("办理流程", "步骤")  # fields shown as a chain of steps


@dataclass(frozen=True)
class Field:
    """One field of an entry: its name and its texts; `steps` when their order matters."""

    name: str
    texts: tuple[str, ...]
    steps: bool

    @property
    def short(self) -> bool:
        """Names, numbers and days that read badly when broken over two lines."""
        text = self.texts[0]
        return len(self.texts) == 1 and (len(text) <= 4 or (len(text) <= 12 and any(map(str.isdigit, text))))


@dataclass(frozen=True)
class Section:
    """One document: its source, the columns and one tuple of fields per entry, in the order of `columns`; of people
    with photos a face, or None, for each entry."""

    source: Source
    columns: tuple[str, ...]
    entries: tuple[tuple[Field, ...], ...]
    note: str
    faces: tuple[Face | None, ...] = ()


@dataclass(frozen=True)
class ListPage:
    """A page of lists; without sections it has at least one banner."""

    topic: Topic
    sections: tuple[Section, ...]
    banners: tuple[Banner, ...]


def list_page(shelf: Shelf, now: datetime, site: Site, topic: Topic) -> ListPage:
    """The page of `topic` with every document of its kinds that is in force."""
    sections = tuple(_section(one, now) for one in current_documents(shelf.of(*topic.kinds), now))
    return ListPage(topic, sections, tuple(banners(shelf, topic.kinds, now, site, topic.title)))


def _section(one: Shown, now: datetime) -> Section:
    entries, note, faces = one.document.entries, "", tuple[Face | None, ...]()
    if one.document.kind is DisclosureKind.PERSONNEL_LIST:
        entries, note = _licensed_only(entries, now)
        numbers = {str(entry["证件编号"]): number for number, entry in enumerate(one.document.entries, 1)}
        faces = tuple(face_of(one, numbers[str(entry["证件编号"])]) for entry in entries)
    columns = _columns(one.document.kind, entries)
    rows = tuple(_fields(columns, entry) for entry in entries)
    return Section(source(one), columns, rows, note, faces if any(faces) else ())


def fields_of(kind: DisclosureKind, entry: Mapping[str, Any]) -> tuple[Field, ...]:
    """Every field of one entry, those that must be there first."""
    return _fields(_columns(kind, (entry,)), entry)


def _columns(kind: DisclosureKind, entries: tuple[Mapping[str, Any], ...]) -> tuple[str, ...]:
    """The fields that must be there, then what single entries have beyond."""
    return tuple(dict.fromkeys([*ENTRY_FIELDS[kind], *(name for entry in entries for name in entry)]))


def _licensed_only(entries: tuple[Mapping[str, Any], ...], now: datetime) -> tuple[tuple[Mapping[str, Any], ...], str]:
    """Whose certificate is not good today does not stand in a list of officers (reference/kiosk.md 3.1)."""
    officers = parse_roster(entries).officers
    kept = tuple(entry for entry in entries if officers[str(entry["证件编号"])].obstacle(day(now)) is None)
    dropped = len(entries) - len(kept)
    return kept, f"另有 {dropped} 人执法证件过期或未通过年度审验，不列入执法人员。" if dropped else ""


def _fields(columns: tuple[str, ...], entry: Mapping[str, Any]) -> tuple[Field, ...]:
    return tuple(Field(name, _texts(entry.get(name)), name in STEPS) for name in columns)


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ("—",)
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)
