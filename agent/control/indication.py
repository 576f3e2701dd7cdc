"""Follows what happens to a recorder and says what its lamp, buzzer and voice are to tell (`signs.py` is the table)."""

from collections.abc import Collection
from dataclasses import dataclass

from agent.control import messages as happened
from agent.control.acts import Act
from agent.control.alarms import Alarm
from agent.control.backoff import NANOSECONDS
from agent.control.effects import Effect, Indicate
from agent.control.lights import SILENT, Cue, Light
from agent.control.messages import Event
from agent.control.recording import State
from agent.control.signs import (
    ACT_NOTICES,
    GAP_FAULTS,
    MILD,
    MODES,
    NOTICES,
    TROUBLES,
    Fault,
    Mode,
    Notice,
)
from agent.evidence.reasons import Reason
from agent.wire.commands import CommandKind
from agent.wire.instant import Instant

REMINDER_NS = 120 * NANOSECONDS  # reference REC-07: remind every two minutes that recording is on
CAPTURE_FAULTS = frozenset(it for it in GAP_FAULTS.values() if it is not None) - {Fault.SOUND_LOST}
STATES = {
    State.IDLE: Mode.READY,
    State.STARTING: Mode.STARTING,
    State.RECORDING: Mode.RECORDING,
    State.STOPPING: Mode.SEALING,
}


UNDER_WAY = frozenset({Mode.STARTING, Mode.RECORDING, Mode.SOUND_ONLY, Mode.MUTED, Mode.PAUSED})


@dataclass(frozen=True)
class Showing:
    """What the lamp shows, and why."""

    mode: Mode
    troubles: Collection[Fault | Alarm]

    @property
    def light(self) -> Light:
        """The gravest trouble, and what is being done where nothing is wrong."""
        lights = [light for trouble, (light, _) in TROUBLES.items() if trouble in self.troubles]
        shown = [light for light in lights if light != MILD or self.mode not in UNDER_WAY]
        return shown[0] if shown else MODES[self.mode][0]


class Troubles:
    """The faults that hold, each since a monotonic nanosecond, and the alarms beside them."""

    def __init__(self) -> None:
        self._faults: dict[Fault, int] = {}
        self._alarms: frozenset[Alarm] = frozenset()

    @property
    def held(self) -> Collection[Fault | Alarm]:
        """All of them."""
        return {*self._faults, *self._alarms}

    def begin(self, fault: Fault, since_ns: int) -> list[Cue]:
        """A fault holds; what is to be heard of it, once."""
        news = fault not in self._faults
        self._faults[fault] = since_ns
        return [TROUBLES[fault][1]] if news else []

    def end(self, fault: Fault, at_ns: int | None = None) -> None:
        """A fault is over, if it did not begin after `at_ns`."""
        if fault in self._faults and (at_ns is None or at_ns >= self._faults[fault]):
            del self._faults[fault]

    def follow(self, alarms: Collection[Alarm]) -> list[Cue]:
        """These alarms hold now; what is to be heard of the new ones."""
        news = [cue for trouble, (_, cue) in TROUBLES.items() if trouble in alarms and trouble not in self._alarms]
        self._alarms = frozenset(alarms)
        return news


class Indicator:
    """Belongs to the controller, which tells it every event and asks it what is to be shown."""

    def __init__(self, *, sound_only: bool = False) -> None:
        self._sound_only = sound_only
        self._muted = self._paused = False
        self._troubles = Troubles()
        self._cues: list[Cue] = []
        self._mode = Mode.OFF
        self._shown: Light | None = None
        self._remind_ns: int | None = None

    def deadline(self) -> int | None:
        """The monotonic nanosecond of the next reminder."""
        return None if self._mode is Mode.PAUSED else self._remind_ns

    def hear(self, event: Event, before: State) -> None:
        """Something happened while the recording was in state `before`."""
        match event:
            case happened.OfficerActed(act):
                self._acted(act, before)
            case happened.ButtonPressed():
                self._troubles.end(Fault.RECORDING_FAILED)
            case happened.PhotoTaken():
                self._notice(Notice.PHOTO_TAKEN)
            case happened.FragmentStored(captured=captured):
                for fault in CAPTURE_FAULTS:
                    self._troubles.end(fault, captured.monotonic_ns)
            case happened.GapOpened(_, reason, at) if (broken := GAP_FAULTS[Reason(reason)]) is not None:
                self._hold(broken, at.monotonic_ns, begins=True)
            case happened.RecordingSealed():
                self._troubles.end(Fault.SOUND_LOST)
            case _:
                self._hear_device(event)

    def next(self, state: State, alarms: Collection[Alarm], now: Instant) -> list[Effect]:
        """What is to be shown and heard now; nothing when nothing has changed."""
        self._cues += self._troubles.follow(alarms)
        showing = Showing(self._follow(state, now), self._troubles.held)
        cues, self._cues = self._cues, []
        if showing.light == self._shown and not cues:
            return []
        self._shown = showing.light
        return [Indicate(showing.light, cue) for cue in cues or [SILENT]]

    def switch_off(self) -> list[Effect]:
        """The agent ends: a lamp that shows a state nobody keeps would lie."""
        self._cues, self._remind_ns = [], None
        return [Indicate(MODES[Mode.OFF][0], SILENT)]

    def _hear_device(self, event: Event) -> None:
        match event:
            case happened.RecordingFailed():
                self._hold(Fault.RECORDING_FAILED, 0, begins=True)
            case happened.EventNotStored():
                self._hold(Fault.EVENTS_NOT_STORED, 0, begins=True)
            case happened.EventStored():
                self._troubles.end(Fault.EVENTS_NOT_STORED)
            case happened.CasingChanged(opened, at):
                self._hold(Fault.CASING_OPENED, at.monotonic_ns, begins=opened)
            case happened.ClockDisputed(apart_ms, at):
                self._hold(Fault.CLOCK_DISPUTED, at.monotonic_ns, begins=apart_ms != 0)
            case happened.CardShown():
                self._notice(Notice.CARD_READ)
            case happened.CommandStored(command) if command.kind is CommandKind.SHOW_MESSAGE:
                self._notice(Notice.MESSAGE_CAME)
            case happened.WorkFailed():
                self._notice(Notice.WORK_FAILED)

    def _acted(self, act: Act, before: State) -> None:
        if act is Act.PHOTO:
            return
        notice = ACT_NOTICES[act]
        if before not in (State.STARTING, State.RECORDING):
            notice = Notice.NOT_POSSIBLE
        elif act in (Act.MUTE, Act.UNMUTE):
            self._muted = act is Act.MUTE
        elif act in (Act.PAUSE, Act.RESUME):
            self._paused = act is Act.PAUSE
        if notice is not None:
            self._notice(notice)

    def _follow(self, state: State, now: Instant) -> Mode:
        """The mode that holds now; what it has to say when it begins or lasts."""
        if state not in (State.STARTING, State.RECORDING):
            self._muted = self._paused = False
        before, mode = self._mode, self._mode_of(state)
        self._mode = mode
        if mode is before:
            if mode is not Mode.PAUSED and self._remind_ns is not None and now.monotonic_ns >= self._remind_ns:
                self._remind(Notice.STILL_RECORDING, now)
            return mode
        if state is State.RECORDING and before is Mode.STARTING:
            self._remind(Notice.RECORDING_BEGAN, now)
        elif state is not State.RECORDING:
            self._remind_ns = None
        if mode is Mode.READY and before is Mode.SEALING:
            self._notice(Notice.RECORDING_ENDED)
        return mode

    def _mode_of(self, state: State) -> Mode:
        mode = STATES[state]
        if mode is not Mode.RECORDING:
            return mode
        if self._paused:
            return Mode.PAUSED
        if self._sound_only:
            return Mode.SOUND_ONLY
        return Mode.MUTED if self._muted else mode

    def _remind(self, notice: Notice, now: Instant) -> None:
        self._remind_ns = now.monotonic_ns + REMINDER_NS
        self._notice(notice)

    def _notice(self, notice: Notice) -> None:
        self._cues.append(NOTICES[notice])

    def _hold(self, fault: Fault, at_ns: int, *, begins: bool) -> None:
        if begins:
            self._cues += self._troubles.begin(fault, at_ns)
        else:
            self._troubles.end(fault)
