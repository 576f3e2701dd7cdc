"""Order D's figures of policies: how fast the rules answer, and how fast a department's long list is read."""

import csv
import itertools
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import openpyxl

from agent.duty.major_catalogue import MajorMatter
from agent.duty.policies import PolicyShelf
from agent.duty.requirements import PolicyEngine
from agent.duty.tables import import_table
from agent.wire.disclosures import ENTRY_FIELDS, DisclosureKind
from agent.wire.identifiers import District
from kiosk.publishing.drafting import compose
from kiosk.publishing.importing import Heading, split
from kiosk.publishing.table_files import read_rows
from tests.benchmarks.figures import Bench, Row
from tests.support.policies import NOW, UNIT, entries_of, policy

DECISIONS, TARGET_DECISIONS = 200_000, 50_000
ROWS, TARGET_S, RUNS = 5000, 1.0, 5
MATTERS = 1000
LIST = DisclosureKind.RECORDING_LIST


def policy_decisions(bench: Bench) -> list[Row]:
    """Decisions a second over a list of `MATTERS` matters: each with the catalogue's answer, half of them with an
    amount that is not known yet. The first answer for each matter is joined from its rows, further ones are
    remembered: both are told."""
    row = entries_of(LIST)[1]
    rows = [{**row, "序号": str(number), "执法事项": f"示例事项{number}"} for number in range(MATTERS)]
    others = (DisclosureKind.RECORDING_RULES, DisclosureKind.MAJOR_CATALOGUE)
    documents = [policy(LIST, entries=tuple(rows)), *(policy(kind) for kind in others)]
    engine = PolicyEngine(PolicyShelf(UNIT, documents).in_force(NOW))
    amounts = (None, 60_000)
    asked = [
        (one["执法事项"], MajorMatter("行政处罚", "区级", "市容", amounts[n % 2], "一般")) for n, one in enumerate(rows)
    ]
    bench.tell("first answers")
    first = MATTERS / _took(lambda: [engine.decide(*each) for each in asked])
    count = DECISIONS // 10 if bench.quick else DECISIONS
    bench.tell(f"{count} decisions")
    rates = [count / _took(lambda: _all(engine, asked, count)) for _ in range(RUNS)]
    rate = statistics.median(rates)
    note = f"{MATTERS} matters, six rows of the catalogue; first answers {first:,.0f}/s, "
    note += f"slowest of {RUNS} runs {min(rates):,.0f}/s"
    met = min(rates) >= TARGET_DECISIONS
    return [Row("policy decisions", f"{rate:,.0f} /s", f">= {TARGET_DECISIONS:,} /s", met, note=note)]


def list_import(bench: Bench) -> list[Row]:
    """A list of `ROWS` rows from file to checked drafts: read, every row and column checked, split into documents, each
    composed as the office stores it. CSV has the target; XLSX beside it."""
    names = ENTRY_FIELDS[LIST]
    row = {**entries_of(LIST)[1], "记录内容": "表明身份、出示证件；告知权利义务；询问；陈述申辩；清点登记"}
    matters = ({**row, "序号": str(number), "执法事项": f"示例事项{number}"} for number in range(1, ROWS + 1))
    table = [names, *(tuple(matter[name] for name in names) for matter in matters)]
    text, sheet = bench.folder / "list.csv", bench.folder / "list.xlsx"
    with text.open("w", encoding="gb18030", newline="") as file:
        csv.writer(file).writerows(table)
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet()
    for cells in table:
        page.append(cells)
    book.save(sheet)
    return [_imported(bench, "CSV in GBK", text, TARGET_S), _imported(bench, "XLSX", sheet, None)]


def _imported(bench: Bench, name: str, path: Path, target: float | None) -> Row:
    bench.tell(name)
    walls, cores = [], []
    for _ in range(RUNS):
        begin = time.process_time()
        walls.append(_took(lambda: _drafts(path)))
        cores.append(time.process_time() - begin)
    median = statistics.median(walls)
    note = f"to checked drafts; {statistics.median(cores):.2f} s of processor, worst of {RUNS} {max(walls):.2f} s"
    met = None if target is None else median <= target
    return Row(
        f"list of {ROWS} rows, {name}", f"{median:.2f} s", "" if target is None else f"<= {target:g} s", met, note=note
    )


def _drafts(path: Path) -> None:
    found = import_table(LIST, read_rows(path))
    assert (found.problems, len(found.entries)) == ((), ROWS)
    for source in split(Heading(LIST, "main", "清单", "duty", UNIT), found.entries):
        compose(source, district=District("xinghe"), now=datetime(2026, 11, 22, tzinfo=UTC), latest=None)


def _all(engine: PolicyEngine, asked: list[tuple[str, MajorMatter]], count: int) -> None:
    for matter, about in itertools.islice(itertools.cycle(asked), count):
        engine.decide(matter, about)


def _took(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


FIGURES: dict[str, Callable[[Bench], list[Row]]] = {"policy_decisions": policy_decisions, "list_import": list_import}
