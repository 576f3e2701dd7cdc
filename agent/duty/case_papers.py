"""The texts of a case's documents as they came to the centre beside its recordings, each held against the hash that the
device's chain carries. What did not come is told as absent, never passed over."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from agent.duty.case_facts import CaseFacts
from agent.duty.key_content import parse_sheet
from agent.duty.papers import TITLES, TOLD_LENGTH, Paper, PaperKind, paper_of, travelling_hash
from agent.duty.told_events import ToldEvents
from agent.duty.told_facts import readable
from agent.errors import OperatorFault, SenderFault
from agent.wire.canonical import Fields
from agent.wire.device_events import EventType
from agent.wire.envelope import parse_envelope
from agent.wire.identifiers import Digest, digest


class Standing(StrEnum):
    """What the centre has of a document's text."""

    PRESENT = "原文在案，与现场出具的一致"
    UNSOUND = "原文在案，但签名或所指录像不符"
    ALTERED = "原文被改动，与现场出具的不一致"
    SEALED = "原文已加密，未用存档密钥打开"
    ABSENT = "没有原文"


@dataclass(frozen=True)
class CasePaper:
    """A document or key-content sheet that a device told of, with what is there of it. `digest` is the chain's: of the
    text's UTF-8 bytes, of a sheet that of its signed envelope. `text` and `envelope` are empty unless it is there;
    `doubt` is what is to be said of a sheet all the same, in one Chinese line."""

    number: str
    title: str
    digest: Digest
    standing: Standing
    text: str = ""
    envelope: str = ""
    doubt: str = ""

    @property
    def files(self) -> Mapping[str, bytes]:
        """What is handed on of it, by name; the SHA-256 of the first is `digest`."""
        if self.standing is not Standing.PRESENT:
            return {}
        text = {f"{self.number}.txt": self.text.encode()}
        return {f"{self.number}.dsse": self.envelope.encode(), **text} if self.envelope else text


@dataclass(frozen=True)
class FoundPaper:
    """A file from the folder of papers of a recording: `paper` None when it could not be opened, `sealed` for want of
    the key."""

    name: str
    paper: Paper | None = None
    sealed: bool = False


def case_papers(facts: CaseFacts, told: ToldEvents, found: Iterable[FoundPaper]) -> tuple[CasePaper, ...]:
    """Every document and sheet of the case, in the order in which they were made out, documents first."""
    files = list(found)
    named = [(document.number, document.title, document.digest) for document in facts.documents]
    return tuple(_judged(*one, files) for one in (*named, *_sheets(facts.task, told)))


def text_rate(papers: Iterable[CasePaper]) -> str:
    """How many texts are there, of how many, such as `2/3`; empty where there is no document."""
    standings = [paper.standing for paper in papers]
    return f"{standings.count(Standing.PRESENT)}/{len(standings)}" if standings else ""


def lacking(papers: Iterable[CasePaper]) -> tuple[str, ...]:
    """The numbers of those whose text is not there, each with why."""
    return tuple(f"{it.number}（{it.standing.value}）" for it in papers if it.standing is not Standing.PRESENT)


def _sheets(task: str, told: ToldEvents) -> Iterator[tuple[str, str, Digest]]:
    def sheet(fields: Fields) -> tuple[str, str, Digest]:
        number = f"{task}-K{fields.integer('version', 1)}"
        return number, TITLES[PaperKind.KEY_CONTENT], digest(fields.text("digest"))

    yield from dict.fromkeys(readable(told.of_task(task), EventType.KEY_CONTENT_SIGNED, sheet))


def _judged(number: str, title: str, named: Digest, files: Iterable[FoundPaper]) -> CasePaper:
    standing = Standing.ABSENT
    for file in files:
        if file.paper is not None and file.paper.number == number:
            if file.paper.told == named and _is_whole(file.paper):
                envelope = file.paper.envelope if file.paper.kind is PaperKind.KEY_CONTENT else ""
                return CasePaper(number, title, named, Standing.PRESENT, file.paper.text, envelope)
            standing = Standing.ALTERED
        elif file.paper is None and travelling_hash(file.name) == named[:TOLD_LENGTH] and standing is Standing.ABSENT:
            standing = Standing.SEALED if file.sealed else Standing.ALTERED
    return CasePaper(number, title, named, standing)


def _is_whole(paper: Paper) -> bool:
    """Whether the text of a sheet is what its signed envelope makes it; the chain's hash says it of a document's."""
    if paper.kind is not PaperKind.KEY_CONTENT:
        return True
    try:
        sheet = parse_sheet(parse_envelope(paper.envelope.encode()).payload)
    except (OperatorFault, SenderFault):
        return False
    return paper_of(sheet, paper.envelope).text == paper.text
