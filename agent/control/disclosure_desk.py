"""The kiosk host's desk: which publications it takes over, and what it remembers so that none ever goes back.

A document is accepted by `agent.duty.disclosure_rules`; here its topic is compared with what it says of itself, and
its version with the highest one this device has ever accepted, even when the file of that version is gone.
What a refusal leaves in the chain of events is a code and digests, never the text, which may name people.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from agent.control.content_desk import ContentDesk
from agent.control.content_messages import (
    BundleRead,
    BundleSettled,
    ContentBroken,
    ContentEvent,
    ContentKept,
    DropContent,
    ReadBundle,
    UnpackBundle,
)
from agent.control.effects import (
    DisclosureSeen,
    Effect,
    EventDraft,
    HideDisclosure,
    RaiseAlarm,
    ShowDisclosure,
    StoreEvent,
    Subscribe,
)
from agent.control.receipt_shelf import ReceiptShelf
from agent.duty.disclosure_rules import Refusal, judge, open_two_signatures
from agent.duty.floors import Floor, above, floor_of
from agent.duty.policies import PolicyShelf
from agent.duty.receipt_list import LIST_KIND
from agent.errors import SenderFault
from agent.wire.device_events import EventType, event_hash
from agent.wire.disclosures import DUTY_KINDS, Disclosure, parse_disclosure
from agent.wire.envelope import parse_envelope
from agent.wire.identifiers import Digest, District
from agent.wire.instant import Instant
from agent.wire.topics import (
    EVERYONE,
    PublicationTopic,
    is_content_topic,
    parse_publication_topic,
    publication_topic,
    publications_filter,
)
from agent.wire.trust import TrustList

ROLLED_BACK = (Refusal.OLDER_VERSION, Refusal.SAME_VERSION, Refusal.WITHDRAWN)
REFUSALS_TOLD = 20  # ours: a flood of forgeries fills no store; each connection tells the centre of so many at most

Key = tuple[str, str]


class DisclosureDesk:
    """Accepts publications for `all` and one audience of one district. A recorder's has `policies`, which then follow
    every document that it accepts."""

    def __init__(
        self, place: District, audience: str, floors: Mapping[Key, Floor], policies: PolicyShelf | None = None
    ) -> None:
        self._place, self._audience, self._policies = place, audience, policies
        self._floors = dict(floors)
        self._receipts = ReceiptShelf(place, self._floors)
        self._content = ContentDesk()
        self._current: dict[Key, Disclosure] = {}
        self._replaced: dict[Key, Disclosure] = {}
        self._told = 0
        self._rolled_back: list[tuple[bytes, SenderFault]] = []

    def filters(self) -> tuple[str, ...]:
        """What to subscribe to: a recorder leaves alone what only a screen has use for."""
        if self._policies is not None:
            public = (publications_filter(self._place, EVERYONE, kind) for kind in sorted(DUTY_KINDS))
            return (publications_filter(self._place, self._audience), *public)
        return tuple(publications_filter(self._place, audience) for audience in (EVERYONE, self._audience))

    def connected(self) -> None:
        """A new connection: the broker sends everything retained again."""
        self._told = 0

    def restore(
        self, envelopes: Iterable[bytes], trust: TrustList, now: datetime, files: Iterable[Digest] = ()
    ) -> list[str]:
        """Take over what an earlier run had accepted, with the `files` whose hashes still hold; returns one Chinese
        line for each that no longer holds. Those that were rolled back behind our back are told of by `started`."""
        self._content.restore(files)
        faults = []
        for envelope in envelopes:
            try:
                document = self._accept(envelope, trust, now, None)
            except SenderFault as fault:
                faults.append(str(fault))
                if fault.code in ROLLED_BACK:
                    self._rolled_back.append((envelope, fault))
            else:
                if self._missing(document):
                    faults.append(f"公示文件“{document.title[:40]}”的附件缺失或已损坏，将重新获取。")
                else:
                    self._hold(document)
        return faults

    def started(self, now: Instant) -> list[Effect]:
        """Tell the centre of documents that somebody rolled back while we were away, and take their files out: the
        broker sends the right ones again."""
        effects: list[Effect] = []
        for envelope, fault in self._rolled_back:
            kind, name = parse_disclosure(parse_envelope(envelope).payload).key
            place = PublicationTopic(self._place, self._audience, kind, name)
            effects += [*self._refuse(place, envelope, fault, now), HideDisclosure(kind, name)]
        self._rolled_back.clear()
        return effects

    def arrived(self, topic: str, payload: bytes, trust: TrustList, now: Instant) -> list[Effect]:
        """Accept or refuse one publication. An empty one only clears the broker's memory and withdraws nothing."""
        if not payload:
            return []
        place = None
        try:
            if is_content_topic(topic):
                return self._content.piece(topic, payload)
            place = parse_publication_topic(topic)
            if place.kind == LIST_KIND:
                return self._receipts.arrived(place, payload, trust, now)
            key = place.kind, place.disclosure
            current = self._current.get(key)
            document = self._matching(
                place, self._accept(payload, trust, now.wall, self._content.waiting(key) or current)
            )
        except SenderFault as fault:
            code = Refusal.TOPIC if place is None and not is_content_topic(topic) else fault.code
            return self._refuse(place, payload, SenderFault(str(fault), code), now)
        if document == current:
            return []
        return (
            self._content.wait(document, topic, payload)
            if self._missing(document)
            else self._take(document, payload, now)
        )

    def heard(self, event: ContentEvent, trust: TrustList, now: Instant) -> list[Effect]:
        """Follow the files: a document whose last one came is judged again, and then taken over."""
        match event:
            case ContentKept(files):
                whole = self._content.kept(files)
                return [effect for one in whole for effect in self.arrived(one.topic, one.payload, trust, now)]
            case ContentBroken(sha256, detail):
                return self._refuse(None, sha256.encode(), SenderFault(detail, Refusal.FILE), now)
            case BundleSettled():
                return [ReadBundle()]
            case BundleRead(place, documents, fault):
                if fault:
                    return [*self._refuse(None, fault.encode(), SenderFault(fault, Refusal.BUNDLE), now), ReadBundle()]
                effects = [each for one in documents for each in self._from_bundle(one, trust, now)]
                return [*effects, UnpackBundle(place, tuple(self._content.wanted().values()))]

    def _from_bundle(self, payload: bytes, trust: TrustList, now: Instant) -> list[Effect]:
        """As if the broker had brought it, under the topic that it says itself; the bundle is asked for files."""
        try:
            said = parse_disclosure(parse_envelope(payload).payload)
        except SenderFault as fault:
            return self._refuse(None, payload, fault, now)
        topic = publication_topic(said.district, said.audience, *said.key)
        return [it for it in self.arrived(topic, payload, trust, now) if not isinstance(it, Subscribe)]

    def _missing(self, document: Disclosure) -> bool:
        """Whether files are still to come. A recorder shows none, and asks for none."""
        return self._policies is None and bool(self._content.missing(document))

    def forget(self, key: Key) -> None:
        """What was accepted could not be kept on the disk: take it over again when the broker next sends it."""
        self._current.pop(key, None)
        self._receipts.forget(key)

    def _accept(self, payload: bytes, trust: TrustList, now: datetime, current: Disclosure | None) -> Disclosure:
        opened = open_two_signatures(payload, trust, now)
        if self._policies is not None:
            # A rule past its end is better than none: recordings made by it are labelled.
            now = parse_disclosure(opened.payload).issued_at
        document = judge(opened.payload, now=now, district=self._place, audience=self._audience, current=current)
        return above(self._floors.get(document.key), document)

    def _hold(self, document: Disclosure) -> None:
        self._current[document.key] = document
        if self._policies is not None:
            self._policies.put(document)

    def _matching(self, place: PublicationTopic, document: Disclosure) -> Disclosure:
        said = PublicationTopic(document.district, document.audience, *document.key)
        if said != place:
            raise SenderFault("公示文件的对象、种类或编号与其主题不符，已拒绝。", Refusal.TOPIC)
        return document

    def _take(self, document: Disclosure, payload: bytes, now: Instant) -> list[Effect]:
        kind, name = document.key
        floor = floor_of(document)
        self._floors[document.key] = floor
        self._content.settled(document.key)
        before = self._current.get(document.key)
        if before is not None:
            self._replaced[document.key] = before
        self._hold(document)
        digest = Digest(floor.digest)
        data = {"kind": kind, "id": name, "version": document.version, "digest": digest}
        # The version is in the id, so a device that lost power here reports the same fact again, once.
        draft = EventDraft(
            f"disclosure/{kind}/{name}/{document.version}/{digest[:16]}", EventType.DISCLOSURE_ACCEPTED, now, data
        )
        seen = DisclosureSeen(kind, name, document.version, digest, floor.withdrawn)
        return [StoreEvent(draft, seen), ShowDisclosure(kind, name, payload), *self._tidy(before, document)]

    def _tidy(self, before: Disclosure | None, document: Disclosure) -> list[Effect]:
        """Files of the version before stay until the next one: a screen may still be showing it."""
        if before is None or not (before.attachments or document.attachments):
            return []
        return [DropContent(self._content.only([*self._current.values(), *self._replaced.values()]))]

    def _refuse(self, place: PublicationTopic | None, payload: bytes, fault: SenderFault, now: Instant) -> list[Effect]:
        self._told += 1
        if self._told > REFUSALS_TOLD:
            return []
        digest = event_hash(payload)
        told = {} if place is None else {"kind": place.kind, "id": place.disclosure}
        data = {"digest": digest, "code": fault.code, **told}
        draft = EventDraft(f"disclosure-refused/{digest[:32]}", EventType.DISCLOSURE_REFUSED, now, data)
        return [RaiseAlarm(f"收到的公示未采用：{fault}"), StoreEvent(draft)]
