"""The camera side of a recorder when it starts: no entry on the disk keeps it from being ready for the button."""

from pathlib import Path

from agent.adapters.recorder import Recorder, RecorderSettings
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import SpoolRecovery
from agent.adapters.watermark import Caption
from agent.control.controller import Controller, Identity, Memory
from agent.control.effects import StartRecording, StoreEvent
from agent.control.messages import (
    ButtonPressed,
    DeviceStarted,
    Event,
    RecordingFailed,
    RecordingFound,
    RecordingReread,
    RecordingSealed,
    WorkFailed,
)
from agent.control.recording import RecordingMemory
from agent.control.reread import told_again
from agent.hook_part import HookPart
from agent.recording_part import CameraPart
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import District, recording_id
from tests.agent.adapters.recording_bench import CLOCK, FIRST, SIGNER, eventually, verdict
from tests.agent.adapters.test_spool_attacks import laid
from tests.agent.evidence.bench import DEVICE, UNIT, Bench
from tests.support.device import DistrictKeys


def camera_part(root: Path, events: list[Event]) -> CameraPart:
    spool = Spool(root)
    recorder = Recorder(spool, SIGNER, CLOCK, lambda: None, events.append, RecorderSettings())  # type: ignore[arg-type, return-value]
    return CameraPart(
        DEVICE, spool, CLOCK, SpoolRecovery(spool, SIGNER, CLOCK, events.append), recorder, HookPart([], []), Caption()
    )


def test_recording_folder_of_another_device_does_not_end_a_recording_of_ours(tmp_path: Path) -> None:
    foreign = recording_id(DEVICE.replace("1", "2"), 1)  # type: ignore[arg-type]
    laid(tmp_path, Bench(SIGNER).live()[1], recording=foreign)
    (told,) = camera_part(tmp_path, []).recover(())
    assert isinstance(told, WorkFailed)
    assert foreign in told.detail


def test_recordings_folder_that_cannot_be_listed_is_told_and_the_recorder_starts(tmp_path: Path) -> None:
    unlistable = tmp_path / ("x" * 300)
    told = camera_part(unlistable, []).recover((FIRST,))
    assert [type(event) for event in told] == [WorkFailed]


def test_lost_recording_is_told_and_the_one_that_stands_is_finished_after_open(tmp_path: Path) -> None:
    laid(tmp_path, Bench(SIGNER).live()[1])
    events: list[Event] = []
    part = camera_part(tmp_path, events)
    found, lost = part.recover((FIRST, recording_id(DEVICE, 9)))
    assert isinstance(found, RecordingFound)
    assert isinstance(lost, RecordingFailed)
    assert events == []
    part.open()
    eventually(lambda: bool(events), "the end of the recording")
    assert isinstance(events[0], RecordingSealed)
    assert verdict(tmp_path / FIRST) == "explained-gap"
    assert part.close(60)


def test_a_lost_store_has_every_finished_recording_told_again_from_its_journal(tmp_path: Path) -> None:
    laid(tmp_path, Bench(SIGNER).live()[1])
    before: list[Event] = []
    first = camera_part(tmp_path, before)
    first.recover((FIRST,))
    first.open()
    eventually(lambda: bool(before), "the first end")
    assert first.close(5)
    events: list[Event] = []
    part = camera_part(tmp_path, events)
    assert part.recover(()) == [], "finished, and nobody asks"
    (found,) = part.recover((), store_lost=True)
    assert isinstance(found, RecordingFound)
    part.open()
    eventually(lambda: len(events) == 2, "what the journal says, and the end")
    told, sealed = events
    assert isinstance(told, RecordingReread)
    assert isinstance(sealed, RecordingSealed)
    names = [it.draft.event_id for it in told_again(told) if isinstance(it, StoreEvent)]
    assert names[0] == "R000001/started"
    assert part.close(5)


def test_press_before_the_recovery_has_ended_is_linked_to_the_recording_before(tmp_path: Path) -> None:
    laid(tmp_path, Bench(SIGNER).live()[1])
    (found,) = camera_part(tmp_path, []).recover((FIRST,))
    assert isinstance(found, RecordingFound)
    memory = Memory(0, 0, RecordingMemory(1, 0, GENESIS))
    identity = Identity(District("xinghe"), DEVICE, UNIT, "0.1.0")
    controller = Controller(identity, memory, DistrictKeys().trust, lambda: 0.5)
    now = CLOCK.read()
    controller.handle(DeviceStarted(now), now)
    assert controller.handle(found, now) == []
    (order,) = [it for it in controller.handle(ButtonPressed(now), now) if isinstance(it, StartRecording)]
    assert order.previous == found.head
