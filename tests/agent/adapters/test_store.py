"""The store under repetition, a full quota, damage and loss: no number twice, nothing accepted is lost."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.adapters.counter_mirror import BLOCK
from agent.adapters.database import Database, UnreadableStore, open_database
from agent.adapters.snapshot import read_snapshot
from agent.adapters.store import DeviceMemory, EventStore
from agent.adapters.told_ids import MOST_IN_MEMORY
from agent.control.effects import DisclosureSeen, EventDraft, RecordingEnded, StoreEvent, TrustSeen
from agent.duty.floors import Floor
from agent.errors import EnvironmentFault
from agent.loop import MAX_TOGETHER
from agent.wire import canonical
from agent.wire.device_events import (
    GENESIS,
    MAX_BATCH_BYTES,
    MAX_EVENT_BYTES,
    EventType,
    encode_batch,
    event_hash,
    parse_event,
)
from agent.wire.identifiers import Digest, device_id, district
from tests.support.clocks import SteppedClock

HEAD = Digest("b" * 64)


def draft(name: str, text: str = "") -> EventDraft:
    return EventDraft(name, EventType.RECORDING_HEAD_ADVANCED, SteppedClock().read(), {"text": text})


def store_of(database: Database) -> EventStore:
    return EventStore(database, district("xinghe"), device_id("REC-0001"))


def fill(store: EventStore, kind: EventType = EventType.RECORDING_HEAD_ADVANCED) -> None:
    for number in range(100_000):
        store.put(replace(draft(f"{kind}{number}", "x" * 900), type=kind))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened, loss = open_database(path)
    assert loss is None
    with closing(opened):
        yield opened


def test_events_are_numbered_and_chained_without_a_hole(database: Database) -> None:
    store = store_of(database)
    assert [store.put(draft(f"e{number}")) for number in range(5)] == [1, 2, 3, 4, 5]
    bodies = [body for _, body in store.waiting(0, 50, 65536)]
    events = [parse_event(canonical.decode(body)) for body in bodies]
    assert [event.prev for event in events] == [GENESIS, *map(event_hash, bodies[:-1])]


def test_a_fact_told_twice_is_stored_once_even_after_its_receipt(database: Database) -> None:
    store = store_of(database)
    assert store.put(draft("a")) == store.put(draft("a", "told differently")) == 1
    store.put(draft("b"))
    store.acknowledge(2)
    assert store.waiting(0, 50, 65536) == []
    assert store.put(draft("a")) == 1
    assert store.put(draft("c")) == 3


def test_an_accepted_event_is_in_wal_full_mode_and_private(path: Path, database: Database) -> None:
    assert database.run("PRAGMA journal_mode") == [("wal",)]
    assert database.run("PRAGMA synchronous") == [(2,)]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_batch_keeps_within_its_bytes_and_one_large_event_goes_alone(database: Database) -> None:
    store = store_of(database)
    store.put(draft("large", "x" * 5000))
    for number in range(3):
        store.put(draft(f"small{number}"))
    assert [devseq for devseq, _ in store.waiting(0, 50, 2000)] == [1]
    assert [devseq for devseq, _ in store.waiting(1, 50, 2000)] == [2, 3, 4]
    assert [devseq for devseq, _ in store.waiting(1, 2, 2000)] == [2, 3]


def test_a_full_quota_refuses_loses_nothing_and_takes_events_again_after_a_receipt(path: Path) -> None:
    opened, _ = open_database(path, quota_bytes=256 * 1024)
    with closing(opened):
        store, memory = store_of(opened), DeviceMemory(opened)
        with pytest.raises(EnvironmentFault, match="将满"):
            fill(store)
        with pytest.raises(EnvironmentFault, match=r"full|已满"):
            fill(store, EventType.RECORDING_SEALED)
        accepted = opened.integer("devseq")
        assert accepted > 50
        assert opened.run("SELECT count(*) FROM outbox") == [(accepted,)]
        memory.reserve_recording(1)  # a recording can begin with a full outbox
        store.acknowledge(accepted // 2)
        assert store.put(draft("again")) == accepted + 1


def test_a_receipt_is_only_applied_to_what_is_here(database: Database) -> None:
    store = store_of(database)
    store.put(draft("a"))
    with pytest.raises(EnvironmentFault):
        store.acknowledge(9)
    assert store.hash_of(0) == GENESIS
    store.acknowledge(1)
    assert store.hash_of(1) == database.text("head")
    assert store.hash_of(0) is None


def test_an_event_too_large_for_any_batch_is_stored_with_its_content_left_out(database: Database) -> None:
    store = store_of(database)
    store.put(draft("a"))
    assert store.put(draft("huge", "x" * 100_000), RecordingEnded(1, HEAD)) == 2
    bodies = [body for _, body in store.waiting(0, 50, MAX_BATCH_BYTES)]
    assert len(encode_batch(bodies)) < MAX_EVENT_BYTES
    event = parse_event(canonical.decode(bodies[1]))
    assert (event.event_id, event.prev) == ("huge", event_hash(bodies[0]))
    assert event.data["left_out"] > 100_000
    assert database.text("recording_head") == HEAD


def test_memory_survives_a_restart(path: Path) -> None:
    opened, _ = open_database(path)
    with closing(opened):
        store, memory = store_of(opened), DeviceMemory(opened)
        memory.reserve_recording(1)
        memory.reserve_recording(2)
        store.put(draft("sealed"), RecordingEnded(1, HEAD))
        store.put(draft("shown"), DisclosureSeen("window-board", "hall", 3, HEAD))
        store.put(draft("gone"), DisclosureSeen("notice", "n", 2, HEAD, withdrawn=True))
        memory.remember(TrustSeen(4))
        assert (memory.next_session(), memory.next_session()) == (1, 2)
    again, loss = open_database(path)
    with closing(again):
        memory = DeviceMemory(again)
        recalled = memory.recall()
        assert loss is None
        assert (recalled.stored, recalled.acked) == (3, 0)
        assert (recalled.recordings.last_number, recalled.recordings.head) == (2, HEAD)
        assert recalled.floors["window-board", "hall"] == Floor(3, HEAD)
        assert recalled.floors["notice", "n"] == Floor(2, HEAD, withdrawn=True)
        assert memory.open_recordings() == (2,)
        assert (memory.trust_version(), memory.next_session()) == (4, 3)


@pytest.mark.parametrize("damage", ["garbage", "page", "emptied", "gone"])
def test_a_damaged_store_is_kept_aside_and_no_number_comes_again(path: Path, damage: str) -> None:
    opened, _ = open_database(path)
    with closing(opened):
        store, memory = store_of(opened), DeviceMemory(opened)
        for number in range(20):
            store.put(draft(f"e{number}", "x" * 900))
        memory.reserve_recording(7)
        session = memory.next_session()
    before = path.read_bytes()
    damaged = {"garbage": b"this is not a database " * 400, "page": before[:4096] + b"\xff" * 12288 + before[16384:]}
    if damage in damaged:
        path.write_bytes(damaged[damage])
    else:
        path.unlink()
        if damage == "emptied":
            path.touch()
    again, loss = open_database(path)
    with closing(again):
        store, memory = store_of(again), DeviceMemory(again)
        assert loss is not None
        assert loss.skipped_to == BLOCK + 1
        assert store.put(draft("first")) == BLOCK + 2
        assert memory.recall().recordings.last_number == 7
        assert memory.next_session() > session
    if damage in damaged:
        assert path.with_name(loss.kept_as).read_bytes() == damaged[damage]
    assert open_database(path)[1] is None


def test_a_damaged_page_of_a_store_too_large_to_be_read_at_a_start_is_found_when_it_is_sent(path: Path) -> None:
    with closing(open_database(path)[0]) as opened:
        store = store_of(opened)
        for number in range(200):
            store.put(draft(f"e{number}", "x" * 900))
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 16384)
    opened, loss = open_database(path, whole_bytes=0)
    with closing(opened):
        assert loss is None
        with pytest.raises(UnreadableStore):
            store_of(opened).waiting(0, 200, 10**9)
    again, loss = open_database(path, whole_bytes=0)
    with closing(again):
        assert loss is not None
        assert store_of(again).put(draft("next")) == BLOCK + 2
    assert open_database(path, whole_bytes=0)[1] is None


def test_a_store_of_an_earlier_version_still_knows_what_it_was_told(path: Path) -> None:
    with closing(open_database(path)[0]) as opened:
        opened.mirror.cover_event(2)
        for statement in (
            "DROP INDEX remembered_devseq",
            "DROP TABLE remembered",
            "CREATE TABLE remembered (event_id TEXT PRIMARY KEY, devseq INTEGER)",
            "INSERT INTO remembered VALUES ('left', 1)",
            "DELETE FROM _sqlite_migrations WHERE name = 'ids_in_bulk'",
            "INSERT INTO outbox(devseq, event_id, type, body, hash) VALUES (2, 'waits', 't', x'7b7d', '')",
            "INSERT INTO counter VALUES ('devseq', '2'), ('acked', '1')",
            "CREATE UNIQUE INDEX idx_outbox_event_id ON outbox(event_id)",
            "COMMIT",
        ):
            opened.run(statement)
    opened, loss = open_database(path)
    with closing(opened):
        store = store_of(opened)
        assert loss is None
        assert [store.put(draft(name)) for name in ("left", "waits", "new")] == [1, 2, 3]


def test_facts_told_twice_are_known_over_starts_receipts_and_many_others(path: Path) -> None:
    names = [f"e{number}" for number in range(MOST_IN_MEMORY + 50)]
    with closing(open_database(path)[0]) as opened:
        store_of(opened).put_all([StoreEvent(draft(name)) for name in names])
        store_of(opened).put(draft("one more"))  # what memory held goes into the table
        store_of(opened).acknowledge(MOST_IN_MEMORY + 20)
    with closing(open_database(path)[0]) as opened:
        store = store_of(opened)
        assert store.put_all([StoreEvent(draft(name)) for name in names]) == [*range(1, len(names) + 1)]
        assert store.put_all([StoreEvent(draft("twice")), StoreEvent(draft("twice"))]) == [len(names) + 2] * 2
        store.acknowledge(len(names) + 2)
        assert store.put(draft("twice")) == len(names) + 2


FLIPPED = [
    "UPDATE counter SET value = 'abc' WHERE name = 'devseq'",
    "UPDATE counter SET value = '-5' WHERE name = 'acked'",
    "UPDATE counter SET value = '999' WHERE name = 'acked'",
    "UPDATE counter SET value = '9e9' WHERE name = 'session'",
    "UPDATE counter SET value = 'zz' WHERE name = 'head'",
    "UPDATE counter SET value = CAST(x'ff' AS TEXT) WHERE name = 'devseq'",
    "UPDATE counter SET value = x'ff' WHERE name = 'session'",
    "DROP TABLE remembered",
]


@pytest.mark.parametrize("flip", FLIPPED)
def test_a_flipped_bit_that_sqlite_takes_for_whole_stops_no_start(path: Path, flip: str) -> None:
    with closing(open_database(path)[0]) as opened:
        store_of(opened).put(draft("a"))
        DeviceMemory(opened).next_session()
        opened.run("UPDATE counter SET value = '1' WHERE name = 'acked'")
        opened.run("INSERT OR IGNORE INTO counter VALUES ('acked', '1')")
        opened.run(flip)
        opened.run("COMMIT")
    again, loss = open_database(path)
    with closing(again):
        assert loss is not None
        assert path.with_name(loss.kept_as).is_file()
        assert store_of(again).put(draft("b")) == BLOCK + 2
        assert read_snapshot(path).waiting == 1


def test_the_status_of_a_store_with_a_damaged_counter_is_one_line(path: Path, database: Database) -> None:
    store_of(database).put(draft("a"))
    with database.transaction():
        database.run("UPDATE counter SET value = 'abc' WHERE name = 'devseq'")
    with pytest.raises(EnvironmentFault, match="计数已损坏"):
        read_snapshot(path)
    with pytest.raises(EnvironmentFault, match="计数已损坏"):
        store_of(database).put(draft("b"))


def test_an_open_recording_that_never_was_is_dropped_and_told(database: Database) -> None:
    memory = DeviceMemory(database)
    memory.reserve_recording(2)
    for value in (99_999_999_999, -1, 2**40):
        with database.transaction():
            database.run("INSERT INTO open_recording VALUES (?)", (value,))
    assert memory.open_recordings() == (2,)
    assert len(memory.drop_impossible()) == 3
    assert memory.drop_impossible() == []
    assert memory.open_recordings() == (2,)


def test_a_flipped_floor_or_witness_is_left_out_and_stops_nothing(database: Database) -> None:
    memory = DeviceMemory(database)
    memory.remember(DisclosureSeen("notice", "n", 2, HEAD, withdrawn=False))
    memory.remember(DisclosureSeen("notice", "m", 2, HEAD, withdrawn=False))
    with database.transaction():
        database.run("UPDATE disclosure SET version = 'x' WHERE id = 'm'")
        database.set("witnessed/REC-0002", "1 2 3")
        database.set("witnessed/REC-0003", "1 x")
        database.set("witnessed/\ufffd", "1 2 3")
    recalled = memory.recall()
    assert list(recalled.floors) == [("notice", "n")]
    assert list(recalled.witnessed) == ["REC-0002"]


def test_an_older_copy_of_the_store_is_noticed(path: Path) -> None:
    opened, _ = open_database(path)
    with closing(opened):
        store_of(opened).put(draft("first"))
    older = path.read_bytes()
    opened, _ = open_database(path)
    with closing(opened):
        store = store_of(opened)
        for number in range(BLOCK + 5):
            store.put(draft(f"e{number}"))
    path.write_bytes(older)
    again, loss = open_database(path)
    with closing(again):
        assert loss is not None
        assert store_of(again).put(draft("next")) > BLOCK + 6


def test_a_store_of_an_earlier_version_keeps_its_disclosures(path: Path) -> None:
    opened, _ = open_database(path)
    with closing(opened):
        opened.run("ALTER TABLE disclosure DROP COLUMN withdrawn")
        opened.run("DELETE FROM _sqlite_migrations WHERE name = 'withdrawn_disclosures'")
        opened.run("INSERT INTO disclosure VALUES ('notice', 'n', 2, ?)", (HEAD,))
        opened.run("COMMIT")
    again, _ = open_database(path)
    with closing(again):
        assert DeviceMemory(again).recall().floors == {("notice", "n"): Floor(2, HEAD)}


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"devseq":-1,"recording":0,"session":0}', None])
def test_a_damaged_counter_mirror_is_told_and_made_again(path: Path, content: bytes | None) -> None:
    opened, _ = open_database(path)
    with closing(opened):
        store_of(opened).put(draft("first"))
    mirror = path.with_name("counters.json")
    if content is None:
        mirror.unlink()
    else:
        mirror.write_bytes(content)
    again, loss = open_database(path)
    with closing(again):
        assert loss is not None
        assert "计数镜像" in loss.detail
        assert (loss.skipped_to, store_of(again).put(draft("second"))) == (1, 2)
        assert again.mirror.written.devseq > 2
    if content is not None:
        assert path.with_name(loss.kept_as).read_bytes() == content
    assert open_database(path)[1] is None


def test_a_mirror_with_absurd_numbers_is_damaged_and_costs_no_numbers(path: Path) -> None:
    """Otherwise the next event would have a number that no centre takes."""
    with closing(open_database(path)[0]) as database:
        store_of(database).put(draft("a"))
    absurd = {"devseq": 2**53 - 1, "session": 1, "recording": 1}
    path.with_name("counters.json").write_bytes(canonical.encode(absurd))
    opened, loss = open_database(path)
    with closing(opened):
        assert loss is not None
        assert "计数镜像已损坏" in loss.detail
        assert store_of(opened).put(draft("b")) == 2


def test_losing_store_and_mirror_is_not_taken_for_a_new_device(path: Path) -> None:
    opened, _ = open_database(path)
    opened.close()
    path.unlink()
    path.with_name("counters.json").write_bytes(b"{")
    again, loss = open_database(path)
    again.close()
    assert loss is not None
    assert "编号从头开始" in loss.detail


def test_a_counter_mirror_that_cannot_be_read_is_an_environment_fault(path: Path) -> None:
    path.with_name("counters.json").mkdir()
    with pytest.raises(EnvironmentFault, match="计数镜像"):
        open_database(path)


def test_status_reads_while_the_daemon_writes(path: Path, database: Database) -> None:
    store_of(database).put(draft("a"))
    with database.transaction():
        database.set("last_error", "未提交")
        figures = read_snapshot(path)
        assert (figures.devseq, figures.waiting, figures.last_error) == (1, 1, "")


WRITER = """
import sys
from pathlib import Path
from tests.agent.adapters.test_store import draft, open_database, store_of
store = store_of(open_database(Path(sys.argv[1]))[0])
for number in range(100_000):
    devseq = store.put(draft(f"{sys.argv[2]}/{number}"))
    sys.stdout.write(f"{devseq}\\n")
    sys.stdout.flush()
"""


def test_kill_9_loses_no_event_that_was_accepted(path: Path) -> None:
    last = 0
    for life in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(life)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(40):
                last = int(writer.stdout.readline())
            writer.kill()
            rest = writer.stdout.read().split(b"\n")
            last = max([last, *(int(line) for line in rest[:-1] if line)])
    opened, loss = open_database(path)
    with closing(opened):
        assert loss is None
        bodies = [body for _, body in store_of(opened).waiting(0, 10**6, 10**9)]
        assert len(bodies) >= last >= 120
        assert [parse_event(canonical.decode(body)).prev for body in bodies[1:]] == [*map(event_hash, bodies[:-1])]


def test_a_store_in_a_missing_folder_is_an_environment_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="unable to open"):
        open_database(tmp_path / "missing" / "agent.db")


@pytest.mark.parametrize("stored", [0, BLOCK + 1])
@pytest.mark.parametrize("together", [1, 2, MAX_TOGETHER])
def test_a_power_cut_between_the_mirror_and_the_events_that_needed_it_is_no_lost_store(
    path: Path, stored: int, together: int
) -> None:
    opened, _ = open_database(path)
    with closing(opened):
        store_of(opened).put_all([StoreEvent(draft(f"e{number}")) for number in range(stored)])
        opened.mirror.cover_event(stored + 1, stored + together)
    again, loss = open_database(path)
    with closing(again):
        assert loss is None
        assert store_of(again).put(draft("next")) == stored + 1
