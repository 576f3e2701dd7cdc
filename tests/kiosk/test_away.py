"""The screen's keeper without its server: a page of its own on the wall, never a browser's error."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from agent.clock import system_clock
from agent.errors import EnvironmentFault, OperatorFault
from kiosk.away_page import FILE, away_page
from kiosk.browser import policy
from kiosk.screen import Screen, ScreenKeeper
from kiosk.screen_cli import keep_screen, server_address
from kiosk.screen_guard import AWAY_S, UNANSWERED_S, Limits, away_reason
from tests.kiosk.bench import Bench
from tests.kiosk.running import RunningKiosk, until

BROWSER = """#!/bin/sh
for last; do :; done
echo "$last" >> {told}
exec sleep 600
"""  # a browser that tells what it was asked to show, and paints nothing


class Wall:
    """A keeper in a thread, with a browser that only writes down its address."""

    def __init__(self, folder: Path, url: str) -> None:
        self.told, self.profile = folder / "told", folder / "profile"
        programs = folder / "bin"
        programs.mkdir()
        (programs / "cog").write_text(BROWSER.format(told=self.told))
        (programs / "cog").chmod(0o755)
        base = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        self.keeper = ScreenKeeper(Screen(url, "cog", self.profile, Limits(2**40), 1920), system_clock(), base)
        self.thread = threading.Thread(target=self.keeper.run)

    def shown(self) -> list[str]:
        return self.told.read_text().split() if self.told.exists() else []

    def text(self) -> str:
        return Path(urlsplit(self.shown()[-1]).path).read_text(encoding="utf-8")


@pytest.fixture
def url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


@pytest.fixture
def wall(tmp_path: Path, url: str) -> Iterator[Wall]:
    wall = Wall(tmp_path, url)
    wall.thread.start()
    yield wall
    wall.keeper.stopping = True
    wall.thread.join(30)


def test_a_server_that_does_not_answer_is_a_page_of_the_keepers_own_and_the_board_follows_it(
    wall: Wall, url: str, tmp_path: Path
) -> None:
    until(lambda: len(wall.shown()) == 1)
    assert wall.shown() == [(wall.profile / FILE).as_uri()]
    assert "公示屏服务暂时中断" in wall.text()
    config = Bench().kiosk_folder(tmp_path)
    config.write_text(config.read_text().replace("127.0.0.1:0", urlsplit(url).netloc))
    with RunningKiosk(config):
        until(lambda: wall.shown()[-1] == url)
        until(lambda: wall.keeper.restarts == ["server-back"])
    until(lambda: len(wall.shown()) == 3)  # the board was never painted: nobody waits for it
    assert wall.shown()[-1] == (wall.profile / FILE).as_uri()
    assert "星河区政务服务大厅" in wall.text()
    assert "0000-0000000" in wall.text()


def test_the_page_of_the_keepers_own_tells_a_technician_where_the_reason_is() -> None:
    assert "systemctl status liuhen-kiosk" in away_page("", "").decode()


@pytest.mark.parametrize("url", ["foo", "http://127.0.0.1:99999/", "https://127.0.0.1:8480/", "http://:8480"])
def test_an_address_that_is_none_is_told_before_a_browser_is_started(url: str) -> None:
    with pytest.raises(OperatorFault, match="--url"):
        server_address(url)
    assert server_address("http://127.0.0.1:8480") == "http://127.0.0.1:8480/"


def test_a_browser_that_nobody_knows_is_not_started_for_ever(tmp_path: Path) -> None:
    with pytest.raises(OperatorFault, match="netscape"):
        keep_screen("http://127.0.0.1:8480/", "netscape", "", 1920, tmp_path, (), cec_power=False)


def test_a_painted_board_says_itself_that_it_waits_and_one_answer_missed_is_no_silence() -> None:
    assert away_reason(AWAY_S, alive=True, painted=True, away=False) is None
    assert away_reason(AWAY_S + 1, alive=True, painted=True, away=False) == "server-away"
    assert away_reason(UNANSWERED_S, alive=True, painted=False, away=False) is None
    assert away_reason(UNANSWERED_S + 1, alive=True, painted=False, away=False) == "server-away"
    assert away_reason(1, alive=False, painted=True, away=False) == "exited"
    assert away_reason(900, alive=True, painted=False, away=True) is None
    assert away_reason(900, alive=False, painted=False, away=True) == "exited"


def test_the_page_of_the_keeper_takes_no_tags_and_the_browsers_policy_lets_it() -> None:
    assert b"<b>" not in away_page("<b>", "<b>")
    assert b"file:///run/liuhen-screen/profile/away.html" in policy(
        "http://127.0.0.1:8480/", Path("/run/liuhen-screen/profile") / FILE
    )


def test_a_profile_that_cannot_be_written_is_explained(tmp_path: Path, url: str) -> None:
    (tmp_path / "profile").write_text("no folder")
    with pytest.raises(EnvironmentFault, match="请检查存储空间、权限"):
        Wall(tmp_path, url).keeper.run()
