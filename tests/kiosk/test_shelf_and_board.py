import datetime as dt
import re
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest

from agent.wire.disclosures import ENTRY_FIELDS, POLICY_KINDS, Disclosure, DisclosureKind
from kiosk.board import Site, board, window_board
from kiosk.lists import TOPICS, list_page
from kiosk.page import Frame, Pages, Pair
from kiosk.proof import proof
from kiosk.shelf import Phase, Shelf, restock
from tests.kiosk.bench import HALL, NOW, XINGHE, Bench, Person, sample, sample_names

SITE = Site("xinghe", "KSK-0001", "星河区政务服务大厅", HALL, "0000-0000000")
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="module")
def pages() -> Pages:
    folder = resources.files("kiosk") / "templates"
    return Pages({entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir()})


def stock(
    bench: Bench,
    *documents: Disclosure,
    shelf: Shelf | None = None,
    trust_version: int = 1,
    revoked: Person | None = None,
    files: dict[str, bytes] | None = None,
) -> Shelf:
    sealed = {".".join(one.key): bench.sealed(one) for one in documents} | (files or {})
    trust = bench.trust(trust_version, revoked)
    return restock(shelf or Shelf(), sealed, trust=trust, now=NOW, district=XINGHE, audience=HALL)


def html_of_every_page(pages: Pages, shelf: Shelf, bench: Bench, now: dt.datetime = NOW) -> dict[str, str]:
    frame = Frame(SITE, "g", "board", "窗口公示")
    found = {"board": pages.page("board.html", frame, board(shelf, now, SITE)), "verify": ""}
    found["verify"] = pages.page("verify.html", frame, Pair(proof(shelf, now, bench.trust(), "00"), None))
    for topic in TOPICS:
        found[topic.path] = pages.page("lists.html", frame, list_page(shelf, now, SITE, topic))
    for one in board(shelf, now, SITE).cards:
        view = window_board(shelf, now, SITE, one.number)
        assert view is not None
        found[f"w/{one.number}"] = pages.page("window.html", frame, view)
    return found


def test_a_refused_file_leaves_what_was_shown(bench: Bench) -> None:
    shelf = stock(bench, sample("window-board", 2))
    half = bench.sealed(sample("window-board-correction", 3), bench.editor)
    older = bench.sealed(sample("window-board-correction", 1))
    for bad in (half, older, b"", half[:100], b"x" * 300_000):
        after = stock(bench, shelf=shelf, files={"window-board.hall-1": bad})
        assert after.shown == shelf.shown
        assert [refusal.name for refusal in after.refused] == ["window-board.hall-1"]


def test_a_file_that_vanishes_leaves_what_was_shown(bench: Bench) -> None:
    shelf = stock(bench, sample("window-board"))
    assert stock(bench, shelf=shelf).shown == shelf.shown


def test_a_document_under_another_name_is_refused(bench: Bench) -> None:
    shelf = stock(bench, files={"window-board.hall-9": bench.sealed(sample("window-board"))})
    assert not shelf.shown
    assert "文件名" in shelf.refused[0].reason


def test_a_revoked_signers_document_disappears_and_no_older_one_takes_its_place(bench: Bench) -> None:
    shelf = stock(bench, sample("window-board", 5))
    revoked = stock(bench, shelf=shelf, trust_version=2, revoked=bench.reviewer)
    assert not revoked.shown
    assert "吊销" in revoked.refused[0].reason
    again = stock(bench, sample("window-board", 4), shelf=revoked, trust_version=3)
    assert not again.shown


def test_a_document_dated_ahead_of_a_wrong_clock_is_shown(bench: Bench) -> None:
    shown = stock(bench, sample("window-board", issued=NOW + DAY)).shown["window-board.hall-1"]
    assert shown.phase(NOW) is Phase.CURRENT
    later = stock(bench, replace(sample("window-board"), effective_from=NOW + DAY)).shown["window-board.hall-1"]
    assert later.phase(NOW) is Phase.PENDING


def test_the_board_shows_the_five_fields_and_the_state_of_every_window(bench: Bench, pages: Pages) -> None:
    shelf = stock(bench, sample("window-board"), sample("personnel-list"))
    html = html_of_every_page(pages, shelf, bench)["board"]
    for text in ("丙三", "三级主办", "星河区综合行政执法局", "行政许可", "户外广告设施设置许可", "0000-0000000"):
        assert text in html
    for state in ("在岗", "暂离", "顶岗", "暂停服务"):
        assert f'class="state">{state}<' in html
    assert "第 1 版" in html
    assert html.count('class="card ') == 8


def test_unlicensed_staff_are_not_shown_as_officers(bench: Bench, pages: Pages) -> None:
    roster = sample("personnel-list")
    failed = tuple({**e, "年度审验": "不合格"} if e["姓名"] == "丙三" else e for e in roster.entries)
    shelf = stock(bench, sample("window-board"), replace(roster, entries=failed))
    found = html_of_every_page(pages, shelf, bench)
    card = found["board"].split('class="card ')[1]
    assert "丙三" not in card
    assert "执法人员" not in card
    assert "暂停服务" in card
    assert "丙三" not in found["people"]
    assert "另有 3 人" in found["people"]


def test_without_a_personnel_list_nobody_is_called_an_officer(bench: Bench) -> None:
    cards = board(stock(bench, sample("window-board")), NOW, SITE).cards
    standings = {card.standing for card in cards}
    assert {card.certificate for card in cards} == {""}  # a number beside a name would vouch for him
    assert "执法人员" not in standings
    assert "持证信息待核验" in standings


def test_the_officers_of_an_expired_list_are_no_longer_confirmed(bench: Bench) -> None:
    roster = replace(sample("personnel-list"), effective_until=NOW + DAY)
    shelf = stock(bench, sample("window-board"), roster)
    assert "执法人员" in {card.standing for card in board(shelf, NOW, SITE).cards}
    assert "执法人员" not in {card.standing for card in board(shelf, NOW + DAY, SITE).cards}
    assert shelf.fingerprint(NOW) != shelf.fingerprint(NOW + DAY)


def test_every_page_says_its_state_in_words_and_is_never_blank(bench: Bench, pages: Pages) -> None:
    empty = html_of_every_page(pages, Shelf(), bench)
    assert "尚未收到" in empty["board"]
    refused = stock(bench, files={"window-board.hall-1": b"rubbish"})
    assert "公示文件未通过校验，不予展示" in html_of_every_page(pages, refused, bench)["board"]
    expired = stock(bench, replace(sample("window-board"), effective_until=NOW + DAY))
    assert "到期" in html_of_every_page(pages, expired, bench, NOW + DAY)["board"]
    withdrawn = stock(bench, replace(sample("results"), withdrawn="决定已被撤销", entries=()))
    assert "原因：决定已被撤销" in html_of_every_page(pages, withdrawn, bench)["results"]
    for html in (*empty.values(), *html_of_every_page(pages, refused, bench).values()):
        words = re.sub(r"<[^>]+>", "", html.partition("<main")[2].partition("</main>")[0])
        assert len(words.split()) > 1


def test_script_in_any_field_is_escaped(bench: Bench, pages: Pages) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    documents = []
    refused_whole = {*POLICY_KINDS, DisclosureKind.PUBLICATION_RULES}  # such words are no rule
    kinds = [kind for kind in DisclosureKind if kind not in refused_whole]
    for kind in kinds:
        entry: dict[str, Any] = dict.fromkeys(ENTRY_FIELDS[kind], evil) | {f"多{evil}": [evil, evil]}
        entry |= {"状态": "顶岗", "顶岗原因": evil} if kind is DisclosureKind.WINDOW_BOARD else {}
        entry |= {"证件有效期至": "2099-12-31", "年度审验": "合格"} if kind is DisclosureKind.PERSONNEL_LIST else {}
        documents.append(Disclosure(XINGHE, HALL, kind, "x", 1, evil, evil, NOW, NOW, None, None, (entry,)))
    shelf = stock(bench, *documents, files={evil: b"bad"})
    assert len(shelf.shown) == len(kinds)
    for html in html_of_every_page(pages, shelf, bench).values():
        assert "alert(1)" in html
        assert "<script>alert" not in html
        assert "<img" not in html
        assert html.count("<script") == 1


def test_the_proof_page_names_document_version_signers_and_digests(bench: Bench, pages: Pages) -> None:
    shelf = stock(bench, sample("window-board"))
    html = html_of_every_page(pages, shelf, bench)["verify"]
    shown = shelf.shown["window-board.hall-1"]
    for text in ("示例-000101", "示例-000102", shown.payload_digest, shown.envelope_digest, "window-board.hall-1"):
        assert text in html


@pytest.mark.parametrize("name", sample_names())
def test_every_sample_passes_the_rules_and_has_the_fields_of_the_plan(bench: Bench, name: str) -> None:
    document = sample(name)
    assert list(stock(bench, document).shown) == [".".join(document.key)]
    for entry in document.entries:
        assert set(ENTRY_FIELDS[document.kind]) <= set(entry)


def test_the_sample_district_is_large_enough(bench: Bench) -> None:
    assert len(sample("personnel-list").entries) >= 8
    windows = sample("window-board").entries
    assert len(windows) >= 6
    assert {entry["状态"] for entry in windows} == {"在岗", "暂离", "顶岗", "暂停服务"}
    changed = [a["窗口"] for a, b in zip(windows, sample("window-board-correction").entries, strict=True) if a != b]
    assert changed == ["03"]
