"""Who may come in, how often one may guess, and what the list says: the page's pure rules."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.errors import OperatorFault
from agent.evidence.report import Layer, Status
from agent.evidence.verify import verify_recording
from agent.page.examiner import told_lines
from agent.page.found import FoundRecording, Standing
from agent.page.found_duty import Duty, read_duty
from agent.page.lockout import LONGEST_WAIT_S, NANOSECONDS, Lockout, wait_s
from agent.page.pin import PinFile
from agent.page.server import doorway
from agent.page.serving import listen_address
from agent.page.view import check_lines, latest_fault, not_examined, of_today, rows, status_lines
from agent.web.gate import own_hosts
from agent.wire.identifiers import RecordingId
from tests.agent.evidence.bench import NOW

OURS = doorway(own_hosts("127.0.0.1", 8471))
FOUND = FoundRecording(
    RecordingId("REC-0001-R000001"), Standing.SEALED, NOW, True, False, ("segment-0001.mp4",), 9, "m"
)


@pytest.mark.parametrize(
    ("method", "path", "host", "origin", "status"),
    [
        ("GET", "/", "127.0.0.1:8471", None, None),
        ("GET", "/", "evil.example:8471", None, 421),
        ("GET", "/", None, None, 421),
        ("GET", "/", "", None, 421),
        ("GET", "/", "127.0.0.1:8471", "http://evil.example", 403),
        ("POST", "/login", "127.0.0.1:8471", "http://127.0.0.1:8471", None),
        ("POST", "/login", "127.0.0.1:8471", None, 403),
        ("POST", "/login", "127.0.0.1:8471", "null", 403),
        ("POST", "/print/document-000001", "127.0.0.1:8471", "http://127.0.0.1:8471", None),
        ("POST", "/print/document-000001", "127.0.0.1:8471", None, 403),
        ("POST", "/print/../x", "127.0.0.1:8471", "http://127.0.0.1:8471", 405),
        ("POST", "/d/document-000001", "127.0.0.1:8471", "http://127.0.0.1:8471", 405),
        ("POST", "/r/REC-0001-R000001", "127.0.0.1:8471", "http://127.0.0.1:8471", 405),
        ("DELETE", "/r/REC-0001-R000001", "127.0.0.1:8471", "http://127.0.0.1:8471", 405),
    ],
)
def test_a_request_that_is_not_ours_is_refused(
    method: str, path: str, host: str | None, origin: str | None, status: int | None
) -> None:
    assert OURS.refusal(method, path, host, origin) == status


def test_guessing_ten_thousand_pins_takes_over_a_year() -> None:
    assert [wait_s(n) for n in range(7)] == [0, 0, 0, 5, 10, 20, 40]
    assert sum(wait_s(n) for n in range(10_000)) > 365 * 86_400
    assert wait_s(10**6) == LONGEST_WAIT_S


def test_pulling_the_power_does_not_shorten_the_wait() -> None:
    lockout = Lockout(0, 0)
    for _ in range(5):
        kept = lockout.tried(0)
    assert Lockout(kept, 10**15).left_s(10**15) == wait_s(5)
    assert lockout.left_s(wait_s(5) * NANOSECONDS) == 0


@pytest.mark.parametrize(
    "pin", ["", "12345", "111111", "121212", "123456", "987654", "abcdef", "1" * 13, "２８０４１７"]
)
def test_a_pin_that_is_none_is_refused(tmp_path: Path, pin: str) -> None:
    with pytest.raises(OperatorFault, match="6 至 12 位"):
        PinFile(tmp_path).set(pin)


def test_only_a_hash_of_the_pin_is_kept(tmp_path: Path) -> None:
    pins = PinFile(tmp_path / "page")
    place = pins.set("280417")
    assert b"280417" not in place.read_bytes()
    assert place.stat().st_mode & 0o077 == 0
    assert (pins.is_right("280417"), pins.is_right("280418"), pins.is_right("")) == (True, False, False)
    (tmp_path / "page" / "tries.json").write_bytes(b"torn")
    assert wait_s(pins.tries()) > 0


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "8.8.8.8:80", "localhost:80", "[::1]:80", "127.0.0.1", "127.0.0.1:x"])
def test_the_page_is_not_offered_to_the_world(listen: str) -> None:
    with pytest.raises(OperatorFault, match="回环或 USB"):
        listen_address(listen)
    assert listen_address("10.55.0.1:8471") == ("10.55.0.1", 8471)


@pytest.mark.parametrize(
    ("content", "task", "missing"),
    [
        ('{"task": "检查", "steps_missing": ["出示证件", "告知"]}', "检查", ("出示证件", "告知")),
        ('{"task": {"id": "T1", "title": "检查"}, "steps_missing": [{"name": "告知"}, 3, null]}', "检查", ("告知",)),
        ('{"task": 7, "steps_missing": "告知"}', "", ()),
        ("[1]", "", ()),
        ("{torn", "", ()),
        ("[" * 100_000, "", ()),
    ],
)
def test_a_duty_file_of_another_shape_costs_nothing(
    tmp_path: Path, content: str, task: str, missing: tuple[str, ...]
) -> None:
    (tmp_path / "duty.json").write_text(content)
    duty = read_duty(tmp_path / "duty.json")
    assert (duty.task, duty.steps_missing) == (task, missing)
    assert read_duty(tmp_path / "none.json") == Duty()


def test_what_is_encrypted_or_not_sealed_is_listed_and_said() -> None:
    found = [
        replace(FOUND, encrypted=True),
        replace(FOUND, standing=Standing.RUNNING),
        replace(FOUND, standing=Standing.OPEN),
        FOUND,
    ]
    made = rows(found, {}, Duty("检查", ("告知",)))
    assert [row.verdict for row in made] == ["已加密", "正在录制", "未封存", "等待检验"]
    assert [row.plays for row in made] == [False, False, False, True]
    assert [row.missing for row in made] == [(), ("告知",), (), ()]
    assert "本机不能再读" in made[0].notes[0]


def test_a_crash_of_the_verifier_is_never_shown_to_an_officer() -> None:
    told = not_examined(1, "Traceback (most recent call last):")
    (row,) = rows([FOUND], {FOUND.recording: told}, Duty())
    assert (row.verdict, row.notes, row.tone) == ("未能检验", ("未能检验，请找技术员。",), "bad")
    assert not_examined(4, "存储卡读取失败。请检查。")["lines"] == ["存储卡读取失败。请检查。"]
    assert not_examined(-9, "")["lines"] == ["未能检验，请找技术员。"]


def test_an_explained_gap_is_told_first_without_codes_and_once() -> None:
    report = verify_recording([], [], NOW)
    said = replace(
        report,
        trust=Layer(Status.FAILED, ("a", "未评判：没有（not judged: no roots）", "a")),
        integrity=Layer(Status.PASSED, ("b",)),
        completeness=Layer(Status.NOTED, ("10:00 起中断：人为暂停",)),
        time=Layer(Status.NOTED, ("c",)),
        duty=Layer(Status.FAILED, ("任务：检查", "标注：clock-unset 时钟未校准", "应录环节未标记 1 项：告知。")),
    )
    gap, *others = told_lines(said)
    assert gap == "10:00 起中断：人为暂停"
    assert others == ["a", "未评判：没有", "标注：时钟未校准", "应录环节未标记 1 项：告知。"]
    told = {FOUND.recording: {"verdict": "complete", "chinese": "完整", "lines": others}}
    (row,) = rows([FOUND], told, Duty(recordings={FOUND.recording: Duty("检查", ("告知",))}))
    assert row.notes == ("a", "未评判：没有", "标注：时钟未校准")


def test_the_latest_problem_is_told_in_words_with_its_time_in_beijing() -> None:
    text = "2026-05-01T16:30:00.000Z 与消息服务器断开：无法连接（[Errno 111] Connection refused）。将自动重连。"
    assert latest_fault(text) == "（截至 05-02 00:30）：连不上消息服务器。将自动重连。"
    assert status_lines({"last_error": text}) == ["最近的问题（截至 05-02 00:30）：连不上消息服务器。将自动重连。"]
    assert (latest_fault(""), latest_fault("没有时间")) == ("", "：没有时间")


def test_a_verdict_that_is_not_known_looks_bad_and_not_good() -> None:
    (row,) = rows([FOUND], {FOUND.recording: {"verdict": "brand-new", "chinese": "新词"}}, Duty())
    assert row.tone == "bad"


def test_today_is_the_day_in_beijing_and_what_runs_is_always_there() -> None:
    early = replace(FOUND, started=NOW.replace(hour=15, minute=59))  # 23:59 in Beijing
    late = replace(FOUND, started=NOW.replace(hour=16, minute=1))
    running = replace(FOUND, started=NOW - timedelta(days=9000), standing=Standing.RUNNING)
    assert of_today([early, late, running], NOW) == [early, running]


def test_a_self_check_shows_what_fails_first_and_nothing_that_it_does_not_know() -> None:
    told = {"items": [{"level": "pass", "text": "a"}, {"level": "fail", "text": "b"}, {"level": "?"}, 5]}
    assert [line.text for line in check_lines(told)] == ["b", "a"]
    assert check_lines(None) == check_lines([]) == check_lines({"items": 3}) == []
