"""The facts of one invented inspection, for tests of what is made from them. Any field can be told otherwise."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from agent.duty.case_facts import (
    CaseFacts,
    DocumentFact,
    GapFact,
    OfficerFact,
    RecordingFact,
    Served,
    Span,
    StepFact,
)
from agent.wire.identifiers import DeviceId, Digest, recording_id

BEGAN = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)  # ten o'clock in Beijing
RECORDER = DeviceId("REC-0001")
RECORDING = recording_id(RECORDER, 1)
UNIT = "星河区综合行政执法局"
STEPS = ("表明身份", "出示证件", "告知事由和依据", "告知权利义务", "现场检查", "当事人确认")
OFFICERS = ("示例-000001", "示例-000002")
HALF_SECOND = timedelta(milliseconds=500)


def digest_of(text: str) -> Digest:
    return Digest(sha256(text.encode()).hexdigest())


def span(first: int, last: int) -> Span:
    """Fragments of half a second each."""
    return Span(RECORDING, first, last, BEGAN + HALF_SECOND * (first - 1), BEGAN + HALF_SECOND * last)


def marked(*steps: str) -> tuple[StepFact, ...]:
    """Each step marked once, a minute each, one after the other."""
    return tuple(StepFact(step, span(120 * at + 1, 120 * at + 120)) for at, step in enumerate(steps))


def gap(first: int = 400, *, reason: str = "paused", explained: bool = True, words: str = "") -> GapFact:
    return GapFact(span(first, first), reason, explained, words)


def document(number: str = "星综执检〔2026〕REC-0001-0001号", **changes: Any) -> DocumentFact:
    fields: dict[str, Any] = {
        "number": number,
        "template": "inspection-record.1",
        "title": "现场检查笔录",
        "digest": digest_of(number),
        "served": Served.SIGNED,
        "span": span(600, 640),
    }
    return DocumentFact(**{**fields, **changes})


def recording(**changes: Any) -> RecordingFact:
    fields: dict[str, Any] = {
        "recording": RECORDING,
        "device": RECORDER,
        "verdict": "complete",
        "begins": BEGAN,
        "ends": BEGAN + timedelta(minutes=12),
        "fragments": 1440,
        "size": 360_000_000,
        "head": digest_of("head"),
        "policies": {"recording-list": 3, "major-catalogue": 1},
    }
    return RecordingFact(**{**fields, **changes})


def officers(*certificates: str) -> tuple[OfficerFact, ...]:
    return tuple(OfficerFact(certificate, UNIT, 7) for certificate in certificates or OFFICERS)


def case(steps: Iterable[str] = STEPS, **changes: Any) -> CaseFacts:
    """An inspection by two officers in which every step was marked, one document served, nothing amiss."""
    fields: dict[str, Any] = {
        "task": "T-2026-0001",
        "unit": UNIT,
        "category": "行政检查",
        "matter": "食品经营现场检查",
        "party": "P-0001",
        "began": BEGAN,
        "ended": BEGAN + timedelta(minutes=12),
        "required": STEPS,
        "officers": officers(),
        "recordings": (recording(),),
        "steps": marked(*steps),
        "reasons": {},
        "documents": (document(),),
        "confirmation": Served.SIGNED,
        "retention": "2年",
    }
    return CaseFacts(**{**fields, **changes})
