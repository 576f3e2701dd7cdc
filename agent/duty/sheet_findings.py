"""Whether a key-content sheet that came to the centre is what it says: signed by who may, over the recordings and the
ranges that are there, following the one before; and whether its author had to do with the matter."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.duty.case_facts import CaseFacts
from agent.duty.case_papers import CasePaper, Standing
from agent.duty.key_content import SignedSheet, check_follows, check_ranges, open_sheet
from agent.errors import SenderFault
from agent.wire.identifiers import Digest
from agent.wire.trust import TrustList


def judged_sheets(papers: Iterable[CasePaper], facts: CaseFacts, trust: TrustList) -> tuple[CasePaper, ...]:
    """`papers` with what is wrong with the sheets among them; documents, and sheets that are not there, as they are."""
    held: dict[Digest, SignedSheet] = {}
    return tuple(_judged(it, facts, trust, held) if it.envelope else it for it in papers)


def _judged(paper: CasePaper, facts: CaseFacts, trust: TrustList, held: dict[Digest, SignedSheet]) -> CasePaper:
    try:
        signed = check_ranges(open_sheet(paper.envelope.encode(), trust), facts)
        held[signed.digest] = signed
        doubt = _before(signed, held)
    except SenderFault as fault:
        return replace(paper, standing=Standing.UNSOUND, doubt=str(fault))
    author = signed.sheet.author
    if author not in facts.people:
        doubt = f"制作人 {author} 不是本案执法人员，也没有领用本案的设备。"
    return replace(paper, doubt=doubt)


def _before(signed: SignedSheet, held: Mapping[Digest, SignedSheet]) -> str:
    """What is to be said of the sheet before; raises `SenderFault` where this one cannot follow it."""
    if signed.sheet.version == 1:
        check_follows(signed, None)
    elif signed.sheet.previous not in held:
        return f"第 {signed.sheet.version} 版的前一版不在案，无从核对衔接。"
    else:
        check_follows(signed, held[signed.sheet.previous])
    return ""
