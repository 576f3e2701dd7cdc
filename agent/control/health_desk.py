"""What follows from the device's own state: the signed health trail, what is given up, and the alarms.

Events it drafts (`data` in brackets): `health/{moment}` (recording, the words of `agent.evidence.health`),
`measure/{moment}` (measure, before, cause), `storage/{moment}` (tier, free_mib, hours).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from agent.control.alarms import ALARM_TEXTS, TIER_ALARMS, Alarm, strain_alarm
from agent.control.backoff import NANOSECONDS
from agent.control.effects import (
    Effect,
    EventDraft,
    HealthSeen,
    NoteHealth,
    RaiseAlarm,
    SetBitrate,
    StartRecording,
    StopRecording,
    StoreEvent,
    SyncDisks,
    moment_name,
)
from agent.control.governor import Governor, Measure, Strain
from agent.control.health import HealthRead, HealthTrail, Why
from agent.control.messages import GapOpened, RecordingFailed, WorkFailed
from agent.control.recording import RecordingMachine, State
from agent.control.storage_policy import StoragePolicy, Tier, tier
from agent.evidence.reasons import Reason
from agent.wire.device_events import EventType
from agent.wire.identifiers import RecordingId
from agent.wire.instant import Instant

OFFICERS_ACTS = frozenset({Reason.PAUSED, Reason.MUTED})  # a pause says nothing against the device
LOWERED_PERCENT = 50  # ours: half of the configured rate
LAST_WORD_NS = 30 * NANOSECONDS  # ours: how long uploads go on for the last message of an empty battery
MIB = 2**20


class HealthDesk:
    """Belongs to the controller. `policy` is None on devices without recordings."""

    def __init__(self, recordings: RecordingMachine, policy: StoragePolicy | None) -> None:
        self._recordings, self._policy = recordings, policy
        self._trail, self._governor = HealthTrail(), Governor()
        self._tier = Tier.PLENTY
        self._last_word: Instant | None = None
        self._closing = False

    @property
    def alarms(self) -> frozenset[Alarm]:
        """What is wrong now."""
        strain = strain_alarm(self._governor.held, by_battery=self._governor.by_battery)
        return frozenset(it for it in (strain, TIER_ALARMS.get(self._tier)) if it is not None)

    def uploads_paused(self, now: Instant) -> bool:
        """Whether nothing is to be sent; an empty battery still sends its last message."""
        if self._governor.held is Measure.NONE:
            return False
        last = self._last_word
        return last is None or now.monotonic_ns - last.monotonic_ns > LAST_WORD_NS

    def report_every(self, intervals: int) -> None:
        """Put a reading down only once in so many intervals: the store is filling up."""
        self._trail.intervals = intervals

    def count(self, event: object) -> None:
        """Interruptions that no person made and failures of any part are counted for the trail."""
        self._trail.gaps += isinstance(event, GapOpened) and event.reason not in OFFICERS_ACTS
        self._trail.faults += isinstance(event, RecordingFailed | WorkFailed)

    def read(self, event: HealthRead, now: Instant) -> list[Effect]:
        """Sensors were read."""
        self._trail.take(event)
        before = self._governor.held
        told = Strain(event.temperature_mc, event.battery_percent, event.charging)
        held = self._governor.follow(self._trail.strain, told, now.monotonic_ns)
        effects = [] if held == before else self._changed(before, held, now)
        if event.free_bytes is not None and self._policy is not None:
            effects += self._room(event.free_bytes, self._policy, now)
        why = self._trail.due(held, now)
        return effects if why is None else [*effects, *self._put(why, self._recordings.current, now)]

    def accompany(self, effects: Iterable[Effect], now: Instant) -> Iterator[Effect]:
        """`effects` with a reading at the start and at the end of every recording, and, when it was the battery that
        ended it, what is left to do."""
        for effect in effects:
            if isinstance(effect, StopRecording):
                yield NoteHealth(self._reading(Why.END, now), now)
            yield effect
            if isinstance(effect, StartRecording):
                yield NoteHealth(self._reading(Why.START, now), now)
        if self._closing and self._recordings.state is State.IDLE:
            self._closing, self._last_word = False, now
            yield SyncDisks()

    def _changed(self, before: Measure, held: Measure, now: Instant) -> list[Effect]:
        cause = "battery" if self._governor.by_battery else "heat"
        data = {"measure": int(held), "before": int(before), "cause": cause}
        effects: list[Effect] = [_stored("measure", EventType.MEASURE_CHANGED, now, data)]
        alarm = strain_alarm(held, by_battery=self._governor.by_battery)
        if alarm is not None and held > before:
            effects.append(RaiseAlarm(ALARM_TEXTS[alarm]))
        if (before < Measure.BITRATE_LOWERED) is not (held < Measure.BITRATE_LOWERED):
            effects.append(SetBitrate(LOWERED_PERCENT if held > before else 100))
        if held is Measure.RECORDING_STOPPED:
            return [*effects, *self._stop(now)]
        self._recordings.refusal, self._last_word, self._closing = "", None, False
        return effects

    def _stop(self, now: Instant) -> list[Effect]:
        self._closing = self._governor.by_battery
        reason, alarm = (
            (Reason.LOW_BATTERY, Alarm.BATTERY_EMPTY) if self._closing else (Reason.OVERHEATED, Alarm.TOO_HOT)
        )
        return self._recordings.shut_down(now, reason, ALARM_TEXTS[alarm])

    def _room(self, free_bytes: int, policy: StoragePolicy, now: Instant) -> list[Effect]:
        before, self._tier = self._tier, tier(free_bytes, policy, self._tier)
        if before == self._tier:
            return []
        minutes = int(policy.hours_left(free_bytes) * 60)
        data = {"tier": int(self._tier), "free_mib": free_bytes // MIB, "minutes": minutes}
        stored = _stored("storage", EventType.STORAGE_TIER_CHANGED, now, data)
        if self._tier < before:
            return [stored]
        text = ALARM_TEXTS[TIER_ALARMS[self._tier]]
        return [stored, RaiseAlarm(f"{text}（按当前码率还可录约 {minutes // 60} 小时 {minutes % 60} 分）")]

    def _put(self, why: Why, recording: RecordingId | None, now: Instant) -> list[Effect]:
        reading = self._reading(why, now)
        data = {"recording": recording or "", "reading": reading}
        name = f"health/{why.value}/{moment_name(now)}"
        stored = StoreEvent(EventDraft(name, EventType.HEALTH_REPORTED, now, data), HealthSeen(reading))
        return [stored] if recording is None else [NoteHealth(reading, now), stored]

    def _reading(self, why: Why, now: Instant) -> str:
        return self._trail.put(why, self._governor.held, now).encode()


def _stored(kind: str, event: EventType, now: Instant, data: dict[str, Any]) -> StoreEvent:
    return StoreEvent(EventDraft(f"{kind}/{moment_name(now)}", event, now, data))
