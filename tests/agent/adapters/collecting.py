"""A card of another maker's recorder, a collector over it, and the test turning it by hand."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from agent.adapters.collected_shelf import CollectedShelf, Origin
from agent.adapters.collector import Collector
from agent.control.messages import Event, FileCollected, WorkFailed
from agent.evidence.grounds import Grounds
from agent.evidence.report import Report
from agent.verify_files import Basis, judge_path
from tests.agent.evidence.bench import DEVICE, NOW, UNIT, Authority, make_authority
from tests.support.clocks import SteppedClock
from tests.support.media import make_media

SOURCE = "示例牌记录仪"


def film(fragments: int = 3) -> bytes:
    media = make_media(fragments)
    return media.init + b"".join(media.fragments)


@dataclass
class Collecting:
    """`look` steps the clock past every patience first, unless told otherwise."""

    place: Path
    told: int = 0
    authority: Authority = field(default_factory=make_authority)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.card, self.shelf_root = self.place / "card", self.place / "state" / "collected"
        self.card.mkdir(exist_ok=True)
        self.clock = SteppedClock()
        self.shelf = CollectedShelf(self.shelf_root, Origin(DEVICE, UNIT, SOURCE, "0.1.0"), self.authority.signer())
        self.collector = Collector(self.card, self.shelf, self.clock, self.events.append, self.told)
        self.collector.begin()

    def put(self, name: str | bytes, content: bytes) -> Path:
        """A file on the card, written at once; `name` may have folders in it."""
        path = self.card / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def look(self, seconds: float = 100) -> int:
        """Two looks, `seconds` apart; how many items are new."""
        first = self.collector.look()
        self.clock.step(seconds)
        return first + self.collector.look()

    def items(self) -> list[str]:
        return sorted(it.name for it in self.shelf_root.iterdir() if it.is_dir())

    def collected(self) -> list[FileCollected]:
        return [event for event in self.events if isinstance(event, FileCollected)]

    def complaints(self) -> list[str]:
        return [event.detail for event in self.events if isinstance(event, WorkFailed)]

    def judge(self, item: str = "REC-0001-C000001") -> Report:
        basis = Basis((self.authority.root,), Grounds(), NOW)
        return judge_path(self.shelf_root / item, basis, lambda _: None).report
