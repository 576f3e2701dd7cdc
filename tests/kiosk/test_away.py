"""The screen's keeper without its server: a page of its own on the wall, never a browser's error."""

import os
import re
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urlsplit

import pytest

from agent.clock import system_clock
from agent.errors import EnvironmentFault, OperatorFault
from agent.wire.instant import BEIJING
from kiosk import screen
from kiosk.away_page import FILE, away_page
from kiosk.browser import environment, policy
from kiosk.display_log import log_lines
from kiosk.screen import Screen, ScreenKeeper
from kiosk.screen_cli import keep_screen, server_address
from kiosk.screen_guard import AWAY_S, UNANSWERED_S, Limits, away_reason
from kiosk.screen_link import ServerLink
from kiosk.stamp import Picture
from tests.kiosk.bench import Bench
from tests.kiosk.running import DEADLINE_S, RunningKiosk, until
from tests.kiosk.test_screen_guard import drawn

BROWSER = """#!/bin/sh
for last; do :; done
echo "$last" >> {told}
exec sleep 600
"""  # a browser that tells what it was asked to show, and paints nothing


class Wall:
    """A keeper in a thread, with a browser that only writes down its address; `power` is the display's switch."""

    def __init__(
        self,
        folder: Path,
        url: str,
        limits: Limits | None = None,
        power: Callable[[bool], None] | None = None,
        grab: Callable[[str], bytes] | None = None,
    ) -> None:
        self.told, self.profile = folder / "told", folder / "profile"
        programs = folder / "bin"
        programs.mkdir()
        (programs / "cog").write_text(BROWSER.format(told=self.told))
        (programs / "cog").chmod(0o755)
        base = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        screen = Screen(url, "cog", self.profile, limits or Limits(2**40), 1920, power=power, grab=grab)
        self.keeper = ScreenKeeper(screen, system_clock(), base)
        self.thread = threading.Thread(target=self.keeper.run)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.keeper.stopping = True
        self.thread.join(30)

    def looked(self, times: int) -> None:
        """Wait until the keeper has looked so often."""
        until(lambda: self.keeper._looks >= times)

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
    with Wall(tmp_path, url) as wall:
        yield wall


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


def test_a_closed_hall_is_dark_and_its_dark_browser_is_not_taken_for_a_dead_one(tmp_path: Path) -> None:
    """The switch is a list here; the real ones (wlr-randr, CEC) have met no display."""
    config, told = Bench().kiosk_folder(tmp_path), list[bool]()
    days = " ".join(str(datetime.now(BEIJING).date() + timedelta(days=ahead)) for ahead in (0, 1))
    opening = config.read_text()
    config.write_text(f'{opening}hours = "1-7 00:00-23:59"\nclosed_days = "{days}"\n')
    limits = Limits(2**40, start_s=0.5)  # a browser that painted nothing yet is started again after so long
    with RunningKiosk(config) as kiosk, Wall(tmp_path, kiosk.url, limits, told.append) as wall:
        wall.looked(4)
        assert (told, wall.keeper.restarts) == ([False], [])
        place = urlsplit(kiosk.url).netloc
        kiosk.stop()
        config.write_text(opening.replace("127.0.0.1:0", place))
        with RunningKiosk(config):
            until(lambda: told == [False, True])
            until(lambda: "never-painted" in wall.keeper.restarts)


def painted(kiosk: RunningKiosk) -> str:
    """A browser takes a page and says that it painted it; returns its stamp."""
    tag = re.search(r'data-tag="([^"]+)"', kiosk.page())
    assert tag is not None
    told, origin = urlencode({"tag": tag[1]}).encode(), {"Origin": kiosk.url.rstrip("/")}
    asked = urllib.request.Request(f"{kiosk.url}painted", told, origin)  # noqa: S310  loopback
    with urllib.request.urlopen(asked, timeout=DEADLINE_S) as answer:  # noqa: S310  loopback
        assert answer.status == 204
    return tag[1]


def test_a_proxy_of_the_machine_does_not_stand_between_the_keeper_and_its_own_server(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bites when the keeper asks as everybody does: a hall behind a proxy had the away page for ever."""
    with RunningKiosk(Bench().kiosk_folder(tmp_path)) as kiosk:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, url)  # nobody listens there
        monkeypatch.setattr(urllib.request, "_opener", None)  # made anew, with the proxy, by whoever asks plainly
        assert ServerLink(kiosk.url).ask() is not None


def test_what_the_browser_before_painted_is_not_held_against_the_new_one(tmp_path: Path) -> None:
    """Bites when it is: a browser would be ended while it starts, again and again."""
    limits = Limits(2**40, paint_silence_s=0.1)
    with RunningKiosk(Bench().kiosk_folder(tmp_path)) as kiosk:
        tag = re.search(r'data-tag="([^"]+)"', kiosk.page())
        assert tag is not None
        asked = urllib.request.Request(  # noqa: S310  loopback
            f"{kiosk.url}painted", urlencode({"tag": tag[1]}).encode(), {"Origin": kiosk.url.rstrip("/")}
        )
        with urllib.request.urlopen(asked, timeout=DEADLINE_S):  # noqa: S310  loopback
            until(lambda: '"painted_ms":null' not in kiosk.page("healthz"))
        with Wall(tmp_path, kiosk.url, limits) as wall:
            wall.looked(3)
            assert wall.keeper.restarts == []


def test_a_browser_that_eats_the_memory_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "MEMORY_EVERY", 1)
    with RunningKiosk(Bench().kiosk_folder(tmp_path)) as kiosk, Wall(tmp_path, kiosk.url, Limits(1)) as wall:
        until(lambda: wall.keeper.restarts[:1] == ["memory"])


def test_the_browser_inherits_nothing_but_where_to_draw() -> None:
    base = {"PATH": "/bin", "WAYLAND_DISPLAY": "w", "AWS_SECRET_ACCESS_KEY": "s", "NOTIFY_SOCKET": "/run/n"}
    assert environment(base) == {"PATH": "/bin", "WAYLAND_DISPLAY": "w", "LANGUAGE": "zh_CN"}


def ppm(picture: Picture, scale: int) -> bytes:
    rows = [picture.grey[line * picture.width :][: picture.width] for line in range(picture.height)]
    large = b"".join(bytes(it for it in row for _ in range(3 * scale)) * scale for row in rows)
    return b"P6 %d %d 255\n%s" % (picture.width * scale, picture.height * scale, large)


@pytest.mark.parametrize("scale", [1, 2])
def test_the_stamp_is_read_from_a_compositor_that_scales_as_well(tmp_path: Path, scale: int) -> None:
    """Bites when a pixel of the grab is taken for one of the page: the board is restarted every few seconds."""
    limits = Limits(2**40, paint_silence_s=600, unmatched_s=600)
    with RunningKiosk(Bench().kiosk_folder(tmp_path)) as kiosk:
        tag = painted(kiosk)
        grabbed = ppm(drawn(tag), scale)
        with Wall(tmp_path, kiosk.url, limits, grab=lambda _: grabbed) as wall:
            wall.looked(1)
            painted(kiosk)
            log = tmp_path / "kiosk-state/display-log"
            until(lambda: any(b'"pixels"' in line for line in log_lines(log)))
            assert [line for line in log_lines(log) if b'"pixels"' in line and b'"match":true' in line]


def test_a_screen_that_nobody_can_look_at_is_told_once_and_is_no_foreign_window(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def beyond(_: str) -> bytes:
        raise subprocess.CalledProcessError(1, "grim", stderr=b"region does not intersect")

    limits = Limits(2**40, paint_silence_s=600, unmatched_s=4)
    with RunningKiosk(Bench().kiosk_folder(tmp_path)) as kiosk, Wall(tmp_path, kiosk.url, limits, grab=beyond) as wall:
        wall.looked(1)
        painted(kiosk)
        until(lambda: "--width" in caplog.text)
        wall.looked(wall.keeper._looks + 7)
        assert wall.keeper.restarts == []
    assert caplog.text.count("cannot be grabbed") == 1
