"""The officer's page on scene: what is wrong stands there in words, a thumb can do what the command can, and a refusal
is no success. The page asks the agent and decides nothing."""

import json
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import sync_playwright

from agent.adapters.paper_folder import PaperFolder
from agent.duty.asks import Answer, What
from agent.page.found_duty import Duty, read_duty
from agent.wire.disclosures import DisclosureKind
from tests.agent.evidence.bench import make_authority
from tests.agent.page.running import PIN, RunningPage, device_folder
from tests.agent.page.test_papers import PAPERS, Agent
from tests.support.duty import EXPIRED, FIRST, personnel, recording_list
from tests.support.duty_bench import DutyBench
from tests.support.policies import policy

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What a recorder really shows: a major task, an expired officer, a waiting task, a reason that is waited for."""
    lists = (personnel(), recording_list(), policy(DisclosureKind.REASON_CODES))
    bench = DutyBench(lists)
    bench.take_out(FIRST, EXPIRED)
    bench.pick(major=["拟罚款 80000 元"])
    bench.seal(bench.record())
    bench.record(2)
    bench.ask(What.STEP)
    state = bench.state
    return {**state, "asking_reason": "REC-0001-R000001", "waiting": [{"id": "T-2", "title": "T-2 行政检查 下一处"}]}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    config = device_folder(tmp_path_factory.mktemp("page") / "device", make_authority(), 0)
    for name, paper in PAPERS.items():
        PaperFolder(config.parent / "state").keep(name, paper)
    with RunningPage(config) as running:
        running.enter()
        yield running


@pytest.fixture
def shown(page: RunningPage, told: dict[str, Any]) -> RunningPage:
    """The page over that state."""
    papers = [{"name": name, "number": paper.number, "title": paper.title, "prints": 1, "task": "T-2026-0001",
               "served": "当事人拒签"} for name, paper in PAPERS.items()]  # fmt: skip
    other = {**papers[0], "name": "document-000001", "number": "另案文书", "task": "T-9"}
    (page.config.parent / "state/duty.json").write_text(json.dumps({**told, "papers": [other, *papers]}))
    return page


def test_what_is_wrong_and_what_is_asked_stands_on_the_page_in_words(shown: RunningPage) -> None:
    board = shown.text()
    for words in (
        *(">重大</i>", "须法制审核：拟罚款 80000 元", "领用人与任务指定的执法人员不一致"),
        *("示例甲123", "示例甲125", "执法证件已过有效期", "请说明原因", "当事人不在场"),
        *("等待领取", "T-2 行政检查 下一处", "开始：抵达现场", "停止：离开现场", "✓ 1 表明身份、出示证件"),
    ):
        assert words in board, words
    assert board.count('action="/step"') == 5
    assert board.count('action="/identity"') == 2
    assert "另案文书" not in board  # papers of the task in hand; all of them with the older recordings
    assert "另案文书" in shown.text("/?all")


def test_a_step_that_was_explained_is_no_longer_red(shown: RunningPage, told: dict[str, Any]) -> None:
    place = shown.config.parent / "state/duty.json"
    missing = told["steps_missing"]
    place.write_text(json.dumps({**told, "recording": "", "reasons_given": dict.fromkeys(missing, "突降大雨")}))
    board = shown.text()
    assert board.count("已说明：突降大雨") == len(missing)
    assert '<span class="missing">' not in board
    assert read_duty(place).steps_missing == ()


@pytest.mark.parametrize(
    ("path", "form", "asked"),
    [
        ("/step", {"step": "告知事由依据"}, ("step", {"step": "告知事由依据"})),
        ("/pick", {"task": "T-2"}, ("pick", {"document": "T-2"})),
        ("/reason", {"reason": "当事人不在场"}, ("reason", {"reason": "当事人不在场", "note": ""})),
        ("/end", {}, ("end", {})),
        ("/serve", {"number": "0007", "served": "当事人签收"}, ("serve", {"number": "0007", "served": "当事人签收"})),
        (
            "/identity",
            {"certificate": FIRST, "print": "yes"},
            ("show-identity", {"certificate": FIRST, "print": "yes"}),
        ),
    ],
)
def test_a_form_asks_what_the_command_asks_and_a_refusal_is_no_success(
    page: RunningPage, path: str, form: dict[str, str], asked: tuple[str, dict[str, str]]
) -> None:
    with Agent(page.config.parent / "state") as agent:
        status, _, answer = page.ask(path, "POST", urlencode(form))
        assert (status, "没有录制" in answer.decode()) == (409, True)
        agent.answers[asked[0]] = Answer(True, "已办。", {})
        assert page.ask(path, "POST", urlencode(form))[0] == (303 if path == "/step" else 200)
        assert [(ask.what, dict(ask.values)) for ask in agent.asked] == [asked] * 2


def test_a_failed_print_confirmation_or_limit_is_not_answered_as_a_success(page: RunningPage) -> None:
    for path in ("/print/document-000007", "/confirm", "/met", "/receipt", "/step"):  # nobody runs
        status, _, answer = page.ask(path, "POST", "")
        assert (status, "代理没有在运行" in answer.decode()) == (409, True)
    assert page.ask("/print/document-000099", "POST", "")[0] == 404


def test_nothing_of_it_is_had_without_the_pin(page: RunningPage) -> None:
    cookie, page.cookie = page.cookie, ""
    for path in ("/step", "/pick", "/reason", "/end", "/serve", "/identity"):
        assert page.ask(path, "POST", "")[1]["Location"] == "/login"
        assert page.ask(path, "POST", "", origin="http://evil.example")[0] == 403
    page.cookie = cookie


def test_a_code_is_shown_as_a_picture_with_its_end_and_never_kept(page: RunningPage) -> None:
    code = DutyBench()
    code.take_out(FIRST)
    answer = code.ask(What.SHOW_IDENTITY)
    with Agent(page.config.parent / "state") as agent:
        agent.answers["show-identity"] = Answer(
            True, answer["text"], {k: answer[k] for k in ("certificate", "code", "until")}
        )
        status, headers, shown = page.ask("/identity", "POST", urlencode({"certificate": FIRST}))
    text = shown.decode()
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    assert "data:image/svg+xml" in text
    assert f"至 {answer['until']}" in text
    assert answer["code"] not in text


def test_a_document_shows_what_became_of_it_and_says_when_a_print_is_a_copy(shown: RunningPage) -> None:
    text = shown.text("/d/document-000007")
    assert "再打印一份（标明副本）" in text
    assert "当事人拒签" in text
    assert text.count('name="served"') == 4
    (shown.config.parent / "state/duty.json").write_text("{}")
    assert ">打印</button>" in shown.text("/d/document-000007")


@pytest.mark.parametrize(
    "content", ['{"steps_required": 7}', '{"officers": [1, {"texts": 3}], "asked": []}', '{"reasons_given": [1]}', "[]"]
)
def test_a_duty_file_of_another_shape_still_makes_a_page(shown: RunningPage, content: str) -> None:
    (shown.config.parent / "state/duty.json").write_text(content)
    assert shown.ask("/")[0] == 200
    assert read_duty(shown.config.parent / "state/none.json") == Duty()


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_everything_of_it_is_large_enough_for_a_thumb(shown: RunningPage) -> None:
    complaints: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, headless=True, args=["--no-sandbox", "--disable-gpu"])
        for width, height in ((360, 740), (320, 240)):
            screen = browser.new_page(viewport={"width": width, "height": height})
            screen.on("console", lambda message: complaints.append(message.text))
            screen.goto(shown.url)
            screen.fill("#pin", PIN)
            screen.click("button")
            for path in ("", "d/document-000007"):
                screen.goto(shown.url + path)
                heights = (
                    "[...document.querySelectorAll('a, button, summary')].map(it => it.getBoundingClientRect().height)"
                )
                assert min(screen.evaluate(heights)) >= 44
                assert screen.evaluate("document.documentElement.scrollWidth") == width
        browser.close()
    assert complaints == []
