"""An officer's code at a kiosk without a network: genuine, forged, over, of somebody without a licence."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from agent.duty.identity_code import IdentityCode, sign_code
from agent.wire.identifiers import device_id
from kiosk.badge import badge_code
from tests.kiosk.bench import XINGHE, Bench, Person, sample
from tests.kiosk.running import RunningKiosk, until

UNIT = "星河区综合行政执法局"


def code(signer: Person, certificate: str, ago: timedelta = timedelta(0), *, clock_set: bool = True) -> str:
    issued = datetime.now(UTC) - ago
    made = IdentityCode(XINGHE, device_id("REC-0001"), certificate, UNIT, "T-2026-0001", issued, "0" * 16, clock_set)
    return f"code?c={quote(sign_code(made, signer.signer))}"


def test_a_kiosk_tells_a_genuine_officers_code_from_every_other(tmp_path: Path) -> None:
    bench = Bench()
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        unlisted = kiosk.page(code(bench.recorder, "示例-000001"))
        assert "尚无人员资格清单" in unlisted
        assert "可以拒绝检查" not in unlisted  # from no list nobody can be missing
        kiosk.put("personnel-list.staff", bench.sealed(sample("personnel-list")))
        until(lambda: "甲一" in kiosk.page(code(bench.recorder, "示例-000001")))
        genuine = kiosk.page(code(bench.recorder, "示例-000001"))
        assert "签名真实" in genuine
        assert "可以拒绝检查" not in genuine
        assert "可能是伪造" in kiosk.page(code(bench.kiosk, "示例-000001"))
        assert "已过期" in kiosk.page(code(bench.recorder, "示例-000001", timedelta(hours=1)))
        unknown = kiosk.page(code(bench.recorder, "示例-999999"))
        assert "不在人员资格清单中。您可以拒绝检查" in unknown
        unclocked = kiosk.page(code(bench.recorder, "示例-999999", timedelta(days=200), clock_set=False))
        assert "不在人员资格清单中。您可以拒绝检查" in unclocked  # no doubt hides that he is on no list
        assert "可能是以前的旧码" in unclocked
        assert "不是执法人员身份码" in kiosk.page("code?c=%3Cscript%3E")
        status, _, empty = kiosk.get("code")
        assert (status, 'name="c"' in empty, "banner" in empty) == (200, True, False)


def test_a_badge_put_before_the_scanner_is_answered_as_a_badge_and_not_as_a_forged_officers_code(
    tmp_path: Path,
) -> None:
    bench, board = Bench(), sample("window-board")
    envelope = bench.sealed(board)
    genuine = badge_code(board, hashlib.sha256(board.encode()).hexdigest(), 1)
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        assert "没有此牌所依据的窗口公示" in kiosk.page(f"code?c={quote(genuine)}")
        kiosk.put(".".join(board.key), envelope)
        until(lambda: "签名窗口公示一致" in kiosk.page(f"code?c={quote(genuine)}"))
        assert "丙三" in kiosk.page(f"code?c={quote(genuine)}")
        forged = badge_code(board, "0" * 64, 1)
        assert "与签名的窗口公示不符" in kiosk.page(f"code?c={quote(forged)}")
