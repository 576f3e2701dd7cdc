"""Search in the index that the office made and two people signed (`kind: search-index`, SQLite, read-only).

    found(id INTEGER PRIMARY KEY, kind, title, detail, path, document, version, number)
                                                                 a higher id is newer
    words     fts5(text, content='', tokenize='unicode61')       characters split by spaces, rowid = found.id
    initials  fts5(text, content='', prefix='1 2 3')             initials in pinyin, words split by spaces

Rows of a document that is not in force here in that very version are passed over: an index never outlives what was
withdrawn or corrected. Characters are looked for as a phrase, newest first: a trigram index finds nothing for one or
two characters, and ranking costs half a second for a common one (reference/kiosk.md 2.4).
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.errors import EnvironmentFault

PAGE_ROWS = 20  # reference/kiosk.md 3.2
MAX_SIGNS = 32  # of one question
INITIALS = re.compile(r"[a-z]{1,32}")
KEYS = ("QWERTYUIOP", "ASDFGHJKL", "ZXCVBNM")


@dataclass(frozen=True)
class Found:
    """One row: what kind of thing it is in words, its title, a line about it, and the page that shows it."""

    kind: str
    title: str
    detail: str
    path: str


@dataclass(frozen=True)
class SearchView:
    """`asked` is what was looked for, `initials` whether it was the keypad; `more` says that there is another page."""

    asked: str
    initials: bool
    found: tuple[Found, ...]
    page: int
    more: bool
    ready: bool
    keys: tuple[str, ...] = KEYS


def question(text: str) -> tuple[str, str] | None:
    """Table and FTS5 phrase for what somebody looks for; None for nothing that can be looked for."""
    signs = "".join(sign for sign in text.lower() if sign.isalnum())[:MAX_SIGNS]
    if not signs:
        return None
    if INITIALS.fullmatch(signs):
        return "initials", f'"{signs}"*'
    return "words", '"' + " ".join(_split(signs)) + '"'


def _split(signs: str) -> Iterator[str]:
    """Chinese characters alone, runs of letters and digits whole: as the index has them."""
    yield from re.findall(r"[0-9a-z]+|[^0-9a-z]", signs)


class SearchIndex:
    """The index file; opened for each question, so that a new one takes its place by its name alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def look(self, text: str, page: int, in_force: Iterable[str]) -> tuple[tuple[Found, ...], bool]:
        """The rows of page `page` (from 0) and whether there are more, of the documents `in_force`, each as
        `kind.id@version`; raises `EnvironmentFault` for a damaged file."""
        asked = question(text)
        if asked is None:
            return (), False
        table, phrase = asked
        with self._reading() as rows:
            found = rows.execute(
                # the name of the table is one of two of ours
                f"SELECT f.kind, f.title, f.detail, f.path FROM {table} w JOIN found f ON f.id = w.rowid "  # noqa: S608
                f"WHERE {table} MATCH ? AND f.document || '@' || f.version IN (SELECT value FROM json_each(?)) "
                "ORDER BY w.rowid DESC LIMIT ? OFFSET ?",
                (phrase, json.dumps(list(in_force)), PAGE_ROWS + 1, page * PAGE_ROWS),
            ).fetchall()
        return tuple(Found(*map(str, row)) for row in found[:PAGE_ROWS]), len(found) > PAGE_ROWS

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(f"file:{self._path}?mode=ro&immutable=1", uri=True)) as rows:
                yield rows
        except sqlite3.Error as error:
            raise EnvironmentFault(f"检索文件无法读取（{error}）。请联系技术人员。") from error
