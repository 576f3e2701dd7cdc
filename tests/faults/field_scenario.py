"""A recorder at work until its power goes: recordings of some segments one after the other, and events beside them."""

import os
import threading
import traceback
from pathlib import Path

from agent.adapters.fake_source import FakeSource
from agent.adapters.recorder import RecorderSettings
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import recover
from agent.control.messages import FragmentStored, RecordingSealed
from agent.evidence.journal import Reason
from agent.wire.identifiers import RecordingId, recording_id
from tests.agent.adapters.recording_bench import CLOCK, SIGNER, RecordingBench, footage, verdict
from tests.agent.evidence.bench import DEVICE
from tests.faults import device_scenarios
from tests.faults.explorer import Promise, Scenario, nothing

FILM_S, CUT_S = 4, 1  # of each recording, and of its segments
PAUSE_S = 0.002  # between two packets; a guest has one processor for all
EVENT_PAUSE_S = 0.01
(OUTBOX,) = (it for it in device_scenarios.SCENARIOS if it.name == "outbox")
FILMED, SEALED = "filmed", "sealed"


def _work(bench: Path, promise: Promise, rounds: int) -> None:
    threading.Thread(target=_tell, args=(bench, promise, rounds), daemon=True).start()
    tracks, packets = footage(FILM_S)
    script = [step for packet in packets for step in (packet, PAUSE_S)]
    settings = RecorderSettings(retry_s=0.2, margin_bytes=0, segment_minutes=CUT_S / 60)
    for number in range(1, 1 + rounds):
        recording = recording_id(DEVICE, number)
        events = _Told(promise, recording)
        made = RecordingBench(
            bench / "state" / "recordings", iter([FakeSource(tracks, script)]), settings, events=events
        )
        made.start(recording)
        made.wait_for_fragments(2 * FILM_S - 1)
        made.recorder.stop(Reason.STOPPED)
        assert isinstance(made.wait_for_end(), RecordingSealed)
        assert made.recorder.close(30)


class _Told(list[object]):
    """What a recorder tells: each fragment and each end of it is a promise."""

    def __init__(self, promise: Promise, recording: RecordingId) -> None:
        super().__init__()
        self._promise, self._recording = promise, recording

    def append(self, event: object) -> None:
        super().append(event)
        if isinstance(event, FragmentStored):
            self._promise(f"{FILMED} {self._recording} {event.sequence}")
        elif isinstance(event, RecordingSealed):
            self._promise(f"{SEALED} {self._recording} {event.fragments}")


def _tell(bench: Path, promise: Promise, rounds: int) -> None:
    def unhurried(text: str) -> None:
        promise(text)
        threading.Event().wait(EVENT_PAUSE_S)

    try:
        OUTBOX.play(bench, unhurried, rounds)
    except BaseException:  # noqa: BLE001 - a thread that dies quietly would promise nothing more, and pass
        traceback.print_exc()
        os._exit(1)


def _check(bench: Path, promised: list[str]) -> list[str]:
    """What the next start makes of all recordings, and of the outbox."""
    spool = Spool(bench / "state" / "recordings")
    ended = {it.recording: it for it in recover(spool, SIGNER, CLOCK, spool.recordings())}
    said = [line.split() for line in promised if line.startswith((FILMED, SEALED))]
    least = {recording: int(count) for _, recording, count in said}  # in the order told: the last is the most
    closed = {recording for word, recording, _ in said if word == SEALED}
    broken = []
    for recording, count in least.items():
        found = ended.get(RecordingId(recording))
        if not isinstance(found, RecordingSealed):
            broken.append(f"{recording}: {count} fragments were promised, {found}")
        elif found.fragments < count:
            broken.append(f"{recording}: fragment {count} is lost, {found.fragments} are left")
        elif (judged := verdict(spool.folder(found.recording))) not in _allowed(recording in closed):
            broken.append(f"{recording}: judged {judged}")
    return [*broken, *OUTBOX.check(bench, [line for line in promised if not line.startswith((FILMED, SEALED))])]


def _allowed(closed: bool) -> set[str]:
    return {"complete"} if closed else {"complete", "explained-gap"}


SCENARIOS = [Scenario("field", nothing, _work, _check)]
