"""（一）9 统一行政执法信息公示平台: one set of signed documents for hall, website and the platform above."""

import http.server
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from agent.duty.disclosure_rules import open_two_signatures
from agent.errors import EnvironmentFault, OperatorFault
from kiosk.publishing import snapshot
from kiosk.publishing.office import Holding, places_of
from kiosk.publishing.phone_page import PHONE_PAGE
from kiosk.publishing.show_out import shown_to, write_bundle, write_portal, write_preview
from kiosk.publishing.snapshot import Hall, _crawl
from provisioning.center.upward import (
    FIRST_RETRY_S,
    LAST_RETRY_S,
    PUSHED,
    Answer,
    HttpPlatform,
    Ledger,
    Parcel,
    Pushed,
    parcels,
    push_all,
    retry_after,
)
from provisioning.center.watched import ReleasedFolder
from tests.kiosk.bench import HALL, XINGHE
from tests.kiosk.office_bench import OfficeBench, document_in, sample_of

PLACE = Hall("xinghe", HALL, "星河区政务服务大厅", "0000-0000000")
NAMES = ("personnel-list", "window-board", "service-guide", "results", "subject-list", "item-list")


class Platform:
    """An upper-level platform on loopback that answers what the test says, then 201; it keeps what it took."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.heard: Counter[str] = Counter()
        self.answers: list[int] = []
        self.keys: set[str] = set()

    def put(self, path: str, body: bytes, key: str) -> int:
        self.heard[path] += 1
        code = self.answers.pop(0) if self.answers else 201
        if code in (201, 0):  # 0: it keeps it, and the answer is lost
            self.kept[path] = body
            self.keys.add(key)
        return code


@contextmanager
def serving(platform: Platform) -> Iterator[str]:
    class Door(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            code = platform.put(self.path, body, self.headers["Idempotency-Key"])
            if code == 0:
                self.close_connection = True
                return
            self.send_response(code)
            if code == 302:
                self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with listening(Door) as base:
        yield f"{base}/xinghe"


@contextmanager
def listening(door: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on loopback with this door."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> OfficeBench:
    bench = OfficeBench(tmp_path_factory.mktemp("office"))
    for name in NAMES:
        bench.release(sample_of(name))
    return bench


def found(office: OfficeBench) -> Iterator[Parcel]:
    return parcels(ReleasedFolder(office.folder / "released"), office.bench.trust(), XINGHE, office.now)


def one_pass(office: OfficeBench, url: str, folder: Path) -> Pushed:
    return push_all(found(office), HttpPlatform(url, "示例".encode().hex()), Ledger(folder / PUSHED).load())


def test_clause_1_9_everything_goes_up_once_whatever_fails_on_the_way(office: OfficeBench, tmp_path: Path) -> None:
    platform, wanted = Platform(), {f"/xinghe/{one.place}": one.body for one in found(office)}
    platform.answers = [500, 503, 0, 429, 302, 201, 0]
    with serving(platform) as url:
        passes = [one_pass(office, url, tmp_path) for _ in range(4)]
        platform.heard.clear()
        again = one_pass(office, url, tmp_path)
    assert passes[0].later
    assert platform.kept == wanted
    assert (again.taken, again.later, dict(platform.heard)) == ((), {}, {})
    assert len(platform.keys) == len(wanted)


def test_clause_1_9_what_the_platform_refuses_for_good_is_told_and_not_asked_again(
    office: OfficeBench, tmp_path: Path
) -> None:
    platform = Platform()
    platform.answers = [422]
    with serving(platform) as url:
        first, second = one_pass(office, url, tmp_path), one_pass(office, url, tmp_path)
    assert list(first.refused.values()) == ["HTTP 422"]
    assert (second.taken, second.refused) == ((), {})


def test_clause_1_9_a_platform_that_is_away_loses_nothing_and_is_asked_more_and_more_rarely(
    office: OfficeBench, tmp_path: Path
) -> None:
    away = one_pass(office, "http://127.0.0.1:1", tmp_path)
    assert len(away.later) == len(list(found(office)))
    assert not (tmp_path / PUSHED).exists()
    assert [retry_after(n, lambda: 1.0) for n in (0, 1, 99)] == [FIRST_RETRY_S, 2 * FIRST_RETRY_S, LAST_RETRY_S]


def test_clause_1_9_nothing_that_two_people_did_not_sign_goes_up(office: OfficeBench, tmp_path: Path) -> None:
    folder = tmp_path / "released"
    folder.mkdir()
    for name, people in {"half": (office.bench.editor,), "whole": ()}.items():
        document = document_in(office.released("item-list.items"))
        (folder / f"all.item-list.{name}.dsse").write_bytes(office.bench.sealed(document, *people))
    taken = list(parcels(ReleasedFolder(folder), office.bench.trust(), XINGHE, office.now))
    assert [one.place for one in taken] == ["all/item-list/items/1"]


def test_clause_1_9_a_plain_connection_to_somewhere_else_and_a_damaged_ledger_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorFault, match="https"):
        HttpPlatform("http://example.org/")
    (tmp_path / PUSHED).write_text("[", encoding="utf-8")
    with pytest.raises(OperatorFault, match="移走"):
        Ledger(tmp_path / PUSHED).load()
    ledger = Ledger(tmp_path / "new.json").load()
    ledger.note(Parcel("a/b", b"1", "x"), Answer.TAKEN)
    assert Ledger(tmp_path / "new.json").load().settled(Parcel("a/b", b"1", "x"))
    assert not ledger.settled(Parcel("a/b", b"2", "x"))


class Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.feed(page)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.targets += [value for name, value in attrs if name in ("href", "src") and value]


def held(office: OfficeBench) -> list[Holding]:
    return shown_to([one for one in office.office.show() if isinstance(one, Holding)], HALL)


@pytest.fixture(scope="module")
def portal(office: OfficeBench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("portal")
    write_portal(places_of(office.folder), held(office), PLACE, out, office.now)
    return out


def test_clause_1_9_the_website_says_what_the_hall_says_by_the_same_documents(
    office: OfficeBench, portal: Path
) -> None:
    for one in held(office):
        sealed = (portal / f"documents/{one.name}.dsse").read_bytes()
        assert sealed == office.released(one.name)
        open_two_signatures(sealed, office.bench.trust(), office.now)
    board = (portal / "board.html").read_text(encoding="utf-8")
    shown = [entry["姓名"] for entry in sample_of("window-board")["entries"] if entry["状态"] == "在岗"]
    assert all(name in board for name in shown)
    assert "示例-000101" in (portal / "verify.html").read_text(encoding="utf-8")


def test_clause_1_9_the_website_runs_nothing_and_every_link_of_it_leads_somewhere(portal: Path) -> None:
    pages = sorted(page for page in portal.glob("*.html") if page.name != PHONE_PAGE)  # that one checks codes
    assert len(pages) >= 8
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text
        inside = [link for link in Links(text).targets if not link.startswith(("data:", "#"))]
        missing = [link for link in inside if not (portal / unquote(link.partition("#")[0])).is_file()]
        assert missing == [], page.name


def test_clause_1_9_what_was_withdrawn_leaves_the_website_too(tmp_path: Path) -> None:
    """Bites when files are only ever added: the page of a withdrawn guide, and its code, stay where they were found."""
    office, out = OfficeBench(tmp_path), tmp_path / "site"
    (out / "content").mkdir(parents=True)
    others = [out / "item.html", out / "w.html", out / "content/logo.png", out / "documents.html"]
    for path in others:
        path.write_bytes(b"not ours")
    for name in ("item-list", "service-guide"):
        office.release(sample_of(name))
    write_portal(places_of(office.folder), held(office), PLACE, out, office.now)
    code, *_ = document_in(office.released("service-guide.outdoor-advertising")).attachments
    page = out / "item-户外广告设施设置许可.html"
    assert page.is_file()
    assert (out / "content" / code.sha256).is_file()
    office.withdraw("item-list.items", "示例撤回")
    office.withdraw("service-guide.outdoor-advertising", "示例撤回")
    write_portal(places_of(office.folder), held(office), PLACE, out, office.now)
    assert not page.exists()
    assert not (out / "content" / code.sha256).exists()
    assert document_in((out / "documents/item-list.items.dsse").read_bytes()).withdrawn == "示例撤回"
    assert all(path.read_bytes() == b"not ours" for path in others)


@contextmanager
def pages_of(status: Mapping[str, int], first: str) -> Iterator[str]:
    """A kiosk of which `first` is the board, and whose other pages answer with `status`."""

    class Door(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = first.encode() if self.path == "/board" else b"<p>page</p>"
            self.send_response(status.get(self.path, 200))
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with listening(Door) as base:
        yield base


def test_clause_1_9_a_page_that_the_hall_could_not_make_is_not_left_out_of_the_website_in_silence() -> None:
    first = '<a href="/items"> <a href="/w/9">'
    with pages_of({"/w/9": 404}, first) as base:
        assert set(_crawl(base)) == {"/board", "/items"}
    with pages_of({"/items": 500}, first) as base, pytest.raises(EnvironmentFault, match="/items 没有生成"):
        _crawl(base)


def test_clause_1_9_a_website_of_too_many_pages_is_not_cut_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_PAGES", 2)
    with pages_of({}, '<a href="/items"> <a href="/search">') as base:
        assert len(_crawl(base)) == 2
    with pages_of({}, '<a href="/items"> <a href="/units">') as base, pytest.raises(OperatorFault, match="超过 2 个"):
        _crawl(base)


def test_clause_1_9_a_preview_is_the_kiosks_own_page_and_says_that_nobody_has_signed(
    office: OfficeBench, tmp_path: Path
) -> None:
    source = sample_of("window-board")
    source["entries"][0]["姓名"] = "预览人"
    document = office.office.draft(json.dumps(source).encode(), office.now).document
    others = [one.document for one in held(office) if one.name != "window-board.hall-1"]
    write_preview(places_of(office.folder), [*others, document], PLACE, tmp_path, office.now)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "预览-编辑未签名" in page
    assert re.search(r"预览人|持证|暂停服务", page)


def test_clause_1_9_the_same_released_documents_give_the_same_bundle(office: OfficeBench, tmp_path: Path) -> None:
    one, two = (write_bundle(places_of(office.folder), held(office), tmp_path / name) for name in ("a", "b"))
    assert one.read_bytes() == two.read_bytes()
