"""What the centre puts on the broker for every kiosk: released disclosures, and its list of receipts (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from agent.duty.disclosure_rules import check_content, check_nothing_beside, open_two_signatures
from agent.duty.receipt_list import LIST_KIND, LIST_TYPE, open_part, part_label
from agent.errors import SenderFault
from agent.wire.content import CHUNK_BYTES, Attachment
from agent.wire.disclosures import parse_disclosure
from agent.wire.envelope import parse_envelope
from agent.wire.identifiers import District
from agent.wire.topics import EVERYONE, content_topic, publication_topic
from agent.wire.trust import TrustList
from provisioning.center.broker_config import MAX_PACKET_BYTES

PACKET_OVERHEAD_BYTES = 64  # MQTT 5 section 3.3: fixed header 5, lengths and packet id 5, our properties; rounded up


@dataclass(frozen=True)
class Publication:
    """A disclosure ready for the broker: topic, the sealed bytes, what to tell the operator, and the files that go
    before it, with the audience they are for."""

    topic: str
    sealed: bytes
    title: str
    version: int
    attachments: tuple[Attachment, ...] = ()
    audience: str = EVERYONE


def open_publication(data: bytes, trust: TrustList, place: District, now: datetime) -> Publication:
    """A released disclosure of this district, or a part of its list of receipts, by the signature and content rules
    that every kiosk applies again; raises `SenderFault`. Whether a version may replace another is decided there
    alone."""
    if parse_envelope(data).payload_type == LIST_TYPE:
        return _receipts(data, trust, place, now)
    payload = open_two_signatures(data, trust, now).payload
    disclosure = check_nothing_beside(payload, check_content(parse_disclosure(payload)))
    if disclosure.district != place:
        raise SenderFault(f"公示文件属于 {disclosure.district}，不是本区，已拒绝。")
    topic = publication_topic(place, disclosure.audience, disclosure.kind.value, disclosure.disclosure_id)
    files = disclosure.attachments, disclosure.audience
    return _fitting(Publication(topic, data, disclosure.title, disclosure.version, *files))


def pieces(one: Attachment, content: bytes, place: District, audience: str) -> Iterator[tuple[str, bytes]]:
    """Topics and bytes of a file's pieces; raises `SenderFault` when `content` is not that file."""
    whole = one.check(content)
    for number in range(one.chunks):
        begin = number * CHUNK_BYTES
        yield content_topic(place, audience, one.sha256, number), whole[begin : begin + CHUNK_BYTES]


def _receipts(data: bytes, trust: TrustList, place: District, now: datetime) -> Publication:
    part = open_part(data, None, trust, now, place)
    topic = publication_topic(place, EVERYONE, LIST_KIND, part_label(part.part))
    return _fitting(Publication(topic, data, f"回执清单 {part_label(part.part)}", part.version))


def _fitting(found: Publication) -> Publication:
    if len(found.sealed) + len(found.topic) + PACKET_OVERHEAD_BYTES > MAX_PACKET_BYTES:
        raise SenderFault(f"公示文件“{found.title}”超过一条消息的上限，未发布。请拆成几份。")
    return found
