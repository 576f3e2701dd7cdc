"""The officer's page as its own process, asked from outside by friends and others."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from agent.clock import system_clock
from agent.config import read_config
from agent.page.background import Background
from agent.page.lockout import FREE_TRIES
from tests.agent.evidence.bench import Bench, make_authority
from tests.agent.page.running import PIN, WRONG, RunningPage, device_folder, verdicts, write_recording
from tests.support.center import until

CHROMIUM = shutil.which("chromium")
FILM = "/m/REC-0001-R000001/segment-0001.mp4"
MAX_RSS_KB = 60 * 1024


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return device_folder(tmp_path / "device", make_authority())


@pytest.fixture
def page(config: Path) -> Iterator[RunningPage]:
    with RunningPage(config) as running:
        yield running


def test_without_the_pin_nothing_is_shown(page: RunningPage) -> None:
    for path in ("/", "/?all", "/r/REC-0001-R000001", FILM, "/p/REC-0001-R000001.jpg"):
        status, headers, body = page.ask(path)
        assert (status, headers["Location"]) == (303, "/login"), path
        assert b"REC-0001-R" not in body
    page.cookie = "liuhen-page=guessed"
    assert page.ask("/")[0] == 303


def test_wrong_pins_are_answered_ever_more_slowly_and_a_restart_does_not_help(config: Path) -> None:
    with RunningPage(config) as page:
        assert [page.enter(WRONG) for _ in range(4)] == [403, 403, 403, 429]
        assert page.enter(PIN) == 429
        assert "连续输错" in page.text("/login")
    with RunningPage(config) as page:
        assert page.enter(PIN) == 429
    assert json.loads((config.parent / "state/page/tries.json").read_bytes()) == 3


def test_a_foreign_page_reaches_nothing(page: RunningPage) -> None:
    assert page.enter(origin="http://evil.example") == 403
    assert page.enter(origin="") == 403
    assert page.enter(host="evil.example") == 421
    assert page.enter() == 303
    assert page.ask("/", host="evil.example")[0] == 421
    assert page.ask("/", origin="http://evil.example")[0] == 403


def test_nothing_can_be_deleted_or_changed(page: RunningPage) -> None:
    page.enter()
    for method in ("DELETE", "PUT", "PATCH", "POST"):
        assert page.ask(FILM, method)[0] == 405
    text = page.text("/?all") + page.text("/r/REC-0001-R000001")
    assert "<script" not in text
    assert text.count("<form") == 2
    assert text.count('action="/logout"') == text.count('action="/receipt"') == 1


def test_the_policy_and_the_cookie_are_strict(page: RunningPage) -> None:
    status, headers, _ = page.ask("/login", "POST", f"pin={PIN}")
    assert status == 303
    assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in headers["Set-Cookie"].split(";")}
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_every_sealed_recording_is_judged_once_and_again_when_it_changed(config: Path) -> None:
    film = config.parent / "state/recordings/REC-0001-R000002/segment-0001.mp4"
    with RunningPage(config) as page:
        until(lambda: len(verdicts(config)) == 2, "both verdicts", 60)
        page.enter()
        assert page.text("/?all").count("完整") == 2
        assert page.ask("/p/REC-0001-R000001.jpg")[2].startswith(b"\xff\xd8")
    kept = {it: it.stat().st_mtime_ns for it in config.parent.glob("state/page/REC-*.json")}
    data = bytearray(film.read_bytes())
    data[len(data) // 2] ^= 1
    film.write_bytes(data)
    with RunningPage(config) as page:
        until(lambda: verdicts(config)["REC-0001-R000002"] == "被改", "the other verdict", 60)
        page.enter()
        assert "被改" in page.text("/?all")
    first = config.parent / "state/page/REC-0001-R000001.json"
    assert first.stat().st_mtime_ns == kept[first]


def test_a_disk_that_takes_nothing_more_costs_the_page_its_pictures_and_no_verdict(config: Path) -> None:
    """A full card is when an officer looks: what the page keeps can be lost, what it says cannot."""
    nowhere = config / "no folder"

    async def look() -> list[str]:
        background = Background(config, read_config(config), nowhere, system_clock())
        work = asyncio.create_task(background.run())
        async with asyncio.timeout(60):
            while len(told := background.told(background.recordings())) < 2 and not work.done():
                await asyncio.sleep(0.05)
        assert not work.done(), "the page would end with it"
        work.cancel()
        return [f"{it['chinese']} {it['picture']}" for it in told.values()]

    assert asyncio.run(look()) == ["完整 False"] * 2


def test_a_self_check_that_cannot_be_started_ends_no_page(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(config))  # as when memory for another process is refused

    async def look() -> object:
        background = Background(config, read_config(config), config.parent / "state/page", system_clock())
        work = asyncio.create_task(background.run())
        async with asyncio.timeout(60):
            while len(background.told(background.recordings())) < 2 and not work.done():
                await asyncio.sleep(0.05)
        assert not work.done(), "the page would end with it"
        work.cancel()
        return background.check

    assert asyncio.run(look()) is None


def test_a_film_altered_under_its_old_time_of_change_is_examined_again(config: Path) -> None:
    folder = config.parent / "state/recordings"
    shutil.rmtree(folder / "REC-0001-R000002")
    film = folder / "REC-0001-R000001/segment-0001.mp4"
    with RunningPage(config) as page:
        until(lambda: len(verdicts(config)) == 1, "the verdict", 60)
        page.enter()
        assert "检验于" in page.text("/?all")
        found, data = film.stat(), bytearray(film.read_bytes())
        data[len(data) // 2] ^= 1
        film.write_bytes(data)
        os.utime(film, ns=(found.st_atime_ns, found.st_mtime_ns))
        assert "完整" not in page.text("/?all")
        until(lambda: verdicts(config)["REC-0001-R000001"] == "被改", "the other verdict", 60)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nX: ", b"GET /login HTTP/1.1\r\nHost: HOST\r\n\r\n"])
def test_silent_connections_do_not_shut_the_officer_out(page: RunningPage, said: bytes) -> None:
    host, port = page.host.split(":")
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection((host, int(port)), 10)) for _ in range(80)]
        for line in lines:
            with contextlib.suppress(ConnectionError):  # it made way already
                line.sendall(said.replace(b"HOST", page.host.encode()))
                if said.endswith(b"\r\n\r\n"):
                    line.recv(1)  # while it is answered it is not silent
        assert page.enter() == 303
        assert page.ask("/")[0] == 200


def test_a_head_that_never_ends_is_not_waited_for(page: RunningPage) -> None:
    host, port = page.host.split(":")
    with socket.create_connection((host, int(port)), 20) as line:
        line.sendall(b"GET / HTTP/1.1\r\nX: ")
        with contextlib.suppress(ConnectionResetError):
            assert line.recv(1) == b""


def test_a_form_that_never_comes_is_no_try(page: RunningPage) -> None:
    host, port = page.host.split(":")
    head = f"POST /login HTTP/1.1\r\nHost: {page.host}\r\nOrigin: http://{page.host}\r\nContent-Length: 10\r\n\r\npin"
    with socket.create_connection((host, int(port)), 20) as line:
        line.sendall(head.encode())
        assert line.recv(100).startswith(b"HTTP/1.1 408")
    assert page.enter() == 303


def test_eight_forms_begun_before_the_lock_are_no_eight_tries(page: RunningPage) -> None:
    """Each came in while nothing was locked; its PIN comes when the others have been tried."""
    host, port = page.host.split(":")
    head = f"POST /login HTTP/1.1\r\nHost: {page.host}\r\nOrigin: http://{page.host}\r\nContent-Length: 10\r\n\r\n"
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection((host, int(port)), 20)) for _ in range(8)]
        for line in lines:
            line.sendall(head.encode())
        time.sleep(0.5)
        for line in lines:
            line.sendall(f"pin={WRONG}".encode())
        answers = [line.recv(12).decode().split()[1] for line in lines]
    assert sorted(answers) == ["403"] * FREE_TRIES + ["429"] * (8 - FREE_TRIES)


def test_a_film_comes_in_the_ranges_that_a_player_asks_for(page: RunningPage, config: Path) -> None:
    page.enter()
    data = (config.parent / "state/recordings/REC-0001-R000001/segment-0001.mp4").read_bytes()
    status, headers, body = page.ask(FILM, range="bytes=100-199")
    assert (status, body, headers["Content-Range"]) == (206, data[100:200], f"bytes 100-199/{len(data)}")
    assert page.ask(FILM, range="bytes=-10")[2] == data[-10:]
    assert page.ask(FILM, range=f"bytes={len(data)}-")[0] == 416
    assert page.ask(FILM)[2] == data


@pytest.mark.parametrize(
    "path",
    [
        "/m/REC-0001-R000001/journal.jsonl",
        "/m/REC-0001-R000001/..%2f..%2fagent.toml",
        "/m/..%2fpage/pin.json",
        "/m/REC-0001-R000009/segment-0001.mp4",
        "/p/..%2f..%2froot.jpg",
        "/r/%2e%2e",
        "/static/..%2fpin.py",
    ],
)
def test_no_address_leads_out_of_the_recordings(page: RunningPage, path: str) -> None:
    page.enter()
    assert page.ask(path)[0] == 404


def test_an_encrypted_recording_is_listed_and_not_served(config: Path) -> None:
    folder = config.parent / "state/recordings/REC-0001-R000001"
    (folder / "segment-0001.mp4").rename(folder / "segment-0001.mp4.enc")
    (folder / "journal.jsonl").unlink()
    with RunningPage(config) as page:
        page.enter()
        assert "已加密" in page.text("/?all")
        assert "本机不能再读" in page.text("/r/REC-0001-R000001")
        assert page.ask(f"{FILM}.enc")[0] == 404


def test_hostile_words_in_duty_json_stay_words(page: RunningPage, config: Path) -> None:
    duty = {"task": "<script>alert(1)</script>", "steps_missing": ["<b>告知</b>"]}
    (config.parent / "state/duty.json").write_text(json.dumps(duty))
    page.enter()
    text = page.text()
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert "&lt;b&gt;告知" in text


def test_a_new_pin_shuts_every_open_session(page: RunningPage, config: Path) -> None:
    page.enter()
    command = [sys.executable, "-m", "agent", "pin", "--config", config]
    told = subprocess.run(command, input="314159\n", check=True, capture_output=True, text=True)
    assert "314159" not in told.stdout + told.stderr
    assert page.ask("/")[0] == 303
    assert page.enter("314159") == 303


def test_without_a_pin_it_does_not_start_and_says_how_to_set_one(config: Path) -> None:
    (config.parent / "state/page/pin.json").unlink()
    command = [sys.executable, "-m", "agent", "page", "--config", config]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 2
    assert "liuhen-agent pin" in told.stderr
    assert told.stderr.count("\n") == 1


def test_it_stays_small_while_it_serves_a_day_of_recordings(config: Path) -> None:
    bench = Bench(make_authority().signer())
    for number in range(3, 40):
        write_recording(config.parent / f"state/recordings/REC-0001-R{number:06d}", bench)
    with RunningPage(config) as page:
        assert page.enter(WRONG) == 403
        assert page.enter() == 303
        for _ in range(20):
            page.text("/?all")
            page.ask(FILM)
        assert page.figures()["VmRSS"] <= MAX_RSS_KB


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize(("width", "height"), [(360, 740), (320, 240)])
def test_a_thumb_can_use_it_on_a_phone_and_on_the_recorders_own_screen(
    page: RunningPage, config: Path, width: int, height: int
) -> None:
    until(lambda: len(verdicts(config)) == 2, "both verdicts", 60)
    complaints: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, headless=True, args=["--no-sandbox", "--disable-gpu"])
        screen = browser.new_page(viewport={"width": width, "height": height})
        screen.on("console", lambda message: complaints.append(message.text))
        screen.goto(page.url)
        screen.fill("#pin", PIN)
        screen.click("button")
        screen.goto(page.url + "?all")
        assert screen.locator(".rows img").count() == 2
        heights = "[...document.querySelectorAll('a, button, summary')].map(it => it.getBoundingClientRect().height)"
        assert min(screen.evaluate(heights)) >= 44
        assert screen.evaluate("document.documentElement.scrollWidth") == width
        screen.click(".rows a")
        screen.locator("video").wait_for()
        until(lambda: screen.evaluate("document.querySelector('video').videoWidth > 0"), "the film")
        assert complaints == []
        browser.close()
