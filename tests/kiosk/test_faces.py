"""Whose photo stands beside a name: never another person's, never that of somebody who is not shown."""

import datetime as dt
import hashlib
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from agent.duty.windows import WindowState
from agent.wire.disclosures import Disclosure
from kiosk.asked import Asked
from kiosk.badge import badge_code
from kiosk.board import board, current_documents
from kiosk.faces import FACE_SIZE, PER_STRIP, strip_place
from kiosk.inquiries import item_page, lists_page
from kiosk.lists import TOPICS
from kiosk.publishing.photo import MAX_STRIP_BYTES, face_strip
from kiosk.scanned import scanned
from kiosk.switches import Switch
from kiosk.views import board_page, window_page
from tests.kiosk.bench import NOW, Bench, sample
from tests.kiosk.hall import Hall
from tests.kiosk.pictured import COLOURS, photo, pictured

(PEOPLE,) = (topic for topic in TOPICS if topic.path == "people")


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.fixture
def hall(bench: Bench, tmp_path: Path) -> Hall:
    return Hall(tmp_path, bench)


def with_photos(hall: Hall, document: Disclosure, *numbers: int) -> Disclosure:
    return pictured(document, hall.config.content, *numbers)


def sha256(colour: str) -> str:
    return hashlib.sha256(photo(colour)).hexdigest()


def names(hall: Hall) -> dict[str, str]:
    """Who is shown with which photo."""
    view = board(hall.feed.shelf, NOW, hall.display.site, hall.display.hall.switches)
    return {card.person: card.face.photo for card in view.cards if card.face is not None}


def entry_of(document: Disclosure, name: str) -> int:
    return next(number for number, entry in enumerate(document.entries, 1) if entry.get("姓名") == name)


def test_a_photo_stands_beside_the_person_of_its_own_entry(hall: Hall) -> None:
    windows = sample("window-board")
    two = entry_of(windows, "丁四")
    hall.put(sample("personnel-list"), with_photos(hall, windows, two))
    assert names(hall) == {"丁四": sha256(COLOURS[two])}
    page = hall.page(board_page)
    assert page.count('class="face"') == 1
    assert f'y="{-160 * (two - 1)}"' in page
    assert f"/content/{sha256(COLOURS[two])}" in hall.page(window_page, number=str(windows.entries[two - 1]["窗口"]))


def test_nobody_who_is_not_shown_has_a_photo_on_the_board(hall: Hall) -> None:
    windows = sample("window-board")
    everyone = range(1, min(len(windows.entries), 5) + 1)
    staff = sample("personnel-list")
    expired = replace(staff, entries=tuple({**entry, "证件有效期至": "2020-01-01"} for entry in staff.entries))
    hall.put(expired, with_photos(hall, windows, *everyone))
    view = board(hall.feed.shelf, NOW, hall.display.site)
    hidden = [card for card in view.cards if not card.person]
    assert hidden
    assert [card.face for card in hidden] == [None] * len(hidden)


def test_who_stands_in_is_never_shown_with_the_photo_of_whom_he_stands_in_for(hall: Hall) -> None:
    windows, staff = sample("window-board"), sample("personnel-list")
    number = entry_of(windows, "丁四")
    other = next(n for n, one in enumerate(staff.entries, 1) if one["姓名"] != "丁四")
    hall.put(staff, with_photos(hall, windows, number))
    cover = str(staff.entries[other - 1]["证件编号"])
    window = str(windows.entries[number - 1]["窗口"])
    since = NOW + dt.timedelta(minutes=1)
    hall.display.hall.staff.switches[window] = Switch(window, WindowState.COVERED, cover, cover, since)
    assert names(hall) == {}
    hall.put(with_photos(hall, replace(staff, version=2), other))
    assert names(hall).get(str(staff.entries[other - 1]["姓名"])) == sha256(COLOURS[other])


def test_the_lists_photo_stands_where_the_board_has_none_and_answers_who_is_licensed(hall: Hall) -> None:
    staff = sample("personnel-list")
    number = entry_of(staff, "丁四")
    hall.put(sample("window-board"), with_photos(hall, staff, number))
    assert names(hall)["丁四"] == sha256(COLOURS[number])
    page = lists_page(PEOPLE, hall.display, Asked(query={"q": "丁四"})).html
    assert f'<img class="photo" src="/content/{sha256(COLOURS[number])}" alt="丁四的照片">' in page
    assert page.count('class="face"') == 1
    assert page.count('<th scope="col">照片</th>') == 1


def test_a_list_without_photos_has_no_column_for_them(hall: Hall) -> None:
    hall.put(sample("personnel-list"))
    assert "照片" not in lists_page(PEOPLE, hall.display, Asked()).html


def test_a_scanned_badge_is_answered_with_the_signed_photo_to_compare(hall: Hall) -> None:
    windows = sample("window-board")
    number = entry_of(windows, "丁四")
    hall.put(sample("personnel-list"), with_photos(hall, windows, number))
    (shown,) = current_documents(list(hall.feed.shelf.shown.values()), NOW)[1:]
    code = badge_code(shown.document, shown.payload_digest, number)
    page = scanned(hall.display, Asked(query={"c": code})).html
    assert f"/content/{sha256(COLOURS[number])}" in page


def test_a_board_whose_photo_has_not_come_whole_is_not_taken_over(hall: Hall) -> None:
    windows = with_photos(hall, sample("window-board"), 1)
    (hall.config.content / sha256(COLOURS[1])).write_bytes(photo("white"))
    hall.put(windows)
    assert "window-board.hall-1" not in hall.feed.shelf.shown


def test_a_strip_holds_each_face_in_its_place_and_stays_small() -> None:
    assert strip_place(PER_STRIP, 70) == ("faces-1.jpg", PER_STRIP - 1, PER_STRIP)
    assert strip_place(PER_STRIP + 1, 70) == ("faces-2.jpg", 0, 6)
    with Image.open(io.BytesIO(face_strip({0: photo("red"), 2: photo("blue")}, 3))) as strip:
        assert strip.size == (FACE_SIZE[0], 3 * FACE_SIZE[1])
        red, white, blue = (strip.convert("RGB").getpixel((60, 160 * row + 80)) for row in range(3))
    assert isinstance(red, tuple)
    assert isinstance(white, tuple)
    assert isinstance(blue, tuple)
    assert red[0] > 200 > 50 > red[2]
    assert min(white) > 240
    assert blue[2] > 200 > 50 > blue[0]
    noisy = io.BytesIO()
    Image.effect_noise((480, 640), 90).convert("RGB").save(noisy, "JPEG")
    assert len(face_strip(dict.fromkeys(range(PER_STRIP), noisy.getvalue()), PER_STRIP)) <= 2 * MAX_STRIP_BYTES


def test_the_code_to_take_home_is_the_one_the_office_signed(hall: Hall) -> None:
    guide = sample("service-guide")
    name = str(guide.entries[0]["事项名称"])
    hall.put(guide)
    assert re.search(r'class="home"><h2>带回家</h2><svg', hall.page(item_page, name=name))
    code = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    hall.put(hall.attach(replace(guide, version=2), "qr-1.svg", "image/svg+xml", code))
    assert f'<img src="/content/{hashlib.sha256(code).hexdigest()}"' in hall.page(item_page, name=name)


def test_photos_of_a_list_that_has_ended_stand_beside_nobody(hall: Hall) -> None:
    people = replace(sample("personnel-list"), effective_until=NOW + dt.timedelta(hours=1))
    hall.put(sample("window-board"), with_photos(hall, people))
    assert 'class="face"' in hall.page(board_page)
    hall.clock.step(3600)
    hall.display.refresh()
    page = hall.page(board_page)
    assert "丁四" in page
    assert 'class="face"' not in page
