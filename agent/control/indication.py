"""Follows what happens to a recorder and says what its lamp, buzzer and voice are to tell (`signs.py` is the table)."""

from dataclasses import dataclass

from agent.control import messages as happened
from agent.control.acts import Act
from agent.control.backoff import NANOSECONDS
from agent.control.effects import Effect, Indicate
from agent.control.messages import Event
from agent.control.recording import State
from agent.control.signs import (
    ACT_NOTICES,
    FAULTS,
    GAP_FAULTS,
    MODES,
    NOTICES,
    SILENT,
    Cue,
    Fault,
    Light,
    Mode,
    Notice,
)
from agent.evidence.reasons import Reason
from agent.wire.instant import Instant

REMINDER_NS = 120 * NANOSECONDS  # reference REC-07: remind every two minutes that recording is on
CAPTURE_FAULTS = frozenset(GAP_FAULTS.values()) - {None, Fault.SOUND_LOST}
STATES = {
    State.IDLE: Mode.READY,
    State.STARTING: Mode.STARTING,
    State.RECORDING: Mode.RECORDING,
    State.STOPPING: Mode.SEALING,
}


@dataclass(frozen=True)
class Showing:
    """What the lamp shows, and why."""

    mode: Mode
    fault: Fault | None

    @property
    def light(self) -> Light:
        """The gravest fault, and what is being done where nothing is wrong."""
        return MODES[self.mode][0] if self.fault is None else FAULTS[self.fault][0]


class Indicator:
    """Belongs to the controller, which tells it every event and asks it what is to be shown."""

    def __init__(self, *, sound_only: bool = False) -> None:
        self._sound_only = sound_only
        self._muted = self._paused = False
        self._faults: dict[Fault, int] = {}
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
                self._end(Fault.RECORDING_FAILED)
            case happened.PhotoTaken():
                self._notice(Notice.PHOTO_TAKEN)
            case happened.FragmentStored(captured=captured):
                for fault in [it for it in self._faults if it in CAPTURE_FAULTS]:
                    self._end(fault, captured.monotonic_ns)
            case happened.GapOpened(_, reason, at):
                self._begin(GAP_FAULTS[Reason(reason)], at.monotonic_ns)
            case happened.RecordingSealed():
                self._end(Fault.SOUND_LOST)
            case _:
                self._hear_device(event)

    def next(self, state: State, now: Instant) -> list[Effect]:
        """What is to be shown and heard now; nothing when nothing has changed."""
        showing = Showing(self._follow(state, now), min(self._faults, key=list(Fault).index, default=None))
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
                self._begin(Fault.RECORDING_FAILED, 0)
            case happened.EventNotStored():
                self._begin(Fault.EVENTS_NOT_STORED, 0)
            case happened.EventStored():
                self._end(Fault.EVENTS_NOT_STORED)
            case happened.CasingChanged(opened, at):
                self._hold(Fault.CASING_OPENED, at, begins=opened)
            case happened.ClockDisputed(apart_ms, at):
                self._hold(Fault.CLOCK_DISPUTED, at, begins=apart_ms != 0)
            case happened.CardShown():
                self._notice(Notice.CARD_READ)
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

    def _hold(self, fault: Fault, at: Instant, *, begins: bool) -> None:
        if begins:
            self._begin(fault, at.monotonic_ns)
        else:
            self._end(fault)

    def _begin(self, fault: Fault | None, since_ns: int) -> None:
        if fault is not None:
            if fault not in self._faults:
                self._cues.append(FAULTS[fault][1])
            self._faults[fault] = since_ns

    def _end(self, fault: Fault, at_ns: int | None = None) -> None:
        if fault in self._faults and (at_ns is None or at_ns >= self._faults[fault]):
            del self._faults[fault]
