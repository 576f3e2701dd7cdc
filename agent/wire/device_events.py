"""Events of one device: CloudEvents 1.0 in canonical JSON, numbered and chained.

`devseq` grows by one and is never reused, `prev` is the hash of the event before, `boot` and `monoms` order events
without trusting a clock. Loss shows as a gap in `devseq`, a fork as two events with one `devseq`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.identifiers import DeviceId, Digest, District, device_id, digest, district
from agent.wire.instant import TimeState

EVENTS_TYPE = "application/cloudevents-batch+json"
SOURCES_KEPT = 4_096  # ours; every event of a device has the same
GENESIS = Digest("0" * 64)
MAX_BATCH_EVENTS = 50  # reference/mqtt.md section 4
MAX_BATCH_BYTES = 64 * 1024  # likewise
DAMAGED, OVERSIZE = "damaged", "oversize"  # why events of a chain never come
MAX_EVENT_BYTES = 16 * 1024  # ours: four of the largest fit one batch; nothing we send is above 2 KiB


class EventType(StrEnum):
    """What can have happened; always in the past tense."""

    DEVICE_STARTED = "liuhen.device.started.v1"
    DEVICE_STOPPED = "liuhen.device.stopped.v1"
    STORAGE_FAILED = "liuhen.device.storage-failed.v1"
    EVENTS_LOST = "liuhen.device.events-lost.v1"
    EVENTS_DROPPED = "liuhen.device.events-dropped.v1"
    HEALTH_REPORTED = "liuhen.device.health-reported.v1"
    MEASURE_CHANGED = "liuhen.device.measure-changed.v1"
    STORAGE_TIER_CHANGED = "liuhen.device.storage-tier-changed.v1"
    RECORDING_STARTED = "liuhen.recording.started.v1"
    RECORDING_HEAD_ADVANCED = "liuhen.recording.head-advanced.v1"
    RECORDING_GAP_OPENED = "liuhen.recording.gap-opened.v1"
    RECORDING_SEALED = "liuhen.recording.sealed.v1"
    RECORDING_RECOVERED = "liuhen.recording.recovered.v1"
    RECORDING_REFUSED = "liuhen.recording.refused.v1"
    KEY_MARKED = "liuhen.recording.key-marked.v1"
    CASING_CHANGED = "liuhen.device.casing-changed.v1"
    DOCK_CHANGED = "liuhen.device.dock-changed.v1"
    CARD_SHOWN = "liuhen.device.card-shown.v1"
    CLOCK_DISPUTED = "liuhen.device.clock-disputed.v1"
    RECORDING_OFFLOADED = "liuhen.recording.offloaded.v1"
    RECORDING_RECEIPTED = "liuhen.recording.receipted.v1"
    RECORDING_DELETED = "liuhen.recording.deleted.v1"
    RECORDING_COUNTERSIGNED = "liuhen.recording.countersigned.v1"
    PHOTO_TAKEN = "liuhen.photo.taken.v1"
    FILE_COLLECTED = "liuhen.file.collected.v1"
    DISCLOSURE_ACCEPTED = "liuhen.disclosure.accepted.v1"
    DISCLOSURE_REFUSED = "liuhen.disclosure.refused.v1"
    OFFICER_ENROLLED = "liuhen.duty.officer-enrolled.v1"
    OFFICER_TOOK_OUT = "liuhen.duty.officer-took-out.v1"
    OFFICER_REFUSED = "liuhen.duty.officer-refused.v1"
    OFFICER_HANDED_IN = "liuhen.duty.officer-handed-in.v1"
    OFFICERS_LABELLED = "liuhen.duty.officers-labelled.v1"
    TASK_TAKEN = "liuhen.duty.task-taken.v1"
    TASK_REFUSED = "liuhen.duty.task-refused.v1"
    TASK_ENDED = "liuhen.duty.task-ended.v1"
    STEP_MARKED = "liuhen.duty.step-marked.v1"
    STEPS_MISSING = "liuhen.duty.steps-missing.v1"
    IDENTITY_SHOWN = "liuhen.duty.identity-shown.v1"
    LIMIT_STARTED = "liuhen.duty.limit-started.v1"
    LIMIT_PASSED = "liuhen.duty.limit-passed.v1"
    LIMIT_MET = "liuhen.duty.limit-met.v1"
    DOCUMENT_ISSUED = "liuhen.duty.document-issued.v1"
    DOCUMENT_SERVED = "liuhen.duty.document-served.v1"
    RECEIPT_ISSUED = "liuhen.duty.receipt-issued.v1"
    PARTY_CONFIRMED = "liuhen.duty.party-confirmed.v1"
    KEY_CONTENT_SIGNED = "liuhen.duty.key-content-signed.v1"
    COMMAND_ANSWERED = "liuhen.command.answered.v1"
    COMMAND_REFUSED = "liuhen.command.refused.v1"
    COMMANDS_REFUSED = "liuhen.command.many-refused.v1"
    RECORDING_HELD = "liuhen.recording.held.v1"
    RECORDING_RELEASED = "liuhen.recording.released.v1"
    COMPLAINT_FILED = "liuhen.hall.complaint-filed.v1"
    WINDOW_STATE_CHANGED = "liuhen.hall.window-state-changed.v1"
    DISPLAY_HEAD_ADVANCED = "liuhen.hall.display-head-advanced.v1"


@dataclass(frozen=True)
class DeviceEvent:
    """One link of a device's chain. `event_id` is unique on the device and names the fact, so that storing it twice
    is storing it once; `monotonic_ms` counts from boot; `data` is JSON without personal data."""

    district: District
    device: DeviceId
    devseq: int
    prev: Digest
    event_id: str
    type: EventType
    boot: str
    monotonic_ms: int
    time: datetime
    time_state: TimeState
    data: Mapping[str, Any]

    def encode(self) -> bytes:
        """The canonical bytes that are stored, hashed and sent."""
        return canonical.encode(
            {
                "boot": self.boot,
                "data": self.data,
                "datacontenttype": "application/json",
                "devseq": self.devseq,
                "id": self.event_id,
                "monoms": self.monotonic_ms,
                "prev": self.prev,
                "source": f"urn:liuhen:{self.district}:{self.device}",
                "specversion": "1.0",
                "time": canonical.timestamp(self.time),
                "timestate": self.time_state.value,
                "type": self.type.value,
            }
        )


def declared_loss(event: DeviceEvent) -> int | None:
    """The number up to which the device says that it lost its own memory, or None for any other event.

    Such an event begins the chain again: its `prev` is `GENESIS`, its number the next after `skipped_to`. Numbers
    between the last one that a centre has and `skipped_to` may never have been used.
    """
    skipped_to = event.data.get("skipped_to")
    if event.type is not EventType.STORAGE_FAILED or event.prev != GENESIS or type(skipped_to) is not int:
        return None
    return skipped_to if 0 < skipped_to == event.devseq - 1 else None


@dataclass(frozen=True)
class DamagedRun:
    """Events `first` to `last` of a chain will never come: they were stored and are damaged, or fit no message of the
    broker. `prev` is the hash of the event before `first`, `digest` that of the event `last`: what came before and
    comes behind is whole and joins up."""

    first: int
    last: int
    prev: Digest
    digest: Digest
    reason: str = DAMAGED

    def as_data(self) -> Mapping[str, Any]:
        """What an event that declares this run carries."""
        return {
            "first": self.first,
            "last": self.last,
            "before": self.prev,
            "digest": self.digest,
            "reason": self.reason,
        }


def declared_damage(event: DeviceEvent) -> DamagedRun | None:
    """The run of events before it that `event` declares damaged, None for any other event or one that says it badly."""
    if event.type is not EventType.EVENTS_LOST:
        return None
    fields = Fields("丢失声明", event.data)
    try:
        first, last = fields.integer("first", 1), fields.integer("last", 1)
        run = DamagedRun(first, last, digest(fields.text("before")), digest(fields.text("digest")))
    except SenderFault:
        return None
    return run if first <= last < event.devseq else None


def event_hash(body: bytes) -> Digest:
    """What the next event carries as `prev`."""
    return Digest(hashlib.sha256(body).hexdigest())


def parse_event(value: Any) -> DeviceEvent:
    """An event from its decoded JSON; raises `SenderFault` when malformed or of an unknown type."""
    fields = Fields("事件", value)
    place, device = _source(fields.text("source"))
    try:
        kind, state = EventType(fields.text("type")), TimeState(fields.text("timestate"))
    except ValueError as error:
        raise SenderFault(f"事件类型或时间状态未知（{str(error)[:80]}），已拒绝。") from error
    return DeviceEvent(
        place,
        device,
        fields.integer("devseq", 1),
        digest(fields.text("prev")),
        fields.text("id"),
        kind,
        fields.text("boot"),
        fields.integer("monoms"),
        fields.moment("time"),
        state,
        fields.object("data"),
    )


def encode_batch(bodies: Sequence[bytes]) -> bytes:
    """A batch payload from event bodies as stored; raises `ValueError` outside the limits."""
    payload = b"[" + b",".join(bodies) + b"]"
    if not 1 <= len(bodies) <= MAX_BATCH_EVENTS or len(payload) > MAX_BATCH_BYTES:
        raise ValueError(f"a batch holds 1 to {MAX_BATCH_EVENTS} events and {MAX_BATCH_BYTES} bytes at most")
    return payload


def decode_batch(payload: bytes) -> tuple[tuple[DeviceEvent, bytes], ...]:
    """The events of a batch with their canonical bodies, in the order sent; raises `SenderFault`."""
    if len(payload) > MAX_BATCH_BYTES:
        raise SenderFault(f"事件批超过 {MAX_BATCH_BYTES // 1024} KiB，已拒绝。")
    entries = canonical.decode_items(payload)
    if not 1 <= len(entries) <= MAX_BATCH_EVENTS:
        raise SenderFault(f"事件批应有 1 至 {MAX_BATCH_EVENTS} 个事件，已拒绝。")
    return tuple((parse_event(entry), body) for entry, body in entries)


@lru_cache(SOURCES_KEPT)
def _source(text: str) -> tuple[District, DeviceId]:
    parts = text.split(":")
    if len(parts) != 4 or parts[:2] != ["urn", "liuhen"]:
        raise SenderFault(f"事件来源“{text[:80]}”不合规定格式，已拒绝。")
    return district(parts[2]), device_id(parts[3])
