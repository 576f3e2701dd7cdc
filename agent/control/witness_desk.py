"""The second officer's recorder as a witness: it hears its partner's events and countersigns the heads.

Whoever holds one recorder can cut its recording and sign again; the partner's chain still says how far it went. The
partner's own signature is verified here, so neither broker nor centre can put a head into our mouth. What was
countersigned once stays: an older number, or the same recording told shorter, is passed over.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.control.backoff import NANOSECONDS
from agent.control.effects import Effect, EventDraft, HeadSeen, RaiseAlarm, StoreEvent
from agent.errors import SenderFault
from agent.wire.device_events import EVENTS_TYPE, DeviceEvent, EventType, decode_batch, event_hash
from agent.wire.envelope import open_envelope
from agent.wire.identifiers import DeviceId, District, recording_number
from agent.wire.instant import Instant
from agent.wire.topics import EVENTS, device_topic
from agent.wire.trust import Role, TrustList
from agent.wire.witness import SeenHead, told_head

PAUSE_NS = 5 * NANOSECONDS  # ours: a partner tells a head every 15 s; more of them cannot fill our store


@dataclass(frozen=True)
class WitnessFloor:
    """The farthest that was countersigned: number of the partner's event, recording number, fragment."""

    devseq: int = 0
    recording: int = 0
    sequence: int = 0


class WitnessDesk:
    """Countersigns the heads of `partner`, nobody else's and never our own."""

    def __init__(self, place: District, partner: DeviceId, floor: WitnessFloor) -> None:
        self._place, self._partner, self._floor = place, partner, floor
        self.topic = device_topic(place, partner, EVENTS)
        self._next_ns = 0

    def arrived(self, payload: bytes, trust: TrustList, now: Instant) -> list[Effect]:
        """Countersign the newest head of each recording in a batch of the partner's events."""
        try:
            heads = list(self._heads(payload, trust, now))
        except SenderFault as fault:
            return [RaiseAlarm(f"搭档设备的事件未采信，不作见证：{fault}")]
        newest = {seen.recording: (event, body, seen) for event, body, seen in heads if self._is_new(event, seen)}
        return [self._countersign(*one, now) for one in newest.values() if self._is_due(one[0], now)]

    def _heads(self, payload: bytes, trust: TrustList, now: Instant) -> Iterable[tuple[DeviceEvent, bytes, SeenHead]]:
        opened = open_envelope(payload, EVENTS_TYPE, trust, now.wall)
        if len(opened.signers) != 1 or opened.signer(Role.RECORDER).subject != self._partner:
            raise SenderFault(f"信封由 {opened.signers[0].subject} 签名，本机的搭档是 {self._partner}，已拒绝。")
        for event, body in sorted(decode_batch(opened.payload), key=lambda pair: pair[0].devseq):
            if (event.district, event.device) != (self._place, self._partner):
                raise SenderFault(f"{self._partner} 转发了 {event.device} 的事件，已拒绝。")
            seen = told_head(event)
            if seen is not None:
                yield event, body, seen

    def _is_new(self, event: DeviceEvent, seen: SeenHead) -> bool:
        floor, place = self._floor, (recording_number(seen.recording), seen.sequence)
        return event.devseq > floor.devseq and place > (floor.recording, floor.sequence)

    def _is_due(self, event: DeviceEvent, now: Instant) -> bool:
        return event.type is not EventType.RECORDING_HEAD_ADVANCED or now.monotonic_ns >= self._next_ns

    def _countersign(self, event: DeviceEvent, body: bytes, seen: SeenHead, now: Instant) -> Effect:
        floor = WitnessFloor(event.devseq, recording_number(seen.recording), seen.sequence)
        self._floor, self._next_ns = floor, now.monotonic_ns + PAUSE_NS
        data = {
            "recording": seen.recording,
            "sequence": seen.sequence,
            "head": seen.head,
            "device": self._partner,
            "devseq": event.devseq,
            "event": event_hash(body),
        }
        name = f"countersigned/{seen.recording}/{seen.sequence}"
        draft = EventDraft(name, EventType.RECORDING_COUNTERSIGNED, now, data)
        return StoreEvent(draft, HeadSeen(self._partner, floor.devseq, floor.recording, floor.sequence))
