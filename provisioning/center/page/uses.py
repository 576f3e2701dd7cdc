"""The pages that use the records: six exports with plots (运用), the ledger (台账), and their tables to download."""

from dataclasses import dataclass
from urllib.parse import quote

from agent.duty.ledger import parse_ledger
from agent.duty.readiness import day_of, parse_profile
from agent.duty.record_counts import count
from agent.duty.record_use import UseTable, tables
from agent.errors import OperatorFault
from provisioning.center.ledger_files import read_entries
from provisioning.center.ledger_page import LOOKS, Sheet, custody_sheets, sheets
from provisioning.center.ledger_room import departments, gathered
from provisioning.center.page.door import Page, Visitor
from provisioning.center.page.frame import Frame
from provisioning.center.report_room import report_shown
from provisioning.center.use_room import Gathered, csv_bytes, gather, json_bytes

EMPTIES = {
    "工作步骤": "没有给出进度表。请在 serve 时用 --milestones 指定；liuhen-center ledger sample 写出样本。",
    "工作登记": "没有登记。请在 serve 时用 --entries 指定工作登记。",
}
FORMATS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@dataclass(frozen=True)
class Download:
    """A table as a file; `disposition` is the value of that header (RFC 6266)."""

    content: bytes
    media_type: str
    disposition: str


@dataclass(frozen=True)
class UsePages:
    """Nobody's name stands in them; what names a party's pseudonym is downloaded under a look."""

    frame: Frame

    def reports(self, visitor: Visitor) -> str:
        """The six exports with their plots; a look."""
        self.frame.look(visitor, "", "reports")
        room = self.frame.cases()
        found = gather(room)
        counts, made = count(found.cases, room.now), tables(found.cases, room.now)
        shown = {**report_shown(room, found, counts, made), "download": "/reports/", "here": Page.REPORTS}
        return self.frame.page("served_use.html", "执法全过程记录运用", visitor, shown)

    def report(self, visitor: Visitor, name: str) -> Download:
        """One export as `NAME.csv` or `NAME.json`; a look."""
        self.frame.look(visitor, "", f"report {name}")
        room = self.frame.cases()
        made: tuple[UseTable, ...] = tables(gather(room).cases, room.now)
        return _download(name, {it.use.value: (it.columns, it.rows) for it in made})

    def ledger(self, visitor: Visitor) -> str:
        """How far each department is."""
        found, made = self._sheets()
        shown = {"troubles": found.troubles, "sheets": made, "looks": LOOKS, "empties": EMPTIES, "download": "/ledger/"}
        shown |= {"here": Page.LEDGER}
        return self.frame.page("served_ledger.html", "三项制度工作台账", visitor, shown)

    def sheet(self, visitor: Visitor, name: str) -> Download:  # noqa: ARG002 - every role may
        """One table of the ledger as `NAME.csv` or `NAME.json`."""
        return _download(name, {it.name: (it.columns, it.rows) for it in self._sheets()[1]})

    def _sheets(self) -> tuple[Gathered, tuple[Sheet, ...]]:
        room, shelves = self.frame.cases(), self.frame.shelves
        profile = parse_profile(read_entries(shelves.milestones)) if shelves.milestones else ()
        by_hand = parse_ledger(read_entries(shelves.entries)) if shelves.entries else ()
        found = gather(room)
        sources, odd = gathered(room, found.cases, by_hand, shelves.inventory)
        units = departments(sources)
        found = Gathered(found.cases, tuple(dict.fromkeys((*odd, *found.troubles))))
        return found, (*sheets(units, profile, day_of(room.now)), *custody_sheets(room.events))


def _download(name: str, there: dict[str, tuple]) -> Download:  # type: ignore[type-arg]
    stem, _, form = name.rpartition(".")
    if stem not in there or form not in FORMATS:
        raise OperatorFault("没有这张表。请从页面上的链接下载。")
    columns, rows = there[stem]
    content = csv_bytes(columns, rows) if form == "csv" else json_bytes(columns, rows)
    return Download(content, FORMATS[form], f"attachment; filename*=UTF-8''{quote(name)}")
