"""A corrected document that the search would not find: the next index lies there by itself, and only when it must."""

from pathlib import Path

import pytest

from agent.wire.disclosures import Disclosure, DisclosureKind
from kiosk.publishing.office import Stage
from kiosk.publishing.reindexing import renewed_index
from tests.kiosk.office_bench import OfficeBench, document_in, sample_of

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
    assert renewed_index(office.office, office.now) is None
    office.release(sample_of("item-list"))
    office.release(sample_of("subject-list"))
    office.withdraw(SUBJECTS, "示例撤回")
    draft = renewed_index(office.office, office.now)
    assert draft is not None
    assert (draft.name, draft.document.version, draft.stage) == (INDEX, 2, Stage.DRAFTED)
    assert versions(office.released(INDEX)) == {"item-list.items": "1"}
    sign_and_release(office)
    assert versions(office.released(INDEX)) == {"item-list.items": "2"}
    assert renewed_index(office.office, office.now) is None


def test_an_office_without_an_index_is_given_none(tmp_path: Path) -> None:
    office = OfficeBench(tmp_path)
    office.release(sample_of("item-list"))
    assert renewed_index(office.office, office.now) is None
