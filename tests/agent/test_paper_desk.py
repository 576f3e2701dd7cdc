"""Papers on the disk, on paper and as PDF: a printer that is gone or noisy, changed files, letters that are lacking."""

import hashlib
import json
import queue
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.adapters.hook_printer import SlipPrinter
from agent.adapters.paper_folder import PaperFolder, PaperTaken
from agent.adapters.paper_pdf import write_pdf
from agent.adapters.recording_papers import RecordingPapers
from agent.control.messages import Event
from agent.control.paper_acts import MakePaper, PaperMade, PaperNotMade, PaperNotPrinted, PaperPrinted, PrintPaper
from agent.duty.papers import Paper, paper_of, parse_paper
from agent.duty.party_receipt import open_receipt
from agent.errors import EnvironmentFault, OperatorFault
from agent.evidence.encrypted_paper import decrypt_paper
from agent.paper_desk import PaperDesk
from agent.sheet_file import draft_text, read_words
from agent.wire.identifiers import RecordingId
from agent.wire.trust import Role
from firmware_hooks.simulated_printer import SimulatedPrinter
from firmware_hooks.slip_printer import GBK
from tests.agent.duty.test_documents import NUMBER, made
from tests.agent.duty.test_party_receipt import RECEIPT
from tests.agent.evidence.bench import private_key
from tests.support.signers import holder, trusting

RECORDER = holder("REC-0001", Role.RECORDER, 61)
ARCHIVE = private_key("archive")
FIRST = RecordingId("REC-0001-R000001")
NAME = "document-000007"
PAPER = paper_of(made())


class Bench:
    """A desk on a folder with a printer; `answer` waits for what came of a print."""

    def __init__(self, folder: Path, printer: SlipPrinter | None) -> None:
        self.folder, self._told = PaperFolder(folder), queue.SimpleQueue[Event]()
        self.travelling = RecordingPapers(folder / "recordings", ARCHIVE.public_key())
        self.desk = PaperDesk(self.folder, self.travelling, RECORDER.signer, printer, self._told.put)
        self.desk.start()

    def make(self) -> Paper:
        done = self.desk.make(MakePaper("a" * 16, made(), NAME))
        assert isinstance(done, PaperMade)
        return done.paper

    def print(self, paper: Paper, reprint: int = 0) -> Event:
        order = PrintPaper("b" * 16, paper.number, NAME, paper.digest, reprint)
        return self.desk.print(order) or self._told.get(timeout=60)


@pytest.fixture
def printer() -> Iterator[SimulatedPrinter]:
    with SimulatedPrinter() as found:
        yield found


@pytest.fixture
def bench(tmp_path: Path, printer: SimulatedPrinter) -> Iterator[Bench]:
    found = Bench(tmp_path, SlipPrinter(printer.device, "gb18030"))
    yield found
    assert found.desk.close(5)


def test_paper_is_the_electronic_text_and_a_copy_says_that_it_is_one(bench: Bench, printer: SimulatedPrinter) -> None:
    paper = bench.make()
    assert bench.print(paper) == PaperPrinted("b" * 16, NUMBER, 0, "")
    original = printer.feed()
    assert "".join(printer.lines()) == "".join((paper.title, *paper.lines()))
    assert printer.codes() == [paper.code]
    printer.paper = b""
    bench.print(paper)
    assert printer.feed() == original
    printer.paper = b""
    bench.print(paper, 2)
    printer.feed()
    assert printer.lines()[1].startswith("【副本】第 2 次")


def test_what_a_printer_says_back_stops_no_slip(bench: Bench, printer: SimulatedPrinter) -> None:
    paper = bench.make()
    printer.send_bytes(bytes(range(256)) * 8)
    assert isinstance(bench.print(paper), PaperPrinted)
    printer.feed()
    assert printer.codes() == [paper.code]


def test_a_printer_that_is_gone_is_named_and_the_paper_is_kept(tmp_path: Path) -> None:
    for printer, said in ((SlipPrinter("/dev/none", GBK), "连接不上"), (None, "没有配置打印机")):
        bench = Bench(tmp_path / said, printer)
        answer = bench.print(bench.make())
        assert isinstance(answer, PaperNotPrinted)
        assert said in answer.detail
        assert bench.folder.read(NAME) == PAPER
        assert bench.desk.close(5)


def test_a_letter_that_an_old_printer_lacks_is_told(tmp_path: Path, printer: SimulatedPrinter) -> None:
    slip = SlipPrinter(printer.device, GBK)
    assert slip.print(replace(PAPER, text=f"{PAPER.text}䶮"), 0) == "䶮"


def test_a_paper_that_was_changed_on_the_disk_is_not_printed(bench: Bench, tmp_path: Path) -> None:
    paper = bench.make()
    (place,) = tmp_path.glob("papers/*.json")
    for content, said in (
        (place.read_bytes().replace("证照齐全".encode(), "无证经营".encode()), "与出具时不一致"),
        (b"{}", "已损坏"),
        (b"x" * 2**21, "过大"),
    ):
        place.write_bytes(content)
        answer = bench.print(paper)
        assert isinstance(answer, PaperNotPrinted)
        assert said in answer.detail
    place.unlink()
    assert "不在本机" in str(bench.print(paper))


def test_a_paper_is_never_written_over_and_the_highest_number_is_told(bench: Bench) -> None:
    bench.make()
    bench.folder.keep("document-000041", PAPER)
    bench.folder.keep("receipt-000099", PAPER)
    again = bench.desk.make(MakePaper("c" * 16, made(检查情况="别的"), NAME))
    assert again == PaperNotMade("c" * 16, str(again.detail), NAME, 41)  # type: ignore[union-attr]
    assert bench.folder.read(NAME) == PAPER
    with pytest.raises(PaperTaken):
        bench.folder.keep(NAME, PAPER)


def test_nobody_reads_another_file_by_the_name_of_a_paper(bench: Bench) -> None:
    for name in ("../agent", "document-1/../../x", ""):
        with pytest.raises(OperatorFault, match="不是文书文件"):
            bench.folder.read(name)


def test_a_paper_lies_where_only_the_devices_user_reads_it(bench: Bench, tmp_path: Path) -> None:
    bench.make()
    (place,) = tmp_path.glob("papers/*.json")
    assert (place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert parse_paper(place.read_bytes()) == PAPER


def test_a_copy_for_the_archive_lies_beside_the_recording_and_names_nobody(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "recordings" / FIRST).mkdir(parents=True)
    bench.desk.make(MakePaper("a" * 16, made(), NAME, FIRST))
    (place,) = tmp_path.glob(f"recordings/{FIRST}/papers/*")
    assert "证照齐全".encode() not in place.read_bytes()
    assert parse_paper(decrypt_paper(place.read_bytes(), ARCHIVE)) == PAPER


def test_a_paper_whose_copy_the_disk_refuses_is_not_made(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "recordings" / FIRST).mkdir(parents=True)
    (tmp_path / "recordings" / FIRST / "papers").write_bytes(b"in the way")
    with pytest.raises(EnvironmentFault):
        bench.desk.make(MakePaper("a" * 16, made(), NAME, FIRST))
    assert not list(tmp_path.glob("papers/*"))


def test_a_receipt_on_paper_carries_the_devices_signature(bench: Bench) -> None:
    done = bench.desk.make(MakePaper("a" * 16, RECEIPT, "receipt-000007"))
    assert isinstance(done, PaperMade)
    assert open_receipt(done.paper.code, trusting(RECORDER), RECEIPT.place) == RECEIPT


def test_the_same_paper_is_the_same_pdf_to_the_byte() -> None:
    first = write_pdf(PAPER)
    assert first.startswith(b"%PDF")
    assert hashlib.sha256(first).digest() == hashlib.sha256(write_pdf(PAPER)).digest()
    assert write_pdf(replace(PAPER, number="星综执检〔2026〕REC-0001-0008号")) != first


def test_a_letter_that_the_font_lacks_is_named_and_no_pdf_is_written() -> None:
    with pytest.raises(OperatorFault, match="字体没有“𪚥”"):
        write_pdf(replace(PAPER, text=f"{PAPER.text}𪚥"))


def test_without_a_font_the_package_to_install_is_named() -> None:
    with pytest.raises(EnvironmentFault, match="apt install fonts-wqy-microhei"):
        write_pdf(PAPER, ())


DRAFT = {"heading": "11-22 10:00:00—10:01:00 REC-0001-R000001 第 1 至 120 段 表明身份"}
ANSWER = {"author": "示例-000001", "draft": "0123456789abcdef", "lines": [DRAFT, DRAFT], "title": "关键内容　第 1 版"}


def test_words_come_back_from_the_file_they_were_written_into() -> None:
    text = draft_text(ANSWER)
    told = read_words(text)
    assert (told["draft"], told["author"], told["title"]) == ("0123456789abcdef", "示例-000001", "关键内容　第 1 版")
    assert json.loads(told["lines"]) == [["", "", DRAFT["heading"]]] * 2
    filled = text.replace("\n说明：", "\n说明： 出示证件 ", 1).replace("\n要素：", "\n要素：程序", 1)
    assert [words[:2] for words in json.loads(read_words(filled)["lines"])] == [["出示证件", "程序"], ["", ""]]


def test_what_a_kill_left_half_written_is_gone_at_the_next_start(tmp_path: Path) -> None:
    first = Bench(tmp_path, None)
    first.make()
    assert first.desk.close(5)
    half = next((tmp_path / "papers").iterdir()).with_name(".receipt-000019.json.new")
    half.write_bytes(b"half of a party's na")
    second = Bench(tmp_path, None)
    assert second.desk.close(5)
    assert [path.name for path in half.parent.iterdir()] == [f"{NAME}.json"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("底稿：", "底稿", "不是关键内容说明的底稿"),
        ("【2】", "【3】", "序号应连续"),
        ("\n要素：", "\n要素：\n多出的一行", "多余的一行"),
    ],
)
def test_a_draft_that_was_taken_apart_is_refused(before: str, after: str, said: str) -> None:
    with pytest.raises(OperatorFault, match=said):
        read_words(draft_text(ANSWER).replace(before, after, 1))
