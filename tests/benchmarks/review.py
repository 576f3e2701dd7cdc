"""Order D's figure of the review packet: a recording of two hours, hundreds of marks, thousands of other events."""

import json
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from agent.evidence.journal import FragmentMoment, Reason
from agent.evidence.segment import Closing, SegmentEmitter
from agent.key_files import read_signer
from agent.wire.device_events import EventType
from agent.wire.instant import Instant, TimeState
from provisioning.center.review_packet import Seal, write_packet
from provisioning.center.use_room import gather
from tests.agent.evidence.attacks import folder as recording_folder
from tests.agent.evidence.bench import Bench as Device
from tests.benchmarks.figures import Bench, Row
from tests.provisioning.district import load_signer
from tests.provisioning.review_office import TASK, ReviewOffice
from tests.support.media import FRAGMENT_MS

TWO_HOURS = 14_400  # fragments of half a second
MARKS, OTHERS, TASKS = 400, 5_000, 50
TARGET_S, RUNS = 3.0, 5


class LongOffice(ReviewOffice):
    """A centre whose one case was recorded for two hours, among other events and other tasks. The film is small: what
    it weighs is read once, when the recording is verified."""

    fragments_wanted = TWO_HOURS
    others = OTHERS

    def _record(self) -> None:
        self.began -= timedelta(milliseconds=FRAGMENT_MS * self.fragments_wanted)
        start = Instant(self.began + timedelta(seconds=5), 10**10, "boot-1", TimeState.NTP, 40)
        device = Device(load_signer(self.district.device("REC-0001"), "evidence"), now=start)
        place = self.recordings / "REC-0001-R000001"
        place.mkdir(parents=True)
        film = b"".join(_film(device, self.fragments_wanted))
        for name, data in recording_folder(device, film).items():
            (place / name).write_bytes(data)
        self.fragments, self.head = self.fragments_wanted, device.head

    def _story(self) -> list[tuple[int, EventType, dict[str, Any]]]:
        own = super()._story()
        here = {"task": TASK, "recording": "REC-0001-R000001"}
        seconds, every = self.fragments_wanted // 2, self.fragments_wanted // (MARKS + 2)
        marks = [
            (6 + at * every // 2, EventType.STEP_MARKED,
             {**here, "sequence": 10 + at * every, "step": f"示例环节{at}", "repeated": 0})
            for at in range(MARKS)
        ]  # fmt: skip
        heads = [
            (6 + at % seconds, EventType.RECORDING_HEAD_ADVANCED,
             {"recording": "REC-0001-R000001", "segment": 1, "sequence": at + 1, "head": self.head, "size": 1})
            for at in range(self.others)
        ]  # fmt: skip
        taken = own[0][2]
        tasks = [(7, EventType.TASK_TAKEN, {**taken, "task": f"T-2026-1{number:03}"}) for number in range(TASKS)]
        return sorted([*own, *marks, *heads, *tasks], key=lambda it: it[0])


def _film(device: Device, count: int) -> list[bytes]:
    emitter = SegmentEmitter(device.origin(), device.signer, device.session)
    parts = [emitter.opening(device.media.init)]
    for media in islice(cycle(device.media.fragments), count):
        captured = device.now
        device.pass_time(FRAGMENT_MS)
        signed = emitter.fragment(media, FragmentMoment(captured, FRAGMENT_MS, device.now, ()))
        device.records.append(signed.record)
        parts.append(signed.data)
    device.head = emitter.head
    patch = emitter.seal(Closing(device.now, Reason.STOPPED))
    whole = b"".join(parts)
    return [whole[: patch.offset], patch.data, whole[patch.offset + len(patch.data) :]]


def review_packet(bench: Bench) -> list[Row]:
    """From the stored events to the folder on the disk, by what `liuhen-center review packet` does: events read, facts
    put together, packet written and signed. The recording was verified before (`cases/.seen`); that first time stands
    in the note, over a film of few bytes."""
    place = bench.folder / "center-of-a-case"
    place.mkdir()
    count = TWO_HOURS // 10 if bench.quick else TWO_HOURS
    bench.tell(f"a recording of {count} fragments")
    office = _office(place, count)
    bench.tell("verified once")
    first = _took(lambda: office.room().facts(TASK))
    bench.tell(f"{RUNS} packets")
    walls, cores = zip(*(_took(lambda run=run: _packet(office, place / f"packet-{run}")) for run in range(RUNS)),
                       strict=True)  # type: ignore[misc]  # fmt: skip
    bench.tell("every case of the centre")
    all_cases = _took(lambda: gather(office.room()))
    events = json.loads((place / "packet-0" / "facts.json").read_text(encoding="utf-8"))
    assert len(events["steps"]) > MARKS
    median = statistics.median(walls)
    note = f"{count} fragments, {MARKS} marks, {OTHERS} other events, {TASKS} other tasks; "
    note += f"{statistics.median(cores):.2f} s of processor, worst of {RUNS} {max(walls):.2f} s; verifying the "
    note += f"recording once before {first[0]:.1f} s; all {TASKS + 1} cases for a report {all_cases[0]:.2f} s"
    met = median <= TARGET_S
    return [Row("review packet of a 2 h recording", f"{median:.2f} s", f"<= {TARGET_S:g} s", met, note=note)]


def _office(place: Path, count: int) -> LongOffice:
    office = LongOffice.__new__(LongOffice)
    office.fragments_wanted = count
    LongOffice.__init__(office, place)
    return office


def _packet(office: LongOffice, target: Path) -> None:
    room = office.room()
    facts, settings = room.facts(TASK), room.config
    seal = Seal(
        settings.receiver,
        read_signer(settings.key, settings.chain),
        settings.root.read_bytes(),
        settings.trust_list.read_bytes(),
    )
    write_packet(
        target, facts, room.review(TASK), room.ruling(facts.unit), acts=room.folder.envelopes(TASK),
        grounds=room.folder.grounds(TASK),
        documents=room.papers(facts), papers=[], recordings=office.recordings, seal=seal, now=room.now,
    )  # fmt: skip


def _took(work: Callable[[], object]) -> tuple[float, float]:
    begin, core = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin, time.process_time() - core


FIGURES: dict[str, Callable[[Bench], list[Row]]] = {"review_packet": review_packet}
