"""The printed report: whole in itself, safe to open, honest about what it could not show."""

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from agent.adapters.thumbnails import thumbnails
from agent.evidence import journal
from agent.evidence.bmff import Source
from agent.evidence.journal import FragmentMoment, JournalEvent, Reason
from agent.evidence.places import Examined
from agent.evidence.report import Layer, Report, Status
from agent.evidence.segment import Closing, SegmentEmitter
from agent.evidence.verify import SegmentFile, examine_files, judge
from agent.report_page import Page, render, section
from agent.report_timeline import KIND_NAMES, timeline
from tests.agent.evidence.bench import NOW, Authority, Bench, flipped, make_authority, patched
from tests.support.media import FRAGMENT_MS, Media, make_media

CHROMIUM = shutil.which("chromium")
EVIL = '<script>alert(1)</script><img src="https://example.invalid/x">&"\''


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


class _Names(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "style", "onload")]


def _judged(authority: Authority, *segments: bytes) -> tuple[list[Examined], Report]:
    names = [f"segment-{number:04d}.mp4" for number in range(1, len(segments) + 1)]
    files = [SegmentFile(name, Source.of_bytes(data)) for name, data in zip(names, segments, strict=True)]
    examined = examine_files(files)
    return examined, judge(examined, [authority.root], NOW)


def _page(authority: Authority, *segments: bytes, pictures: bool = True, path: str = "REC-0001-R000001") -> str:
    examined, report = _judged(authority, *segments)
    found = thumbnails(examined) if pictures else ()
    made = section(path, report, examined, found, "所选片段无法解码成画面。")
    return render(Page((made,), NOW, "0.1.0", ("ab" * 32,), ("没有给出信任清单",)))


def _recorded(bench: Bench, gaps: dict[int, tuple[int, tuple[JournalEvent, ...]]]) -> bytes:
    """A segment in which, before fragment `n` (from 0), time passes and events are told."""
    emitter = SegmentEmitter(bench.origin(), bench.signer, bench.session)
    data = emitter.opening(bench.media.init)
    for number, media in enumerate(bench.media.fragments):
        passed, events = gaps.get(number, (0, ()))
        bench.pass_time(passed)
        captured = bench.now
        bench.pass_time(FRAGMENT_MS)
        data += emitter.fragment(media, FragmentMoment(captured, FRAGMENT_MS, bench.now, events)).data
    patch = emitter.seal(Closing(bench.now, Reason.STOPPED))
    return patched(data, patch.offset, patch.data)


def test_page_needs_nothing_from_outside_and_forbids_it(authority: Authority) -> None:
    html = _page(authority, Bench(authority.signer()).sealed())
    names = _Names()
    names.feed(html)
    assert not names.tags & {"script", "link", "iframe", "object", "form", "base"}
    assert all(reference.startswith(("data:image/jpeg;base64,", "#")) for reference in names.references)
    assert "default-src 'none'; style-src 'sha256-" in html
    assert "http" not in re.sub('data:[^"]*', "", html).replace("http-equiv", "")


def test_page_says_verdict_who_when_and_what_is_not_proved(authority: Authority) -> None:
    html = _page(authority, Bench(authority.signer()).sealed())
    for words in ("<strong>完整</strong>", "REC-0001-R000001", "星河区综合行政执法局", "2026-11-22 10:00:00",
                  "不证明：画面里发生的事是真的", "sha256sum -c SHA256SUMS", "ab" * 32):  # fmt: skip
        assert words in html
    assert html.count("<figure>") == 6


def test_words_from_a_file_cannot_become_markup(authority: Authority) -> None:
    bench = Bench(authority.signer(), unit=EVIL)
    marker = JournalEvent(journal.MARKER, bench.now, None, EVIL)
    html = _page(authority, _recorded(bench, {1: (0, (marker,))}), path=EVIL)
    names = _Names()
    names.feed(html)
    assert "script" not in names.tags
    assert "<script>" not in html
    assert html.count("&lt;script&gt;alert(1)") >= 3


def test_timeline_tells_explained_from_unexplained_and_shows_damage(authority: Authority) -> None:
    bench = Bench(authority.signer())
    lost = replace(bench.now, monotonic_ns=bench.now.monotonic_ns + 2 * FRAGMENT_MS * 10**6)
    opened = JournalEvent(journal.GAP_OPENED, lost, Reason.CAMERA_LOST, "usb")
    data = _recorded(bench, {2: (5000, (opened,)), 4: (3000, ())})
    examined, report = _judged(authority, data)
    line = timeline(examined, report.places)
    assert line is not None
    kinds = [bar.kind for bar in line.bars]
    assert kinds == ["recorded", "recorded", "recorded", "explained", "unexplained"]
    assert line.bars[3].title == "摄像头中断"
    assert [event.kind for event in line.happenings] == ["中断开始"]
    # 3 s of pictures in 11 s: the stretches are as long as they lasted
    assert sum(bar.width for bar in line.bars[:3]) == pytest.approx(1000 * 3 / 11, abs=0.1)
    records = examined[0].found.fragments
    damaged = flipped(data, records[2].media_offset + records[2].media_size - 5)
    examined, report = _judged(authority, damaged)
    line = timeline(examined, report.places)
    assert line is not None
    assert [bar.kind for bar in line.bars].count("damaged") == 1


def test_long_recording_is_few_bars(authority: Authority) -> None:
    bench = Bench(authority.signer())
    bench.media = Media(bench.media.init, bench.media.fragments * 50)
    examined, report = _judged(authority, bench.sealed())
    line = timeline(examined, report.places)
    assert line is not None
    assert [bar.width for bar in line.bars] == [1000.0]


def test_page_without_decodable_pictures_says_so(authority: Authority) -> None:
    bench = Bench(authority.signer())
    bench.media = Media(bench.media.init, tuple(it[:-600] + bytes(600) for it in bench.media.fragments))
    at = bench.media.init.index(b"moov")
    bench.media = Media(bench.media.init[: at + 4] + bytes(len(bench.media.init) - at - 4), bench.media.fragments)
    html = _page(authority, bench.sealed())
    assert "<figure>" not in html
    assert "所选片段无法解码成画面" in html


def test_page_on_something_that_is_no_recording(authority: Authority) -> None:
    html = _page(authority, b"\0" * 5000)
    assert "<strong>不可信</strong>" in html
    assert "没有可读的签名" in html


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_browser_shows_the_page_without_a_complaint(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(_page(authority, Bench(authority.signer()).sealed()), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 680, "height": 962})
        page.emulate_media(media="print")
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"file://{tmp_path}/report.html")
        pictures = page.evaluate("[...document.images].map(image => image.naturalWidth)")
        width = page.evaluate("document.documentElement.scrollWidth")
        colour = page.evaluate("getComputedStyle(document.querySelector('.verdict')).borderLeftWidth")
        browser.close()
    assert (complaints, pictures, width, colour) == ([], [320] * 6, 680, "8px")


def test_pictures_are_not_missing_where_a_keyframe_stands_in_every_second_fragment(authority: Authority) -> None:
    bench = Bench(authority.signer())
    bench.media = make_media(12, per_keyframe=2)
    examined, _ = _judged(authority, bench.sealed())
    pictures = thumbnails(examined)
    assert len(pictures) == 6
    assert {picture.sequence % 2 for picture in pictures} == {1}


def test_event_table_speaks_no_machine_language_and_silence_is_drawn(authority: Authority) -> None:
    assert set(KIND_NAMES) == journal.EVENT_KINDS
    bench = Bench(authority.signer())
    muted = JournalEvent(journal.MUTE_ON, bench.now, Reason.MUTED, "secrecy")
    later = replace(bench.now, monotonic_ns=bench.now.monotonic_ns + 1_000_000_000)
    ended = JournalEvent(journal.MUTE_OFF, later, Reason.MUTED)
    examined, report = _judged(authority, _recorded(bench, {1: (0, (muted,)), 3: (0, (ended,))}))
    line = timeline(examined, report.places)
    assert line is not None
    assert [it.kind for it in line.happenings] == ["静音开始", "静音结束"]
    assert line.happenings[0].words == "人为静音，涉密/商业秘密/个人隐私"
    assert [(bar.kind, bar.title) for bar in line.bars if bar.kind == "muted"] == [
        ("muted", "静音：涉密/商业秘密/个人隐私")
    ]


def test_labels_of_one_second_are_not_printed_over_each_other(authority: Authority) -> None:
    bench = Bench(authority.signer())
    marks = tuple(JournalEvent(journal.MARKER, bench.now, None, str(number)) for number in range(3))
    examined, report = _judged(authority, _recorded(bench, {1: (0, marks)}))
    line = timeline(examined, report.places)
    assert line is not None
    assert [it.label for it in line.happenings] == ["1–3", "", ""]


def test_film_from_a_file_is_not_shown_as_a_camera_s(authority: Authority) -> None:
    bench = Bench(authority.signer(), source="file:vtest.avi")
    data = bench.sealed()
    assert b"digitalCapture" not in data
    assert "画面来源：文件 vtest.avi，非摄像头" in _page(authority, data)


def test_duty_is_not_called_unjudged_where_it_was_judged(authority: Authority) -> None:
    examined, report = _judged(authority, Bench(authority.signer()).sealed())
    for status, said in ((Status.NOT_JUDGED, True), (Status.NOTED, False)):
        told = replace(report, duty=Layer(status, ()))
        html = render(Page((section("x", told, examined, (), ""),), NOW, "0.1.0", (), ()))
        assert ("不评判：记录是否合乎规定" in html) is said


def test_commands_on_an_encrypted_recording_decrypt_first_and_look_at_the_time_of_signing(authority: Authority) -> None:
    examined, report = _judged(authority, Bench(authority.signer()).sealed())
    made = section("x", report, examined, (), "", Path("/evidence/REC-0001-R000001"))
    html = render(Page((made,), NOW, "0.1.0", (), ()))
    decrypt = html.index("liuhen-center decrypt /evidence/REC-0001-R000001 --key archive.key --out decrypted")
    assert decrypt < html.index("cd decrypted/REC-0001-R000001") < html.index("sha256sum -c")
    assert f"-attime {made.signed_at} " in html
