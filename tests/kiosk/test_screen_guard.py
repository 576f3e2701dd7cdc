"""The screen's guard: what starts the browser again, and what does not; the stamp read from pixels."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from kiosk.browser import chosen, command, policy
from kiosk.screen_guard import Limits, Seen, night_of, pause_s, restart_reason
from kiosk.stamp import MODULE_PX, QUIET, Picture, picture_from_ppm, shows_stamp, stamp_rows, stamp_text
from tests.kiosk.bench import NOW

LIMITS = Limits(memory=900)
WELL = Seen(running_s=100, painted_s=2.0, unmatched_s=0.0, memory=500)
TONIGHT = night_of(NOW)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, None),
        ({"alive": False}, "exited"),
        ({"memory": 901}, "memory"),
        ({"painted_s": 9.5}, "not-painting"),
        ({"painted_s": None, "running_s": 29}, None),
        ({"painted_s": None, "running_s": 31}, "never-painted"),
        ({"unmatched_s": 6.5}, "foreign-surface"),
    ],
)
def test_what_starts_the_browser_again(changed: dict[str, float], reason: str | None) -> None:
    assert restart_reason(replace(WELL, **changed), LIMITS, NOW, TONIGHT) == reason  # type: ignore[arg-type]


def test_once_a_night_and_only_once() -> None:
    before = dt.datetime(2026, 11, 22, 19, 29, tzinfo=dt.UTC)  # 03:29 in Beijing
    started = night_of(before)
    assert restart_reason(WELL, LIMITS, before, started) is None
    after = before + dt.timedelta(minutes=2)
    assert restart_reason(WELL, LIMITS, after, started) == "nightly"
    assert restart_reason(WELL, LIMITS, after, night_of(after)) is None


def test_a_browser_that_never_starts_is_not_started_in_a_storm() -> None:
    assert [pause_s(failures) for failures in (0, 1, 4, 99)] == [0.0, 2.0, 30.0, 30.0]


def drawn(text: str, left: int = 40, top: int = 10, size: tuple[int, int] = (160, 110)) -> Picture:
    image = Image.new("RGB", size, "#0b3f86")
    draw = ImageDraw.Draw(image)
    rows = stamp_rows(text)
    side = (len(rows) + 2 * QUIET) * MODULE_PX
    draw.rectangle((left, top, left + side - 1, top + side - 1), fill="white")
    for y, row in enumerate(rows):
        for x, dark in enumerate(row):
            if dark:
                at = (left + (x + QUIET) * MODULE_PX, top + (y + QUIET) * MODULE_PX)
                draw.rectangle((*at, at[0] + MODULE_PX - 1, at[1] + MODULE_PX - 1), fill="black")
    return Picture(*size, image.convert("L").tobytes())


def test_the_stamp_is_read_wherever_it_has_wandered_and_no_other_is() -> None:
    text, other = stamp_text("KSK-0001", "page"), stamp_text("KSK-0001", "page of before")
    for left, top in ((0, 0), (40, 10), (44, 14), (70, 20)):
        assert shows_stamp(drawn(text, left, top), text)
        assert not shows_stamp(drawn(other, left, top), text)


def test_a_black_white_or_foreign_screen_shows_no_stamp() -> None:
    text = stamp_text("KSK-0001", "page")
    for shade in (0, 255):
        assert not shows_stamp(Picture(160, 110, bytes([shade]) * 17600), text)
    assert not shows_stamp(Picture(160, 110, bytes(n * 37 % 256 for n in range(17600))), text)


def test_a_stamp_half_covered_by_a_bubble_is_not_shown() -> None:
    text = stamp_text("KSK-0001", "page")
    picture = drawn(text, 40, 10)
    covered = Picture(160, 110, b"\x20" * (160 * 45) + picture.grey[160 * 45 :])
    assert not shows_stamp(covered, text)


def test_a_cut_or_foreign_picture_is_an_error_and_no_answer() -> None:
    for data in (b"", b"P6 2 2 255\n123", b"\x89PNG", b"P6 1 1 65535\n123456"):
        with pytest.raises(ValueError):
            picture_from_ppm(data)
    assert picture_from_ppm(b"P6 1 1 255\n\x01\x02\x03") == Picture(1, 1, b"\x02")


def test_the_browser_fits_the_machine_and_the_policy_lets_nothing_but_our_pages() -> None:
    assert chosen("auto", 512 * 2**20) == "cog"
    assert chosen("auto", 4 * 2**30) == "chromium"
    assert chosen("cog", 4 * 2**30) == "cog"
    line = command("chromium", "http://127.0.0.1:8480/", Path("/run/p"))
    assert "--kiosk" in line
    assert not any("remote-debugging" in word for word in line)
    assert b'"URLBlocklist": [\n  "*"\n ]' in policy("http://127.0.0.1:8480/", Path("/run/p/away.html"))
