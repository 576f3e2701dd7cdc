"""What is told again after a lost store has the ids of the first telling."""

from collections.abc import Iterable

from agent.control.acts import Act
from agent.control.effects import Effect, EventDraft, StoreEvent
from agent.control.hook_desk import key_marks
from agent.control.messages import GapOpened, OfficerActed, RecordingReread
from agent.control.recording import RecordingMachine, RecordingMemory, gap_opened
from agent.control.reread import told_again
from agent.duty.policies import Policies
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import device_id, recording_id
from tests.support.clocks import SteppedClock

DEVICE = device_id("REC-0001")


def drafts(effects: Iterable[Effect]) -> dict[str, EventDraft]:
    return {it.draft.event_id: it.draft for it in effects if isinstance(it, StoreEvent)}


def test_beginning_gap_and_key_mark_are_the_same_facts_as_when_they_happened() -> None:
    at, recording = SteppedClock().read(), recording_id(DEVICE, 1)
    machine = RecordingMachine(DEVICE, "示例局", RecordingMemory(0, 0, GENESIS), {}, lambda _: Policies())
    first = drafts(machine.pressed(at))
    first |= drafts(key_marks(machine.acted(OfficerActed(Act.MARK, "", at))))
    first |= drafts(gap_opened(GapOpened(recording, "camera-lost", at)))
    again = drafts(told_again(RecordingReread(recording, GENESIS, at, (("camera-lost", at),), (at,))))
    assert again.keys() == first.keys()
    assert len(again) == 3
    assert all(again[name].type is first[name].type for name in again)
