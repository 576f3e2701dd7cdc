"""What is promised where a segment ends: nothing of it is lost between two segments or while it is sealed."""

import shutil
from functools import partial
from pathlib import Path

from agent.adapters.fake_source import FakeSource
from agent.adapters.recorder import RecorderSettings
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import recover
from agent.control.messages import RecordingSealed
from agent.evidence.journal import Reason
from agent.wire.identifiers import RecordingId, recording_id
from tests.agent.adapters.recording_bench import CLOCK, SIGNER, RecordingBench, footage, verdict
from tests.agent.evidence.bench import DEVICE
from tests.faults.device_scenarios import check_recording, record
from tests.faults.explorer import Promise, Scenario, nothing, taken

CUT_S, SEGMENTS, FRAGMENTS = 1, 3, 5
MOST = 1


def _record_and_die(bench: Path) -> None:
    """Recordings of some segments whose device went away before they were sealed, each a copy of the same."""
    settings = RecorderSettings(retry_s=0.2, margin_bytes=0, segment_minutes=CUT_S / 60)
    for number in range(1, 1 + MOST):
        recording = recording_id(DEVICE, number)
        made = RecordingBench(bench / "before", iter([FakeSource(*footage(SEGMENTS))]), settings)
        made.start(recording)
        made.wait_for_fragments(FRAGMENTS)
        shutil.copytree(bench / "before" / recording, bench / "state" / "recordings" / recording)
        made.recorder.stop(Reason.STOPPED)
        made.wait_for_end()
        assert made.recorder.close(10)
    shutil.rmtree(bench / "before")


def _seal(bench: Path, promise: Promise, rounds: int) -> None:
    for number in range(1, 1 + rounds):
        for ended in recover(_Only(bench / "state" / "recordings", recording_id(DEVICE, number)), SIGNER, CLOCK):
            taken(ended)
            assert isinstance(ended, RecordingSealed)
            promise(f"sealed {number} {ended.fragments}")


class _Only(Spool):
    """The spool as if it held one recording."""

    def __init__(self, root: Path, recording: RecordingId) -> None:
        super().__init__(root)
        self._recording = recording

    def recordings(self) -> tuple[RecordingId, ...]:
        return (self._recording,)


def _check_sealed(bench: Path, promised: list[str]) -> list[str]:
    spool = Spool(bench / "state" / "recordings")
    said = {int(it[1]): int(it[2]) for it in map(str.split, promised)}
    broken: list[str] = []
    everything = spool.recordings()
    if said:  # nobody reads it again at the next start
        again, judged = recover(spool, SIGNER, CLOCK), verdict(spool.folder(recording_id(DEVICE, max(said))))
        broken += [f"told as sealed, and it is not: {again} {judged}"] if again or judged != "explained-gap" else []
    for ended in recover(spool, SIGNER, CLOCK, everything):
        if not isinstance(ended, RecordingSealed):
            broken.append(f"{ended.recording}: {ended.detail}")
        elif ended.fragments < FRAGMENTS:
            broken.append(f"{ended.recording}: {ended.fragments} fragments are left")
    broken += [f"recording {it} is gone" for it in said if recording_id(DEVICE, it) not in everything]
    judged = {it: verdict(spool.folder(it)) for it in everything}
    return broken or [f"{it} is judged {word}" for it, word in judged.items() if word != "explained-gap"]


SCENARIOS = [
    Scenario(
        "segment-cut",
        nothing,
        partial(record, encrypted=False, seconds=2, cut_s=CUT_S),
        partial(check_recording, encrypted=False),
    ),
    Scenario("seal", _record_and_die, _seal, _check_sealed),
]
