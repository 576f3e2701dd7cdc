"""What a rehearsal found, as values: the closing table and the last line of `--json` are made of these alone."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class JudgedRecording:
    """One recording and the verdict of `liuhen-verify`; `path` is its folder, `film` its first segment."""

    device: str
    path: Path
    verdict: str
    fragments: int
    duration_s: float
    size: int
    recovered: bool

    @property
    def film(self) -> Path:
        """The file to play."""
        return self.path / "segment-0001.mp4"


@dataclass(frozen=True)
class EventCounts:
    """Events the devices made, the centre stored once each, and signed receipts covered."""

    published: int
    received: int
    receipted: int

    @property
    def waiting(self) -> int:
        """Events that no signed receipt covers yet."""
        return self.published - self.receipted

    @property
    def all_receipted(self) -> bool:
        """Whether every event was received once and receipted."""
        return self.published == self.received == self.receipted


@dataclass(frozen=True)
class Tampering:
    """The verdict on a copy with one flipped byte; `fragment` is the damaged one's number, `moment` its time."""

    verdict: str
    fragment: int | None
    moment: str
    copy: Path


@dataclass(frozen=True)
class Inspection:
    """The on-scene inspection: its task, the recording's folder, what `liuhen-verify` says, the steps that were marked
    and those that were asked for, what the QR code of the party's receipt says, the texts of the documents."""

    task: str
    path: Path
    verdict: str
    marked: tuple[str, ...]
    required: tuple[str, ...]
    receipt: str
    documents: tuple[Path, ...]


@dataclass(frozen=True)
class Decided:
    """The end of the review: its stage, the packet's folder, the six tables."""

    stage: str
    packet: Path
    exports: tuple[Path, ...]


@dataclass
class Findings:
    """Filled in as the story goes on; `failures` is why a rehearsal does not hold, in Chinese."""

    place: Path
    broker: str = ""
    port: int = 0
    trust_root: Path = Path()
    kiosk_url: str = ""
    source: str = ""
    recordings: list[JudgedRecording] = field(default_factory=list)
    events: EventCounts = EventCounts(0, 0, 0)
    tampered: Tampering | None = None
    lost_s: float = 0.0
    inspection: Inspection | None = None
    decided: Decided | None = None
    failures: list[str] = field(default_factory=list)

    def expect(self, held: bool, otherwise: str) -> None:
        """Note `otherwise` as a failure unless `held`."""
        if not held:
            self.failures.append(otherwise)

    def as_json(self) -> dict[str, Any]:
        """The one object of `liuhen-provision rehearse --json`."""
        tampered = self.tampered
        return {
            "broker": {"kind": self.broker, "port": self.port},
            "trust_roots": str(self.trust_root),
            "recordings": [
                {
                    "device": recording.device,
                    "path": str(recording.film),
                    "verdict": recording.verdict,
                    "fragments": recording.fragments,
                    "duration_s": round(recording.duration_s, 3),
                    "recovered": recording.recovered,
                }
                for recording in self.recordings
            ],
            "events": {
                "published": self.events.published,
                "received": self.events.received,
                "receipted": self.events.receipted,
            },
            "kiosk": {"url": self.kiosk_url},
            "tampered": None if tampered is None else {"verdict": tampered.verdict, "fragment": tampered.fragment},
            "lost_s": round(self.lost_s, 3),
            "inspection": None if self.inspection is None else _inspection(self.inspection),
            "review": None if self.decided is None else _decided(self.decided),
            "failures": list(self.failures),
        }


def _inspection(found: Inspection) -> dict[str, Any]:
    return {
        "task": found.task,
        "path": str(found.path),
        "verdict": found.verdict,
        "marked": list(found.marked),
        "required": list(found.required),
        "receipt": found.receipt,
        "documents": [str(path) for path in found.documents],
    }


def _decided(found: Decided) -> dict[str, Any]:
    return {
        "stage": found.stage,
        "packet": str(found.packet),
        "exports": {path.stem: str(path) for path in found.exports},
    }
