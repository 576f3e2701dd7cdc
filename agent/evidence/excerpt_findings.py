"""An exact cut given to the verifier by itself: which fragments it holds, and that nothing more can be said of it.

An excerpt (`clip`) is the opening of a segment that was never sealed with whole fragments behind it that begin later.
Whoever takes the first fragments away from an unsealed file makes the very same bytes, so the report names the stretch
and says that the rest is not here; it never says `complete`.
"""

import itertools
from collections.abc import Iterator, Sequence

from agent.evidence.places import Examined, clock_text
from agent.evidence.report import COMPLETENESS, Finding, Verdict


def is_excerpt(segment: Examined) -> bool:
    """Whether `segment` holds nothing but an opening and an unbroken row of fragments that begins after its first."""
    found, origin = segment.found, segment.found.origin
    if origin is None or segment.seal is not None or found.damage or found.tail or not found.fragments:
        return False
    follows = all(
        (after.entry.previous, after.entry.sequence) == (before.head, before.entry.sequence + 1)
        for before, after in itertools.pairwise(found.fragments)
    )
    return follows and found.fragments[0].entry.sequence > origin.first_sequence


def excerpt_findings(segments: Sequence[Examined]) -> Iterator[Finding]:
    """What is to be said of each excerpt among segments that were given by themselves."""
    for segment in filter(is_excerpt, segments):
        origin, records = segment.found.origin, segment.found.fragments
        if origin is None:
            continue
        first, last = records[0].entry, records[-1].entry
        text = (
            f"{segment.file.name}：节选，录制 {origin.recording} 第 {first.sequence} 至 {last.sequence} 片段"
            f"（{clock_text(first.moment.captured)} 至 {clock_text(last.moment.signed)}），"
            "设备的原签名均有效、前后相连；之前与之后的片段不在此文件中，其余内容请看原录像。"
        )
        yield Finding(Verdict.UNEXPLAINED_GAP, COMPLETENESS, text)
