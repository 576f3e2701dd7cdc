"""The log of what was shown: whoever changes, cuts, drops or replaces anything in it is found out, by line."""

import base64
import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.errors import EnvironmentFault, SenderFault
from agent.wire import canonical
from agent.wire.instant import BEIJING, Instant, TimeState
from agent.wire.trust import Role, trust_list
from kiosk.display_log import DisplayLog, log_files, log_lines
from kiosk.display_record import FindKey, Head, What, verify_log
from kiosk.display_spans import BEAT_EVERY_S, shown_at, spans
from kiosk.forms import staff_page
from kiosk.log_cli import app, screen_key
from kiosk.outgoing import Outgoing
from kiosk.painted import REMEMBERED
from kiosk.serving import look_after
from kiosk.views import board_page
from tests.kiosk.bench import NOW, XINGHE, Bench, sample
from tests.kiosk.hall import Hall

MINUTE, SECOND = dt.timedelta(minutes=1), dt.timedelta(seconds=1)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="module")
def find(bench: Bench) -> FindKey:
    return screen_key(bench.trust(), "KSK-0001")


def at(minutes: int, boot: str = "boot-1") -> Instant:
    return Instant(NOW + minutes * MINUTE, minutes * 60 * 10**9, boot, TimeState.NTP, 5)


def page(tag: str, state: str = "normal") -> dict[str, Any]:
    return {
        "bundle": "b" * 64, "documents": ["window-board.hall-1@2"], "html": "c" * 64, "large": False, "path": "/board",
        "state": state, "tag": tag, "template": "d" * 64, "windows": [["3", "在岗", "示例-000004"]],
    }  # fmt: skip


def write(folder: Path, bench: Bench, pages: int = 6, file_lines: int = 10_000) -> DisplayLog:
    log = DisplayLog(folder / "display-log", bench.kiosk.signer, Outgoing(folder / "outgoing"), file_lines)
    log.open(at(0))
    for number in range(pages):
        log.shown(page(f"tag-{number}"), at(number * 10 + 1))
    return log


def lines(folder: Path) -> list[bytes]:
    return list(log_lines(folder / "display-log"))


def test_a_whole_log_is_verified_and_unchanged_pages_make_no_lines(bench: Bench, find: FindKey, tmp_path: Path) -> None:
    log = write(tmp_path, bench)
    log.shown(page("tag-5"), at(52))
    found = verify_log(lines(tmp_path), find, [Head(3, verify_log(lines(tmp_path)[:3], find).head.digest), log.head])
    assert found.head == log.head == Head(7, log.head.digest)
    assert [line.what for line in found.lines] == [What.STARTED, *[What.SHOWN] * 6]


def altered(content: bytes) -> bytes:
    line = json.loads(content)
    line["record"]["facts"]["windows"] = [["3", "在岗", "示例-000099"]]
    return canonical.encode(line)


DAMAGE: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "第 4 条被改动": lambda whole: [*whole[:3], altered(whole[3]), *whole[4:]],
    "缺少第 3 条": lambda whole: [*whole[:2], *whole[3:]],
    "缺少第 1 条": lambda whole: whole[1:],
    "缺少第 2 条": lambda whole: [whole[0], whole[2], whole[1], *whole[3:]],
    "第 5 条被改动": lambda whole: [*whole[:4], whole[4][:-9], *whole[5:]],
    "被截短：中心收到过第 7 条": lambda whole: whole[:-2],
}


@pytest.mark.parametrize("told", DAMAGE)
def test_a_tampered_or_cut_log_is_refused_by_line(bench: Bench, find: FindKey, tmp_path: Path, told: str) -> None:
    log = write(tmp_path, bench)
    with pytest.raises(SenderFault, match=told):
        verify_log(DAMAGE[told](lines(tmp_path)), find, [log.head])


def test_every_single_byte_of_a_line_counts(bench: Bench, find: FindKey, tmp_path: Path) -> None:
    write(tmp_path, bench, 1)
    whole = lines(tmp_path)
    for place in range(0, len(whole[1]), 7):
        changed = bytearray(whole[1])
        changed[place] ^= 1
        with pytest.raises(SenderFault, match="第 2 条"):
            verify_log([whole[0], bytes(changed)], find)


def test_a_log_signed_anew_by_another_screen_is_refused(bench: Bench, find: FindKey, tmp_path: Path) -> None:
    write(tmp_path, Bench(kiosk=bench.recorder))
    with pytest.raises(SenderFault, match="不是本屏"):
        verify_log(lines(tmp_path), find)


@pytest.mark.parametrize(("subject", "role"), [("KSK-0002", Role.KIOSK), ("KSK-0001", Role.RECORDER)])
def test_a_line_of_another_screen_or_of_another_kind_of_device_is_refused(
    bench: Bench, tmp_path: Path, subject: str, role: Role
) -> None:
    write(tmp_path, bench, 1)
    other = replace(bench.kiosk.credential, subject=subject, role=role)
    with pytest.raises(SenderFault, match="不是本屏"):
        verify_log(lines(tmp_path), screen_key(trust_list(XINGHE, 1, NOW, [other]), "KSK-0001"))


def test_two_logs_of_the_right_key_put_together_do_not_pass_for_one(
    bench: Bench, find: FindKey, tmp_path: Path
) -> None:
    """Bites when only signatures and numbers are looked at: a morning is then replaced by a quieter one."""
    write(tmp_path / "first", bench)
    write(tmp_path / "second", bench, 5)
    first, second = lines(tmp_path / "first"), lines(tmp_path / "second")
    with pytest.raises(SenderFault, match="第 4 条与前一条不衔接"):
        verify_log([*first[:3], *second[3:]], find)


def test_a_log_written_anew_with_the_right_key_differs_from_what_the_centre_has(
    bench: Bench, find: FindKey, tmp_path: Path
) -> None:
    told = write(tmp_path / "first", bench).head
    write(tmp_path / "second", bench, 9)
    with pytest.raises(SenderFault, match="整体替换"):
        verify_log(lines(tmp_path / "second"), find, [told])


def test_a_line_that_came_without_its_beginning_is_put_aside_and_the_chain_goes_on(
    bench: Bench, find: FindKey, tmp_path: Path
) -> None:
    write(tmp_path, bench)
    path = log_files(tmp_path / "display-log")[0]
    content = path.read_bytes()
    last = content.rfind(b"\n", 0, -1) + 1
    path.write_bytes(content[:last] + bytes(200) + content[last + 200 :])
    log = DisplayLog(tmp_path / "display-log", bench.kiosk.signer, Outgoing(tmp_path / "outgoing"))
    log.open(at(70))
    found = verify_log(lines(tmp_path), find)
    assert found.head == log.head
    assert len(found.lines) == 7
    assert path.with_name(f"{path.name}.torn").stat().st_size == len(content) - last


def test_what_is_left_of_a_refused_line_goes_before_the_next(bench: Bench, find: FindKey, tmp_path: Path) -> None:
    log = write(tmp_path, bench)
    with log_files(tmp_path / "display-log")[0].open("ab") as file:
        file.write(b'{"key":"a line that nobody could take back')
    log.shown(page("tag-9"), at(99))
    assert verify_log(lines(tmp_path), find).head == log.head


def test_a_torn_last_line_is_put_aside_and_the_chain_goes_on(bench: Bench, find: FindKey, tmp_path: Path) -> None:
    write(tmp_path, bench)
    path = log_files(tmp_path / "display-log")[0]
    path.write_bytes(path.read_bytes()[:-40])
    log = DisplayLog(tmp_path / "display-log", bench.kiosk.signer, Outgoing(tmp_path / "outgoing"))
    log.open(at(70))
    found = verify_log(lines(tmp_path), find)
    assert [line.what for line in found.lines[-2:]] == [What.SHOWN, What.STARTED]
    assert found.head.number == 7
    assert path.with_name(f"{path.name}.torn").stat().st_size > 0


def test_the_chain_goes_on_over_the_end_of_a_file(bench: Bench, find: FindKey, tmp_path: Path) -> None:
    write(tmp_path, bench, file_lines=3)
    assert [path.name for path in log_files(tmp_path / "display-log")] == [
        "00000001.jsonl", "00000004.jsonl", "00000007.jsonl",
    ]  # fmt: skip
    log = DisplayLog(tmp_path / "display-log", bench.kiosk.signer, Outgoing(tmp_path / "outgoing"))
    log.open(at(99))
    assert verify_log(lines(tmp_path), find).head == log.head


def shown(folder: Path, find: FindKey, moment: dt.datetime) -> list[tuple[str, dt.timedelta, bool]]:
    """Tag, minutes after `NOW` of the end, and whether another page followed, of every page at `moment`."""
    found = shown_at(verify_log(lines(folder), find).lines, moment)
    return [(one.line.facts["tag"], one.until - NOW, one.followed) for one in found.spans]


def kept(log: DisplayLog, tag: str, first: int, last: int, boot: str = "boot-1") -> None:
    """The browser says every minute that `tag` is still painted."""
    for minute in range(first, last + 1):
        log.shown(page(tag), at(minute, boot))


def test_what_was_shown_at_a_moment(bench: Bench, find: FindKey, tmp_path: Path) -> None:
    log = write(tmp_path, bench, 0)
    kept(log, "tag-0", 1, 11)
    kept(log, "tag-1", 12, 21)
    log.note(What.PIXELS, {"match": True, "tag": "tag-1"}, at(21))
    kept(log, "tag-2", 22, 30)
    log.silent(at(30), at(31))
    log.note(What.STOPPED, {}, at(40))
    assert shown(tmp_path, find, NOW + 15 * MINUTE) == [("tag-1", 22 * MINUTE, True)]
    assert shown(tmp_path, find, NOW + 30 * MINUTE) == [("tag-2", 30 * MINUTE, False)]
    assert shown(tmp_path, find, NOW + 31 * MINUTE) == []
    assert shown(tmp_path, find, NOW) == []
    looked = shown_at(verify_log(lines(tmp_path), find).lines, NOW + 15 * MINUTE).spans[0].pixels
    assert looked is not None
    assert looked.facts["match"]


def test_a_power_cut_or_a_killed_server_leaves_no_claim_after_the_last_beat(
    bench: Bench, find: FindKey, tmp_path: Path
) -> None:
    """Bites when a page counts as shown until the next line: the screen was dark for hours."""
    kept(write(tmp_path, bench, 0), "tag-0", 1, 13)
    log = DisplayLog(tmp_path / "display-log", bench.kiosk.signer, Outgoing(tmp_path / "outgoing"))
    log.open(at(300, "boot-2"))
    kept(log, "tag-0", 301, 310, "boot-2")
    assert shown(tmp_path, find, NOW + 10 * MINUTE) == [("tag-0", 11 * MINUTE, False)]
    assert shown(tmp_path, find, NOW + 200 * MINUTE) == []
    assert shown(tmp_path, find, NOW + 303 * MINUTE) == [("tag-0", 306 * MINUTE, False)]
    assert BEAT_EVERY_S <= 300  # so much is lost at most


def test_a_dead_browser_under_a_living_server_shows_nothing(bench: Bench, find: FindKey, tmp_path: Path) -> None:
    hall = Hall(tmp_path, bench)
    hall.put(sample("window-board"))
    painted = hall.display.painted

    def paint(seconds: int) -> None:
        for _ in range(seconds // 4):
            hall.page(board_page)
            assert painted.acknowledged(painted.newest[0], hall.clock.step(4))
            look_after(hall.display)

    paint(60)
    for _ in range(600):  # the renderer died
        hall.clock.step(1)
        look_after(hall.display)
    paint(60)
    painted.stopped(hall.clock.read())
    found = list(spans(verify_log(log_lines(hall.config.state / "display-log"), find).lines))
    assert [(one.line.at - NOW, one.until - NOW) for one in found] == [
        (4 * SECOND, 60 * SECOND), (664 * SECOND, 720 * SECOND),
    ]  # fmt: skip


def test_a_clock_that_was_set_back_gives_both_answers_and_tells_the_jump(
    bench: Bench, find: FindKey, tmp_path: Path
) -> None:
    config = bench.kiosk_folder(tmp_path)
    log = DisplayLog(tmp_path / "kiosk-state/display-log", bench.kiosk.signer, Outgoing(tmp_path / "outgoing"))
    log.open(at(0))
    kept(log, "tag-0", 1, 30)
    for minute in range(31, 60):  # set back by half an hour
        log.shown(page("tag-1"), replace(at(minute), wall=NOW + (minute - 30) * MINUTE))
    moment = (NOW + 10 * MINUTE).astimezone(BEIJING)
    asked = ["report", "--config", str(config), "--at", f"{moment:%Y-%m-%d %H:%M}"]
    told = CliRunner().invoke(app, asked).output
    assert "时钟曾被回拨，此刻出现 2 次" in told
    assert "第 8 条之前时钟被回拨 1800 秒" in told
    value = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    assert [one["记录"] for one in value["各次"]] == ["第 2 条", "第 8 条"]
    assert "回拨 1800 秒" in CliRunner().invoke(app, ["verify", "--config", str(config)]).output


def test_an_empty_log_is_told_to_be_empty_and_an_unknown_moment_to_be_unknown(bench: Bench, tmp_path: Path) -> None:
    config = bench.kiosk_folder(tmp_path)
    (tmp_path / "kiosk-state/display-log").mkdir(parents=True)
    told = CliRunner().invoke(app, ["verify", "--config", str(config)])
    assert "展示记录为空" in told.output
    assert "完整" not in told.output
    write(tmp_path / "kiosk-state", bench, 1)
    moment = (NOW + 100 * MINUTE).astimezone(BEIJING)
    asked = ["report", "--config", str(config), "--at", f"{moment:%Y-%m-%d %H:%M}"]
    assert "不明：此刻没有画面确认。此前最后一次在" in CliRunner().invoke(app, asked).output


def test_heads_go_out_hourly_and_with_every_change_of_state(bench: Bench, tmp_path: Path) -> None:
    log = write(tmp_path, bench, 2)
    told = sorted((tmp_path / "outgoing").glob("*.json"))
    assert len(told) == 1
    log.shown(page("tag-9", "emergency"), at(30))
    log.tell("emergency", at(31))
    log.tell("emergency", at(95))
    facts = [json.loads(path.read_bytes()) for path in sorted((tmp_path / "outgoing").glob("*.json"))]
    assert [fact["data"]["state"] for fact in facts] == ["normal", "emergency"]
    assert facts[-1]["data"]["head"] == log.head.digest


def test_a_full_disk_loses_a_line_and_never_the_chain(bench: Bench, find: FindKey, tmp_path: Path) -> None:
    log = write(tmp_path, bench, 2)
    folder = tmp_path / "display-log"
    kept = folder.rename(tmp_path / "away")
    assert not log.note(What.SHOWN, page("lost"), at(50))
    kept.rename(folder)
    assert log.note(What.SHOWN, page("again"), at(51))
    assert verify_log(lines(tmp_path), find).head.number == 4


def test_what_did_window_3_show_at_10_20(bench: Bench, tmp_path: Path) -> None:
    config = bench.kiosk_folder(tmp_path)
    write(tmp_path / "kiosk-state", bench)
    moment = (NOW + 11 * MINUTE).astimezone(BEIJING)
    asked = ["report", "--config", str(config), "--at", f"{moment:%Y-%m-%d %H:%M}", "--window", "3"]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.output
    assert "3 号 在岗 示例-000004" in told.output
    assert "window-board.hall-1@2" in told.output
    value = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    assert value["记录"] == "第 3 条"
    whole = json.loads(CliRunner().invoke(app, ["verify", "--config", str(config), "--json"]).output)
    assert whole["lines"] == 7
    cut = CliRunner().invoke(app, ["verify", "--config", str(config), "--head", f"9:{'0' * 64}"])
    assert isinstance(cut.exception, SenderFault)
    assert "被截短" in str(cut.exception)


def test_a_damaged_file_of_another_kind_is_no_traceback(bench: Bench, find: FindKey, tmp_path: Path) -> None:
    write(tmp_path, bench, 1)
    for junk in (b"", b"{}", b"[]", b"\xff", base64.b64encode(b"x" * 99)):
        with pytest.raises(SenderFault, match="第 3 条"):
            verify_log([*lines(tmp_path), junk], find)
    with pytest.raises((SenderFault, EnvironmentFault)):
        verify_log(log_lines(tmp_path / "display-log"), replace_key(find))


def replace_key(find: FindKey) -> FindKey:
    def other(key: str) -> Any:
        raise SenderFault(f"{key[:4]} 不在信任清单中")

    assert find is not None
    return other


def test_pages_that_nobody_paints_are_forgotten_and_fill_no_memory(bench: Bench, tmp_path: Path) -> None:
    hall = Hall(tmp_path, bench)
    hall.put(sample("window-board"))
    tags = []
    for _ in range(REMEMBERED + 1):
        hall.page(staff_page)
        tags.append(hall.display.painted.newest[0])
        hall.clock.step(1)
    assert len(set(tags)) == REMEMBERED + 1
    assert not hall.display.painted.acknowledged(tags[0], hall.clock.read())
    assert hall.display.painted.acknowledged(tags[1], hall.clock.read())
