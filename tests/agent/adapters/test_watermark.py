"""The watermark in every picture: legible without a font, cut where it does not fit, right when one digit changes."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from agent.adapters.glyph_font import FontAlphabet, alphabet, font_file
from agent.adapters.lettering import BLACK, WHITE, BuiltInAlphabet
from agent.adapters.libav import H264Encoder, MediaInput, Mp4Writer
from agent.adapters.still_watch import FROZEN_S, StillWatch
from agent.adapters.watermark import Caption, Watermark, clock_line
from agent.wire.instant import TimeState
from tests.agent.evidence.bench import START

UNIT = "星河区综合行政执法局"
needs_font = pytest.mark.skipif(font_file() is None, reason="no Chinese font is installed")


@contextmanager
def opened(address: str, form: str = "") -> Iterator[MediaInput]:
    with closing(MediaInput(address, form, {}, 1.0)) as media:
        media.open()
        yield media


def picture(*marks: Watermark, width: int = 640, height: int = 96, at=START) -> bytes:
    luma = memoryview(bytearray(width * height))
    for mark in marks:
        mark.draw(luma, width, at)
    return bytes(luma)


def fitted(caption: Caption, letters=None, **options) -> Watermark:
    mark = Watermark(caption, letters=letters or BuiltInAlphabet(1), **options)
    mark.fit(480)
    return mark


def test_letters_are_white_on_black_and_the_synthetic_mark_needs_no_font():
    rows = BuiltInAlphabet(1).glyph("合")
    assert "".join("#" if dot == WHITE else "." for dot in rows[0]) == ".......##......."
    drawn = picture(fitted(Caption("REC-0001"), synthetic=True))
    assert drawn[:16] == rows[0]
    assert set(drawn) == {0, BLACK, WHITE}


def test_each_line_of_the_clock_says_how_far_it_may_be_believed():
    at = replace(START, state=TimeState.NTP, error_ms=40)
    assert clock_line(at, chinese=True).endswith(" 网络校时 ±40ms")
    assert clock_line(at, chinese=False).endswith(" NTP ±40ms")
    unset = replace(START, state=TimeState.UNSET, error_ms=None)
    assert clock_line(unset, chinese=True).endswith(" 时间未校准")
    assert clock_line(unset, chinese=False).isascii()


def test_clock_drawn_bit_by_bit_is_the_clock_drawn_anew():
    """Bites when a stretch that changed is laid at the wrong place, or not at all."""
    running = fitted(Caption("REC-0001", "", "110042"))
    for tenths in (0, 1, 9, 10, 11, 99, 100, 36_000, 864_000):
        at = replace(START, wall=START.wall + timedelta(milliseconds=100 * tenths))
        assert picture(running, at=at) == picture(fitted(Caption("REC-0001", "", "110042")), at=at)


def test_officer_who_signs_in_stands_in_the_next_picture():
    caption = Caption("REC-0001")
    mark = fitted(caption)
    before = picture(mark)
    caption.officer = "110042"
    assert picture(mark) != before
    assert picture(mark) == picture(fitted(Caption("REC-0001", "", "110042")))


@pytest.mark.parametrize("size", [(16, 16), (2, 200), (640, 17)])
def test_picture_too_small_for_the_words_gets_what_fits(size):
    mark = fitted(Caption("REC-0001", UNIT), synthetic=True)
    assert len(picture(mark, width=size[0], height=size[1])) == size[0] * size[1]


def test_without_a_font_the_capitals_stand_in_and_are_named(tmp_path: Path):
    torn = tmp_path / "torn.ttc"
    torn.write_bytes(b"no font at all")
    for fonts in ((), (tmp_path / "absent.ttf",), (torn,)):
        letters = alphabet(24, fonts)
        assert (letters.name, letters.chinese) == ("built-in", False)
    picture(fitted(Caption("REC-0001", UNIT), letters))


@needs_font
def test_chinese_is_drawn_in_every_size_and_no_two_characters_are_alike():
    for height in (16, 24, 36):
        letters = FontAlphabet(font_file(), height)
        glyphs = {letters.glyph(character) for character in UNIT}
        assert len(glyphs) == len(set(UNIT))
        assert {len(row) for glyph in glyphs for row in glyph} == {height}
        assert {len(row) for character in "REC-0001" for row in letters.glyph(character)} == {height // 2}
        assert all(max(map(max, glyph)) > 200 for glyph in glyphs)


def test_drawing_on_a_decoded_picture_does_not_reach_the_pictures_predicted_from_it(tmp_path: Path):
    """Bites when `ready` hands out the decoder's own picture."""
    encoder, film = H264Encoder(0, (320, 96), 10, 400, Fraction(10)), tmp_path / "film.mp4"
    with film.open("wb") as file, opened("testsrc2=size=320x96:rate=10,format=yuv420p", "lavfi") as media:
        writer = Mp4Writer([encoder.info], file, 500)
        for number, frame in zip(range(8), media.frames(pictures=True, sound=False), strict=False):
            for packet in encoder.encode(encoder.ready(frame), Fraction(number, 10), START):
                writer.write(packet, [encoder.info])
        writer.close()

    def last_row(*, drawn: bool) -> bytes:
        with opened(str(film)) as media:
            for frame in media.frames(pictures=True, sound=False):
                untouched = bytes(frame.planes[0])
                if drawn:
                    luma = memoryview(encoder.ready(frame, shared=media.shares_pictures).planes[0])
                    luma[:] = bytes(luma.nbytes)
        return untouched

    assert last_row(drawn=True) == last_row(drawn=False)


def test_still_picture_is_noticed_after_its_time_and_forgotten_with_the_first_change():
    watch, picture_a, picture_b = StillWatch(), memoryview(bytes(640)), memoryview(bytes([1]) * 640)
    found = [watch.look(picture_a, 40, Fraction(number, 10)) for number in range(80)]
    assert found.index(True) == int(FROZEN_S * 10)
    assert all(found[int(FROZEN_S * 10) :])
    assert not watch.look(picture_b, 40, Fraction(9))


@pytest.mark.skipif(font_file() is None, reason="no Chinese font is installed")
def test_a_font_that_goes_away_in_a_recording_leaves_boxes_and_ends_nothing(tmp_path):
    """Bites when a new officer's number cannot be drawn and the camera's thread dies of it."""
    copy = tmp_path / f"ours{font_file().suffix}"  # Pillow would look for a known name elsewhere
    copy.write_bytes(font_file().read_bytes())
    letters = FontAlphabet(copy, 24)
    letters.learn("110042")
    copy.unlink()
    letters.learn("局7")
    assert set(letters.glyph("局")) == {bytes([235]) * 24}
    assert set(letters.glyph("7")) == {bytes([235]) * 12}
    assert len(set(letters.glyph("4"))) > 1
