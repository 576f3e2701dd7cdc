"""（一）7 规范办事人员信息公示: the screen, and 胸牌 and 公示牌 from its signed data, with a code that it checks."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.chinese_pdf import FONTS
from agent.errors import SenderFault
from kiosk.badge import badge_code, check_badge, is_badge
from kiosk.badge_view import badge_view
from kiosk.publishing.badge_pdf import Form, write_badges
from kiosk.publishing.office import Holding, places_of
from kiosk.publishing.show_out import badge_cards, shown_to
from kiosk.shelf import Shelf, restock
from kiosk.views import window_page
from tests.kiosk.bench import HALL, XINGHE, Bench, sample
from tests.kiosk.hall import Hall
from tests.kiosk.office_bench import OfficeBench, sample_of

BOARD = "window-board.hall-1"


@pytest.fixture
def office(tmp_path: Path) -> OfficeBench:
    bench = OfficeBench(tmp_path)
    bench.release(sample_of("personnel-list"))
    bench.release(sample_of("window-board"))
    return bench


def held(office: OfficeBench) -> list[Holding]:
    return shown_to([one for one in office.office.show() if isinstance(one, Holding)], HALL)


def shelf_of(office: OfficeBench) -> Shelf:
    files = {BOARD: office.released(BOARD)}
    return restock(Shelf(), files, trust=office.bench.trust(), now=office.now, district=XINGHE, audience=HALL)


def test_clause_1_7_a_badge_says_unit_name_post_kinds_and_items_as_the_signed_board_does(office: OfficeBench) -> None:
    cards, left_out = badge_cards(places_of(office.folder), held(office), office.now)
    entries = sample_of("window-board")["entries"]
    assert {(card.name, card.unit, card.post) for card in cards} <= {(e["姓名"], e["单位"], e["职务"]) for e in entries}
    assert all({"执法种类", "服务事项"} <= {name for name, _ in card.lines} for card in cards)
    assert len(cards) + len(left_out) == len(entries)


def test_clause_1_7_nobody_without_a_valid_certificate_gets_one_as_an_officer(office: OfficeBench) -> None:
    people = sample_of("personnel-list")
    people["entries"] = [{**entry, "证件有效期至": "2026-01-01"} for entry in people["entries"]]
    office.release(people)
    cards, _ = badge_cards(places_of(office.folder), held(office), office.now)
    assert all(card.standing != "执法人员" and "证件编号" not in dict(card.lines) for card in cards)


@pytest.mark.skipif(not any(path.is_file() for path, _ in FONTS), reason="fonts-wqy-microhei is not installed")
@pytest.mark.parametrize("form", Form)
def test_clause_1_7_the_same_board_prints_the_same_pdf(office: OfficeBench, form: Form) -> None:
    cards, _ = badge_cards(places_of(office.folder), held(office), office.now)
    printed = write_badges(cards, form, office.now)
    assert printed.startswith(b"%PDF-")
    assert printed == write_badges(cards, form, office.now)


def test_clause_1_7_a_screen_answers_the_code_and_no_forged_or_outdated_one(office: OfficeBench) -> None:
    shelf, (card, *_) = shelf_of(office), badge_cards(places_of(office.folder), held(office), office.now)[0]
    assert is_badge(card.code)
    badge = check_badge(card.code, shelf)
    assert badge.document.entries[badge.number - 1]["姓名"] == card.name
    shown = shelf.shown[BOARD]
    wrong = [
        badge_code(replace(shown.document, version=9), shown.payload_digest, 1),
        badge_code(shown.document, "0" * 64, 1), badge_code(shown.document, shown.payload_digest, 999), "LB1|x",
        card.code.replace("hall-1", "hall-2"),
    ]  # fmt: skip
    for code in wrong:
        with pytest.raises(SenderFault):
            check_badge(code, shelf)
    office.release(sample_of("window-board-correction"))
    with pytest.raises(SenderFault, match="现行为第 2 版"):
        check_badge(card.code, shelf_of(office))
    office.withdraw(BOARD, "窗口撤销")
    with pytest.raises(SenderFault, match="没有此牌所依据的窗口公示"):
        check_badge(card.code, shelf_of(office))


def test_clause_1_7_the_page_of_a_scanned_badge_names_its_bearer_but_not_from_a_board_out_of_force(
    office: OfficeBench,
) -> None:
    shelf, (card, *_) = shelf_of(office), badge_cards(places_of(office.folder), held(office), office.now)[0]
    view = badge_view(card.code, shelf, office.now)
    assert dict(view.fields)["姓名"] == card.name
    assert "证件编号" not in dict(view.fields)
    assert [banner.tone for banner in view.banners] == ["info"]
    shown = shelf.shown[BOARD]
    ended = replace(shown, document=replace(shown.document, effective_until=office.now))
    over = badge_view(card.code, replace(shelf, shown={BOARD: ended}), office.now)
    assert (over.fields, "已到期" in over.banners[0].text) == ((), True)
    forged = badge_view(badge_code(shown.document, "0" * 64, 1), shelf, office.now)
    assert (forged.fields, [banner.tone for banner in forged.banners]) == ((), ["stop"])


def test_clause_1_7_the_page_of_a_scanned_badge_vouches_for_nobody_whom_the_board_may_not_show_today(
    office: OfficeBench,
) -> None:
    cards, _ = badge_cards(places_of(office.folder), held(office), office.now)
    card = next(one for one in cards if one.standing == "执法人员")
    people = sample_of("personnel-list")
    people["entries"] = [{**it, "年度审验": "不合格"} if it["姓名"] == card.name else it for it in people["entries"]]
    office.release(people)
    files = {name: office.released(name) for name in (BOARD, "personnel-list.staff")}
    shelf = restock(Shelf(), files, trust=office.bench.trust(), now=office.now, district=XINGHE, audience=HALL)
    view = badge_view(card.code, shelf, office.now)
    assert (view.fields, view.face, [banner.tone for banner in view.banners]) == ((), None, ["stop"])
    assert "年度审验" in view.banners[0].text


def test_clause_1_7_a_board_or_a_list_past_its_end_gives_no_badge(office: OfficeBench) -> None:
    office.release({**sample_of("window-board"), "effective_until": "2026-12-01"})
    office.release({**sample_of("personnel-list"), "effective_until": "2026-11-30"})
    places, later = places_of(office.folder), office.now + timedelta(days=8)  # the list is over, the board is not
    cards, _ = badge_cards(places, held(office), later)
    assert not [card for card in cards if card.standing == "执法人员"]
    assert badge_cards(places, held(office), office.now + timedelta(days=30)) == ([], [])


def test_clause_1_7_the_screen_of_the_hall_says_of_every_window_what_a_sign_would(tmp_path: Path) -> None:
    hall = Hall(tmp_path, Bench())
    hall.put(sample("window-board"), sample("personnel-list"))
    shown = 0
    for entry in sample("window-board").entries:
        page = hall.page(window_page, number=entry["窗口"])
        assert all(text in page for text in (entry["单位"], entry["窗口职责"], *entry["服务事项"]))
        if f"<b>{entry['姓名']}</b>" in page:
            assert entry["职务"] in page
            assert all(kind in page for kind in entry["执法种类"] if kind != "无")
            shown += 1
    assert shown >= 6
