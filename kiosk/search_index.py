"""Builds the index that a hall's search asks (`kiosk/search.py`): at publish time, one SQLite file.

    found(id INTEGER PRIMARY KEY, kind, title, detail, path, document, version, number)
                                                                 a higher id is newer
    words     fts5(text, content='', tokenize='unicode61')       characters split by spaces, rowid = found.id
    initials  fts5(text, content='', prefix='1 2 3')             initials in pinyin of the title

Every Chinese character is a word of its own, so that a phrase finds one or two of them as well as ten (a trigram index
finds nothing for them; reference/kiosk.md 2.4). `document`, `version`, `number` (from 1) say which entry a row is of.
"""

import re
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.duty.publication_rules import KIND_WORDS
from agent.errors import EnvironmentFault
from agent.wire.disclosures import ENTRY_FIELDS, Disclosure, DisclosureKind

SEARCHED = tuple(KIND_WORDS)
NAMED_BY = {DisclosureKind.WINDOW_BOARD: ("姓名",), DisclosureKind.RESULTS: ("当事人", "决定书文号")}
"""The fields that name an entry, where that is not its first."""
MOMENTARY = {DisclosureKind.WINDOW_BOARD: ("状态", "顶岗人员", "顶岗原因")}
"""The fields that hold for the hour: an index is drafted seldom, and would go on saying who was at his window."""
PAGES = {
    DisclosureKind.WINDOW_BOARD: "/board", DisclosureKind.SUBJECT_LIST: "/units",
    DisclosureKind.PERSONNEL_LIST: "/people", DisclosureKind.RESULTS: "/results",
    DisclosureKind.RANDOM_INSPECTION_RESULTS: "/results", DisclosureKind.NOTICE: "/board",
    DisclosureKind.RANDOM_INSPECTION_LIST: "/items",
}  # fmt: skip
"""The page that shows a kind; what has a page of its own for each entry is `/item/{name}`."""
SCHEMA = """
CREATE TABLE found(
    id INTEGER PRIMARY KEY, kind TEXT, title TEXT, detail TEXT, path TEXT,
    document TEXT, version INTEGER, number INTEGER
);
CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='unicode61');
CREATE VIRTUAL TABLE initials USING fts5(text, content='', prefix='1 2 3');
"""
DETAIL_CHARACTERS = 60


@dataclass(frozen=True)
class Row:
    """One entry as it is found: `kind` in words, `words` what it is found by."""

    kind: str
    title: str
    detail: str
    path: str
    document: str
    version: int
    number: int
    words: str


def build_index(path: Path, documents: Iterable[Disclosure], letters: Callable[[str], str]) -> int:
    """Write the index of `documents`, older ones first, to `path`, which must not exist; returns the number of rows.
    `letters` gives the initials of a name. Raises `EnvironmentFault`."""
    rows = list(enumerate(rows_of(documents), 1))
    try:
        with closing(sqlite3.connect(path)) as database, database:
            database.executescript(SCHEMA)
            database.executemany("INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_found, rows))
            words = ((number, spaced(row.words)) for number, row in rows)
            database.executemany("INSERT INTO words(rowid, text) VALUES (?, ?)", words)
            initials = ((number, letters(row.title)) for number, row in rows)
            database.executemany("INSERT INTO initials(rowid, text) VALUES (?, ?)", initials)
            for table in ("words", "initials"):
                database.execute(f"INSERT INTO {table}({table}) VALUES ('optimize')")  # noqa: S608 - one of two of ours
    except sqlite3.Error as error:
        raise EnvironmentFault(f"检索库 {path} 无法写入（{error}）。请检查存储空间。") from error
    return len(rows)


def _found(numbered: tuple[int, Row]) -> tuple[int | str, ...]:
    number, row = numbered
    return number, row.kind, row.title, row.detail, row.path, row.document, row.version, row.number


def spaced(text: str) -> str:
    """Chinese characters alone, runs of Latin letters and digits whole, in lower case: words for FTS5."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return " ".join(re.findall(r"[0-9a-z]+|[^\W0-9a-z_]", plain))


def rows_of(documents: Iterable[Disclosure]) -> Iterator[Row]:
    """The rows of `documents`, in their order; what is withdrawn, and what no page lists, has none."""
    for document in documents:
        if document.kind not in SEARCHED or document.withdrawn is not None:
            continue
        names = NAMED_BY.get(document.kind, ENTRY_FIELDS[document.kind][:1])
        passed_over = {*names, *MOMENTARY.get(document.kind, ())}
        for number, entry in enumerate(document.entries, 1):
            title = " ".join(_text(entry, field) for field in names)
            rest = "　".join(_text(entry, field) for field in ENTRY_FIELDS[document.kind] if field not in passed_over)
            path = PAGES.get(document.kind, f"/item/{quote(title, safe='')}")
            words = " ".join(_text(entry, field) for field in entry if field in names or field not in passed_over)
            source = ".".join(document.key), document.version, number
            detail = rest if len(rest) <= DETAIL_CHARACTERS else f"{rest[: DETAIL_CHARACTERS - 1]}…"
            yield Row(KIND_WORDS[document.kind], title, detail, path, *source, words)


def _text(entry: Mapping[str, Any], field: str) -> str:
    value = entry.get(field)
    return " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
