"""What the controller asks for when a paper is made or printed, and what came of it."""

from dataclasses import dataclass

from agent.duty.papers import Draft, Paper
from agent.wire.identifiers import RecordingId


@dataclass(frozen=True)
class MakePaper:
    """Sign `draft` where it has a signature, and keep the paper as file `name`, with a copy `beside` the recording that
    it travels to the centre with (None: it stays here); answered by `PaperMade` or `PaperNotMade`."""

    ask: str
    draft: Draft
    name: str
    beside: RecordingId | None = None


@dataclass(frozen=True)
class PrintPaper:
    """Print the paper in file `name`, whose text has the hash `digest`, as original (`reprint` 0) or copy; answered by
    `PaperPrinted` or `PaperNotPrinted`. `paper` is one that is not kept, which stands in no file."""

    ask: str
    number: str
    name: str
    digest: str
    reprint: int
    paper: Paper | None = None


@dataclass(frozen=True)
class PaperMade:
    """The paper of `draft` is on the disk as file `name`."""

    ask: str
    draft: Draft
    paper: Paper
    name: str


@dataclass(frozen=True)
class PaperNotMade:
    """It is not; `detail` is one Chinese line. `highest` is the greatest serial number in the folder when the one that
    was chosen stood there already, 0 otherwise."""

    ask: str
    detail: str
    name: str
    highest: int = 0


@dataclass(frozen=True)
class PaperPrinted:
    """The printer took all of it, as copy `reprint` (0: the original); `missing` are characters that it cannot show."""

    ask: str
    number: str
    reprint: int
    missing: str


@dataclass(frozen=True)
class PaperNotPrinted:
    """The printer did not; `detail` is one Chinese line."""

    ask: str
    number: str
    detail: str


PaperEffect = MakePaper | PrintPaper
PaperEvent = PaperMade | PaperNotMade | PaperPrinted | PaperNotPrinted
