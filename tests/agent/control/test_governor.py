"""Heat and an empty battery: uploads go first, then bit rate, recording last, and nothing flutters."""

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.control import messages as happened
from agent.control.alarms import ALARM_TEXTS, Alarm
from agent.control.backoff import NANOSECONDS
from agent.control.controller import Controller, Identity, Memory
from agent.control.effects import (
    Effect,
    NoteHealth,
    RaiseAlarm,
    SendEvents,
    SetBitrate,
    StartRecording,
    StopRecording,
    StoreEvent,
    SyncDisks,
)
from agent.control.governor import CHANGE_NS, LADDER, SURE_NS, Governor, Measure, Strain, decide
from agent.control.health import INTERVAL_NS, HealthRead
from agent.control.health_desk import LAST_WORD_NS
from agent.control.recording import RecordingMemory
from agent.control.storage_policy import StoragePolicy
from agent.evidence.health import parse_reading
from agent.wire.device_events import GENESIS, EventType
from agent.wire.identifiers import recording_id
from tests.support.clocks import SteppedClock
from tests.support.device import DistrictKeys

KEYS = DistrictKeys()
FIRST = recording_id(KEYS.device, 1)
POLICY = StoragePolicy(8 * 2**20, 4_064_000, 4, 0.5)
GIB = 2**30
STRAINS = st.builds(
    Strain,
    st.none() | st.integers(20_000, 110_000),
    st.none() | st.integers(0, 100),
    st.none() | st.booleans(),
)


class Field:
    """A recorder's controller whose sensors the test sets; the broker is there."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        identity = Identity(KEYS.authority.district, KEYS.device, "星河区综合行政执法局", "0.1.0")
        memory = Memory(0, 0, RecordingMemory(0, 0, GENESIS))
        self.controller = Controller(identity, memory, KEYS.trust, lambda: 0.0, POLICY)

    def handle(self, event: happened.Event) -> list[Effect]:
        return self.controller.handle(event, self.clock.read())

    def press(self) -> list[Effect]:
        return self.handle(happened.ButtonPressed(self.clock.read()))

    def fragment(self, sequence: int = 1) -> list[Effect]:
        now = self.clock.read()
        return self.handle(happened.FragmentStored(FIRST, 1, sequence, GENESIS, now, 500, 1000))

    def sealed(self, reason: str) -> list[Effect]:
        now = self.clock.read()
        return self.handle(happened.RecordingSealed(FIRST, 1, 1, GENESIS, 500, 1000, reason, False, 0, now))

    def read(self, seconds: float = 61, **measured: int | bool) -> list[Effect]:
        self.clock.step(seconds)
        return self.handle(HealthRead(self.clock.read(), **measured))  # type: ignore[arg-type]


def of(kind: type, effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, kind)]


def types(effects: list[Effect]) -> list[EventType]:
    return [effect.draft.type for effect in effects if isinstance(effect, StoreEvent)]


@pytest.mark.parametrize(
    ("heat", "measure"),
    [(79_999, 0), (80_000, 1), (84_999, 1), (85_000, 2), (94_999, 2), (95_000, 3)],
)
def test_heat_gives_up_uploads_before_bit_rate_before_recording(heat: int, measure: int) -> None:
    assert decide(Measure.NONE, Strain(heat)) == measure


@pytest.mark.parametrize(("percent", "measure"), [(11, 0), (10, 1), (6, 1), (5, 2), (3, 2), (2, 3), (0, 3)])
def test_an_emptying_battery_does_likewise_unless_it_charges(percent: int, measure: int) -> None:
    assert decide(Measure.NONE, Strain(None, percent)) == measure
    assert decide(Measure.NONE, Strain(None, percent, charging=True)) is Measure.NONE


def test_the_ladder_gives_up_in_one_order_and_takes_back_later_than_it_gave_up() -> None:
    assert [rung.measure for rung in LADDER] == [1, 2, 3]
    assert all(rung.cool_mc < rung.hot_mc and rung.charged_percent > rung.low_percent for rung in LADDER)
    assert [rung.hot_mc for rung in LADDER] == sorted(rung.hot_mc for rung in LADDER)
    assert [rung.low_percent for rung in LADDER] == sorted((rung.low_percent for rung in LADDER), reverse=True)


@given(st.lists(st.tuples(STRAINS, st.integers(1, 40)), max_size=60))
def test_a_swinging_sensor_changes_something_once_a_minute_at_most_and_one_reading_seals_nothing(
    history: list[tuple[Strain, int]],
) -> None:
    """What was not measured this time keeps its last value, and is no reading."""
    governor, known, now_ns, changed_ns = Governor(), Strain(), 0, None
    asked_since_ns: dict[str, int] = {}
    for told, seconds in history:
        now_ns += seconds * NANOSECONDS
        known = Strain(*(old if new is None else new for old, new in zip(astuple(known), astuple(told), strict=True)))
        before, held = governor.held, governor.follow(known, told, now_ns)
        heat, battery = Strain(told.temperature_mc), Strain(None, told.battery_percent, known.charging)
        for sensor, alone in (("heat", heat), ("battery", battery)):
            if decide(Measure.NONE, alone) is Measure.RECORDING_STOPPED:
                asked_since_ns.setdefault(sensor, now_ns)
            elif (alone.temperature_mc, alone.battery_percent) != (None, None):
                asked_since_ns.pop(sensor, None)
        if held is Measure.RECORDING_STOPPED and before is not held:
            assert asked_since_ns
            assert now_ns - min(asked_since_ns.values()) >= SURE_NS
        elif held is not before:
            assert changed_ns is None or now_ns - changed_ns >= CHANGE_NS
        changed_ns = now_ns if held is not before else changed_ns


@given(STRAINS, st.sampled_from(Measure))
def test_nothing_is_taken_back_that_would_be_given_up_again_at_once(strain: Strain, held: Measure) -> None:
    assert decide(decide(held, strain), strain) == decide(held, strain)


def test_an_empty_battery_closes_syncs_and_sends_its_last_word_and_then_is_silent() -> None:
    field = Field()
    field.handle(happened.DeviceStarted(field.clock.read()))
    field.handle(happened.LinkOpening(1))
    field.handle(happened.LinkUp(1, 100, 10**6))
    field.press()
    field.fragment()
    first = field.read(battery_percent=2, charging=False, temperature_mc=40_000)
    assert of(SetBitrate, first) == [SetBitrate(50)]
    effects = field.read(10, battery_percent=2, charging=False, temperature_mc=40_000)
    kinds = [type(effect) for effect in effects]
    (stop,) = of(StopRecording, effects)
    assert stop == StopRecording(FIRST, "low-battery")
    assert kinds.index(NoteHealth) < kinds.index(StopRecording), "the last reading is inside the seal"
    assert EventType.MEASURE_CHANGED in types(effects)
    assert of(SendEvents, field.handle(happened.EventStored(9))) == [], "uploads are paused while it closes"
    closed = field.sealed("low-battery")
    assert of(SyncDisks, closed)
    assert of(SendEvents, closed), "the last message goes out"
    assert field.controller.health.alarms == {Alarm.BATTERY_EMPTY}
    field.clock.step(LAST_WORD_NS / NANOSECONDS + 1)
    field.handle(happened.EventsSent(1, 1, 1, 9))
    assert of(SendEvents, field.handle(happened.EventStored(11))) == []


def test_nobody_can_start_on_an_empty_battery_and_everybody_can_once_it_charges() -> None:
    field = Field()
    field.read(battery_percent=2, charging=False)
    field.read(battery_percent=2)
    assert field.press() == [RaiseAlarm(ALARM_TEXTS[Alarm.BATTERY_EMPTY])]
    effects = field.read(charging=True)
    assert of(SetBitrate, effects) == [SetBitrate(100)]
    assert of(StartRecording, field.press())
    assert field.controller.health.alarms == frozenset()


def test_heat_ends_a_recording_last_and_says_so() -> None:
    field = Field()
    field.press()
    field.fragment()
    assert field.controller.health.uploads_paused(field.clock.read()) is False
    assert of(StopRecording, field.read(temperature_mc=81_000)) == []
    assert field.controller.health.uploads_paused(field.clock.read()) is True
    assert of(SetBitrate, field.read(temperature_mc=86_000)) == [SetBitrate(50)]
    assert of(StopRecording, field.read(temperature_mc=96_000)) == []
    assert of(StopRecording, field.read(5, temperature_mc=96_000)) == []
    assert of(StopRecording, field.read(5, temperature_mc=96_000)) == [StopRecording(FIRST, "overheated")]
    assert of(SyncDisks, field.sealed("overheated")) == []
    assert field.controller.health.alarms == {Alarm.TOO_HOT}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [({"battery_percent": 0}, {"battery_percent": 80}), ({"temperature_mc": 99_000}, {"temperature_mc": 41_000})],
)
def test_one_wrong_reading_ends_no_recording(wrong: dict[str, int], right: dict[str, int]) -> None:
    field = Field()
    field.press()
    field.fragment()
    for _ in range(5):
        assert of(StopRecording, field.read(5, **wrong)) == []
        assert of(StopRecording, field.read(5, free_bytes=GIB)) == [], "another sensor does not confirm it"
        assert of(StopRecording, field.read(5, **right)) == []
    assert of(StopRecording, field.read(5, **wrong)) == []
    assert of(StopRecording, field.read(60, free_bytes=GIB)) == []


def test_a_dying_battery_stops_at_once_when_readings_in_a_row_say_so() -> None:
    governor = Governor()
    held = [governor.follow(Strain(None, 1), Strain(None, 1), second * NANOSECONDS) for second in (0, 5, 10)]
    assert held == [Measure.BITRATE_LOWERED, Measure.BITRATE_LOWERED, Measure.RECORDING_STOPPED]


def test_a_sensor_that_falls_silent_does_not_take_a_measure_back() -> None:
    field = Field()
    field.read(temperature_mc=86_000)
    assert of(SetBitrate, field.read(battery_percent=80)) == []
    assert field.controller.health.alarms == {Alarm.HOT}


def test_room_that_ends_is_told_hours_before_it_does_and_every_tier_is_an_event() -> None:
    field = Field()
    assert types(field.read(free_bytes=40 * GIB)) == [EventType.HEALTH_REPORTED]
    seen = []
    for gib in (6, 0.5, 0):
        effects = field.read(free_bytes=int(gib * GIB))
        seen += [effect.text for effect in effects if isinstance(effect, RaiseAlarm)]
        assert EventType.STORAGE_TIER_CHANGED in types(effects)
    assert [text.partition("（")[0] for text in seen] == [
        ALARM_TEXTS[it] for it in (Alarm.STORAGE_LOW, Alarm.STORAGE_SHORT, Alarm.STORAGE_FULL)
    ]
    assert "3 小时" in seen[0]
    assert field.controller.health.alarms == {Alarm.STORAGE_FULL}
    assert of(RaiseAlarm, field.read(free_bytes=40 * GIB)) == []


def test_every_recording_begins_and_ends_with_a_reading_and_one_comes_every_five_minutes() -> None:
    field = Field()
    field.read(battery_percent=80, temperature_mc=41_000, free_bytes=20 * GIB)
    (start,) = of(NoteHealth, field.press())
    field.fragment()
    assert of(NoteHealth, field.read(5)) == []
    (later,) = of(NoteHealth, field.read(INTERVAL_NS / NANOSECONDS))
    (fallen,) = of(NoteHealth, field.read(battery_percent=69))
    for reason in ("paused", "frames-dropped", "muted"):  # an officer's act says nothing against the device
        field.handle(happened.GapOpened(FIRST, reason, field.clock.read()))
    (end,) = of(NoteHealth, field.press())
    told = [parse_reading(note.reading) for note in (start, later, fallen, end)]  # type: ignore[attr-defined]
    assert [reading and reading.why for reading in told] == ["start", "interval", "change", "end"]
    assert [reading and reading.gaps for reading in told] == [0, 0, 0, 1]
    assert told[0] is not None
    assert (told[0].battery_percent, told[0].temperature_mc, told[0].free_mib) == (80, 41_000, 20 * 1024)


@pytest.mark.parametrize(
    ("measured", "cause", "alarm"),
    [
        ({"battery_percent": 10}, "battery", Alarm.BATTERY_LOW),
        ({"battery_percent": 4, "temperature_mc": 50_000}, "battery", Alarm.BATTERY_LOW),
        ({"battery_percent": 4, "temperature_mc": 86_000}, "battery", Alarm.BATTERY_LOW),
        ({"battery_percent": 4, "temperature_mc": 96_000}, "heat", Alarm.TOO_HOT),
        ({"battery_percent": 9, "temperature_mc": 86_000}, "heat", Alarm.HOT),
        ({"battery_percent": 4, "charging": True, "temperature_mc": 81_000}, "heat", Alarm.HOT),
        ({"battery_percent": 2, "temperature_mc": 96_000}, "battery", Alarm.BATTERY_EMPTY),
    ],
)
def test_a_low_battery_told_as_heat_or_heat_as_a_low_battery(measured, cause, alarm):
    """Told wrongly, the officer carries an empty device into the shade, or charges one that burns."""
    field = Field()
    effects = [*field.read(**measured), *field.read(**measured)]  # the last rung wants to be told twice
    stored = [it for it in of(StoreEvent, effects) if it.draft.type is EventType.MEASURE_CHANGED]
    assert stored[-1].draft.data["cause"] == cause
    assert field.controller.health.alarms == {alarm}


def test_what_is_given_up_for_the_battery_is_taken_back_for_it():
    field = Field()
    field.read(battery_percent=10)
    effects = field.read(battery_percent=100, temperature_mc=50_000)
    assert [it.draft.data["cause"] for it in of(StoreEvent, effects) if "cause" in it.draft.data] == ["battery"]


def test_what_is_given_up_for_the_heat_is_taken_back_for_it_and_without_an_alarm() -> None:
    field = Field()
    field.read(temperature_mc=86_000)
    effects = field.read(temperature_mc=50_000)
    assert [it.draft.data["cause"] for it in of(StoreEvent, effects) if "cause" in it.draft.data] == ["heat"]
    field.read(temperature_mc=86_000)
    assert of(RaiseAlarm, field.read(temperature_mc=76_000)) == []  # uploads stay paused: better, and no news


def test_readings_swing_around_a_limit_without_filling_the_trail_and_a_measure_is_put_down_at_once() -> None:
    field = Field()
    field.read(temperature_mc=64_000)
    assert of(StoreEvent, field.read(5, temperature_mc=66_000)) == []
    (swung,) = of(StoreEvent, field.read(56, temperature_mc=66_000))
    assert swung.draft.type is EventType.HEALTH_REPORTED
    measured = types(field.read(5, temperature_mc=81_000))
    assert measured == [EventType.MEASURE_CHANGED, EventType.HEALTH_REPORTED]


def test_a_store_that_fills_up_is_told_of_health_less_often() -> None:
    field = Field()
    field.read(temperature_mc=40_000)
    field.controller.health.report_every(4)
    told = [bool(of(StoreEvent, field.read(INTERVAL_NS / NANOSECONDS, temperature_mc=40_000))) for _ in range(8)]
    assert told == [False, False, False, True] * 2
