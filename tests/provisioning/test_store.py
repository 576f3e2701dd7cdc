"""The contract of the centre's store, the same for SQLite and PostgreSQL; every test plays over a real database."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.event import listen, remove

from agent.errors import EnvironmentFault, OperatorFault
from agent.wire.canonical import decode
from agent.wire.device_events import EventType, event_hash, parse_event
from provisioning.center.receipt_desk import RECEIPT_INTERVAL_MS
from provisioning.center.store import open_store
from tests.provisioning.center_bench import A, B, Center, Keys
from tests.provisioning.district import Chain, events_topic, lost_memory, sealed_batch, sealed_status, state_topic
from tests.support.postgres import Postgres, needs_postgres

ENGINES = [
    "sqlite",
    pytest.param("postgres", marks=[needs_postgres, pytest.mark.xdist_group("postgres")]),
]


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="liuhen-pg-"))  # a socket's path has 107 characters
    server = Postgres(folder).start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(engine: str, request: pytest.FixtureRequest) -> str:
    return "sqlite:///center.db" if engine == "sqlite" else request.getfixturevalue("postgres").url()


@pytest.fixture
def center(holders: Keys, tmp_path: Path, url: str) -> Iterator[Center]:
    made = Center(holders, tmp_path, url)
    yield made
    made.store.close()


def test_chain_is_kept_in_order_through_disorder_and_replay(center: Center) -> None:
    bodies = center.chain.add(9)
    for part in (bodies[6:], bodies[:3], bodies[2:5], bodies[6:], bodies[3:6], bodies):
        center.send(*part)
    assert center.store.events(A) == tuple(bodies)
    row = center.row()
    assert (row.received, row.upto, row.head, row.parked, row.gaps) == (9, 9, event_hash(bodies[-1]), 0, 1)
    assert center.store.events(A, after=7) == tuple(bodies[7:])


def _statements(center: Center, group: list[tuple[str, bytes]]) -> int:
    """How often the database is asked for a group of messages and the receipts for it, delivered."""
    asked: list[str] = []
    heard = lambda *given: asked.append(given[2])  # noqa: E731
    listen(center.store._engine, "before_cursor_execute", heard)
    center.clock.step(RECEIPT_INTERVAL_MS)
    center.ingest.take(group, center.clock.wall, center.clock.monotonic_ms)
    center.clock.step(RECEIPT_INTERVAL_MS)
    center.ingest.delivered(center.ingest.receipts(center.clock.wall, center.clock.monotonic_ms))
    remove(center.store._engine, "before_cursor_execute", heard)
    return len(asked)


def test_an_event_alone_from_each_of_two_devices_asks_the_database_no_more_often_than_one(center: Center) -> None:
    """A district that comes back sends just these; asked for each by itself, a busy centre never caught up."""
    a, b = Chain(A).add(3), Chain(B).add(2)
    lone = [[(events_topic(name), sealed_batch(key, [body])) for body in bodies]
            for name, key, bodies in ((A, center.a, a), (B, center.b, b))]  # fmt: skip
    _statements(center, [lone[0][0], lone[1][0]])
    assert _statements(center, [lone[0][1], lone[1][1]]) == _statements(center, [lone[0][2]])
    assert (center.store.events(A), center.store.events(B)) == (tuple(a), tuple(b))
    assert [(row.upto, row.receipted) for row in center.store.summary()] == [(3, 3), (2, 2)]


def test_fork_gap_and_good_event_in_one_group_touch_only_their_own_device(center: Center) -> None:
    a, b = center.chain.add(3), Chain(B).add(3)
    center.send(a[0])
    forged = sealed_batch(center.a, [Chain(A).add(1, "乙")[0]])
    late, good = sealed_batch(center.a, [a[2]]), sealed_batch(center.b, b[:1])
    group = [(events_topic(A), forged), (events_topic(B), good), (events_topic(A), late)]
    center.ingest.take(group, center.clock.wall, center.clock.monotonic_ms)
    assert center.alarms() == [(A, "fork", 1)]
    assert [(row.upto, row.parked, row.gaps) for row in center.store.summary()] == [(1, 1, 1), (1, 0, 0)]
    center.clock.step(RECEIPT_INTERVAL_MS)
    told = center.ingest.receipts(center.clock.wall, center.clock.monotonic_ms)
    assert [(it.receipt.device, it.receipt.upto, it.receipt.resend) for it in told] == [(A, 1, True), (B, 1, False)]


def test_gap_is_asked_for_again_and_told_in_the_summary(center: Center) -> None:
    bodies = center.chain.add(4)
    center.send(*bodies[:1])
    center.send(*bodies[2:])
    assert center.receipt() == (1, True)
    assert (center.row().parked, center.row().gaps) == (2, 1)
    center.send(bodies[1])
    assert center.receipt() == (4, False)


def test_fork_is_one_alarm_that_counts_and_the_first_stays(center: Center) -> None:
    bodies = center.chain.add(2)
    center.send(*bodies)
    for _ in range(3):
        center.send(Chain(A).add(1, "乙")[0])
    assert center.alarms() == [(A, "fork", 1)]
    assert center.store.alarms()[0]["times"] == 3
    assert center.store.events(A) == tuple(bodies)


def test_declared_gap_stays_for_ever(center: Center) -> None:
    center.send(*center.chain.add(2))
    center.send(lost_memory(A, 10))
    center.restart()
    (loss,) = center.store.losses()
    assert (loss["first"], loss["last"], loss["declared_by"]) == (3, 9, 10)
    assert center.receipt_after_restart() == 10


def test_restart_owes_what_was_not_delivered_and_keeps_the_log(center: Center) -> None:
    center.send(*center.chain.add(5))
    before = center.point()
    center.restart()
    assert center.receipt_after_restart() == 5
    assert center.point() == before
    center.send(*center.chain.add(1))
    assert center.point().size == 6


def test_undone_transaction_leaves_neither_event_nor_leaf(center: Center) -> None:
    center.send(*center.chain.add(1))
    with contextlib.suppress(ZeroDivisionError), center.store.transaction() as ledger:
        ledger.receipted([(A, 1, b"")])
        ledger.rows.add("leaf", [{"device": B, "devseq": 1, "log": "receiver-1", "position": 1}])
        raise ZeroDivisionError
    assert (center.row().receipted, center.point().size) == (0, 1)
    with center.store.transaction() as ledger:
        assert [row["device"] for row in ledger.rows.each("leaf")] == [A]


def test_account_has_every_batch_the_last_receipt_and_the_witness(center: Center) -> None:
    center.send(center.chain.add_head("R000001", 3, "ab" * 32))
    center.send(*center.chain.add(2))
    assert len(center.account()) == 4


def test_late_last_will_of_an_older_session_does_not_put_a_device_offline(center: Center) -> None:
    center.take(sealed_status(center.a, A, 2), state_topic(A))
    center.take(sealed_status(center.a, A, 1, online=False), state_topic(A))
    assert center.row().online


def test_nul_in_an_event_s_id_stops_no_receiver(center: Center) -> None:
    body = center.chain._append("示\0例", EventType.DEVICE_STARTED, {"示例": "\0"})
    center.send(body)
    assert parse_event(decode(center.store.events(A)[0])).event_id == "示\0例"


def test_two_devices_do_not_touch_each_other(center: Center) -> None:
    other = Chain(B).add(3)
    center.send(*center.chain.add(2))
    center.take(sealed_batch(center.b, other), events_topic(B))
    assert (center.row(A).upto, center.row(B).upto) == (2, 3)
    assert center.store.events(B) == tuple(other)


def test_events_from_before_there_was_a_log_become_its_beginning(center: Center) -> None:
    center.send(*center.chain.add(7))
    whole = center.point()
    for table in ("leaf", "node", "log"):
        center.forget(table)
    center.restart()
    assert center.point() == whole


def test_store_that_was_never_made_is_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(OperatorFault, match="数据库"):
        open_store(url, tmp_path / "none", create=False)


@needs_postgres
@pytest.mark.xdist_group("postgres")
def test_server_that_never_waits_for_its_disk_is_refused(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="liuhen-pg-"))
    careless = Postgres(folder).start("fsync=off")
    try:
        with pytest.raises(EnvironmentFault, match="fsync"):
            open_store(careless.url(), tmp_path)
    finally:
        careless.stop()
        shutil.rmtree(folder)
