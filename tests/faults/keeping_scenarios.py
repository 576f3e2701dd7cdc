"""What the centre's receipts set going: events leave, what is known of a recording is kept, and a recording is deleted
by an event of the chain and never otherwise."""

from collections.abc import Iterable
from contextlib import closing
from functools import partial
from pathlib import Path

from agent.adapters.database import Database, open_database
from agent.adapters.kept_recordings import is_going, read_kept
from agent.adapters.recording_removal import RecordingRemoval
from agent.adapters.store import DELETE_ROWS, DeviceMemory, EventStore
from agent.control.deletion import Kept
from agent.control.effects import EventDraft, StoreEvent
from agent.control.offload_messages import KeptGone, KeptSeen, RecordingRemoved
from agent.errors import EnvironmentFault
from agent.wire.device_events import EventType
from agent.wire.identifiers import Digest, RecordingId, device_id, district, recording_id
from agent.wire.offload_manifest import OffloadManifest, Part, StoredFile, manifest_digest
from tests.faults.explorer import Promise, Scenario, insist, nothing
from tests.support.clocks import SteppedClock

PLACE, DEVICE = district("xinghe"), device_id("REC-0001")
BATCH = DELETE_ROWS // 2 + 10  # two of them leave in two transactions


def _order(name: str, type_: EventType = EventType.RECORDING_HEAD_ADVANCED) -> EventDraft:
    return EventDraft(name, type_, SteppedClock().read(), {"text": name})


def _store(database: Database) -> EventStore:
    return EventStore(database, PLACE, DEVICE)


def _kept(number: int) -> Kept:
    return Kept(recording_id(DEVICE, number), manifest="m" * 64, receipted="m" * 64)


def _receive(bench: Path, promise: Promise, rounds: int) -> None:
    """Events wait, two receipts for them all come, and the centre's word on a recording with its event."""
    database, _ = open_database(bench / "state" / "agent.db")
    with closing(database):
        store = _store(database)
        for number in range(1, 1 + (2 * rounds or 1)):
            for part in range(2):
                orders = [StoreEvent(_order(f"e{number}-{part}-{it}")) for it in range(BATCH)]
                last = insist(partial(store.put_all, orders))[-1]
                promise(f"stored {last}")
            noted = StoreEvent(_order(f"offloaded-{number}"), KeptSeen(_kept(number)))
            promise(f"kept {number} {insist(partial(store.put_all, [noted]))[0]}")
            for upto in (last - BATCH, last - 1):
                if upto <= database.integer("acked"):
                    continue  # the same work once more
                promise(f"asked {upto}")
                insist(partial(store.acknowledge, upto))
                promise(f"acked {upto}")


def _check_received(bench: Path, promised: list[str]) -> list[str]:
    said = [line.split() for line in promised]
    most = {
        word: max((int(it[-1]) for it in said if it[0] == word), default=0) for word in ("stored", "asked", "acked")
    }
    recordings = [int(it[1]) for it in said if it[0] == "kept"]
    database, loss = open_database(bench / "state" / "agent.db")
    with closing(database):
        acked, end = database.integer("acked"), database.integer("devseq")
        waiting = {number for number, _ in _store(database).waiting(acked, 10**6, 10**9)}
        known = read_kept(database)
        return [
            *([f"the store was given up: {loss.detail}"] if loss else []),
            *([f"receipt {most['acked']} was forgotten: {acked}"] if acked < most["acked"] else []),
            *([f"{acked} have left, {most['asked']} were receipted"] if acked > most["asked"] else []),
            *([f"{end} is the last, {most['stored']} was stored"] if end < most["stored"] else []),
            *(f"event {it} is lost" for it in range(acked + 1, end + 1) if it not in waiting),
            *(f"the receipt for recording {it} is lost" for it in recordings if recording_id(DEVICE, it) not in known),
            *_told_twice(database, acked),
        ]


def _told_twice(database: Database, acked: int) -> Iterable[str]:
    """A fact that has left with a receipt keeps its number when it is told again."""
    name = "e1-0-0"
    if acked and (number := database.ids.number_of(name)) != 1:
        yield f"{name} would be told again as {number}"


FILES = {"SHA256SUMS": b"sums", "notes/0001.dsse": b"note", "segment-0001.mp4": b"film" * 3000}
STORED = Digest("a" * 64)
MOST_RECORDINGS = 10


def _manifest(recording: RecordingId) -> OffloadManifest:
    stored = (StoredFile(name, STORED, (Part(0, len(content), STORED),)) for name, content in FILES.items())
    return OffloadManifest(PLACE, recording, tuple(stored))


def _write_recordings(bench: Path) -> None:
    for number in range(1, 1 + MOST_RECORDINGS):
        recording = recording_id(DEVICE, number)
        for name, content in FILES.items():
            place = bench / "state" / "recordings" / recording / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        (bench / "state" / "offload").mkdir(exist_ok=True)
        (bench / "state" / "offload" / f"{recording}.json").write_bytes(_manifest(recording).encode())


def _removal(state: Path) -> RecordingRemoval:
    return RecordingRemoval(state / "recordings", state / "offload")


def _going(number: int) -> Kept:
    recording = recording_id(DEVICE, number)
    named = manifest_digest(_manifest(recording).encode())
    return Kept(recording, manifest=named, receipted=named, going=True)


def _delete(bench: Path, promise: Promise, rounds: int) -> None:
    state = bench / "state"
    database, _ = open_database(state / "agent.db")
    with closing(database):
        for number in range(1, 1 + rounds):
            kept = _going(number)
            deleted = _order(f"deleted-{number}", EventType.RECORDING_DELETED)
            insist(partial(_store(database).put_all, [StoreEvent(deleted, KeptSeen(kept))]))
            promise(f"told {number}")
            insist(partial(_remove, database, state, kept))
            promise(f"deleted {number}")


def _remove(database: Database, state: Path, kept: Kept) -> None:
    """As the performer does: only what the chain says goes."""
    assert is_going(database, kept.recording, kept.receipted)
    done = _removal(state).remove(kept.recording, kept.receipted)
    if done != RecordingRemoved(kept.recording):
        raise EnvironmentFault(f"{kept.recording} cannot be removed: {done}")
    DeviceMemory(database).remember(KeptGone(kept.recording))


def _check_deleted(bench: Path, promised: list[str]) -> list[str]:
    state, said = bench / "state", [line.split() for line in promised]
    most = {word: max((int(it[1]) for it in said if it[0] == word), default=0) for word in ("told", "deleted")}
    database, _ = open_database(state / "agent.db")
    with closing(database):
        told = database.integer("devseq")
        broken = [f"deletion {most['told']} was forgotten"] if told < most["told"] else []
        for number in range(1, 1 + MOST_RECORDINGS):
            broken += _wrong(state, number, gone=number <= most["deleted"], may_go=number <= told)
        for kept in read_kept(database).values():
            _remove(database, state, kept)
        left = [number for number in range(1, 1 + told) if _left(state, number)]
        return [*broken, *(f"files of recording {number} are left for ever" for number in left)]


def _wrong(state: Path, number: int, *, gone: bool, may_go: bool) -> Iterable[str]:
    whole = all(_content(state, number, name) == content for name, content in FILES.items())
    if not may_go and not whole:
        yield f"files of recording {number} are gone, and the chain does not say so"
    if gone and (state / "recordings" / recording_id(DEVICE, number)).exists():
        yield f"recording {number} is there again"


def _left(state: Path, number: int) -> list[Path]:
    name = recording_id(DEVICE, number)
    return [*(state / "recordings").glob(f"*{name}"), *(state / "offload").glob(f"{name}*")]


def _content(state: Path, number: int, name: str) -> bytes | None:
    place = state / "recordings" / recording_id(DEVICE, number) / name
    return place.read_bytes() if place.exists() else None


SCENARIOS = [
    Scenario("receipt", nothing, _receive, _check_received),
    Scenario("deletion", _write_recordings, _delete, _check_deleted),
]
