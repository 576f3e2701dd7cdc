"""The export certificate: who took what out of which recording, when, why and with whose approval; signed (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from agent.errors import OperatorFault
from agent.evidence.clip import Excerpt
from agent.evidence.export_report import EXPORT_TYPE
from agent.wire import canonical
from agent.wire.envelope import seal
from agent.wire.identifiers import Digest
from agent.wire.signing import Signer

MAX_WORDS = 200  # ours; a reason is a sentence or two


class Kind(StrEnum):
    """What was exported."""

    WHOLE = "whole"
    EXACT = "exact"
    MASKED = "masked"


@dataclass(frozen=True)
class Responsibility:
    """Who exports, why, and who approved it; every one is required."""

    by: str
    reason: str
    approved_by: str

    def __post_init__(self) -> None:
        for name, words in (("--by", self.by), ("--reason", self.reason), ("--approved-by", self.approved_by)):
            if not 1 <= len(words.strip()) <= MAX_WORDS or not words.isprintable():
                raise OperatorFault(f"{name} 不能为空，且不超过 {MAX_WORDS} 字。请写明后重试。")
        if self.by.strip() == self.approved_by.strip():
            raise OperatorFault("导出人与批准人不能是同一人。请由另一人批准（--approved-by）。")


@dataclass(frozen=True)
class Taken:
    """One exported film: its `file`, the `source` segment file, and the stretch of it (None: the whole segment)."""

    file: str
    source: str
    excerpt: Excerpt | None


@dataclass(frozen=True)
class ExportCertificate:
    """`files` are all exported files and `sources` the segments they come from, by SHA-256; `verdict` is what
    verification of the source recording said at that moment; `changes` names what was done to picture and sound."""

    recording: str
    device: str
    unit: str
    kind: Kind
    taken: tuple[Taken, ...]
    sources: Mapping[str, Digest]
    files: Mapping[str, Digest]
    verdict: str
    changes: tuple[str, ...]
    responsibility: Responsibility
    exported_at: datetime
    centre: str

    def encode(self) -> bytes:
        """Canonical payload."""
        return canonical.encode(
            {
                "approved_by": self.responsibility.approved_by,
                "by": self.responsibility.by,
                "centre": self.centre,
                "changes": list(self.changes),
                "device": self.device,
                "exported_at": canonical.timestamp(self.exported_at),
                "files": dict(self.files),
                "kind": self.kind.value,
                "reason": self.responsibility.reason,
                "recording": self.recording,
                "sources": dict(self.sources),
                "taken": [_taken(entry) for entry in self.taken],
                "unit": self.unit,
                "verdict": self.verdict,
            }
        )


def seal_certificate(certificate: ExportCertificate, signer: Signer) -> bytes:
    """The certificate in an envelope signed by the centre."""
    return seal(EXPORT_TYPE, certificate.encode(), [signer])


def _taken(entry: Taken) -> Mapping[str, Any]:
    excerpt = entry.excerpt
    stretch = None if excerpt is None else {
        "begin": canonical.timestamp(excerpt.begin),
        "end": canonical.timestamp(excerpt.end),
        "first": excerpt.first,
        "last": excerpt.last,
        "segment": excerpt.segment,
    }  # fmt: skip
    return {"file": entry.file, "range": stretch, "source": entry.source}
