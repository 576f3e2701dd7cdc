"""What kiosks answer from a party's receipt without a network: a list in `PARTS` parts, each signed by the centre.

A receipt belongs to the part that the first six bits of its short code name, so that one lookup opens and verifies one
file, and one changed answer sends one file. An answer says what became of the recording; nothing personal stands in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from agent.duty.case_facts import GapFact, RecordingFact
from agent.duty.party_receipt import ALPHABET, CODE
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.envelope import open_envelope, seal
from agent.wire.identifiers import Digest, District, district
from agent.wire.signing import Signer
from agent.wire.trust import Role, TrustList

LIST_TYPE = "application/vnd.liuhen.party-receipts+json"
PARTS = 64
MAX_ANSWERS = 2800  # ours, of one part: about 60 bytes each in an envelope of 256 KiB; 179,200 receipts in all
DELETED = "deleted"
VERDICTS = ("complete", "explained-gap", "unexplained-gap", "missing", "altered", "untrusted", DELETED)
LIST_KIND = "party-receipts"  # the level of the topic, where a disclosure has its kind


@dataclass(frozen=True)
class ReceiptAnswer:
    """`verdict` is a word of `liuhen-verify`, or `DELETED` after its time; `gaps` counts the interruptions;
    `kept_until` the last day of keeping, None where it is kept for ever or held."""

    code: str
    verdict: str
    gaps: int
    kept_until: date | None


@dataclass(frozen=True)
class ReceiptPart:
    """Part `part` (from 0) as of `issued`; a newer one replaces it whole."""

    place: District
    part: int
    issued: datetime
    answers: Mapping[str, ReceiptAnswer]

    @property
    def version(self) -> int:
        """What tells the newer of two: the second of issue, as the centre's clock has it."""
        return int(self.issued.timestamp())


def part_of(code: str) -> int:
    """The part that a short code belongs to."""
    return (ALPHABET.index(code[0]) << 5 | ALPHABET.index(code[1])) >> 4


def part_name(part: int) -> str:
    """The file of a part: `part-07.dsse`."""
    return f"{part_label(part)}.dsse"


def part_label(part: int) -> str:
    """The last level of a part's topic."""
    return f"part-{part:02d}"


def part_of_label(name: str) -> int:
    """The inverse of `part_label`; raises `SenderFault`."""
    found = [part for part in range(PARTS) if part_label(part) == name]
    if not found:
        raise SenderFault(f"回执清单没有分册“{name[:40]}”，已拒绝。")
    return found[0]


def answer_for(
    code: str, head: Digest, head_there: Digest | None, fact: RecordingFact, gaps: Sequence[GapFact], kept: date | None
) -> ReceiptAnswer:
    """What the centre answers for a receipt whose paper says `head`; `head_there` is what the recording itself has at
    that fragment (None: it has not come yet). Another head than on paper is altered, whatever else was found."""
    if fact.verdict == "missing" or head_there is None:
        return ReceiptAnswer(code, "missing", 0, kept)
    return ReceiptAnswer(code, fact.verdict if head == head_there else "altered", len(gaps), kept)


def split_answers(place: District, issued: datetime, answers: Iterable[ReceiptAnswer]) -> tuple[ReceiptPart, ...]:
    """All parts, empty ones too: a kiosk tells an empty part from one that never came. Raises `ValueError` for codes
    that stand twice and for more than a part can hold."""
    found: list[dict[str, ReceiptAnswer]] = [{} for _ in range(PARTS)]
    for answer in answers:
        part = found[part_of(answer.code)]
        if answer.code in part:
            raise ValueError(f"the code {answer.code} stands twice")
        part[answer.code] = answer
    if max(map(len, found)) > MAX_ANSWERS:
        raise ValueError(f"a part of the receipts holds {MAX_ANSWERS} at most")
    return tuple(ReceiptPart(place, number, issued, part) for number, part in enumerate(found))


def seal_part(part: ReceiptPart, signer: Signer) -> bytes:
    """The content of `part_name(part.part)`; the signer is the centre's."""
    rows = [_row(answer) for _, answer in sorted(part.answers.items())]
    head = {"district": part.place, "issued_at": canonical.timestamp(part.issued), "part": part.part}
    return seal(LIST_TYPE, canonical.encode({**head, "answers": rows}), [signer])


def open_part(data: bytes, part: int | None, trust: TrustList, now: datetime, place: District) -> ReceiptPart:
    """Part `part` (None: whichever it is) of this district's list when the centre signed it, alone; raises
    `SenderFault`."""
    opened = open_envelope(data, LIST_TYPE, trust, now)
    opened.signer(Role.RECEIVER)
    fields = Fields("回执清单", canonical.decode(opened.payload))
    answers = [_answer(row) for row in fields.array("answers")]
    found = ReceiptPart(
        district(fields.text("district")),
        fields.integer("part"),
        fields.moment("issued_at"),
        {answer.code: answer for answer in answers},
    )
    part = found.part if part is None and found.part < PARTS else part
    if (found.place, found.part, len(found.answers), len(opened.signers)) != (place, part, len(answers), 1):
        raise SenderFault("回执清单的区域、分册或条目不符，已拒绝。")
    if any(part_of(code) != part for code in found.answers):
        raise SenderFault("回执清单中有其他分册的条目，已拒绝。")
    return found


def _row(answer: ReceiptAnswer) -> str:
    """Four words in one text: shorter, and read faster, than an object each."""
    kept = "-" if answer.kept_until is None else answer.kept_until.isoformat()
    return f"{answer.code} {VERDICTS.index(answer.verdict)} {answer.gaps} {kept}"


def _answer(row: object) -> ReceiptAnswer:
    try:
        code, verdict, gaps, kept = str(row).split(" ")
        until = None if kept == "-" else date.fromisoformat(kept)
        found = ReceiptAnswer(code, VERDICTS[int(verdict)], int(gaps), until)
    except (ValueError, IndexError) as error:
        raise SenderFault("回执清单的条目不合规定格式，已拒绝。") from error
    if not CODE.fullmatch(code) or _row(found) != row:
        raise SenderFault("回执清单的条目不合规定格式，已拒绝。")
    return found
