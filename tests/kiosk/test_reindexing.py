"""A corrected document that the search would not find: the next index lies there by itself, and only when it must."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.errors import OperatorFault
from agent.wire.disclosures import Disclosure, DisclosureKind
from kiosk.publishing.office import Stage
from kiosk.publishing.reindexing import renewed_indexes
from tests.kiosk.office_bench import OfficeBench, document_in, sample_of
from tests.support.commands import run_here

INDEX, SUBJECTS = "search-index.main", "subject-list.units"


@pytest.fixture
def office(tmp_path: Path) -> OfficeBench:
    """An office with a list of items and a released index of it."""
    office = OfficeBench(tmp_path)
    office.release(sample_of("item-list"))
    entry = {"公示文件": "item-list.items", "版本": "1", "条数": "3"}
    head = (office.office.place, "all", DisclosureKind.SEARCH_INDEX, "main", 1, "检索库", "星河区司法局", office.now)
    office.office.put(Disclosure(*head, office.now, None, None, (entry,)), {})
    sign_and_release(office)
    return office


def sign_and_release(office: OfficeBench) -> None:
    office.sign(INDEX)
    office.office.release(INDEX, office.now)


def versions(envelope: bytes) -> dict[str, str]:
    return {entry["公示文件"]: entry["版本"] for entry in document_in(envelope).entries}


def test_a_correction_and_a_withdrawal_are_followed_by_an_index_that_two_people_sign(
    office: OfficeBench,
) -> None:
    assert renewed_indexes(office.office, office.now) == []
    office.release(sample_of("item-list"))
    office.release(sample_of("subject-list"))
    office.withdraw(SUBJECTS, "示例撤回")
    [draft] = renewed_indexes(office.office, office.now)
    assert (draft.name, draft.document.version, draft.stage) == (INDEX, 2, Stage.DRAFTED)
    assert versions(office.released(INDEX)) == {"item-list.items": "1"}
    sign_and_release(office)
    assert versions(office.released(INDEX)) == {"item-list.items": "2"}
    assert renewed_indexes(office.office, office.now) == []


def test_an_office_without_an_index_is_given_none(tmp_path: Path) -> None:
    office = OfficeBench(tmp_path)
    office.release(sample_of("item-list"))
    assert renewed_indexes(office.office, office.now) == []


def test_an_index_of_one_hall_takes_the_place_of_no_other_and_loses_it_no_file(office: OfficeBench) -> None:
    """Bites when all have one id: the second one's release took the first one's files away from the centre."""
    board = sample_of("window-board")
    for hall in ("hall-1", "hall-2"):
        office.release({**board, "id": hall, "audience": hall})
        words = ("--audience", hall, "--publisher", "星河区司法局", "--office", office.folder)
        done = run_here("kiosk.publishing.cli", "index", *words)
        assert done.returncode == 0, done.stderr
        office.now = datetime.now(UTC)
        office.sign(f"search-index.{hall}")
        office.office.release(f"search-index.{hall}", office.now)
    offered = {path.name for path in (office.folder / "released/content").iterdir()}
    for hall in ("hall-1", "hall-2"):
        files = document_in(office.released(f"search-index.{hall}")).attachments
        assert {one.name for one in files} == {"search.sqlite", "font.woff2"}
        assert {one.sha256 for one in files} <= offered
        assert f"window-board.{hall}" in versions(office.released(f"search-index.{hall}"))
    office.release({**board, "id": "hall-2", "audience": "hall-2"})
    assert [one.name for one in renewed_indexes(office.office, office.now)] == ["search-index.hall-2"]


def test_what_the_office_makes_itself_does_not_change_its_audience_either(office: OfficeBench) -> None:
    index = replace(document_in(office.released(INDEX)), version=2, audience="hall-1")
    with pytest.raises(OperatorFault, match="范围一直是 all"):
        office.office.put(index, {})


def test_an_index_that_is_being_withdrawn_is_not_drafted_anew_over_the_withdrawal(office: OfficeBench) -> None:
    """Bites when a release goes on making the next one: somebody's reason to take it back is gone unseen."""
    office.office.withdraw(INDEX, "检索库有误", office.now)
    office.release(sample_of("item-list"))
    assert renewed_indexes(office.office, office.now) == []
    index = replace(document_in(office.released(INDEX)), version=3)
    with pytest.raises(OperatorFault, match="检索库有误"):
        office.office.put(index, {})
    [draft] = (office.folder / "drafts").glob("search-index.*")
    assert "检索库有误" in draft.read_text(encoding="utf-8")
