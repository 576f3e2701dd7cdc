"""What a verification says: one verdict of six words, five layers, and the exact places."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.wire import canonical
from agent.wire.identifiers import DeviceId, RecordingId
from agent.wire.instant import Instant

INTEGRITY, TRUST, TIME, COMPLETENESS, DUTY = "integrity", "trust", "time", "completeness", "duty"


class Verdict(StrEnum):
    """The six words, from good to bad; `exit_code` is what `liuhen-verify` ends with."""

    COMPLETE = "complete"
    EXPLAINED_GAP = "explained-gap"
    UNEXPLAINED_GAP = "unexplained-gap"
    MISSING = "missing"
    UNTRUSTED = "untrusted"
    ALTERED = "altered"

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        return _EXIT_CODES[self]

    @property
    def severity(self) -> int:
        """Its place in the order from good to bad, from 0: complete, explained-gap, unexplained-gap, missing,
        untrusted, altered. It is not the order of the exit codes."""
        return _SEVERITY[self]

    @property
    def chinese(self) -> str:
        """The word for people."""
        return _CHINESE[self]


_EXIT_CODES = {
    Verdict.COMPLETE: 0,
    Verdict.EXPLAINED_GAP: 10,
    Verdict.UNEXPLAINED_GAP: 11,
    Verdict.MISSING: 12,
    Verdict.ALTERED: 13,
    Verdict.UNTRUSTED: 14,
}
_CHINESE = {
    Verdict.COMPLETE: "完整",
    Verdict.EXPLAINED_GAP: "有说明中断",
    Verdict.UNEXPLAINED_GAP: "无说明中断",
    Verdict.MISSING: "缺失",
    Verdict.ALTERED: "被改",
    Verdict.UNTRUSTED: "不可信",
}
_SEVERITY = {verdict: rank for rank, verdict in enumerate(Verdict)}
NO_ROOTS = (
    "未评判：没有给出根证书（not judged: no roots given），不知出自何人。请用 --roots 指定从本区另行取得的 root.pem；"
    "与录像放在一起的 root.pem 不算数，谁都可以放。"
)
WHAT_A_SIGNATURE_PROVES = "签名只证明：自该设备封存之后内容未被改动；不证明画面内容属实，也不证明设备当时的时钟准确。"

WHAT_A_COLLECTION_PROVES = "签名只证明：自该设备采集之后内容未被改动；此前是谁、何时、如何摄录，是否改过，一概不证明。"


class Status(StrEnum):
    """How a layer stands."""

    PASSED = "passed"
    NOTED = "noted"
    FAILED = "failed"
    NOT_JUDGED = "not-judged"

    @property
    def ok(self) -> bool | None:
        """Whether nothing speaks against the recording here; None when that was not judged."""
        return None if self is Status.NOT_JUDGED else self is not Status.FAILED


@dataclass(frozen=True)
class Layer:
    """One of integrity, trust, time, completeness, duty; `lines` are Chinese sentences."""

    status: Status
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where something is wrong. `kind`: journal, moof, mdat, signature, structure, ftyp, moov, manifest, sidecar,
    at-rest (bytes of an encrypted file), missing, swapped, duplicated, appended, head (another one was told to the
    centre) or time-hole (an unexplained break after that fragment). `sequence` and `captured` name the fragment as far
    as it can be known, from its neighbours if need be (`inferred`); `count` is how many fragments; `offset` and `size`
    in bytes."""

    file: str
    kind: str
    segment: int | None = None
    sequence: int | None = None
    captured: Instant | None = None
    inferred: bool = False
    count: int = 1
    offset: int | None = None
    size: int | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that speaks for a worse verdict: in which layer, in what words, and where."""

    verdict: Verdict
    layer: str
    text: str
    place: Place | None = None


@dataclass(frozen=True)
class Report:
    """The outcome of one verification. `first_bad` is the first place in the files that fails integrity. `recovered`: a
    segment was closed by a later start of the device. `health` are Chinese lines of what the device measured of itself.
    `collected`: material of another recorder, not a recording of ours. `device` and `recording` are None when nothing
    signed could be read."""

    verdict: Verdict
    integrity: Layer
    trust: Layer
    time: Layer
    completeness: Layer
    duty: Layer
    first_bad: Place | None
    places: tuple[Place, ...]
    device: DeviceId | None
    recording: RecordingId | None
    unit: str
    synthetic: bool
    segments: int
    fragments: int
    duration_s: float
    recovered: bool
    health: tuple[str, ...] = ()
    collected: bool = False
    source_file: str = ""

    @property
    def statement(self) -> str:
        """The one sentence under every report: what the signature proves, and what not."""
        return WHAT_A_COLLECTION_PROVES if self.collected else WHAT_A_SIGNATURE_PROVES

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The five layers by name, in the order of reading."""
        return {
            INTEGRITY: self.integrity,
            TRUST: self.trust,
            TIME: self.time,
            COMPLETENESS: self.completeness,
            DUTY: self.duty,
        }

    def as_json(self) -> dict[str, Any]:
        """The report for a machine; durations in seconds, moments in UTC. `layers` holds for each layer `ok` (null: not
        judged), `status` and `lines`; for integrity also `fragments` that verify, and `first_bad`."""
        layers = {name: _layer_json(layer) for name, layer in self.layers.items()}
        layers[INTEGRITY] |= {"fragments": self.fragments, "first_bad": _bad_json(self.first_bad)}
        return {
            "verdict": self.verdict.value,
            "verdict_zh": self.verdict.chinese,
            "exit_code": self.verdict.exit_code,
            "device": self.device,
            "recording": self.recording,
            "unit": self.unit,
            "synthetic": self.synthetic,
            "source_file": self.source_file,
            "segments": self.segments,
            "fragments": self.fragments,
            "duration_s": self.duration_s,
            "recovered": self.recovered,
            "health": list(self.health),
            "collected": self.collected,
            "layers": layers,
            "places": [_place_json(place) for place in self.places],
            "statement": self.statement,
        }


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The gravest of `verdicts`; complete when there are none. Altered is graver than untrusted: an alteration is a
    fact whoever signed."""
    return max(verdicts, key=lambda verdict: verdict.severity, default=Verdict.COMPLETE)


def not_judged_without_roots(trust: Layer) -> Layer:
    """`trust`, which is not failed but not judged where it says `NO_ROOTS`."""
    return Layer(Status.NOT_JUDGED, (NO_ROOTS,)) if NO_ROOTS in trust.lines else trust


def _layer_json(layer: Layer) -> dict[str, Any]:
    return {"ok": layer.status.ok, "status": layer.status.value, "lines": list(layer.lines)}


def _bad_json(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    at = None if place.captured is None else canonical.timestamp(place.captured.wall)
    return {"seq": place.sequence, "offset": place.offset, "at": at}


def _place_json(place: Place) -> dict[str, Any]:
    captured = place.captured
    return {
        "file": place.file,
        "kind": place.kind,
        "segment": place.segment,
        "sequence": place.sequence,
        "count": place.count,
        "captured": None if captured is None else canonical.timestamp(captured.wall),
        "inferred": place.inferred,
        "offset": place.offset,
        "size": place.size,
    }
