"""A kiosk whose disk takes nothing: the board stands, what cannot be kept is said, and the log goes on when it can."""

import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pytest

from agent import durable
from agent.errors import OperatorFault
from kiosk.display_log import log_lines
from kiosk.display_record import verify_log
from kiosk.log_cli import screen_key
from kiosk.publishing.snapshot import static_pages
from tests.kiosk.bench import NOW, Bench, sample
from tests.kiosk.hall import Hall
from tests.kiosk.running import DEADLINE_S, RunningKiosk, until

BOARD = "window-board.hall-1"
NOWHERE = "/proc/self/no-such-folder"  # where nobody can make a folder, root neither
COMPLAINT = b"category=%E5%85%B6%E4%BB%96&about=3&text=late&go=file"


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def posted(kiosk: RunningKiosk, path: str, form: bytes) -> tuple[int, str]:
    origin = {"Origin": kiosk.url.rstrip("/")}
    request = urllib.request.Request(f"{kiosk.url}{path}", form, origin)  # noqa: S310  loopback
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:  # noqa: S310  loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_a_disk_that_takes_nothing_leaves_the_board_and_says_what_was_not_kept(bench: Bench, tmp_path: Path) -> None:
    config = bench.kiosk_folder(tmp_path)
    with config.open("a", encoding="utf-8") as file:
        file.write(f'state = "{NOWHERE}"\noutgoing = "{NOWHERE}/outgoing"\n')
    with RunningKiosk(config) as kiosk:
        kiosk.put(BOARD, bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page())
        status, html = posted(kiosk, "complain", COMPLAINT)
        assert status == 200
        assert "本机现在不能保存" in html
        assert "late" in html
        assert "0000-0000000" in html
        assert NOWHERE not in html
        assert "丁四" in kiosk.page()
        code, errors = kiosk.stop()
    assert code == 0
    assert "the display log cannot be opened" in errors
    assert "Traceback" not in errors


def test_a_log_that_could_not_be_opened_goes_on_when_the_disk_does(bench: Bench, tmp_path: Path) -> None:
    before = Hall(tmp_path, bench)
    before.display.painted.stopped(before.clock.read())
    folder = before.config.state / "display-log"
    away = folder.rename(tmp_path / "away")
    folder.write_text("no folder")
    hall = Hall(tmp_path, bench)
    assert hall.display.hall.log is not None
    assert hall.display.hall.log.head.number == 0
    folder.unlink()
    away.rename(folder)
    hall.display.painted.stopped(hall.clock.read())
    found = verify_log(log_lines(folder), screen_key(bench.trust(), "KSK-0001"))
    assert [line.what.value for line in found.lines] == ["started", "stopped", "started", "stopped"]


def test_a_fault_of_ours_is_a_page_and_the_next_one_is_served(bench: Bench, tmp_path: Path) -> None:
    """An enrolment file that nobody can read: the window staff are told, nobody sees an empty page."""
    config = bench.kiosk_folder(tmp_path)
    durable.make_directory(tmp_path / "kiosk-state/staff.json")
    with RunningKiosk(config) as kiosk:
        status, html = posted(kiosk, "staff", urlencode({"window": "03", "state": "暂离", "secret": "246810"}).encode())
        assert status == 500
        assert "刚才的操作可能没有完成" in html
        assert kiosk.get("board")[0] == 200


def test_a_draft_of_a_killed_writer_beside_the_board_is_passed_over(bench: Bench, tmp_path: Path) -> None:
    """As `kill -9` in the middle of a swap leaves it: the new file half, under its hidden name, the old one whole."""
    config = bench.kiosk_folder(tmp_path)
    whole = bench.sealed(sample("window-board-correction", 2))
    with RunningKiosk(config) as kiosk:
        kiosk.put(BOARD, bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page("w/03"))
        (kiosk.disclosed / f".{BOARD}.dsse.new").write_bytes(whole[: len(whole) // 2])
        kiosk.process.kill()
        kiosk.process.wait(DEADLINE_S)
    with RunningKiosk(config) as kiosk:
        assert "丁四" in kiosk.page("w/03")
        assert "未予展示" not in kiosk.page("verify")
        kiosk.put(BOARD, whole)
        until(lambda: "由子一顶岗" in kiosk.page("w/03"))


def test_a_kiosk_that_can_verify_nothing_gives_no_preview_and_no_website(bench: Bench, tmp_path: Path) -> None:
    config = bench.kiosk_folder(tmp_path)
    (tmp_path / "trust.dsse").write_bytes(b"{")
    with pytest.raises(OperatorFault, match="不能预览，也不能导出"):
        static_pages(config)


def test_a_system_without_a_watch_left_follows_the_folder_all_the_same(bench: Bench, tmp_path: Path) -> None:
    hall = Hall(tmp_path, bench)
    durable.make_directory(hall.config.disclosed)
    hall.feed.folder.watch(lambda: None)
    try:
        observer = hall.feed.folder._observer
        assert observer is not None

        def none_left(*_: object, **__: object) -> None:
            raise OSError(28, "inotify watch limit reached")

        observer.schedule = none_left  # type: ignore[method-assign, assignment]
        hall.config.disclosed.rename(tmp_path / "elsewhere")
        durable.make_directory(hall.config.disclosed)
        assert hall.feed.check()
        (hall.config.disclosed / f"{BOARD}.dsse").write_bytes(bench.sealed(sample("window-board")))
        hall.feed.reload(NOW)
        assert hall.feed.shelf.shown
    finally:
        hall.feed.folder.stop()
