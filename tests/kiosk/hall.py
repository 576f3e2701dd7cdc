"""A hall in this process: what a kiosk shows without its server, and the pages asked by their functions."""

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from agent import durable
from agent.wire.content import Attachment
from agent.wire.disclosures import Disclosure, DisclosureKind
from agent.wire.identifiers import Digest
from kiosk.asked import Answered, Asked
from kiosk.config import read_config
from kiosk.display import Display
from kiosk.serving import make_display, make_feed
from tests.kiosk.bench import NOW, Bench, sample
from tests.support.clocks import SteppedClock


class Hall:
    """`put` documents, then ask pages of `display`; the clock is stepped by hand."""

    def __init__(self, folder: Path, bench: Bench, **more: str) -> None:
        config = bench.kiosk_folder(folder)
        with config.open("a", encoding="utf-8") as file:
            file.writelines(f'{key} = "{value}"\n' for key, value in more.items())
        self.bench, self.config = bench, read_config(config)
        self.clock = SteppedClock()
        self.clock.set_wrong((NOW - self.clock.read().wall) / timedelta(days=1))
        self.feed = make_feed(self.config)
        self.feed.open(NOW)
        self.display: Display = make_display(self.config, self.feed, self.clock)

    def put(self, *documents: Disclosure) -> None:
        for one in documents:
            path = durable.make_directory(self.config.disclosed) / f"{'.'.join(one.key)}.dsse"
            path.write_bytes(self.bench.sealed(one))
        self.feed.reload(self.clock.read().wall)
        self.display.refresh()

    def page(self, view: Any, **query: str) -> str:
        return str(view(self.display, Asked(query=query, place=query)).html)

    def post(self, view: Any, **form: str) -> Answered:
        answered = view(self.display, Asked(form=form, posted=True))
        assert isinstance(answered, Answered)
        return answered

    def outgoing(self) -> list[Path]:
        """What waits for the agent, without the heads of the display log."""
        return sorted(self.config.outgoing.glob("[!d]*.json"))

    def attach(self, document: Disclosure, name: str, media_type: str, content: bytes) -> Disclosure:
        """`document` with a file that has come."""
        sha256 = Digest(hashlib.sha256(content).hexdigest())
        durable.make_directory(self.config.content)
        (self.config.content / sha256).write_bytes(content)
        file = Attachment(name, sha256, len(content), media_type)
        return replace(document, attachments=(*document.attachments, file))

    def index(self, path: Path, rows: list[tuple[str, ...]]) -> None:
        """Publish a search index of `rows`: kind, title, initials, document, version."""
        make_index(path, rows)
        entry = {"公示文件": "item-list.items", "版本": "1", "条数": str(len(rows))}
        document = replace(
            sample("notice"), kind=DisclosureKind.SEARCH_INDEX, disclosure_id="hall-1", entries=(entry,), title="检索"
        )
        self.put(self.attach(document, "search.sqlite", "application/vnd.sqlite3", path.read_bytes()))


def staff_until(day: str) -> Disclosure:
    """The sample's personnel, whose certificates are good until `day`."""
    staff = sample("personnel-list")
    return replace(staff, entries=tuple({**entry, "证件有效期至": day} for entry in staff.entries))


def make_index(path: Path, rows: list[tuple[str, ...]]) -> Path:
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(
            "CREATE TABLE found(id INTEGER PRIMARY KEY, kind TEXT, title TEXT, detail TEXT, path TEXT, document TEXT,"
            " version INTEGER, number INTEGER);"
            "CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='unicode61');"
            "CREATE VIRTUAL TABLE initials USING fts5(text, content='', prefix='1 2 3');"
        )
        numbered = list(enumerate(rows, 1))
        found = ((n, row[0], row[1], "", "/items", row[3], row[4], n) for n, row in numbered)
        database.executemany("INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?, ?)", found)
        words = ((n, " ".join(title)) for n, (_, title, *_) in numbered)
        database.executemany("INSERT INTO words(rowid, text) VALUES (?, ?)", words)
        initials = ((n, row[2]) for n, row in numbered)
        database.executemany("INSERT INTO initials(rowid, text) VALUES (?, ?)", initials)
    return path
