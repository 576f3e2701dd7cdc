"""The key-content sheet: words may change, time ranges may not; who signed, for which recording, after which sheet."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.duty.key_content import (
    MAX_TEXT,
    KeyContentSheet,
    SignedSheet,
    check_sheet,
    corrected,
    draft_sheet,
    open_sheet,
    reworded,
    sign_sheet,
)
from agent.duty.key_content_text import sheet_lines
from agent.errors import OperatorFault, SenderFault
from agent.wire.trust import Role
from tests.agent.duty.facts import RECORDER, RECORDING, STEPS, case, digest_of, gap, recording, span
from tests.support.signers import NOW, Holder, holder, trusting

DEVICE = holder(RECORDER, Role.RECORDER, 31)
HANDLER = holder("示例-000001", Role.HANDLER, 32)
KIOSK = holder("KSK-0001", Role.KIOSK, 33)
TRUST = trusting(DEVICE, HANDLER, KIOSK)
FACTS = case(gaps=(gap(),))


def written(author: str = "示例-000001") -> KeyContentSheet:
    sheet = draft_sheet(FACTS, author, NOW)
    for number, line in enumerate(sheet.lines, 1):
        sheet = reworded(sheet, number, f"内容 {number}", "证据") if line.step else sheet
    return sheet


def signed(sheet: KeyContentSheet, who: Holder = HANDLER) -> SignedSheet:
    return open_sheet(sign_sheet(sheet, who.signer), TRUST)


def moved(sheet: KeyContentSheet, first: int, last: int) -> KeyContentSheet:
    line = sheet.lines[0]
    return replace(sheet, lines=(replace(line, span=span(first, last)), *sheet.lines[1:]))


def test_a_draft_has_every_marked_step_and_every_interruption_in_the_order_of_time() -> None:
    lines = draft_sheet(FACTS, "示例-000001", NOW).lines
    assert [line.step for line in lines if line.step] == list(STEPS)
    assert [line.span.begins for line in lines] == sorted(line.span.begins for line in lines)
    assert sum("记录中断" in line.text for line in lines) == 1


def test_a_sheet_with_a_line_that_nobody_worded_is_not_signed() -> None:
    with pytest.raises(OperatorFault, match="第 1、2"):
        sign_sheet(draft_sheet(FACTS, "示例-000001", NOW), HANDLER.signer)


@pytest.mark.parametrize("who", [HANDLER, DEVICE])
def test_a_sheet_that_its_handler_or_the_recorder_signed_is_read_with_its_words(who: Holder) -> None:
    found = check_sheet(signed(written(), who), FACTS)
    assert found.sheet == written()
    text = "\n".join(sheet_lines(found.sheet))
    assert "表明身份：内容 1（要素：证据）" in text
    assert "11-22 10:00:00—10:01:00" in text
    assert found.as_data()["recordings"] == [RECORDING]


def test_a_sheet_that_somebody_else_signed_is_refused() -> None:
    with pytest.raises(SenderFault, match="承办人签名"):
        signed(written(), KIOSK)
    with pytest.raises(SenderFault, match="却由 示例-000001 签名"):
        signed(written("示例-000002"))
    late = replace(written(), written=NOW + timedelta(days=1000))
    with pytest.raises(SenderFault, match="有效期"):
        signed(late)


def test_a_time_range_that_was_moved_is_found() -> None:
    with pytest.raises(SenderFault, match="改动了环节 表明身份"):
        check_sheet(signed(moved(written(), 5, 120)), FACTS)
    with pytest.raises(SenderFault, match="不在录像之内"):
        check_sheet(signed(moved(written(), 1, 9999)), FACTS)
    dropped = replace(written(), lines=written().lines[1:])
    with pytest.raises(SenderFault, match="缺少"):
        check_sheet(signed(dropped), FACTS)


def test_a_sheet_for_other_bytes_than_those_on_file_is_refused() -> None:
    other = replace(FACTS, recordings=(recording(head=digest_of("other")),))
    with pytest.raises(SenderFault, match="与归档的不一致"):
        check_sheet(signed(written()), other)
    with pytest.raises(SenderFault, match="不属于"):
        check_sheet(signed(written()), replace(FACTS, task="T-2026-0002"))
    with pytest.raises(SenderFault, match="不在录像之内"):
        check_sheet(signed(replace(written(), heads={})), FACTS)


def test_a_corrected_sheet_follows_the_one_before_and_nothing_is_put_between() -> None:
    first = check_sheet(signed(written()), FACTS)
    second = signed(reworded(corrected(first, "示例-000001", NOW), 1, "更正"))
    assert check_sheet(second, FACTS, first).sheet.lines[0].text == "更正"
    assert first.sheet.lines[0].text == "内容 1"
    for before in (None, second):
        with pytest.raises(SenderFault, match="不接在前一版之后"):
            check_sheet(second, FACTS, before)
    other = signed(reworded(written(), 1, "另一份"))
    with pytest.raises(SenderFault, match="不接在前一版之后"):
        check_sheet(second, FACTS, other)


@pytest.mark.parametrize("text", ["", " \n", "a\x07", "长" * (MAX_TEXT + 1)])
def test_words_that_no_line_can_hold_are_refused(text: str) -> None:
    with pytest.raises(OperatorFault, match="请改写"):
        reworded(written(), 1, text)
    with pytest.raises(OperatorFault, match="没有第 99 行"):
        reworded(written(), 99, "好")
