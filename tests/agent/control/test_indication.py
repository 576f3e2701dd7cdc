"""Lamp, buzzer and voice: they say what is so, every state and fault has its sign, and the README shows the same."""

import re
from pathlib import Path

import pytest

from agent.control import messages as happened
from agent.control.acts import Act
from agent.control.alarms import Alarm
from agent.control.effects import EventDraft, Indicate, StoreEvent
from agent.control.indication import REMINDER_NS, STATES, Indicator
from agent.control.lights import SILENT, Colour, Cue, Light, Pattern, Pulse
from agent.control.link_messages import EventStored
from agent.control.recording import State
from agent.control.signs import (
    ACT_NOTICES,
    GAP_FAULTS,
    MILD,
    MODES,
    NOTICES,
    STOPPED,
    TROUBLES,
    Fault,
    Mode,
    Notice,
)
from agent.evidence.reasons import Reason
from agent.wire.device_events import GENESIS, EventType
from agent.wire.identifiers import device_id, recording_id
from tests.support.clocks import SteppedClock

RECORDING = recording_id(device_id("REC-0001"), 1)
README = Path(__file__).parents[3] / "README.md"


class Bearer:
    """What an officer sees and hears."""

    def __init__(self, *, sound_only: bool = False) -> None:
        self.clock, self.indicator, self.state = SteppedClock(), Indicator(sound_only=sound_only), State.IDLE
        self.light: Light | None = None
        self.alarms: set[Alarm] = set()
        self.heard: list[Cue] = []
        self.turn(happened.TimePassed(), State.IDLE)

    def turn(self, event: happened.Event, state: State | None = None) -> list[Cue]:
        before, self.state = self.state, state or self.state
        self.indicator.hear(event, before)
        return self.take(self.indicator.next(self.state, self.alarms, self.clock.read()))

    def take(self, effects: list) -> list[Cue]:
        for effect in effects:
            assert isinstance(effect, Indicate)
            self.light = effect.light
        self.heard = [effect.cue for effect in effects if effect.cue != SILENT]
        return self.heard

    def press(self, state: State) -> list[Cue]:
        return self.turn(happened.ButtonPressed(self.clock.read()), state)

    def act(self, act: Act) -> list[Cue]:
        return self.turn(happened.OfficerActed(act, "", self.clock.read()))

    def fragment(self) -> list[Cue]:
        now = self.clock.step(0.5)
        return self.turn(happened.FragmentStored(RECORDING, 1, 1, GENESIS, now, 500, 9), State.RECORDING)

    def gap(self, reason: Reason) -> list[Cue]:
        return self.turn(happened.GapOpened(RECORDING, reason, self.clock.read()))

    def record(self) -> list[Cue]:
        self.press(State.STARTING)
        return self.fragment()


def test_ready_is_green_recording_red_and_sound_alone_yellow() -> None:
    bearer = Bearer()
    assert bearer.light == Light(Colour.GREEN)
    bearer.press(State.STARTING)
    assert bearer.light == Light(Colour.RED, Pattern.SLOW)
    assert bearer.fragment() == [NOTICES[Notice.RECORDING_BEGAN]]
    assert bearer.light == Light(Colour.RED)
    assert bearer.fragment() == []
    bearer.press(State.STOPPING)
    assert bearer.turn(happened.TimePassed(), State.IDLE) == [NOTICES[Notice.RECORDING_ENDED]]
    assert bearer.light == Light(Colour.GREEN)
    silent = Bearer(sound_only=True)
    silent.record()
    assert silent.light == Light(Colour.YELLOW)


def test_nothing_is_said_to_be_recorded_before_a_fragment_is_on_the_disk() -> None:
    bearer = Bearer()
    assert bearer.press(State.STARTING) == []
    assert bearer.light != MODES[Mode.RECORDING][0]


def test_everyone_present_is_reminded_every_two_minutes_but_not_while_paused() -> None:
    bearer = Bearer()
    bearer.record()
    assert bearer.indicator.deadline() == bearer.clock.read().monotonic_ns + REMINDER_NS
    bearer.clock.step(REMINDER_NS / 1e9)
    assert bearer.turn(happened.TimePassed()) == [NOTICES[Notice.STILL_RECORDING]]
    bearer.act(Act.PAUSE)
    assert bearer.indicator.deadline() is None
    bearer.clock.step(REMINDER_NS / 1e9)
    assert bearer.turn(happened.TimePassed()) == []


def test_silence_and_pause_are_seen_and_end_with_the_recording() -> None:
    bearer = Bearer()
    bearer.record()
    assert bearer.act(Act.MUTE) == [NOTICES[Notice.SOUND_MUTED]]
    assert bearer.light == Light(Colour.RED, Pattern.DOUBLE)
    bearer.act(Act.PAUSE)
    assert bearer.light == Light(Colour.YELLOW, Pattern.SLOW)
    bearer.act(Act.RESUME)
    bearer.press(State.STOPPING)
    bearer.turn(happened.TimePassed(), State.IDLE)
    bearer.record()
    assert bearer.light == Light(Colour.RED)


def test_act_without_a_recording_is_answered_with_a_no() -> None:
    bearer = Bearer()
    assert bearer.act(Act.MARK) == [NOTICES[Notice.NOT_POSSIBLE]]
    assert bearer.act(Act.PHOTO) == []


@pytest.mark.parametrize("reason", [it for it, fault in GAP_FAULTS.items() if fault not in (None, Fault.SOUND_LOST)])
def test_interruption_alarms_once_and_until_the_next_fragment(reason: Reason) -> None:
    bearer, fault = Bearer(), GAP_FAULTS[reason]
    bearer.record()
    assert bearer.gap(reason) == [TROUBLES[fault][1]]
    assert bearer.light == TROUBLES[fault][0]
    assert bearer.gap(reason) == []
    bearer.fragment()
    assert bearer.light == Light(Colour.RED)


def test_fragment_that_was_captured_before_the_interruption_does_not_end_the_alarm() -> None:
    bearer = Bearer()
    bearer.record()
    captured = bearer.clock.read()
    bearer.clock.step(1)
    bearer.gap(Reason.CAMERA_LOST)
    bearer.turn(happened.FragmentStored(RECORDING, 1, 2, GENESIS, captured, 500, 9))
    assert bearer.light == TROUBLES[Fault.CAMERA_LOST][0]


def test_gravest_trouble_is_shown_and_the_others_behind_it() -> None:
    bearer = Bearer()
    bearer.record()
    bearer.gap(Reason.SOUND_LOST)
    bearer.clock.step(1)
    bearer.gap(Reason.CAMERA_LOST)
    bearer.press(State.IDLE)
    bearer.turn(happened.RecordingFailed(RECORDING, "坏", bearer.clock.read()))
    assert bearer.light == TROUBLES[Fault.RECORDING_FAILED][0]
    bearer.record()
    assert bearer.light == TROUBLES[Fault.SOUND_LOST][0]


def test_what_is_mild_is_heard_at_once_and_hides_no_running_recording() -> None:
    bearer = Bearer()
    bearer.record()
    opened = happened.CasingChanged(True, bearer.clock.read())
    assert bearer.turn(opened) == [TROUBLES[Fault.CASING_OPENED][1]]
    assert bearer.light == Light(Colour.RED)
    bearer.press(State.IDLE)
    assert bearer.light == MILD
    bearer.turn(happened.CasingChanged(False, bearer.clock.read()))
    assert bearer.light == Light(Colour.GREEN)


def test_alarm_of_the_governor_is_heard_once_and_seen_as_long_as_it_holds() -> None:
    bearer = Bearer()
    bearer.record()
    bearer.alarms = {Alarm.BATTERY_LOW}
    assert bearer.turn(happened.TimePassed()) == [TROUBLES[Alarm.BATTERY_LOW][1]]
    assert bearer.turn(happened.TimePassed()) == []
    bearer.alarms = {Alarm.BATTERY_EMPTY}
    assert bearer.turn(happened.TimePassed(), State.IDLE)[0] == TROUBLES[Alarm.BATTERY_EMPTY][1]
    assert bearer.light == STOPPED
    bearer.alarms = set()
    bearer.turn(happened.TimePassed())
    assert bearer.light == Light(Colour.GREEN)


def test_failed_recording_alarms_until_the_next_press() -> None:
    bearer = Bearer()
    bearer.press(State.STARTING)
    failed = happened.RecordingFailed(RECORDING, "坏", bearer.clock.read())
    assert bearer.turn(failed, State.IDLE) == [TROUBLES[Fault.RECORDING_FAILED][1]]
    assert bearer.light == TROUBLES[Fault.RECORDING_FAILED][0]
    bearer.press(State.STARTING)
    assert bearer.light == Light(Colour.RED, Pattern.SLOW)


def test_lost_sound_is_forgotten_with_its_recording_and_events_not_stored_once_one_is() -> None:
    bearer = Bearer()
    bearer.record()
    bearer.gap(Reason.SOUND_LOST)
    assert bearer.light == TROUBLES[Fault.SOUND_LOST][0]
    now = bearer.clock.read()
    bearer.turn(happened.RecordingSealed(RECORDING, 1, 1, GENESIS, 500, 9, "stopped", False, 0, now), State.IDLE)
    assert bearer.light == Light(Colour.GREEN)
    draft = EventDraft("casing/1", EventType.CASING_CHANGED, now, {"opened": True})
    bearer.turn(happened.EventNotStored(StoreEvent(draft), "full"))
    assert bearer.light == TROUBLES[Fault.EVENTS_NOT_STORED][0]
    bearer.turn(EventStored(1))
    assert bearer.light == Light(Colour.GREEN)


def test_lamp_goes_dark_when_nobody_keeps_it_any_more() -> None:
    bearer = Bearer()
    bearer.record()
    bearer.take(bearer.indicator.switch_off())
    assert bearer.light == Light(Colour.OFF)
    assert bearer.indicator.deadline() is None


def test_every_state_notice_fault_alarm_reason_and_act_has_its_sign() -> None:
    assert set(MODES) == set(Mode)
    assert set(NOTICES) == set(Notice)
    assert set(TROUBLES) == {*Fault, *Alarm}
    assert set(GAP_FAULTS) == set(Reason)
    assert set(ACT_NOTICES) == set(Act)
    assert set(STATES) == set(State)
    assert set(GAP_FAULTS.values()) - {None} < set(Fault)
    cues = [*NOTICES.items(), *((fault, cue) for fault, (_, cue) in TROUBLES.items())]
    assert all(cue.name == key.value and cue.words for key, cue in cues)
    assert len({light for light, _ in MODES.values()}) == len(MODES)


def test_every_fault_is_felt_and_none_looks_like_all_is_well() -> None:
    well = {MODES[mode][0] for mode in Mode}
    for light, cue in TROUBLES.values():
        assert light not in well
        assert cue.vibration is not Pulse.NONE


def test_readme_shows_the_same_table() -> None:
    row = r"^\| `([a-z-]+)` \| (\S+) (\S*) ?\| (\S+) \| (\S+) \| (.+?) \|$"
    shown = re.findall(row, README.read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [(mode.value, *words(light), "—", "—", text) for mode, (light, text) in MODES.items()]
    wanted += [(it.value, "—", "", cue.buzzer.value, cue.vibration.value, cue.words) for it, cue in NOTICES.items()]
    wanted += [
        (it.value, *words(light), cue.buzzer.value, cue.vibration.value, cue.words)
        for it, (light, cue) in TROUBLES.items()
    ]
    assert shown == wanted


def words(light: Light) -> tuple[str, str]:
    return light.colour.value, "" if light.colour is Colour.OFF else light.pattern.value
