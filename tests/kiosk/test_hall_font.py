"""A screen on a computer without Chinese letters: the office's signed font spells its pages, and no other font does."""

import hashlib
import io
import os
import re
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from playwright.sync_api import sync_playwright

from agent import durable
from agent.wire.content import FONT, WOFF2, attach
from agent.wire.disclosures import Disclosure, DisclosureKind
from kiosk.forms import complain_page
from kiosk.inquiries import proof_page, search_page
from kiosk.publishing.font_subset import FONTS, cut_font
from kiosk.publishing.show_out import index_document
from kiosk.publishing.snapshot import Hall as Place
from kiosk.publishing.snapshot import Shelves, lay_out, static_pages
from kiosk.views import board_page
from tests.kiosk.bench import HALL, NOW, XINGHE, Bench, sample
from tests.kiosk.hall import Hall
from tests.kiosk.running import RunningKiosk, until
from tests.kiosk.test_screen import ARGUMENTS, CHROMIUM

BOARD, INDEX = "window-board.hall-1", "search-index.main"
LATIN_ONLY = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>"""


def spelled_by(font: bytes) -> Disclosure:
    entry = {"公示文件": BOARD, "版本": "1", "条数": "8"}
    kind = DisclosureKind.SEARCH_INDEX
    index = replace(sample("notice"), kind=kind, disclosure_id="main", title="检索", entries=(entry,))
    return replace(index, attachments=(attach(FONT, font),))


def test_a_page_names_the_font_of_a_document_in_force_and_of_none_that_ended(tmp_path: Path) -> None:
    hall = Hall(tmp_path, Bench())
    assert "/content/" not in hall.page(board_page)
    index = replace(spelled_by(b"a font"), effective_until=NOW + timedelta(hours=1))
    durable.make_directory(hall.config.content)
    (hall.config.content / index.attachments[0].sha256).write_bytes(b"a font")
    hall.put(index)
    assert f'href="/content/{index.attachments[0].sha256}.css"' in hall.page(board_page)
    hall.clock.step(3600)
    assert "/content/" not in hall.page(board_page)


def test_no_address_but_that_of_the_signed_font_becomes_a_font(tmp_path: Path) -> None:
    bench, font = Bench(), b"a font"
    sha256 = hashlib.sha256(font).hexdigest()
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        durable.write_bytes(durable.make_directory(tmp_path / "state/content") / sha256, font)
        assert kiosk.get(f"content/{sha256}.css")[0] == 404
        kiosk.put(INDEX, bench.sealed(spelled_by(font)))
        until(lambda: kiosk.get(f"content/{sha256}.css")[0] == 200)
        assert f'url("{sha256}")' in kiosk.page(f"content/{sha256}.css")
        assert kiosk.get(f"content/{sha256}")[1]["content-type"] == WOFF2
        for other in ("0" * 64, "x)}body{display:none"):
            assert kiosk.get(f"content/{other}.css")[0] == 404


needs_font = pytest.mark.skipif(not any(it.is_file() for it, _ in FONTS), reason="fonts-noto-cjk is not installed")


@needs_font
def test_the_offices_font_has_every_letter_of_the_pages_and_of_what_is_published(tmp_path: Path) -> None:
    documents = [sample(name) for name in ("window-board", "personnel-list")]
    index, contents = index_document(documents, 1, "星河区司法局", "all", XINGHE, NOW)
    font = next(one for one in index.attachments if one.name == FONT)
    hall = Hall(tmp_path, Bench())
    hall.put(*documents)
    pages = [hall.page(view) for view in (board_page, proof_page, search_page, complain_page)]
    needed = set(re.findall(r"[\u4e00-\u9fff]", "".join(pages) + "年月日星期一二三四五六"))
    with TTFont(io.BytesIO(contents[font.sha256])) as letters:
        assert needed <= {chr(code) for code in letters.getBestCmap()}


@pytest.mark.xdist_group("screen")
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@needs_font
def test_a_computer_without_chinese_letters_spells_a_board_by_the_signed_font(tmp_path: Path) -> None:
    """Bites when the pages do not use it: every name is then a row of empty boxes. A computer with letters of its own
    fetches nothing."""
    bench, latin = Bench(), tmp_path / "fonts"
    latin.mkdir()
    shutil.copy("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", latin)
    config = tmp_path / "fonts.conf"
    config.write_text(LATIN_ONLY.format(fonts=latin, cache=tmp_path / "cache"))
    font = cut_font([sample("window-board").encode().decode()])
    sha256 = hashlib.sha256(font).hexdigest()
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk, sync_playwright() as play:
        durable.write_bytes(durable.make_directory(tmp_path / "state/content") / sha256, font)
        kiosk.put(BOARD, bench.sealed(sample("window-board")))
        kiosk.put(INDEX, bench.sealed(spelled_by(font)))
        until(lambda: "丁四" in kiosk.page() and sha256 in kiosk.page())
        bare = {**os.environ, "FONTCONFIG_FILE": str(config)}
        for environment, status in ((bare, "loaded"), ({**os.environ}, "unloaded")):
            browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, env=environment)
            page = browser.new_page()
            page.goto(kiosk.url)
            page.evaluate("document.fonts.ready")
            found = page.evaluate("[...document.fonts].map(font => [font.family, font.status])")
            assert found == [["Liuhen Hall", status]]
            browser.close()


def test_a_website_and_a_preview_bring_the_font_that_their_pages_name(tmp_path: Path) -> None:
    bench, font = Bench(), b"a font"
    bench.office_folder(tmp_path)
    index = spelled_by(font)
    sha256 = index.attachments[0].sha256
    root, trust = (tmp_path / "root.pem").read_bytes(), (tmp_path / "trust.dsse").read_bytes()
    shelves = Shelves(root, trust, {INDEX: bench.sealed(index)}, {sha256: font})
    files = static_pages(lay_out(tmp_path / "kiosk", Place("xinghe", HALL, "大厅", "0000"), shelves))
    assert f'href="content/{sha256}.css"' in files["board.html"].decode()
    assert f'url("{sha256}")' in files[f"content/{sha256}.css"].decode()
    assert files[f"content/{sha256}"] == font
