"""A complaint: readable by nobody on the kiosk, changed and taken back for ten minutes, never lost offline."""

import re
import stat
from pathlib import Path

import pytest

from agent.errors import SenderFault
from agent.wire.complaints import Complaint, check_complaint, held_complaint, hold_complaint, open_complaint
from agent.wire.hall_facts import FactKind, parse_fact
from agent.wire.instant import TimeState
from kiosk.complaining import code_bytes, code_text
from kiosk.complaint_box import MOST_WAITING, RECONSIDER
from kiosk.forms import complain_page, complaint_page
from kiosk.inquiries import proof_page
from kiosk.serving import look_after
from tests.kiosk.bench import NOW, Bench, sample
from tests.kiosk.hall import Hall

FILLED = {"category": "服务态度", "about": "3 号窗口", "phone": "000-12345678", "text": "等了两小时", "go": "file"}
CODE = re.compile(r"<b>([0-9A-Z-]{19})</b>")
TEN_MINUTES = RECONSIDER.total_seconds()


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.fixture
def hall(bench: Bench, tmp_path: Path) -> Hall:
    hall = Hall(tmp_path, bench)
    hall.put(sample("window-board"))
    return hall


def filed(hall: Hall, **changed: str) -> str:
    found = CODE.search(hall.post(complain_page, **{**FILLED, **changed}).html)
    assert found is not None
    return found[1]


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_three_steps_carry_what_was_said_and_nothing_else_keeps_it(hall: Hall) -> None:
    assert "您要反映什么" in hall.page(complain_page)
    second = hall.post(complain_page, category="服务态度", go="2").html
    assert "发生了什么" in second
    third = hall.post(complain_page, category="服务态度", about="3 号窗口", phrase0="1", go="3").html
    assert "等候时间过长" in third
    assert "提交后立即加密" in third
    assert not (hall.config.state / "complaints").exists()


def test_a_complaint_about_nothing_is_asked_for_more(hall: Hall) -> None:
    assert "请先选择投诉类别" in hall.post(complain_page, go="2").html
    assert "请至少勾选一种情况" in hall.post(complain_page, category="其他", go="3").html


def test_nothing_readable_of_it_is_ever_on_the_disk(hall: Hall, tmp_path: Path) -> None:
    code = filed(hall)
    [path] = (hall.config.state / "complaints").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    hall.clock.step(TEN_MINUTES)
    look_after(hall.display)
    kept = everything(tmp_path)
    for word in ("等了两小时", "12345678", code, code.replace("-", "")):
        assert word.encode() not in kept


def test_after_ten_minutes_it_goes_out_for_the_centre_alone(hall: Hall) -> None:
    filed(hall)
    hall.clock.step(TEN_MINUTES - 1)
    look_after(hall.display)
    assert hall.outgoing() == []
    hall.clock.step(1)
    look_after(hall.display)
    [path] = hall.outgoing()
    fact = parse_fact(path.read_bytes())
    assert fact.kind is FactKind.COMPLAINT
    complaint = open_complaint(fact.data["sealed"], hall.bench.complaints)
    assert (complaint.text, complaint.phone) == ("等了两小时", "000-12345678")
    with pytest.raises(SenderFault, match="无法解密"):
        open_complaint(fact.data["sealed"], Bench().complaints)
    assert not list((hall.config.state / "complaints").iterdir())


def test_a_screen_that_was_off_for_a_week_still_sends(bench: Bench, tmp_path: Path) -> None:
    hall = Hall(tmp_path, bench)
    filed(hall)
    later = Hall(tmp_path, bench)
    later.clock.step(7 * 86400)
    look_after(later.display)
    assert len(later.outgoing()) == 1


def test_withdrawn_in_time_nothing_of_it_remains(hall: Hall) -> None:
    code = filed(hall)
    assert "投诉已撤回" in hall.post(complaint_page, code=code.lower(), go="withdraw").html
    hall.clock.step(TEN_MINUTES)
    look_after(hall.display)
    assert hall.outgoing() == []
    assert not list((hall.config.state / "complaints").iterdir())
    assert "没有这个投诉编号" in hall.post(complaint_page, code=code).html


def test_changed_in_time_only_the_new_text_goes_and_its_term_does_not_grow(hall: Hall) -> None:
    code = filed(hall)
    hall.clock.step(300)
    assert "等了两小时" in hall.post(complaint_page, code=code).html
    hall.post(complain_page, **{**FILLED, "text": "改过的话", "code": code})
    hall.clock.step(TEN_MINUTES - 300)
    look_after(hall.display)
    [path] = hall.outgoing()
    assert open_complaint(parse_fact(path.read_bytes()).data["sealed"], hall.bench.complaints).text == "改过的话"


def test_too_late_to_change_or_take_back(hall: Hall) -> None:
    code = filed(hall)
    hall.clock.step(TEN_MINUTES)
    look_after(hall.display)
    assert "没有这个投诉编号" in hall.post(complaint_page, code=code, go="withdraw").html


def test_a_wrong_or_guessed_code_opens_nothing(hall: Hall) -> None:
    filed(hall)
    for code in ("0000-0000-0000-0000", "12", "ZZZZ-ZZZZ-ZZZZ-ZZZZ", "../../etc"):
        page = hall.post(complaint_page, code=code).html
        assert "等了两小时" not in page
        assert "banner warn" in page


def test_a_prank_cannot_fill_the_box(hall: Hall) -> None:
    for _ in range(MOST_WAITING):
        filed(hall)
    assert "已受理较多投诉" in hall.post(complain_page, **FILLED).html
    hall.clock.step(TEN_MINUTES)
    look_after(hall.display)
    assert filed(hall)


def test_a_damaged_file_keeps_nobody_else_waiting(hall: Hall) -> None:
    filed(hall)
    (hall.config.state / "complaints/0000.json").write_bytes(b"{")
    hall.clock.step(TEN_MINUTES)
    look_after(hall.display)
    assert len(hall.outgoing()) == 1


def test_a_kiosk_without_the_centres_key_says_whom_to_call(bench: Bench, tmp_path: Path) -> None:
    hall = Hall(tmp_path, bench, complaint_key="none.pub")
    assert "暂不受理投诉" in hall.page(complain_page)
    assert "0000-0000000" in hall.page(complain_page)


def test_a_disk_that_takes_nothing_says_whom_to_call_and_loses_nothing_said(hall: Hall) -> None:
    box = hall.config.state / "complaints"
    box.write_bytes(b"in the way")
    page = hall.post(complain_page, **FILLED).html
    assert "本机现在不能保存" in page
    assert "0000-0000000" in page
    assert "等了两小时" in page
    box.unlink()
    assert filed(hall)


def test_codes_survive_being_read_aloud() -> None:
    code = bytes(range(10))
    assert code_bytes(code_text(code).lower().replace("0", "o")) == code


def test_limits_hold_and_every_byte_of_the_held_copy_counts() -> None:
    one = Complaint("其他", "", "字", "", "厅", NOW.replace(microsecond=0))
    held = hold_complaint(one, b"0123456789")
    assert held_complaint(held, b"0123456789") == one
    for place in (0, len(held) // 2, len(held) - 1):
        with pytest.raises(SenderFault):
            held_complaint(held[:place] + bytes([held[place] ^ 1]) + held[place + 1 :], b"0123456789")
    for wrong in (
        Complaint("别的", "", "", "", "厅", NOW),
        Complaint("其他", "", "字" * 501, "", "厅", NOW),
        Complaint("其他", "", "", "电话", "厅", NOW),
    ):
        with pytest.raises(SenderFault):
            check_complaint(wrong)


@pytest.mark.parametrize("days", [-2, 2])
def test_a_clock_that_is_set_neither_keeps_a_complaint_nor_shortens_its_ten_minutes(hall: Hall, days: int) -> None:
    """Bites with the wall clock: two days back and nothing goes out, and the box takes no more."""
    look_after(hall.display)
    for _ in range(MOST_WAITING):
        filed(hall)
    hall.clock.set_wrong(days)
    hall.clock.step(TEN_MINUTES - 1)
    look_after(hall.display)
    assert hall.outgoing() == []
    hall.clock.step(1)
    look_after(hall.display)
    assert len(hall.outgoing()) == MOST_WAITING
    filed(hall)


def test_a_complaint_of_before_a_restart_waits_ten_minutes_at_most_whatever_the_clock_says(
    bench: Bench, tmp_path: Path
) -> None:
    ahead = Hall(tmp_path, bench)
    ahead.clock.state = TimeState.UNSET
    ahead.clock.set_wrong(3)
    filed(ahead)
    later = Hall(tmp_path, bench)
    look_after(later.display)
    assert later.outgoing() == []
    later.clock.step(TEN_MINUTES)
    look_after(later.display)
    assert len(later.outgoing()) == 1


def test_a_damaged_complaint_is_put_aside_told_and_not_counted_among_those_that_wait(hall: Hall) -> None:
    for _ in range(MOST_WAITING):
        filed(hall)
    folder = hall.config.state / "complaints"
    [path, *_] = sorted(folder.glob("*.json"))
    path.write_bytes(b"{")
    filed(hall)
    assert (folder / f"{path.name}.damaged").read_bytes() == b"{"
    assert "有 1 件投诉在本屏存储中损坏" in hall.page(proof_page)
    assert len(list(folder.glob("*.json"))) == MOST_WAITING


def test_a_complaint_that_cannot_be_handed_over_is_kept_until_it_can(
    hall: Hall, caplog: pytest.LogCaptureFixture
) -> None:
    filed(hall)
    hall.clock.step(TEN_MINUTES)
    outgoing = hall.config.outgoing
    away = outgoing.rename(outgoing.with_name("away")) if outgoing.exists() else None
    outgoing.write_bytes(b"in the way")
    for _ in range(3):
        look_after(hall.display)
    assert caplog.text.count("complaints wait") == 1  # it is tried every second
    outgoing.unlink()
    if away is not None:
        away.rename(outgoing)
    look_after(hall.display)
    assert len(hall.outgoing()) == 1
