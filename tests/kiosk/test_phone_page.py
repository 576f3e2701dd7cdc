"""The page for phones in a real browser, without a network: what a kiosk refuses, a phone refuses."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from agent.duty.identity_code import GOOD_FOR, SKEW, sign_code
from agent.duty.roster import Roster
from agent.wire.identifiers import DeviceId, District
from agent.wire.trust import Role, TrustList
from kiosk.publishing.phone_page import PHONE_PAGE, phone_page
from tests.agent.duty.test_identity_code import CODE, KEYS, NOW, ROSTER
from tests.kiosk.test_screen import ARGUMENTS, CHROMIUM
from tests.support.device import DistrictKeys
from tests.support.duty import EXPIRED

SIGNER = KEYS.evidence.signer
GENUINE = sign_code(CODE, SIGNER)
ANOTHER = sign_code(replace(CODE, unit="示例"), SIGNER)
SWAPPED = ".".join((*ANOTHER.split(".")[:2], GENUINE.split(".")[2]))  # another text under a genuine signature


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, offline=True)
    yield context.new_page()
    context.close()


def _answer(
    page: Page,
    folder: Path,
    text: str,
    trust: TrustList = KEYS.trust,
    now: datetime = NOW + timedelta(seconds=30),
    roster: Roster | None = ROSTER,
) -> str:
    """What the page, opened from the disk, says to `text`."""
    (folder / PHONE_PAGE).write_bytes(phone_page(trust, roster, NOW, "12345"))
    page.clock.set_fixed_time(now)
    page.goto(f"file://{folder / PHONE_PAGE}")
    page.fill("#code", text)
    page.click("button")
    page.wait_for_selector("#answer p")
    page.wait_for_function("document.querySelector('#answer .stop, #answer dl')")
    return page.inner_text("#answer")


def test_a_genuine_code_gives_the_officer_of_the_published_list(page: Page, tmp_path: Path) -> None:
    told = _answer(page, tmp_path, GENUINE)
    assert all(word in told for word in ("签名真实", "示例甲123", CODE.certificate, "T-2026-0001"))
    assert "拒绝检查" not in told


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (sign_code(CODE, KEYS.receiver.signer), "可能是伪造"),
        (sign_code(CODE, DistrictKeys().evidence.signer), "可能是伪造"),
        (SWAPPED, "可能是伪造"),
        (sign_code(replace(CODE, device=DeviceId("REC-9999")), SIGNER), "可能是伪造"),
        (sign_code(replace(CODE, issued=NOW - GOOD_FOR - SKEW - timedelta(minutes=1)), SIGNER), "已过期"),
        (sign_code(replace(CODE, issued=NOW + SKEW + timedelta(minutes=1)), SIGNER), "已过期"),
        (sign_code(replace(CODE, place=District("yuelu")), SIGNER), "其他区域"),
        (sign_code(replace(CODE, certificate=EXPIRED), SIGNER), "执法证件已过有效期"),
        (sign_code(replace(CODE, certificate="示例-999999"), SIGNER), "不在人员资格清单中"),
        (sign_code(replace(CODE, clock_set=False, issued=NOW - timedelta(days=9)), SIGNER), "时钟未校准"),
        ("LH1.AAAA.%%%", "不完整"),
        ("https://example.org", "不是执法人员身份码"),
        (GENUINE + ".x", "不是执法人员身份码"),
        ("<img src=x onerror=alert(1)>", "不是执法人员身份码"),
    ],
)  # fmt: skip
def test_what_a_kiosk_refuses_a_phone_refuses(page: Page, tmp_path: Path, text: str, word: str) -> None:
    assert word in _answer(page, tmp_path, text)


def test_a_revoked_recorders_code_is_refused(page: Page, tmp_path: Path) -> None:
    credential = replace(KEYS.evidence.credential(Role.RECORDER), revoked_at=NOW - timedelta(hours=1))
    trust = KEYS.authority.trust(credential, version=2)
    assert "已被吊销" in _answer(page, tmp_path, GENUINE, trust)


def test_an_old_page_says_that_it_is_old(page: Page, tmp_path: Path) -> None:
    code = sign_code(replace(CODE, issued=NOW + timedelta(days=31)), SIGNER)
    assert "超过 30 天" in _answer(page, tmp_path, code, now=NOW + timedelta(days=31))


def test_a_page_made_before_there_was_a_list_accuses_nobody_of_missing_from_it(page: Page, tmp_path: Path) -> None:
    told = _answer(page, tmp_path, GENUINE, roster=None)
    assert "签名真实" in told
    assert "没有人员资格清单" in told
    assert "拒绝检查" not in told


def test_a_name_that_is_a_script_runs_on_nobodys_phone() -> None:
    number, officer = next(iter(ROSTER.officers.items()))
    evil = "</script><script>document.title='x'</script>"
    page = phone_page(KEYS.trust, Roster({number: replace(officer, name=evil)}), NOW, evil).decode()
    assert "<script>document" not in page
    assert page.count("</script>") == phone_page(KEYS.trust, ROSTER, NOW, "12345").decode().count("</script>")
