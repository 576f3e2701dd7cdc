"""Documents that wait for their files: what a kiosk host asks for, piece by piece, and when a document is whole.

A document with files is taken over when every one of them stands here and its hash holds, not before: what was shown
stays until then. What is asked for was named, with hash and size, by a document that two people signed: nobody else
can fill the card.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from agent.control.content_messages import KeepPiece
from agent.control.effects import Effect, Subscribe
from agent.errors import SenderFault
from agent.wire.content import Attachment
from agent.wire.disclosures import Disclosure
from agent.wire.identifiers import Digest
from agent.wire.topics import content_topic, parse_content_topic

Key = tuple[str, str]


@dataclass(frozen=True)
class Waiting:
    """A verified document whose files are not all here; `topic` and `payload` as it came."""

    document: Disclosure
    topic: str
    payload: bytes


class ContentDesk:
    """What is here, and who waits. Belongs to the disclosure desk."""

    def __init__(self) -> None:
        self._held: set[Digest] = set()
        self._waiting: dict[Key, Waiting] = {}

    def restore(self, held: Iterable[Digest]) -> None:
        """Files that an earlier run left and whose hashes hold."""
        self._held = set(held)

    def missing(self, document: Disclosure) -> tuple[Attachment, ...]:
        """The files of `document` that are not here."""
        return tuple(one for one in document.attachments if one.sha256 not in self._held)

    def waiting(self, key: Key) -> Disclosure | None:
        """The version of this document that waits for its files."""
        found = self._waiting.get(key)
        return None if found is None else found.document

    def wait(self, document: Disclosure, topic: str, payload: bytes) -> list[Effect]:
        """Let `document` wait and ask for what it misses: the broker keeps the pieces as it keeps documents."""
        self._waiting[document.key] = Waiting(document, topic, payload)
        filters = (
            content_topic(document.district, document.audience, one.sha256, "+") for one in self.missing(document)
        )
        return [Subscribe(tuple(dict.fromkeys(filters)))]

    def settled(self, key: Key) -> None:
        """The document waits no longer: it, or a newer one, was taken over."""
        self._waiting.pop(key, None)

    def piece(self, topic: str, payload: bytes) -> list[Effect]:
        """Keep a piece that somebody waits for; what nobody asked for is passed over. Raises `SenderFault` for one
        that cannot be of that file."""
        place = parse_content_topic(topic)
        wanted = self.wanted().get(place.sha256)
        if wanted is None or not payload:
            return []
        if len(payload) != wanted.chunk_length(place.number):
            raise SenderFault(f"附件 {wanted.name} 的第 {place.number} 段长度不符，已拒绝。")
        return [KeepPiece(wanted, place.number, payload)]

    def wanted(self) -> Mapping[Digest, Attachment]:
        """What is waited for, by hash."""
        return {one.sha256: one for waiting in self._waiting.values() for one in self.missing(waiting.document)}

    def kept(self, files: Collection[Digest]) -> list[Waiting]:
        """These files are here now; returns who waits no longer."""
        self._held.update(files)
        return [one for one in self._waiting.values() if not self.missing(one.document)]

    def only(self, documents: Iterable[Disclosure]) -> frozenset[Digest]:
        """Forget every file that neither `documents` nor those that wait name; returns what stays."""
        alive = [*documents, *(one.document for one in self._waiting.values())]
        keep = frozenset(one.sha256 for document in alive for one in document.attachments)
        self._held &= keep
        return keep
