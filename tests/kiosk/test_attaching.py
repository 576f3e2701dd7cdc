"""What is made when a document is drafted: pictures that cannot run, photos that tell nothing, indexes that find."""

import io
import shutil
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from agent.errors import OperatorFault
from agent.wire.content import CHUNK_BYTES
from agent.wire.disclosures import DisclosureKind
from agent.wire.topics import is_content_topic
from kiosk.flow_words import text_twin, ways
from kiosk.publishing import flow_chart
from kiosk.publishing.photo import MAX_BYTES, SIZE, screen_photo
from kiosk.publishing.pinyin import initials
from kiosk.search_index import build_index, rows_of, spaced
from provisioning.center.publications import open_publication, pieces
from provisioning.center.watched import ReleasedFolder
from tests.kiosk.bench import XINGHE, sample
from tests.kiosk.office_bench import OfficeBench, document_in, draft_of, sample_of

CHART = {"名称": "示例", "步骤": ["立案", "审核", "决定"], "走向": ["立案->审核", "审核->决定：同意", "2->1：补充"]}
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")


@needs_dot
def test_a_chart_is_drawn_with_its_words_beside_it_and_nothing_in_it_runs() -> None:
    picture = flow_chart.draw({**CHART, "步骤": ["立案", '审核"]; x [label="<script>', "决定"], "走向": []})
    assert b"<script" not in picture
    assert b"&lt;script&gt;" in picture
    assert picture.count(b"<text") >= 3


@pytest.mark.parametrize(
    "evil",
    ["<script>x()</script>", '<image href="http://x"/>', '<a href="javascript:x()"><text>t</text></a>',
     "<foreignObject><p/></foreignObject>", '<rect onload="x()" style="fill:url(http://x)" fill="url(#a)"/>',
     '<style>*{background:url("//x")}</style>', '<use href="#a"/>', "<animate/>"],
)  # fmt: skip
def test_what_runs_loads_or_links_is_taken_out_of_a_picture(evil: str) -> None:
    clean = flow_chart.sanitised(f'<svg xmlns="{flow_chart.SVG}">{evil}<text>好</text></svg>'.encode()).decode()
    assert not any(word in clean for word in ("script", "href", "url(", "onload", "foreign", "animate", "style"))
    assert "好" in clean


def test_entities_and_what_is_no_picture_are_refused() -> None:
    for bad in (b'<!DOCTYPE s [<!ENTITY a "b">]><svg/>', b"<html/>", b"GIF89a"):
        with pytest.raises(OperatorFault):
            flow_chart.sanitised(bad)


def test_the_words_of_a_chart_say_where_each_step_leads() -> None:
    assert text_twin(CHART).splitlines() == [
        "1. 立案", "2. 审核", "　→ 第 3 步 决定（同意）", "　→ 第 1 步 立案（补充）", "3. 决定",
    ]  # fmt: skip
    with pytest.raises(OperatorFault, match="走向"):
        ways({**CHART, "走向": ["立案->没有的步骤"]})


def photo(folder: Path, size: tuple[int, int] = (2400, 3200)) -> Path:
    picture = Image.effect_noise(size, 90).convert("RGB")
    exif = Image.Exif()
    exif[0x010E] = "拍摄于家中"
    exif[0x8825] = {1: "N", 2: (37.0, 27.0, 1.0)}
    picture.save(folder / "p.jpg", exif=exif)
    return folder / "p.jpg"


def test_a_photo_loses_place_camera_and_size(tmp_path: Path) -> None:
    small = screen_photo(photo(tmp_path))
    with Image.open(io.BytesIO(small)) as shown:
        assert not shown.getexif()
        assert shown.width <= SIZE[0]
        assert shown.height <= SIZE[1]
    assert len(small) <= MAX_BYTES
    assert b"Exif" not in small


def test_what_is_no_photo_or_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"<svg/>")
    with pytest.raises(OperatorFault, match="无法读取"):
        screen_photo(tmp_path / "x.jpg")
    for side in (10_000, 30_000):  # the library only warns of the first, which nobody at a command line would hear
        Image.new("1", (side, side)).save(tmp_path / "bomb.png")
        with warnings.catch_warnings(action="ignore"), pytest.raises(OperatorFault, match="无法读取"):
            screen_photo(tmp_path / "bomb.png")


def found(path: Path, table: str, match: str) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            f"SELECT f.title FROM {table} w JOIN found f ON f.id = w.rowid WHERE {table} MATCH ? "  # noqa: S608
            "ORDER BY w.rowid DESC",
            (match,),
        )
        return [row[0] for row in rows]


def test_one_character_two_or_ten_and_the_initials_find_an_entry_and_the_newest_is_first(tmp_path: Path) -> None:
    documents = [sample("item-list"), sample("personnel-list"), sample("service-guide"), sample("results")]
    assert build_index(tmp_path / "i", documents, initials) == sum(len(one.entries) for one in documents)
    assert found(tmp_path / "i", "words", f'"{spaced("户外广告设施设置许可")}"')
    assert found(tmp_path / "i", "words", f'"{spaced("罚")}"')
    assert found(tmp_path / "i", "words", f'"{spaced("广告")}"')[0].endswith("第 0003 号")
    assert "户外广告设施设置许可" in found(tmp_path / "i", "initials", '"hwggss"*')
    assert found(tmp_path / "i", "words", '"没"') == []


def test_a_search_does_not_go_on_saying_who_was_at_his_window_when_the_index_was_drafted() -> None:
    rows = list(rows_of([sample("window-board"), sample("service-guide")]))
    assert [row for row in rows if "在岗" in f"{row.detail}{row.words}" or "暂离" in row.detail] == []
    long = next(row for row in rows if row.kind == "行政执法服务指南")
    assert long.detail.endswith("…")


def test_a_photo_goes_from_the_offices_file_to_the_brokers_pieces_and_no_path_is_published(tmp_path: Path) -> None:
    office = OfficeBench(tmp_path)
    photo(tmp_path, (400, 500))
    board = sample_of("window-board")
    board["entries"][2]["照片"] = "p.jpg"
    office.release(board)
    envelope = office.released("window-board.hall-1")
    one, strip = document_in(envelope).attachments
    assert (one.name, strip.name) == ("photo-3.jpg", "faces-1.jpg")
    assert "照片" not in envelope.decode()
    publication = open_publication(envelope, office.bench.trust(), XINGHE, office.now)
    sent = list(pieces(one, ReleasedFolder(office.folder / "released").content(one), XINGHE, publication.audience))
    assert publication.attachments == (one, strip)
    assert all(is_content_topic(topic) and len(piece) <= CHUNK_BYTES for topic, piece in sent)


def test_files_that_no_released_document_names_are_no_longer_offered(tmp_path: Path) -> None:
    office = OfficeBench(tmp_path)
    guide = sample_of("service-guide")
    office.release(guide)
    guide["entries"][0]["办理时限"] = "3 个工作日"
    office.release(guide)
    codes = document_in(office.released("service-guide.outdoor-advertising")).attachments
    assert {path.name for path in (office.folder / "released/content").iterdir()} == {one.sha256 for one in codes}


def test_a_missing_photo_stops_the_draft(tmp_path: Path) -> None:
    board = draft_of(DisclosureKind.NOTICE, {"标题": "示例", "正文": "示例", "照片": "没有.jpg"})
    with pytest.raises(OperatorFault, match="无法读取"):
        OfficeBench(tmp_path).draft(board)
