"""Our verdict beside those of c2pa-python and encypher-c2pa on the same bytes."""

from dataclasses import dataclass
from typing import NamedTuple

from agent.evidence.bmff import Source
from agent.evidence.report import Report, Verdict
from agent.evidence.verify import SegmentFile, Sidecars, verify_recording
from tests.agent.evidence.bench import NOW, Authority
from tests.agent.evidence.foreign import c2pa_state, encypher_accepts

SOUND = (Verdict.COMPLETE, Verdict.EXPLAINED_GAP)


class Verdicts(NamedTuple):
    """Ours, whether c2pa-python calls the file Trusted, whether encypher-c2pa accepts it."""

    ours: Verdict
    c2pa: bool
    encypher: bool


@dataclass(frozen=True)
class Judges:
    """Three verifiers with one root."""

    authority: Authority

    def report(self, *segments: bytes) -> Report:
        names = [f"segment-{number:04d}.mp4" for number in range(1, len(segments) + 1)]
        files = [SegmentFile(name, Source.of_bytes(data)) for name, data in zip(names, segments, strict=True)]
        return verify_recording(files, [self.authority.root], NOW, Sidecars())

    def verdicts(self, data: bytes) -> Verdicts:
        root = self.authority.root_pem
        return Verdicts(self.report(data).verdict, c2pa_state(data, root) == "Trusted", encypher_accepts(data, root))

    def all_refuse(self, data: bytes, verdict: Verdict) -> None:
        """We say exactly `verdict`, and both others refuse."""
        assert verdict not in SOUND
        found = self.verdicts(data)
        assert found == (verdict, False, False), found

    def all_accept(self, data: bytes, verdict: Verdict = Verdict.COMPLETE) -> None:
        found = self.verdicts(data)
        assert found == (verdict, True, True), found

    def only_we_object(self, data: bytes, verdict: Verdict) -> None:
        """What the others cannot see or do not judge, by the specification that they follow."""
        self.all_accept(data, verdict)
