"""Names that the agent never writes, put into `disclosed/` by somebody else."""

import os
from pathlib import Path

from agent import durable
from agent.wire.envelope import MAX_ENVELOPE_BYTES
from kiosk.feed import MAX_FILES, _contents, _documents
from kiosk.inquiries import proof_page
from kiosk.views import board_page
from tests.kiosk.bench import Bench, sample
from tests.kiosk.hall import Hall


def test_name_that_is_no_utf8_is_passed_over(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/notice.\xff.dsse", "wb") as file:  # noqa: PTH123
        file.write(b"{}")
    (tmp_path / "notice.hours.dsse").write_bytes(b"x")
    assert _contents(_documents(tmp_path)) == {"notice.hours": b"x"}


def test_junk_that_sorts_first_does_not_push_the_real_ones_out(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        (tmp_path / f"0junk{number}.dsse").write_bytes(b"junk")
    (tmp_path / "window-board.hall-1.dsse").write_bytes(b"x")
    assert _contents(_documents(tmp_path)) == {"window-board.hall-1": b"x"}


def test_more_results_than_a_screen_takes_cost_no_hall_its_board_and_the_page_says_so(tmp_path: Path) -> None:
    """Bites when files are cut by their names alone: `window-board` is the last of them."""
    hall = Hall(tmp_path, Bench())
    durable.make_directory(hall.config.disclosed)
    for number in range(MAX_FILES):
        (hall.config.disclosed / f"results.r{number}.dsse").write_bytes(b"{")
    hall.put(sample("window-board"), sample("personnel-list"))
    assert "丁四" in hall.page(board_page)
    assert f"公示文件超过 {MAX_FILES} 份，有 2 份未展示" in hall.page(proof_page)


def test_a_file_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    with (tmp_path / "notice.hours.dsse").open("wb") as file:
        file.truncate(2**43)  # a hole: it takes no room on the disk, and more than any memory
    assert len(_contents(_documents(tmp_path))["notice.hours"]) == MAX_ENVELOPE_BYTES + 1
