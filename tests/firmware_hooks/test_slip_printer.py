"""Slips: what is on the paper is what was said, in Chinese, and what a printer lacks is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_hooks.cards import CardReader
from firmware_hooks.device_link import SerialLink
from firmware_hooks.simulated_printer import SimulatedPrinter
from firmware_hooks.slip_printer import BAUD, COLUMNS, GBK, MAX_QR, broken, compose_slip, encoded

LINES = ["设备 REC-0001", "现场检查笔录之录音录像回执", "姓名：示例·䶮㛃", "校验码 7F3A-90C2"]


def test_slip_on_a_serial_line_reads_back_as_it_was_said():
    slip = compose_slip("执法记录回执", LINES, "https://example.invalid/r/7F3A90C2")
    with SimulatedPrinter() as printer, SerialLink(printer.device, CardReader, BAUD) as line:
        assert line.write(slip.data)
        while printer.feed() != slip.data:
            pass
        assert printer.lines() == ["执法记录回执", *LINES]
        assert printer.codes() == ["https://example.invalid/r/7F3A90C2"]
    assert slip.missing == ""
    assert slip.data.startswith(b"\x1b@")


def test_name_that_an_old_printer_lacks_is_told_and_never_another_name():
    slip = compose_slip("回执", ["䶮一"], encoding=GBK)
    assert slip.missing == "䶮"
    printer = SimulatedPrinter(GBK)
    printer.paper = slip.data
    assert printer.lines() == ["回执", "〓一"]


@given(st.text(), st.sampled_from(["gb18030", "gbk"]))
def test_text_of_a_party_cannot_steer_the_printer(text, encoding):
    data, missing = encoded(text, encoding)
    shown = data.decode(encoding)
    assert shown.isprintable()
    assert len(shown) == len(text)
    assert all(letter in text for letter in missing)


@given(st.text(alphabet="示例A1，（）", max_size=200))
def test_no_line_is_wider_than_the_paper_and_nothing_is_lost(text):
    pieces = broken(text)
    assert "".join(pieces) == text
    assert all(sum(1 if letter.isascii() else 2 for letter in piece) <= COLUMNS for piece in pieces)


def test_number_stays_whole_and_marks_stay_with_their_words():
    assert broken("文号：星综执检〔2026〕REC-0001-0001号") == ["文号：星综执检〔2026〕", "REC-0001-0001号"]
    assert broken("检查情况：燃气管道接口有示例泄漏，现场已关阀") == [
        "检查情况：燃气管道接口有示例泄",
        "漏，现场已关阀",
    ]
    assert broken("a" * 40) == ["a" * 32, "a" * 8]
    assert broken("") == [""]


def test_code_too_large_to_be_read_is_refused():
    with pytest.raises(ValueError, match="cannot be read"):
        compose_slip("回执", [], "x" * (MAX_QR + 1))


def test_printer_that_takes_nothing_does_not_hold_anybody_up():
    with SimulatedPrinter() as printer, SerialLink(printer.device, CardReader, BAUD) as line:
        assert line.write(b"x" * 1000)
        assert not line.write(b"x" * 200_000)
