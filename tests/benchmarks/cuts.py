"""Random power cuts: the tail lost, zeroed, or full of what stood on the disk before; what is left must all verify."""

import io
import random
from collections.abc import Callable
from dataclasses import dataclass

from agent.evidence.bmff import Source
from agent.evidence.recovery import examine, seal_recovered
from agent.evidence.report import Verdict
from agent.evidence.verify import SegmentFile, verify_recording
from tests.agent.evidence.bench import NOW, Bench, make_authority, patched
from tests.agent.evidence.foreign import c2pa_state, encypher_accepts
from tests.benchmarks.peer import decodable_frames, remux
from tests.support.media import make_media

SEED = 20_261_122
FRAGMENTS = 12
PLAIN_EVERY = 16  # of the cuts a plain MP4 is decoded after one in so many


@dataclass
class Outcome:
    """Counts over all cuts; `lost` are fragments that were whole before the cut and did not verify after it."""

    cuts: int = 0
    complete: int = 0
    lost: int = 0
    refused: int = 0
    foreign: int = 0
    plain: int = 0
    foreign_refused: int = 0
    plain_frames: int = 0


def run(cuts: int, progress: Callable[[int], None]) -> Outcome:
    """Cut one recording `cuts` times at random places, always after its head."""
    authority = make_authority()
    bench = Bench(authority.signer(), media=make_media(FRAGMENTS))
    _, data = bench.live()
    plain, outcome, chance = _plain(data), Outcome(), random.Random(SEED)
    for number in range(cuts):
        at = chance.randrange(bench.records[0].offset, len(data))
        cut = _cut(data, at, number % 3, chance)
        sealed, verified = _recovered(cut, bench)
        complete = [record for record in bench.records if record.offset + record.size <= at]
        outcome.cuts, outcome.complete = outcome.cuts + 1, outcome.complete + len(complete)
        outcome.lost += len([record for record in complete if record not in verified])
        report = verify_recording([SegmentFile("s.mp4", Source.of_bytes(sealed))], [authority.root], NOW)
        outcome.refused += report.verdict is not Verdict.EXPLAINED_GAP
        outcome.foreign += 1
        both = c2pa_state(sealed, authority.root_pem) == "Trusted" and encypher_accepts(sealed, authority.root_pem)
        outcome.foreign_refused += not both
        if number % PLAIN_EVERY == 0:
            outcome.plain += 1
            outcome.plain_frames += decodable_frames(_cut(plain, len(plain) * at // len(data), number % 3, chance))
        progress(number + 1)
    return outcome


def _recovered(cut: bytes, bench: Bench) -> tuple[bytes, list[object]]:
    found = examine(Source.of_bytes(cut))
    patch = seal_recovered(found, bench.signer, bench.now)
    return patched(cut[: found.intact_bytes], patch.offset, patch.data), list(found.fragments)


def _cut(data: bytes, at: int, kind: int, chance: random.Random) -> bytes:
    rest = len(data) - at
    return data[:at] + (b"", bytes(rest), chance.randbytes(rest))[kind]


def _plain(data: bytes) -> bytes:
    """The same film as an ordinary MP4, whose index is written at the end."""
    sink = io.BytesIO()
    remux(io.BytesIO(data), sink)
    return sink.getvalue()
