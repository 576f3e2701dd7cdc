"""What the ledger holds departments to: lists of the district count for whom they name, a corrected list moves no day,
whoever publishes about others is no department, accepted devices come from the inventory."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.duty.readiness import met, parse_profile, standings
from agent.errors import OperatorFault
from agent.wire.disclosures import Disclosure, DisclosureKind
from agent.wire.identifiers import District
from provisioning.center.ledger_files import first_days, read_accepted
from provisioning.center.ledger_page import sheets
from provisioning.center.ledger_room import Sources, departments
from provisioning.center.use_room import csv_bytes

UNIT, OFFICE = "星河区综合行政执法局", "星河区政府法制办公室"
NOW = datetime(2026, 12, 25, tzinfo=UTC)


def document(
    kind: DisclosureKind, day: int, version: int = 1, publisher: str = UNIT, *entries: Mapping[str, Any]
) -> Disclosure:
    at = datetime(2026, 11, day, tzinfo=UTC)
    return Disclosure(District("xinghe"), "all", kind, "list", version, "清单", publisher, at, at, None, None, entries)


OFFICERS = tuple(
    {"姓名": "示例", "单位": UNIT, "职务": "科员", "证件编号": f"示例-00000{number}", "执法类别": ["行政检查"],
     "执法区域": ["星河区"], "证件有效期至": "2027-12-31", "年度审验": "合格", "审验年度": "2026"}
    for number in (1, 2)
)  # fmt: skip
PEOPLE = document(DisclosureKind.PERSONNEL_LIST, 5, 1, OFFICE, *OFFICERS)
SUBJECTS = document(DisclosureKind.SUBJECT_LIST, 5, 1, OFFICE, {"执法主体机构名称": UNIT})


def test_what_the_legal_office_publishes_counts_for_whom_it_names_and_makes_the_office_no_department() -> None:
    (unit,) = departments(Sources([PEOPLE, SUBJECTS], (), (), NOW))
    assert unit.unit == UNIT
    assert [met(f"公布:{kind}", unit, NOW.date()) for kind in ("personnel-list", "subject-list")] == [
        date(2026, 11, 5)
    ] * 2


def test_a_corrected_list_does_not_judge_its_term_again(tmp_path: Path) -> None:
    """The centre's folder holds the newest version alone; the day of the first is remembered."""
    profile = parse_profile([{"阶段": "一", "期限": "2026-11-10", "事项": "清单", "条件": ["公布:recording-list"]}])
    memory = tmp_path / "cases" / "days.json"
    first, second = document(DisclosureKind.RECORDING_LIST, 5), document(DisclosureKind.RECORDING_LIST, 20, 2)
    for held in (first, second):
        (unit,) = departments(Sources([held], (), (), NOW, first_days(memory, [held])))
        (standing,) = standings(profile, unit, NOW.date())
        assert (standing.progress.value, standing.reached) == ("按期完成", date(2026, 11, 5))
    memory.write_bytes(b"{")
    assert first_days(memory, [second])["all.recording-list.list"] == date(2026, 11, 20)


def test_devices_accepted_and_officers_enrolled_come_from_the_inventory_and_the_devices(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.json"
    line = {"device": "REC-0001", "unit": UNIT, "state": "assigned", "checked_at": "2026-11-11T02:00:00.000Z"}
    planned = {**line, "device": "REC-0002", "state": "planned", "checked_at": None}
    inventory.write_text(json.dumps({"devices": [line, planned]}), encoding="utf-8")
    accepted = read_accepted(inventory)
    enrolled = frozenset({"示例-000001", "示例-000099"})
    units = departments(Sources([PEOPLE], (), (), NOW, enrolled=enrolled, accepted=accepted))
    (row,) = next(sheet.rows for sheet in sheets(units, (), NOW.date()) if sheet.name == "就绪情况")
    assert (row["已验收设备"], row["在册人员"], row["设备已登记人员"]) == ("REC-0001", 2, 1)
    units = departments(Sources([PEOPLE], (), (), NOW))
    (row,) = next(sheet.rows for sheet in sheets(units, (), NOW.date()) if sheet.name == "就绪情况")
    assert row["已验收设备"] == "未给出设备台账"
    for rubbish in ("[]", "{", '{"devices": [{"state": "accepted", "checked_at": "x"}]}'):
        inventory.write_text(rubbish, encoding="utf-8")
        with pytest.raises(OperatorFault, match="inventory --json"):
            read_accepted(inventory)


@pytest.mark.parametrize("cell", ["=1+1", "＝1+1", "＠SUM(A1)", "＋1", "－1", "@x", "\n=1", "\t=1"])
def test_a_cell_that_a_table_program_would_run_is_written_as_text(cell: str) -> None:
    assert f"'{cell}" in csv_bytes(("列",), [{"列": cell}]).decode("utf-8-sig")
