"""The kiosk host's list of receipts: its parts are taken as they come, signed by the centre, and never an older one.

Every connection brings all parts again, and every day new ones: no event is told of them, only of one that is refused.
"""

from collections.abc import MutableMapping

from agent.control.effects import DisclosureSeen, Effect, ShowDisclosure, StoreNote
from agent.duty.disclosure_rules import Refusal
from agent.duty.floors import Floor
from agent.duty.receipt_list import open_part, part_of_label
from agent.errors import SenderFault
from agent.wire.device_events import event_hash
from agent.wire.identifiers import District
from agent.wire.instant import Instant
from agent.wire.topics import EVERYONE, PublicationTopic
from agent.wire.trust import TrustList


class ReceiptShelf:
    """Belongs to the disclosure desk, whose `floors` it shares."""

    def __init__(self, place: District, floors: MutableMapping[tuple[str, str], Floor]) -> None:
        self._place, self._floors = place, floors
        self._held: dict[tuple[str, str], str] = {}

    def arrived(self, topic: PublicationTopic, payload: bytes, trust: TrustList, now: Instant) -> list[Effect]:
        """Take one part over; raises `SenderFault` for one that is forged, older, or not what its topic says."""
        key, digest = (topic.kind, topic.disclosure), event_hash(payload)
        if self._held.get(key) == digest:
            return []
        if (topic.district, topic.audience) != (self._place, EVERYONE):
            raise SenderFault("回执清单的区域或对象不符，已拒绝。", Refusal.TOPIC)
        part = open_part(payload, part_of_label(topic.disclosure), trust, now.wall, self._place)
        floor = self._floors.get(key)
        if floor is not None and part.version < floor.version:
            raise SenderFault("收到的回执清单比本机已有的旧，已拒绝。", Refusal.OLDER_VERSION)
        self._floors[key] = Floor(part.version, digest)
        self._held[key] = digest
        seen = DisclosureSeen(*key, part.version, digest)
        return [StoreNote(seen), ShowDisclosure(*key, payload)]

    def forget(self, key: tuple[str, str]) -> None:
        """It could not be written: take it when it comes again."""
        self._held.pop(key, None)
