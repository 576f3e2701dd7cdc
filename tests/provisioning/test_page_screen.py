"""The centre's page in a real browser: nothing from outside, readable by everybody, and a film that plays."""

import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, sync_playwright

from agent.clock import system_clock
from provisioning.center.config import read_config
from provisioning.center.page.door import Role, Visitor
from provisioning.center.page.serving import links_of
from tests.provisioning.review_office import EXAMINER, TASK, ReviewOffice
from tests.provisioning.test_documents_travel import beside
from tests.provisioning.test_page_cases import encrypted_film
from tests.provisioning.test_page_process import AUDITOR, ServedPage
from tests.support.center import until

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
NAMES = {Role.AUDITOR: AUDITOR, Role.REVIEWER: EXAMINER}
PAGES = ("/", "/recordings", "/recording/REC-0001-R000001", "/review", f"/review/{TASK}", f"/review/{TASK}/packet",
         "/reports", "/ledger", "/looks")  # fmt: skip
pytestmark = [
    pytest.mark.xdist_group("screen"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def encrypted(office: ReviewOffice) -> list[str]:
    key = encrypted_film(office)
    beside(office, encrypted=True)
    return ["--key", str(key)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    page = ServedPage(tmp_path_factory.mktemp("screen"), encrypted)
    yield page
    page.close()


@pytest.fixture(scope="module")
def context(served: ServedPage) -> Iterator[BrowserContext]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield browser.new_context(ignore_https_errors=True)
        browser.close()


def entered(context: BrowserContext, served: ServedPage, role: Role) -> Page:
    """A page whose visitor came in by a link. It is used on: Chromium may not answer one that is closed as it goes."""
    config = read_config(served.office.center / "center.toml")
    secret = links_of(config).invite(Visitor(NAMES[role], role), system_clock().read().wall)
    page = context.new_page()
    page.goto(f"{served.url.geturl()}enter?k={secret}")
    with page.expect_navigation():
        page.click("button")
    return page


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.REVIEWER])
def test_every_page_is_readable_fits_its_screen_and_asks_nobody_outside(
    context: BrowserContext, served: ServedPage, role: Role
) -> None:
    page, asked, complaints = entered(context, served, role), set[str](), []
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: complaints.append(message.text))
    for path in PAGES if role is Role.AUDITOR else (f"/review/{TASK}",):
        page.goto(f"{served.url.geturl().rstrip('/')}{path}")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            found = Axe().run(page).response["violations"]
            assert [(it["id"], it["nodes"][0]["html"]) for it in found] == [], (path, width)
    assert (asked, complaints) == ({served.url.netloc}, [])
    page.close()


def test_an_encrypted_film_plays_and_can_be_sought(context: BrowserContext, served: ServedPage) -> None:
    page = entered(context, served, Role.AUDITOR)
    page.goto(f"{served.url.geturl()}recording/REC-0001-R000001")
    before = (served.office.center / "looks.jsonl").read_bytes().count(b"\n")
    page.evaluate("() => { const it = document.querySelector('video'); it.muted = true; return it.play() }")
    # The page's policy forbids `wait_for_function`, which evaluates text in it.
    until(lambda: page.evaluate("() => document.querySelector('video').currentTime > 0.2"), "it plays")
    page.evaluate("() => { document.querySelector('video').currentTime = 1 }")
    there = "() => (it => it.readyState >= 2 && !it.seeking && it.videoWidth > 0)(document.querySelector('video'))"
    until(lambda: page.evaluate(there), "it was sought")
    assert (served.office.center / "looks.jsonl").read_bytes().count(b"\n") == before + 1
    page.close()
