"""What becomes of a file that was collected from another maker's recorder."""

from dataclasses import dataclass

from agent.control.effects import CollectedTold, Effect, EventDraft, StoreEvent
from agent.wire.device_events import EventType
from agent.wire.identifiers import CollectedId, Digest
from agent.wire.instant import Instant


@dataclass(frozen=True)
class FileCollected:
    """A file of another maker's recorder stands here as `item`, the `number`-th; `source` is the configured label of
    where it came from, `pattern` the shape of its name, `structure` as in `agent.evidence.collected`."""

    number: int
    item: CollectedId
    digest: Digest
    size: int
    source: str
    pattern: str
    structure: str
    at: Instant


def file_collected(event: FileCollected) -> list[Effect]:
    """What it is goes to the centre; its name, which may be a person's, does not."""
    data = {
        "item": event.item,
        "digest": event.digest,
        "size": event.size,
        "from": event.source,
        "name_pattern": event.pattern,
        "structure": event.structure,
    }
    draft = EventDraft(f"collected/{event.item}", EventType.FILE_COLLECTED, event.at, data)
    return [StoreEvent(draft, CollectedTold(event.number))]
