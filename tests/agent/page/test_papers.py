"""Papers on the officer's page: shown with their code, printed and as PDF; nothing without the PIN, nothing decided."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import pytest

from agent.adapters import state_lock
from agent.adapters.asked_folder import AskedFolder
from agent.adapters.paper_folder import PaperFolder
from agent.control.messages import AsksRead
from agent.duty.asks import Answer, Ask, parse_ask
from agent.duty.limits import MEETABLE
from agent.duty.papers import Paper, paper_of
from agent.duty.party_receipt import sign_receipt
from agent.page.found_duty import MEET
from tests.agent.duty.test_documents import made
from tests.agent.duty.test_party_receipt import RECEIPT
from tests.agent.evidence.bench import make_authority
from tests.agent.page.running import RunningPage, device_folder
from tests.agent.test_paper_desk import RECORDER

PAPERS = {
    "document-000007": paper_of(made(检查情况="第一行\n<b>第二行</b>")),
    "receipt-000007": paper_of(RECEIPT, sign_receipt(RECEIPT, RECORDER.signer)),
}


class Agent:
    """Answers what is asked of it with what stands in `answers`, as a running agent does; `asked` is what was asked."""

    def __init__(self, state: Path) -> None:
        self.folder, self.asked, self._done = AskedFolder(state), list[Ask](), threading.Event()
        self._held = threading.Event()
        self.answers = {
            "print": Answer(True, "已打印。", {}),
            "receipt": Answer(True, "已出具。", {"name": "receipt-000007"}),
        }
        self._thread = threading.Thread(target=self._serve, args=(state,))

    def __enter__(self) -> Self:
        self.folder.prepare()
        self._thread.start()
        assert self._held.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _serve(self, state: Path) -> None:
        told: dict[str, object] = {}
        with state_lock.hold(state):
            self._held.set()
            while not self._done.wait(0.01):
                taken = self.folder.take()
                for data in [taken.content] if isinstance(taken, AsksRead) else ():
                    self.asked.append(parse_ask(data))
                    refused = Answer(False, "没有录制，无从出具回执。", {})
                    told[self.asked[-1].ask] = self.answers.get(self.asked[-1].what, refused).as_json()
                    self.folder.show(json.dumps({"answers": told, "papers": notes()}).encode())


def notes() -> list[dict[str, object]]:
    return [
        {
            "kind": paper.kind,
            "name": name,
            "number": paper.number,
            "prints": 0,
            "served": "当事人签收",
            "title": paper.title,
        }
        for name, paper in PAPERS.items()
    ]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[RunningPage]:
    config = device_folder(tmp_path / "device", make_authority(), 0)
    state = config.parent / "state"
    for name, paper in PAPERS.items():
        PaperFolder(state).keep(name, paper)
    (state / "duty.json").write_text(json.dumps({"papers": [*notes(), {"name": "../agent", "title": "x"}, 7]}))
    with RunningPage(config) as running:
        yield running


def test_papers_are_shown_printed_and_confirmed_by_asking_the_agent(page: RunningPage) -> None:
    for path in ("/d/document-000007", "/d/document-000007.pdf"):
        assert page.ask(path)[0] == 303
    for path in ("/print/document-000007", "/receipt", "/confirm"):
        assert page.ask(path, "POST", "")[1]["Location"] == "/login"
    page.enter()
    board = page.text()
    assert all(f'href="/d/{name}"' in board and paper.number in board for name, paper in PAPERS.items())
    assert "../agent" not in board
    shown = page.text("/d/document-000007")
    assert "&lt;b&gt;第二行" in shown
    assert PAPERS["document-000007"].digest in shown
    assert "data:image/svg+xml" in page.text("/d/receipt-000007")
    for path in ("/d/document-000008", "/d/agent", "/d/..%2fagent", "/d/agent.pdf"):
        assert page.ask(path)[0] == 404

    assert "代理没有在运行" in page.ask("/print/document-000007", "POST", "")[2].decode()
    with Agent(page.config.parent / "state") as agent:
        assert "已打印" in page.ask("/print/document-000007", "POST", "")[2].decode()
        status, headers, _ = page.ask("/receipt", "POST", "")
        assert (status, headers["Location"]) == (303, "/d/receipt-000007")
        told = page.ask(
            "/confirm", "POST", urlencode({"receipt": RECEIPT.name, "served": "当事人签收", "party": "示例当事人甲"})
        )[2].decode()
        assert "没有录制" in told
        del agent.answers["receipt"]
        assert "没有录制" in page.ask("/receipt", "POST", "")[2].decode()
        asked = [(ask.what, dict(ask.values)) for ask in agent.asked]
    assert asked[0] == ("print", {"number": PAPERS["document-000007"].number})
    assert asked[2] == ("confirm", {"receipt": RECEIPT.name, "served": "当事人签收", "name": "示例当事人甲"})


def test_a_limit_that_was_met_is_told_from_the_page(page: RunningPage) -> None:
    limits = [
        {
            "limit": "emergency-report",
            "minutes_left": 61,
            "task": "T-1",
            "text": "应报告：还剩 1 小时 1 分。",
        },
        {"limit": "hand-in", "minutes_left": None, "task": "T-1", "text": "应在 24 小时内交回记录仪。"},
        "no limit",
    ]
    (page.config.parent / "state" / "duty.json").write_text(json.dumps({"limits": limits}))
    assert page.ask("/met", "POST", "")[1]["Location"] == "/login"
    page.enter()
    board = page.text()
    assert [word in board for word in ("还剩 1 小时 1 分", "交回记录仪")] == [True, True]
    assert board.count('action="/met"') == 1  # handing in is seen by itself
    with Agent(page.config.parent / "state") as agent:
        agent.answers["meet"] = Answer(True, "已登记办理，不再计时。", {})
        form = urlencode({"limit": "emergency", "note": "已报告"})
        assert "不再计时" in page.ask("/met", "POST", form)[2].decode()
        assert [(ask.what, dict(ask.values)) for ask in agent.asked] == [
            ("meet", {"limit": "emergency", "note": "已报告"})
        ]


def test_the_pages_words_for_limits_are_those_of_the_rules() -> None:
    assert {kind.value: word for word, kind in MEETABLE.items()} == MEET


def test_the_pdf_of_the_page_is_that_of_the_command_and_its_faults_are_words(page: RunningPage) -> None:
    from agent.adapters.paper_pdf import write_pdf

    page.enter()
    status, headers, data = page.ask("/d/document-000007.pdf")
    assert (status, headers["Content-Type"], data) == (200, "application/pdf", write_pdf(PAPERS["document-000007"]))
    place = page.config.parent / "state/papers/document-000007.json"
    broken: Paper = PAPERS["document-000007"]
    place.write_bytes(broken.encode().replace("第一行".encode(), "𪚥".encode()))
    status, _, answer = page.ask("/d/document-000007.pdf")
    assert status == 503
    assert "字体没有" in answer.decode()
