import http.client
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing
from dataclasses import replace
from email.message import Message
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from agent import durable
from kiosk.gate import POLICY
from tests.kiosk.bench import Bench, sample
from tests.kiosk.running import DEADLINE_S, RunningKiosk, until

BOARD = "window-board.hall-1"
PAGES = ("", "board", "items", "guide", "units", "people", "results", "verify")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def refused_start(config: Path, code: int) -> str:
    command = [sys.executable, "-m", "kiosk", "serve", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr


def test_a_missing_folder_is_no_blank_screen_and_is_followed_when_it_comes(bench: Bench, tmp_path: Path) -> None:
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        assert not kiosk.disclosed.exists()
        for path in PAGES:
            status, headers, html = kiosk.get(path)
            assert (status, headers["content-security-policy"]) == (200, POLICY)
            assert "尚" in html
        kiosk.put(BOARD, bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page("w/03"))
        assert kiosk.stop()[0] == 0


def test_bad_files_are_refused_one_after_the_other_and_the_last_good_board_stays(bench: Bench, tmp_path: Path) -> None:
    good, fresh = sample("window-board", 2), sample("window-board-correction", 3)
    bad = {
        "两个签名": bench.sealed(fresh, bench.editor),
        "同一人": bench.sealed(fresh, bench.editor_too, bench.reviewer),
        "旧于": bench.sealed(replace(fresh, version=1)),
        "过期": bench.sealed(replace(fresh, effective_until=fresh.issued_at)),
        "范围": bench.sealed(replace(fresh, audience="hall-2")),
        "不是签名信封": bench.sealed(fresh)[:-9],
        "KiB": b" " * 300_000,
    }
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        kiosk.put(BOARD, bench.sealed(good))
        until(lambda: "丁四" in kiosk.page())
        for reason, envelope in bad.items():
            kiosk.put(BOARD, envelope)
            until(lambda reason=reason: reason in kiosk.page("verify"))
            assert "丁四" in kiosk.page()
        kiosk.put(BOARD, bench.sealed(fresh))
        until(lambda: "由子一顶岗" in kiosk.page("w/03"))
        assert "未予展示" not in kiosk.page("verify")


def test_a_revocation_reaches_a_running_screen_and_an_older_trust_list_does_not(bench: Bench, tmp_path: Path) -> None:
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        kiosk.put(BOARD, bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page())
        (tmp_path / "trust.dsse").write_bytes(bench.sealed_trust(2, revoked=bench.editor))
        until(lambda: "丁四" not in kiosk.page() and "吊销" in kiosk.page("verify"))
        (tmp_path / "trust.dsse").write_bytes(bench.sealed_trust(1))
        kiosk.put("notice.hours", bench.sealed(sample("notice")))
        until(lambda: "notice.hours" in kiosk.page("verify"))
        assert "丁四" not in kiosk.page()


def test_a_foreign_name_is_turned_away_and_no_address_is_blank(bench: Bench, tmp_path: Path) -> None:
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        assert kiosk.get("", Host="evil.example")[0] == 421
        assert kiosk.get("", Origin="http://evil.example")[0] == 403
        status, headers, html = kiosk.get("w/99")
        assert (status, headers["content-security-policy"]) == (404, POLICY)
        assert "没有此页" in html


def headers_of(kiosk: RunningKiosk, path: str) -> Message:
    """Of an answer that sends on, which nobody follows here."""
    address = urlsplit(kiosk.url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=DEADLINE_S)) as line:
        line.request("GET", path)
        return line.getresponse().headers


@pytest.mark.parametrize("back", ["//evil.example/", "/\\evil.example/", "https://evil.example/", "javascript:x()", ""])
def test_the_way_back_from_large_type_leads_nowhere_but_here(bench: Bench, tmp_path: Path, back: str) -> None:
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        assert headers_of(kiosk, f"/mode?{urlencode({'large': '1', 'back': back})}")["location"] == "/board"
        assert headers_of(kiosk, "/mode?back=/items")["location"] == "/items"


def test_the_reset_has_the_browser_forget_everything_of_the_one_before(bench: Bench, tmp_path: Path) -> None:
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        assert "large=1" in headers_of(kiosk, "/mode?large=1")["set-cookie"]
        gone = headers_of(kiosk, "/reset")
        assert gone["clear-site-data"] == '"cache", "cookies", "storage"'
        assert gone["location"] == "/board"
        assert 'large=""' in gone["set-cookie"]


def test_a_script_of_at_most_two_kilobytes(bench: Bench, tmp_path: Path) -> None:
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        assert len(kiosk.page("static/kiosk.js")) <= 2048


def test_a_server_that_hangs_is_noticed_for_the_loop_that_answers_says_so_every_second(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(DEADLINE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with RunningKiosk(bench.kiosk_folder(tmp_path)):
            assert [systemd.recv(99) for _ in range(3)] == [b"WATCHDOG=1"] * 3


def test_sigterm_ends_it_though_a_page_is_open(bench: Bench, tmp_path: Path) -> None:
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        with urllib.request.urlopen(kiosk.url + "events", timeout=DEADLINE_S) as stream:  # noqa: S310  loopback
            assert stream.readline().startswith(b"retry:")
            code, errors = kiosk.stop()  # fails where an open page would keep it
        assert code == 0, errors
        assert "Traceback" not in errors


DYING_OBSERVER = """
import sys
from pathlib import Path
from agent.clock import system_clock
from agent.command import run_command
from kiosk import feed, serving
from kiosk.config import read_config

class DyingFolder(feed.WatchedFolder):
    def watch(self, changed):
        super().watch(changed)
        victim = next(iter(self._observer.emitters)) if sys.argv[2] == "emitter" else self._observer
        victim.stop()
        victim.join()

feed.WatchedFolder = DyingFolder
say = lambda line: print(line, flush=True)
run_command(lambda: serving.serve_kiosk(read_config(Path(sys.argv[1])), system_clock(), say))
"""


@pytest.mark.parametrize("thread", ["observer", "emitter"])
def test_a_dead_observer_ends_the_process(bench: Bench, tmp_path: Path, thread: str) -> None:
    config = bench.kiosk_folder(tmp_path)
    (tmp_path / "state/disclosed").mkdir(parents=True)
    with RunningKiosk(config, "-c", DYING_OBSERVER, str(config), thread) as kiosk:
        until(lambda: kiosk.process.poll() is not None)
        code, errors = kiosk.stop()
    assert code == 4
    assert "监视线程已停止" in errors
    assert "Traceback" not in errors


def test_a_folder_taken_away_under_a_running_screen_is_survived(bench: Bench, tmp_path: Path) -> None:
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        kiosk.put(BOARD, bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page())
        kiosk.disclosed.rename(tmp_path / "elsewhere")
        kiosk.put(BOARD, bench.sealed(sample("window-board-correction", 2)))
        until(lambda: "由子一顶岗" in kiosk.page())


DAMAGED = {
    "trust.dsse": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "root.pem": lambda path: path.write_bytes(b"-----BEGIN CERTIFICATE-----"),
    "missing trust.dsse": lambda path: path.unlink(),
    "missing root.pem": lambda path: path.unlink(),
    "foreign trust.dsse": lambda path: path.write_bytes(Bench().sealed_trust()),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_or_missing_trust_list_is_a_page_that_says_so_and_heals_by_itself(
    bench: Bench, tmp_path: Path, damage: str
) -> None:
    config, path = bench.kiosk_folder(tmp_path), tmp_path / damage.split()[-1]
    good = path.read_bytes()
    DAMAGED[damage](path)
    with RunningKiosk(config) as kiosk:
        kiosk.put(BOARD, bench.sealed(sample("window-board")))
        for address in (*PAGES, "complain", "staff", "search", "code?c=anything"):
            status, headers, html = kiosk.get(address)
            assert (status, headers["content-security-policy"]) == (200, POLICY)
            assert "信任清单缺失、已损坏" in html
            assert "0000-0000000" in html
            assert "丁四" not in html
        assert kiosk.get("healthz")[0] == 200
        durable.write_bytes(path, good)
        until(lambda: "丁四" in kiosk.page())
        assert "信任清单缺失" not in kiosk.page()
        code, errors = kiosk.stop()
    assert code == 0
    assert "nothing is shown until the trust list is mended" in errors
    assert str(path) in errors
    assert "Traceback" not in errors


def test_a_wrong_line_in_the_configuration_is_explained(bench: Bench, tmp_path: Path) -> None:
    config = bench.kiosk_folder(tmp_path)
    config.write_text(config.read_text() + 'colour = "red"\n')
    assert "colour" in refused_start(config, 2)


def test_a_wrong_configuration_in_a_hall_is_told_once_and_served_when_it_is_mended(
    bench: Bench, tmp_path: Path
) -> None:
    config, told = bench.kiosk_folder(tmp_path), tmp_path / "journal"
    good = config.read_bytes()
    config.write_bytes(good.replace(b"device =", b"devise ="))
    command = [sys.executable, "-m", "kiosk", "serve", "--config", str(config), "--retry", "1"]
    with told.open("wb") as journal, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=journal) as waiting:
        try:
            until(lambda: "是否想写 device" in told.read_text())
            durable.write_bytes(config, config.read_bytes() + b"\n")  # still wrong, and looked at again
            durable.write_bytes(config, good)
            assert waiting.stdout is not None
            assert waiting.stdout.readline().startswith(b"listening http://127.0.0.1:")
        finally:
            waiting.kill()
    assert told.read_text().count("devise") == 1
    assert str(config) in told.read_text()


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PUBLIC KEY-----", None])
def test_a_damaged_complaint_key_closes_the_form_alone_until_it_is_mended(
    bench: Bench, tmp_path: Path, content: bytes | None
) -> None:
    config, path = bench.kiosk_folder(tmp_path), tmp_path / "complaint.pub"
    good = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with RunningKiosk(config) as kiosk:
        kiosk.put(BOARD, bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page())
        assert "暂不受理投诉，请拨打 0000-0000000" in kiosk.page("complain")
        path.write_bytes(good)
        assert "您要反映什么" in kiosk.page("complain")


def test_a_taken_port_is_explained(bench: Bench, tmp_path: Path) -> None:
    config = bench.kiosk_folder(tmp_path)
    with RunningKiosk(config) as kiosk:
        place = kiosk.url.removeprefix("http://").rstrip("/")
        config.write_text(config.read_text().replace("127.0.0.1:0", place))
        assert place in refused_start(config, 4)


def test_the_first_page_does_not_wait_for_the_publishing_office_and_the_screens_keeper_to_be_loaded() -> None:
    """Bites when a file of the server takes something from `kiosk.publishing`, the agent's control or a picture
    library, or a start waits for the command line's: the start is made of what is loaded."""
    code = (
        "import sys, kiosk.__main__, kiosk.config, kiosk.serving;"
        "late = ('typer', 'rich', 'agent.duty.policies', 'agent.duty.case_facts', 'kiosk.cli', 'kiosk.publishing',"
        " 'kiosk.screen', 'kiosk.browser', 'agent.control', 'agent.adapters',"
        " 'agent.evidence', 'PIL', 'openpyxl', 'fontTools', 'sqlalchemy', 'httpx');"
        "print([name for name in late if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]"
