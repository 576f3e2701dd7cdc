"""Writers that are tested call by call only: the functions by which everything is written, a recorder whose disk fails
under it, the centre's store, and the complaint box of a kiosk."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from itertools import chain, count
from pathlib import Path

from agent import durable
from agent.adapters.fake_source import FakeSource, Step
from agent.adapters.recorder import RecorderSettings
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import recover
from agent.control.messages import RecordingFailed, RecordingSealed
from agent.evidence.journal import Reason
from agent.wire.complaints import Complaint, open_complaint
from agent.wire.device_events import event_hash
from agent.wire.hall_facts import FACT_SUFFIX, parse_fact
from agent.wire.identifiers import DeviceId
from kiosk.complaint_box import RECONSIDER, RECONSIDER_NS, ComplaintBox
from kiosk.outgoing import Outgoing
from provisioning.authority.authority import Authority
from provisioning.center.ingest import Ingest
from provisioning.center.receipt_desk import RECEIPT_INTERVAL_MS
from provisioning.center.store import open_store
from tests.agent.adapters.recording_bench import CLOCK, FIRST, SIGNER, RecordingBench, eventually, footage, verdict
from tests.agent.adapters.test_at_rest import keys_in, write_keys
from tests.agent.evidence.bench import private_key
from tests.faults.device_scenarios import Told, clear
from tests.faults.explorer import Promise, Scenario, insist, nothing, taken
from tests.provisioning.center_bench import Keys
from tests.provisioning.district import PLACE, Chain, SteppedClock, events_topic, load_signer, sealed_batch

OLD, NEW = b"old" * 5000, b"new" * 6000


def _write_files(bench: Path) -> None:
    for name in ("whole", "stream", "moved", "removed", "over"):
        (bench / "state" / name).write_bytes(OLD)


def _write(bench: Path, promise: Promise, rounds: int) -> None:
    state = bench / "state"
    durable.write_bytes(state / "whole", NEW)
    promise("whole")
    durable.write_stream(state / "stream", (NEW[at : at + 4096] for at in range(0, len(NEW), 4096)), sync_bytes=4096)
    promise("stream")
    folder = durable.make_directory(state / "a" / "b")
    promise("a/b")
    if (state / "moved").exists():
        durable.move(state / "moved", folder / "moved")
    promise("a/b/moved")
    promise("-moved")
    durable.remove(state / "removed")
    promise("-removed")
    durable.overwrite(state / "over", 0, NEW[: len(OLD)])
    promise("over")
    durable.make_directory(folder / "tree")
    durable.sync_tree(state / "a")


def _check_written(bench: Path, promised: list[str]) -> list[str]:
    state = bench / "state"
    broken = [f"{name} is torn" for name in ("whole", "stream") if (state / name).read_bytes() not in (OLD, NEW)]
    broken += [f"{name} is not there" for name in promised if name[0] != "-" and not (state / name).exists()]
    broken += [f"{name} is there again" for name in promised if name[0] == "-" and (state / name[1:]).exists()]
    new = {"whole", "stream", "over"} & set(promised)
    whole = {"over": NEW[: len(OLD)]}
    broken += [f"{name} is not the new one" for name in new if (state / name).read_bytes() != whole.get(name, NEW)]
    if not (state / "moved").exists() and not (state / "a" / "b" / "moved").exists():
        broken.append("what was moved is nowhere")
    return broken


SECONDS, PAUSE_S = 3, 0.003


def _record(bench: Path, promise: Promise, rounds: int, *, encrypted: bool) -> None:
    tracks, packets = footage(SECONDS)
    over: list[bool] = []

    def end() -> Iterator[Step]:
        over.append(True)
        yield 0.0

    script = chain(chain.from_iterable((packet, PAUSE_S) for packet in packets), end())
    settings = RecorderSettings(retry_s=0.02, margin_bytes=0, segment_minutes=1 / 60)
    source, told = FakeSource(tracks, script), Told(promise)
    keys = keys_in(bench / "state") if encrypted else None
    made = RecordingBench(bench / "state" / "recordings", iter([source]), settings, keys=keys, events=told)
    made.start()
    eventually(lambda: over or isinstance(told[-1:] and told[-1], RecordingFailed), "the end of the script")
    made.recorder.stop(Reason.STOPPED)
    ended = made.wait_for_end()
    assert made.recorder.close(30)
    taken(ended)


def _check_recorded(bench: Path, promised: list[str], *, encrypted: bool) -> list[str]:
    """Whatever the disk refused, what was said to be stored is there, and nobody calls it altered."""
    last = max((int(line.split()[1]) for line in promised if line.startswith("fragment")), default=0)
    spool = Spool(bench / "state" / "recordings", keys=keys_in(bench / "state") if encrypted else None)
    recover(spool, SIGNER, CLOCK, [FIRST])
    (ended,) = recover(spool, SIGNER, CLOCK, [FIRST]) or [None]
    if not last:
        return []
    if not isinstance(ended, RecordingSealed):
        return [f"not recovered: {ended}"]
    judged = verdict(clear(bench) if encrypted else spool.folder(FIRST))
    lost = [f"fragment {last} is lost, {ended.fragments} are left"] if ended.fragments < last else []
    return [*lost, *([f"judged {judged}"] if judged in ("altered", "untrusted", "missing") else [])]


CENTRE = private_key("centre")
FILED = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
COMPLAINTS = 3


def _complaint(number: int) -> Complaint:
    return Complaint("其他", "示例窗口", f"示例投诉第 {number} 件", "", "星河区政务服务大厅", FILED)


def _box(bench: Path) -> ComplaintBox:
    """Each look at its clock is ten minutes after the one before."""
    outgoing, passed_ns = Outgoing(bench / "state" / "outgoing"), count(0, RECONSIDER_NS).__next__
    return ComplaintBox(bench / "state" / "complaints", CENTRE.public_key, outgoing, passed_ns)


def _complain(bench: Path, promise: Promise, rounds: int) -> None:
    box = _box(bench)
    for number in range(COMPLAINTS):
        code = insist(lambda number=number: box.file(_complaint(number)))  # type: ignore[misc]
        promise(f"filed {number} {code.hex()}")
    insist(lambda: box.release(FILED + RECONSIDER))
    promise("released")


def _check_complained(bench: Path, promised: list[str]) -> list[str]:
    """Each that got its code is sent to the centre, once its ten minutes are over."""
    _box(bench).release(FILED + RECONSIDER)
    facts = [parse_fact(path.read_bytes()) for path in (bench / "state" / "outgoing").glob(f"*{FACT_SUFFIX}")]
    found = {open_complaint(str(fact.data["sealed"]), CENTRE).text for fact in facts}
    filed = {_complaint(int(line.split()[1])).text for line in promised if line.startswith("filed")}
    return [f"lost: {text}" for text in filed - found]


RECORDER = DeviceId("REC-0001")
BATCHES = 2


def _write_district(bench: Path) -> None:
    Keys(bench / "district")


def _centre(bench: Path) -> Ingest:
    folder, state = bench / "district", bench / "state"
    trust = Authority(folder / "authority", "示例-000001").trust()
    key = load_signer(folder / "receiver-1", "receiver")
    return Ingest(PLACE, "receiver-1", open_store("sqlite:///center.db", state), trust, key)


def _receive(bench: Path, promise: Promise, rounds: int) -> None:
    signer = load_signer(bench / "district" / RECORDER, "evidence")
    made, clock, events = _centre(bench), SteppedClock(), Chain(RECORDER)
    with closing(made.store):
        made.begin()
        for _ in range(BATCHES):
            message = (events_topic(RECORDER), sealed_batch(signer, list(events.add(3))))
            insist(lambda message=message: made.take([message], clock.wall, clock.monotonic_ms))  # type: ignore[misc]
            clock.step(RECEIPT_INTERVAL_MS)
            answers = made.receipts(clock.wall, clock.monotonic_ms)
            insist(lambda answers=answers: made.delivered(answers))  # type: ignore[misc]
            for answer in answers:
                promise(f"receipt {answer.receipt.upto} {answer.receipt.head}")


def _check_received(bench: Path, promised: list[str]) -> list[str]:
    made = _centre(bench)
    with closing(made.store):
        made.begin()
        stored = made.store.events(RECORDER)
        heads = {number: event_hash(body) for number, body in enumerate(stored, start=1)}
        said = [line.split() for line in promised]
        wrong = [upto for _, upto, head in said if heads.get(int(upto)) != head]
        return [f"receipted up to {upto}, {len(stored)} are stored" for upto in wrong]


SCENARIOS = [
    Scenario("durable", _write_files, _write, _check_written),
    Scenario("recorder", nothing, partial(_record, encrypted=False), partial(_check_recorded, encrypted=False)),
    Scenario(
        "recorder-at-rest", write_keys, partial(_record, encrypted=True), partial(_check_recorded, encrypted=True)
    ),
    Scenario("centre", _write_district, _receive, _check_received),
    Scenario("complaints", nothing, _complain, _check_complained),
]
