"""A party's receipt at a kiosk without a network: on file, not yet, forged, mistyped, a list that lies."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from agent.duty.party_receipt import PartyReceipt, sign_receipt, spelled
from agent.duty.receipt_list import PARTS, ReceiptAnswer, part_name, part_of, seal_part, split_answers
from agent.wire.identifiers import Digest, device_id, recording_id
from agent.wire.trust import trust_list
from kiosk.identity import IdentityView
from kiosk.receipt import is_receipt, receipt_view
from kiosk.receipt_folder import ReceiptFolder
from tests.kiosk.bench import NOW, XINGHE, Bench, Person
from tests.kiosk.running import RunningKiosk

UNIT, REC = "星河区综合行政执法局", device_id("REC-0001")
RECEIPT = PartyReceipt(XINGHE, REC, 7, UNIT, "T-2026-0001", recording_id(REC, 1), 640, Digest("ab" * 32), NOW)
CODE, KEPT = RECEIPT.short_code, date(2028, 11, 22)
BENCH = Bench()


def listed(*answers: ReceiptAnswer, signer: Person = BENCH.receiver) -> dict[int, bytes]:
    issued = NOW + timedelta(hours=9)
    return {part.part: seal_part(part, signer.signer) for part in split_answers(XINGHE, issued, answers)}


def shown(text: str, parts: dict[int, bytes]) -> str:
    view: IdentityView = receipt_view(text, parts.get, NOW + timedelta(days=1), BENCH.trust(), XINGHE)
    return "\n".join([*(banner.text for banner in view.banners), *(f"{name} {value}" for name, value in view.fields)])


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("complete", "完整，未被改动"),
        ("explained-gap", "2 处中断，均已说明原因"),
        ("unexplained-gap", "未说明原因"),
        ("missing", "尚未归档"),
        ("altered", "与回执不符"),
        ("untrusted", "无法确认出自登记的设备"),
    ],
)
def test_every_verdict_has_its_own_words_and_says_until_when_it_is_kept(verdict: str, said: str) -> None:
    text = shown(CODE, listed(ReceiptAnswer(CODE, verdict, 2, KEPT)))
    assert said in text
    assert "保存至 2028年11月22日" in text
    assert "清单截至 2026年11月22日 19:00" in text


def test_a_genuine_receipt_whose_recording_has_not_come_is_told_apart_from_an_unknown_code() -> None:
    scanned = shown(sign_receipt(RECEIPT, BENCH.recorder.signer), listed())
    assert "回执真实" in scanned
    assert "中心尚未收到" in scanned
    assert "没有这个查询码" in shown(CODE, listed())


def test_a_receipt_of_a_day_that_has_not_come_is_not_believed() -> None:
    ahead = replace(RECEIPT, issued=NOW + timedelta(days=300))
    text = shown(sign_receipt(ahead, BENCH.recorder.signer), listed())
    assert ("还没有到" in text, "回执真实" in text) == (True, False)
    unset = sign_receipt(ahead, BENCH.recorder.signer)
    view = receipt_view(unset, listed().get, NOW, BENCH.trust(), XINGHE, clock_set=False)
    assert "回执真实" in view.banners[0].text  # a screen that does not know the time accuses nobody


@pytest.mark.parametrize("changed", [{"clock_set": False}, {"issued": NOW - timedelta(days=60)}])
def test_whoever_has_a_revoked_recorders_key_makes_no_genuine_receipts(changed: dict[str, object]) -> None:
    """Dated back, or of a device that says not to know the time; one that the device told itself stays genuine."""
    trust = BENCH.trust()
    gone = [
        replace(it, revoked_at=NOW - timedelta(days=30)) if it.subject == REC else it
        for it in trust.credentials.values()
    ]
    revoked = trust_list(trust.district, trust.version + 1, NOW, gone)
    made = replace(RECEIPT, **changed)  # type: ignore[arg-type]
    text = sign_receipt(made, BENCH.recorder.signer)

    def told(parts: dict[int, bytes]) -> str:
        return receipt_view(text, parts.get, NOW + timedelta(days=1), revoked, XINGHE).banners[0].text

    assert "密钥已停用" in told(listed())
    assert "回执真实" in told(listed(ReceiptAnswer(made.short_code, "complete", 0, KEPT)))


def test_without_a_list_that_the_centre_signed_nothing_is_claimed() -> None:
    answer = ReceiptAnswer(CODE, "complete", 0, None)
    for parts in ({}, {part_of(CODE): b"{}"}, listed(answer, signer=BENCH.recorder)):
        text = shown(CODE, parts)
        assert "尚无可用的回执清单" in text
        assert "归档，完整" not in text


def test_an_officers_code_is_not_taken_for_a_receipt() -> None:
    assert [is_receipt(text) for text in ("LH1.a.b", "", "<i>", "LR1.a.b", CODE)] == [False, False, False, True, True]


def test_a_part_that_cannot_be_read_is_as_if_it_had_not_come(tmp_path: Path) -> None:
    (tmp_path / part_name(3)).mkdir()
    folder = ReceiptFolder(tmp_path)
    assert (folder.part(3), folder.part(4)) == (None, None)


def test_a_kiosk_process_answers_from_paper_and_from_its_short_code(tmp_path: Path) -> None:
    bench = Bench()
    parts = listed(ReceiptAnswer(CODE, "complete", 0, KEPT), signer=bench.receiver)
    assert len(parts) == PARTS
    config = bench.kiosk_folder(tmp_path)
    folder = tmp_path / "state/receipts"
    folder.mkdir(parents=True)
    with RunningKiosk(config) as kiosk:
        scanned = f"receipt?c={quote(sign_receipt(RECEIPT, bench.recorder.signer))}"
        assert "尚无可用的回执清单" in kiosk.page(scanned)
        for number, data in parts.items():
            (folder / part_name(number)).write_bytes(data)
        page = kiosk.page(scanned)
        assert all(text in page for text in ("回执真实", "录像已归档，完整", "2028年11月22日", RECEIPT.name, UNIT))
        assert "T-2026-0001" not in page
        assert f'class="wide"><dt>校验值</dt><dd>{RECEIPT.head}' in page
        assert "录像已归档，完整" in kiosk.page(f"receipt?c={quote(spelled(CODE).lower())}")
        assert "可能是伪造" in kiosk.page(f"receipt?c={quote(sign_receipt(RECEIPT, bench.kiosk.signer))}")
        assert "应是 16 位" in kiosk.page("receipt?c=12345")
