"""（一）3 公开行政执法主体资格清单: nine fields and those of 委托执法, shown after the reviewer has signed."""

from pathlib import Path

import pytest

from agent.errors import OperatorFault
from agent.wire.disclosures import ENTRY_FIELDS, DisclosureKind
from agent.wire.trust import Role
from kiosk.shelf import Shelf, restock
from tests.kiosk.bench import HALL, XINGHE
from tests.kiosk.office_bench import OfficeBench, document_in, sample_of

NAME = "subject-list.units"
NINE = (
    "执法主体机构名称", "机构性质", "经费来源", "队伍编制状况", "主体类别", "执法职责和权限", "法定代表人",
    "单位地址", "投诉举报电话",
)  # fmt: skip


def test_clause_1_3_the_nine_fields_and_the_entrusted_organisation_are_published(tmp_path: Path) -> None:
    office = OfficeBench(tmp_path)
    office.release(sample_of("subject-list"))
    document = document_in(office.released(NAME))
    assert ENTRY_FIELDS[DisclosureKind.SUBJECT_LIST][:9] == NINE
    assert {"受委托组织基本信息", "委托执法协议"} <= set(document.entries[0])


@pytest.mark.parametrize("field", ENTRY_FIELDS[DisclosureKind.SUBJECT_LIST])
def test_clause_1_3_a_subject_without_one_of_them_is_not_drafted(field: str, tmp_path: Path) -> None:
    source = sample_of("subject-list")
    source["entries"][0].pop(field)
    with pytest.raises(OperatorFault, match=field):
        OfficeBench(tmp_path).draft(source)


def test_clause_1_3_what_the_reviewer_has_not_signed_is_shown_by_no_screen(tmp_path: Path) -> None:
    office = OfficeBench(tmp_path)
    name = office.draft(sample_of("subject-list")).name
    office.office.sign(name, office.bench.editor.signer, Role.EDITOR, office.now)
    half = (office.folder / f"signed/{name}.dsse").read_bytes()
    with pytest.raises(OperatorFault, match="两个签名"):
        office.office.release(name, office.now)
    shelf = restock(Shelf(), {name: half}, trust=office.bench.trust(), now=office.now, district=XINGHE, audience=HALL)
    assert shelf.shown == {}
    office.office.sign(name, office.bench.reviewer.signer, Role.REVIEWER, office.now)
    office.office.release(name, office.now)
    whole = {name: office.released(name)}
    shelf = restock(Shelf(), whole, trust=office.bench.trust(), now=office.now, district=XINGHE, audience=HALL)
    assert [one.name for one in shelf.shown.values()] == [name]
