"""（一）2 公开行政执法事项清单: items, random inspections, flow charts and guides, filed with the legal office."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from agent.duty.public_shapes import PUBLIC_SHAPES
from agent.duty.tables import TableRow, import_table
from agent.wire.disclosures import ENTRY_FIELDS, DisclosureKind, parse_disclosure
from kiosk.publishing.due import Task, due_of_released
from kiosk.publishing.importing import Heading, audience_of, split
from tests.kiosk.office_bench import OfficeBench, document_in, sample_of
from tests.support.commands import run_here

FOUR = ("item-list", "random-inspection-list", "flow-chart", "service-guide")


@pytest.mark.parametrize("name", FOUR)
def test_clause_1_2_every_list_is_published_with_the_plans_fields_and_what_a_screen_needs(
    name: str, tmp_path: Path
) -> None:
    office = OfficeBench(tmp_path)
    source = sample_of(name)
    held = office.release(source)
    document = document_in(office.released(held.name))
    assert all(set(ENTRY_FIELDS[document.kind]) <= set(entry) for entry in document.entries)
    kinds = {one.name.partition("-")[0] for one in document.attachments}
    assert kinds >= {"flow-chart": {"flow"}, "service-guide": {"qr"}}.get(name, set())


def test_clause_1_2_a_list_that_is_not_filed_is_due_until_its_number_is_published_with_it(tmp_path: Path) -> None:
    office = OfficeBench(tmp_path)
    office.release(sample_of("item-list"))
    document = document_in(office.released("item-list.items"))
    assert [one.task for one in due_of_released(document, office.office.rules())] == [Task.FILE]
    filing = {"number": "星法备〔示例〕1 号", "authority": "星河区司法局", "day": "2026-11-20"}
    office.release({**sample_of("item-list"), "filing": filing})
    filed = document_in(office.released("item-list.items"))
    assert filed.filing is not None
    assert filed.filing.number == filing["number"]
    assert list(due_of_released(filed, office.office.rules())) == []
    assert parse_disclosure(filed.encode()) == filed


def table_of(kind: DisclosureKind, entry: dict[str, Any]) -> list[TableRow]:
    head = tuple(entry)
    cells = tuple("\n".join(value) if isinstance(value, list) else value for value in entry.values())
    return [TableRow(1, head), TableRow(2, cells)]


SAMPLES = ("window-board", *FOUR, "subject-list", "personnel-list", "results", "random-inspection-results", "notice")


@pytest.mark.parametrize("name", SAMPLES)
def test_clause_1_2_every_kind_comes_as_a_table_and_says_the_same_as_its_file(name: str) -> None:
    kind = DisclosureKind(name)
    for entry in sample_of(name)["entries"]:
        found = import_table(kind, table_of(kind, entry))
        assert found.problems == ()
        (row,) = found.entries
        assert flat(row) == flat(entry)


def flat(value: Any) -> Any:
    """A cell's list of one is its text."""
    if isinstance(value, dict):
        return {name: flat(inner) for name, inner in value.items()}
    joined = value if isinstance(value, str) else "\n".join(value)
    return [part.strip("。，, ") for part in joined.replace("；", "\n").replace("、", "\n").splitlines()]


@pytest.mark.parametrize("name", SAMPLES)
def test_clause_1_2_a_hole_in_a_table_is_told_with_its_line_for_every_kind(name: str) -> None:
    kind = DisclosureKind(name)
    needed = [field for field in ENTRY_FIELDS[kind] if field not in PUBLIC_SHAPES[kind].carried]
    entry = {**sample_of(name)["entries"][0], needed[-1]: ""}
    told = import_table(kind, table_of(kind, entry)).problems
    assert any(line.startswith("第 2 行") for line in told)


def test_clause_1_2_from_a_sheet_of_the_office_to_a_draft_for_every_hall(tmp_path: Path) -> None:
    office = OfficeBench(tmp_path)
    entries = sample_of("item-list")["entries"]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(entries[0])
    writer.writerows([entry.values() for entry in entries])
    (tmp_path / "清单.csv").write_bytes(text.getvalue().encode("gbk"))
    words = ("--kind", "item-list", "--publisher", "星河区司法局", "--office", office.folder, "--json")
    done = run_here("kiosk.publishing.cli", "import", tmp_path / "清单.csv", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["audience"] == "all"
    heading = Heading(DisclosureKind.ITEM_LIST, "x", "x", audience_of(DisclosureKind.ITEM_LIST), "x")
    assert json.loads(split(heading, entries)[0])["entries"] == entries
