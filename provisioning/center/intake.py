"""What the centre believes (pure): opens what a device sent and decides what becomes part of its chain.

Every device has one chain. An event joins it when its number follows and its `prev` is the head; later ones wait,
parked, until the gap before them is filled; one with a number that is taken by another content is a fork: an alarm, and
what was stored first stays.

A device that lost its memory says so in an event that begins its chain again (`declared_loss`). The numbers it skipped
are then a declared gap: recorded for ever, never asked for again. What had arrived out of that gap before is kept under
its numbers, beside the chain; what comes later is not taken any more. A declaration at or below the head contradicts
what the device has told already: a fork.

A device that found stored events damaged declares just those (`declared_damage`): a declared gap as well, behind which
the chain goes on unbroken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from agent.errors import SenderFault
from agent.wire.device_events import (
    EVENTS_TYPE,
    GENESIS,
    DamagedRun,
    DeviceEvent,
    declared_damage,
    declared_loss,
    decode_batch,
    event_hash,
)
from agent.wire.envelope import open_envelope
from agent.wire.hints import HINT_TYPE, parse_hint
from agent.wire.identifiers import DeviceId, DeviceKind, Digest, District, device_kind
from agent.wire.instant import BEIJING
from agent.wire.status import STATUS_TYPE, DeviceStatus, parse_status
from agent.wire.topics import CENTRAL, EVENTS, HINT, STATE, parse_device_topic
from agent.wire.trust import Role, TrustList

MAX_PARKED = 2_000  # ours: 40 full batches may overtake a lost one; the rest is sent again on request
MAX_NUMBER = 2**40  # ours: a thousand events a second for thirty years; beyond it somebody plays with numbers
ROLES = {DeviceKind.RECORDER: Role.RECORDER, DeviceKind.KIOSK: Role.KIOSK}


class AlarmKind(StrEnum):
    """Why a person should look."""

    FORK = "fork"
    BROKEN_CHAIN = "broken-chain"
    REFUSED = "refused"
    UNLISTED = "unlisted"  # sent before the list that names its key was here, or by a stranger
    HINT = "hint"


class SealedKind(StrEnum):
    """What is kept for the account of a device, each by the number of an event: of a batch the first that was new, of a
    receipt `upto`, of a witness the event that told the head. Of a day's receipts the first stays as well, by the day
    (`day_number`): an account of later times can begin there."""

    BATCH = "batch"
    DAY_RECEIPT = "day-receipt"
    RECEIPT = "receipt"
    WITNESS = "witness"


def day_number(moment: datetime) -> int:
    """The day of a moment in Beijing, counted from the first of year 1."""
    return moment.astimezone(BEIJING).toordinal()


def countersigned_by(device: DeviceId) -> str:
    """The kind of a batch of `device`, by its first number, that is kept for another device whose heads it
    countersigns."""
    return f"by-{device}"


@dataclass(frozen=True)
class Alarm:
    """Something about one device that no honest device does; `digest` is the event it is about, or empty."""

    kind: AlarmKind
    devseq: int
    digest: str
    detail: str


@dataclass(frozen=True)
class Link:
    """An event as it was sent, with its hash."""

    event: DeviceEvent
    body: bytes
    digest: Digest


@dataclass(frozen=True)
class Waiting:
    """A parked event: what it says comes before it, and its hash."""

    prev: Digest
    digest: Digest


@dataclass(frozen=True)
class Head:
    """The end of a device's chain at the centre; number 0 is the beginning."""

    upto: int
    digest: Digest


EMPTY_CHAIN = Head(0, GENESIS)


@dataclass(frozen=True)
class Shelf:
    """What the store knows of one device: the head, hashes of stored numbers that were asked about, what is parked."""

    head: Head
    stored: Mapping[int, Digest]
    parked: Mapping[int, Waiting]


@dataclass(frozen=True)
class Loss:
    """A gap that the device declared in event `declared_by`: numbers `first` to `last`, none when `last` < `first`, of
    which `kept` had arrived before and stand beside the chain; `digest` is the declaring event's."""

    first: int
    last: int
    kept: tuple[int, ...]
    declared_by: int
    digest: Digest


@dataclass
class Decision:
    """What the store is to do with a batch, in one transaction: append `append`, park `park`, then move `adopt` from
    the parked to the events (the chain, or beside it what a declared gap keeps), forget `discard` and record `losses`;
    then `head` holds. `gap_opened`: something waits now and nothing did before. `damage`: what the device has declared
    damaged, and `taken`: the hashes of what joins, both used while deciding."""

    head: Head
    append: list[Link] = field(default_factory=list)
    park: list[Link] = field(default_factory=list)
    adopt: list[int] = field(default_factory=list)
    discard: list[int] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    gap_opened: bool = False
    damage: list[tuple[DamagedRun, Link]] = field(default_factory=list)
    taken: dict[int, Digest] = field(default_factory=dict)


def open_batch(
    topic: str, data: bytes, trust: TrustList, now: datetime, place: District
) -> tuple[DeviceId, tuple[Link, ...]]:
    """The device and its events in the order of their numbers.

    Raises `SenderFault` unless one valid signature is the topic's device's own, and every event names it as source.
    """
    device, payload = _own_payload(topic, EVENTS, EVENTS_TYPE, data, trust, now, place)
    links = tuple(Link(event, body, event_hash(body)) for event, body in decode_batch(payload))
    for link in links:
        if (link.event.district, link.event.device) != (place, device):
            raise SenderFault(f"{device} 转发了 {link.event.device} 的事件，已拒绝。")
        _check_number(link.event.devseq)
    return device, tuple(sorted(links, key=lambda link: link.event.devseq))


def open_status(topic: str, data: bytes, trust: TrustList, now: datetime, place: District) -> DeviceStatus:
    """A device's birth or last will; raises `SenderFault` unless it is the device's own."""
    device, payload = _own_payload(topic, STATE, STATUS_TYPE, data, trust, now, place)
    status = parse_status(payload)
    if status.device != device:
        raise SenderFault(f"{device} 转发了 {status.device} 的状态，已拒绝。")
    _check_number(max(status.session, status.waiting))
    return status


def open_hint(topic: str, data: bytes, trust: TrustList, now: datetime, place: District) -> tuple[DeviceId, Alarm]:
    """What a device wants a person to see before its backlog is here; raises `SenderFault` unless it is the device's
    own. It is no part of the chain."""
    device, payload = _own_payload(topic, HINT, HINT_TYPE, data, trust, now, place)
    event = parse_hint(payload)
    if (event.district, event.device) != (place, device):
        raise SenderFault(f"{device} 转发了 {event.device} 的急报，已拒绝。")
    _check_number(event.devseq)
    return device, Alarm(
        AlarmKind.HINT, event.devseq, "", f"急报：{event.type.removeprefix('liuhen.')}，事件随后到达。"
    )


def is_receivers_own(topic: str) -> bool:
    """Whether the topic is a receiver's state, which the subscription to all devices' states brings along."""
    return topic.split("/")[3:4] == [CENTRAL]


def topic_device(topic: str, place: District) -> DeviceId:
    """The device a topic of this district belongs to, which the broker vouches for; raises `SenderFault`."""
    parsed = parse_device_topic(topic)
    if parsed.district != place:
        raise SenderFault(f"主题属于 {parsed.district}，不是本区，已忽略。")
    return parsed.device


def decide(links: Sequence[Link], shelf: Shelf) -> Decision:
    """What to do with a device's verified events, which come in the order of their numbers."""
    decision, parked = Decision(shelf.head), dict(shelf.parked)
    for link in links:
        _place(link, shelf, parked, decision)
        _adopt(parked, decision)
        while _pass_damage(decision):
            _adopt(parked, decision)
    decision.gap_opened = bool(parked) and not shelf.parked
    return decision


def _place(link: Link, shelf: Shelf, parked: dict[int, Waiting], decision: Decision) -> None:
    number, head, run = link.event.devseq, decision.head, declared_damage(link.event)
    taken = _digest_at(number, shelf, parked, decision)
    if taken is not None:
        if taken != link.digest:
            decision.alarms.append(_alarm(AlarmKind.FORK, link, f"第 {number} 号事件有两个不同的内容，保留先到的。"))
            return
    elif declared_loss(link.event) is not None:
        _declare(link, parked, decision)
    elif number == head.upto + 1:
        _append(link, decision)
    elif number > head.upto and (len(parked) < MAX_PARKED or run is not None):
        parked[number] = Waiting(link.event.prev, link.digest)
        decision.park.append(link)
    if run is not None:
        decision.damage.append((run, link))


def _pass_damage(decision: Decision) -> bool:
    """Go on behind a declared run of damaged events that begins at the head; returns whether there was one."""
    head = decision.head
    for run, link in decision.damage:
        if run.first <= head.upto + 1 <= run.last and (run.first <= head.upto or run.prev == head.digest):
            loss = Loss(head.upto + 1, run.last, (), link.event.devseq, link.digest)
            decision.losses.append(loss)
            decision.head = Head(run.last, run.digest)
            return True
    return False


def _declare(link: Link, parked: dict[int, Waiting], decision: Decision) -> None:
    number, head = link.event.devseq, decision.head
    if number <= head.upto:
        detail = f"第 {number} 号事件称此前的记录已丢失，本端却已收到第 {head.upto} 号，未收。"
        decision.alarms.append(_alarm(AlarmKind.FORK, link, detail))
        return
    kept = tuple(sorted(waiting for waiting in parked if waiting < number))
    for waiting in kept:
        decision.taken[waiting] = parked.pop(waiting).digest
    decision.adopt.extend(kept)
    decision.append.append(link)
    decision.taken[number] = link.digest
    decision.losses.append(Loss(head.upto + 1, number - 1, kept, number, link.digest))
    decision.head = Head(number, link.digest)


def _append(link: Link, decision: Decision) -> None:
    if link.event.prev != decision.head.digest:
        detail = f"第 {link.event.devseq} 号事件不接在本端的第 {decision.head.upto} 号之后，未收。"
        decision.alarms.append(_alarm(AlarmKind.BROKEN_CHAIN, link, detail))
        return
    decision.append.append(link)
    decision.taken[link.event.devseq] = link.digest
    decision.head = Head(link.event.devseq, link.digest)


def _adopt(parked: dict[int, Waiting], decision: Decision) -> None:
    while (waiting := parked.pop(decision.head.upto + 1, None)) is not None:
        number = decision.head.upto + 1
        if waiting.prev != decision.head.digest:
            detail = f"暂存的第 {number} 号事件不接在第 {decision.head.upto} 号之后，未收。"
            decision.alarms.append(Alarm(AlarmKind.BROKEN_CHAIN, number, waiting.digest, detail))
            decision.discard.append(number)
            return
        decision.adopt.append(number)
        decision.taken[number] = waiting.digest
        decision.head = Head(number, waiting.digest)


def _digest_at(number: int, shelf: Shelf, parked: Mapping[int, Waiting], decision: Decision) -> Digest | None:
    if number in parked:
        return parked[number].digest
    return decision.taken.get(number) or shelf.stored.get(number)


def _check_number(number: int) -> None:
    if number > MAX_NUMBER:
        raise SenderFault(f"序号 {number} 大于上限 {MAX_NUMBER}，已拒绝。")


def _alarm(kind: AlarmKind, link: Link, detail: str) -> Alarm:
    return Alarm(kind, link.event.devseq, link.digest, detail)


def _own_payload(
    topic: str, channel: str, payload_type: str, data: bytes, trust: TrustList, now: datetime, place: District
) -> tuple[DeviceId, bytes]:
    device = topic_device(topic, place)
    if parse_device_topic(topic).channel != channel:
        raise SenderFault(f"主题“{topic[:120]}”不是 {channel} 通道，已忽略。")
    opened = open_envelope(data, payload_type, trust, now)
    signer = opened.signer(ROLES[device_kind(device)])
    if len(opened.signers) != 1 or signer.subject != device:
        raise SenderFault(f"信封由 {signer.subject} 签名，却来自 {device} 的主题，已拒绝。")
    return device, opened.payload
