"""A kiosk that starts again: somebody rolled a document back while it was off."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from agent import durable
from agent.clock import system_clock
from agent.errors import SenderFault
from agent.wire.disclosures import Disclosure
from agent.wire.envelope import seal
from agent.wire.identifiers import District
from agent.wire.trust import TRUST_TYPE, trust_list
from kiosk.asked import Asked
from kiosk.config import read_config
from kiosk.feed import Feed
from kiosk.inquiries import proof_page
from kiosk.memory import FILE
from kiosk.serving import make_display, make_feed
from kiosk.states import HallState
from kiosk.trust_store import read_trust_list
from kiosk.views import board_page
from tests.kiosk.bench import NOW, XINGHE, Bench, sample


class Screen:
    """One kiosk's folder; every `start` is a new process as far as its memory goes."""

    def __init__(self, base: Path) -> None:
        self.bench, self.folder = Bench(), base
        self.config = read_config(self.bench.kiosk_folder(base))
        durable.make_directory(self.config.disclosed)

    def put(self, document: Disclosure) -> None:
        durable.write_bytes(self.config.disclosed / f"{'.'.join(document.key)}.dsse", self.bench.sealed(document))

    def start(self, now: dt.datetime = NOW) -> Feed:
        feed = make_feed(self.config)
        feed.open(now)
        return feed


@pytest.fixture
def screen(tmp_path: Path) -> Screen:
    return Screen(tmp_path)


def versions(feed: Feed) -> list[int]:
    return [one.document.version for one in feed.shelf.shown.values()]


def test_a_document_rolled_back_while_the_kiosk_was_off_is_refused_and_named(screen: Screen) -> None:
    screen.put(sample("window-board", 3))
    assert versions(screen.start()) == [3]
    screen.put(sample("window-board", 2))
    feed = screen.start()
    assert versions(feed) == []
    assert "第 2 版较旧" in feed.shelf.refused[0].reason
    page = proof_page(make_display(screen.config, feed, system_clock()), Asked()).html
    assert "第 2 版较旧" in page
    screen.put(sample("window-board", 3))
    assert versions(screen.start()) == [3]


def test_a_board_taken_away_while_the_kiosk_was_off_is_missed_and_no_empty_hall_is_shown(screen: Screen) -> None:
    screen.put(sample("window-board", 3))
    screen.put(sample("notice"))
    screen.start()
    path = screen.config.disclosed / "window-board.hall-1.dsse"
    board = path.read_bytes()
    path.unlink()
    feed = screen.start()
    display = make_display(screen.config, feed, system_clock())
    assert display.condition.state is HallState.INVALID
    assert "本屏展示过第 3 版，文件已不在" in proof_page(display, Asked()).html
    path.write_bytes(board)
    feed.reload(NOW)
    display.refresh()
    assert display.condition.state is HallState.NORMAL
    assert feed.shelf.refused == ()


def test_a_withdrawn_board_that_is_gone_is_missed_by_nobody(screen: Screen) -> None:
    board = sample("window-board", 3)
    screen.put(replace(board, version=4, withdrawn="示例撤回", entries=()))
    screen.start()
    (screen.config.disclosed / "window-board.hall-1.dsse").unlink()
    assert screen.start().shelf.refused == ()


def test_a_withdrawn_document_does_not_come_back_with_a_restart(screen: Screen) -> None:
    board = sample("window-board", 3)
    screen.put(replace(board, version=4, withdrawn="示例撤回", entries=()))
    screen.start()
    screen.put(replace(board, version=5))
    assert versions(screen.start()) == []


def test_a_second_content_of_a_version_that_was_shown_is_refused_after_a_restart(screen: Screen) -> None:
    board = sample("window-board", 3)
    screen.put(board)
    screen.start()
    screen.put(replace(board, title="另一个标题"))
    assert versions(screen.start()) == []


def test_a_damaged_memory_is_put_aside_and_the_page_says_so(screen: Screen) -> None:
    screen.put(sample("window-board", 3))
    screen.start()
    path = screen.config.state / FILE
    path.write_bytes(path.read_bytes()[:-9])
    feed = screen.start()
    assert versions(feed) == [3]
    assert (screen.config.state / f"{FILE}.damaged").exists()
    assert "版本记录已损坏" in proof_page(make_display(screen.config, feed, system_clock()), Asked()).html


def test_an_older_trust_list_does_not_bring_revoked_signers_back(screen: Screen) -> None:
    trust = screen.config.trust_list
    old = trust.read_bytes()
    trust.write_bytes(screen.bench.sealed_trust(2, screen.bench.editor))
    screen.start()
    trust.write_bytes(old)
    screen.put(sample("window-board", 3))
    feed = screen.start()
    assert "trust.dsse 是第 1 版，本屏已用过第 2 版" in feed.shelf.untrusted
    assert versions(feed) == []
    display = make_display(screen.config, feed, system_clock())
    assert "信任清单缺失、已损坏或不适用" in board_page(display, Asked()).html


def test_a_disk_that_takes_nothing_does_not_end_the_display(screen: Screen, caplog: pytest.LogCaptureFixture) -> None:
    (screen.config.state / f".{FILE}.new").mkdir(parents=True)  # where the draft would be written
    screen.put(sample("window-board", 3))
    feed = screen.start()
    assert versions(feed) == [3]
    assert "cannot be remembered" in caplog.text
    (screen.config.state / f".{FILE}.new").rmdir()
    feed.reload(NOW)
    assert (screen.config.state / FILE).exists()


def test_a_trust_list_of_another_district_under_the_same_root_is_refused(tmp_path: Path) -> None:
    """One root may stand over several districts: whose list it is stands in the list."""
    bench = Bench()
    other = trust_list(District("yuehu"), 1, NOW, [bench.editor.credential, bench.reviewer.credential])
    (tmp_path / "trust.dsse").write_bytes(seal(TRUST_TYPE, other.encode(), [bench.root.signer]))
    with pytest.raises(SenderFault, match="属于区域 yuehu，配置的区域是 xinghe"):
        read_trust_list(tmp_path / "trust.dsse", bench.root.certificate, XINGHE)
