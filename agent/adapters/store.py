"""The chain of events that waits for the centre, and what the device must remember, over one `Database`."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from agent.adapters.command_memory import read_commands, read_holds, write_command_note
from agent.adapters.damaged_rows import declarations, find_damage, one_run, quarantine, quarantined_hash
from agent.adapters.database import Database
from agent.adapters.kept_recordings import offload_wanted, read_kept, write_kept
from agent.control.back_pressure import STEPS, Pressure, pressure, takes
from agent.control.command_messages import CommandSettled, CommandUsed, HoldsKept
from agent.control.controller import Memory
from agent.control.effects import (
    CollectedTold,
    DisclosureSeen,
    DutyKept,
    EventDraft,
    EventsDamaged,
    HeadSeen,
    HealthSeen,
    Note,
    RecordingEnded,
    StoreEvent,
    TrustSeen,
)
from agent.control.offload_messages import KeptGone, KeptSeen, OffloadWanted
from agent.control.recording import RecordingMemory
from agent.control.witness_desk import WitnessFloor
from agent.duty.floors import Floor
from agent.duty.shift import Shift, parse_shift
from agent.errors import EnvironmentFault, SenderFault
from agent.wire import canonical
from agent.wire.device_events import GENESIS, MAX_EVENT_BYTES, DamagedRun, DeviceEvent, event_hash
from agent.wire.identifiers import DIGEST_PATTERN, DeviceId, Digest, District, device_id

WAITING = (  # and whether any number among them or behind them is lost
    "SELECT devseq, COALESCE(CAST(body AS BLOB), x''), COALESCE(CAST(hash AS TEXT), ''), "
    "EXISTS(SELECT 1 FROM quarantined WHERE devseq > ?1) FROM outbox WHERE devseq > ?1 ORDER BY devseq LIMIT ?2"
)
ADD = "INSERT INTO outbox(devseq, event_id, type, body, hash) VALUES (?, ?, ?, ?, ?)"
DELETE_ROWS = 200  # reference/mqtt.md section 4: rows leave in batches
SET_END = (
    "INSERT INTO counter(name, value) VALUES ('devseq', ?), ('head', ?) "
    "ON CONFLICT(name) DO UPDATE SET value = excluded.value"
)

logger = logging.getLogger(__name__)


class EventStore:
    """The outbox of `device`: numbered +1 without reuse, each event carrying the hash of the one before."""

    def __init__(self, database: Database, place: District, device: DeviceId) -> None:
        self._database, self._place, self._device = database, place, device
        self._pressure = Pressure.NONE
        database.chain_end = None  # whoever is new reads it once

    def put(self, draft: EventDraft, note: Note | None = None) -> int:
        """As `put_all` for one."""
        return self.put_all([StoreEvent(draft, note)])[0]

    def put_all(self, orders: Sequence[StoreEvent], notes: Sequence[Note] = ()) -> list[int]:
        """Number, chain and commit every draft together with its note, and `notes`, all in one transaction; returns
        their numbers.

        A fact that was stored before keeps its number. Raises `EnvironmentFault` when the store is full, takes only
        weightier events just now (`agent.control.back_pressure`) or fails: nothing is stored then, and the numbers stay
        free.
        """
        database, level = self._database, self.pressure()
        refused = next((it.draft.type for it in orders if not takes(level, it.draft.type)), None)
        if refused is not None:
            raise EnvironmentFault(f"{STEPS[level].text}（{refused.value.removeprefix('liuhen.')}）")
        if database.ids.many:
            self._settle_ids()
        end, database.chain_end = database.chain_end or self._stored_end(), None
        database.mirror.cover_event(end[0] + 1, end[0] + len(orders))
        new: dict[str, int] = {}
        with database.transaction():
            numbers, rows = [], []
            for order in orders:
                number = new.get(order.draft.event_id) or database.ids.number_of(order.draft.event_id)
                if number is None:
                    rows.append(self._row(order.draft, *end))
                    end = rows[-1][0], rows[-1][-1]
                    number = new[order.draft.event_id] = end[0]
                if order.note is not None:
                    write_note(database, order.note, number)
                numbers.append(number)
            for note in notes:
                write_note(database, note, 0)
            database.run_each(ADD, rows)
            database.run(SET_END, (str(end[0]), end[1]))
        database.chain_end = end
        database.ids.learn(new)
        return numbers

    def _settle_ids(self) -> None:
        with self._database.transaction():
            self._database.ids.settle()
        self._database.ids.settled()

    def pressure(self) -> Pressure:
        """How full the store is."""
        self._pressure = pressure(self._database.used_percent(), self._pressure)
        return self._pressure

    def _stored_end(self) -> tuple[int, Digest]:
        return self._database.integer("devseq"), Digest(self._database.text("head", GENESIS))

    def run_of(self, devseq: int, reason: str) -> DamagedRun:
        """The one waiting event `devseq` as a run that will never come."""
        return one_run(self._database, devseq, reason)

    def damage(self, after: int, limit: int) -> list[DamagedRun]:
        """The lost numbers among the next `limit` events after `after` that are not declared yet."""
        return find_damage(self._database, after, limit)

    def waiting(self, after: int, max_events: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """Number and body of the next events after number `after`, as many as fit one payload.

        An event larger than `max_bytes` comes alone: it must not block those behind it. What declares numbers between
        them lost goes along, ahead of its turn and before them.
        """
        return self.checked(after, max_events, max_bytes)[0]

    def checked(self, after: int, max_events: int, max_bytes: int) -> tuple[list[tuple[int, bytes]], bool]:
        """As `waiting`, and whether they follow `after` without a hole and each is what was stored; where not, `damage`
        says which."""
        rows: list[tuple[int, bytes, str, int]] = self._database.run(WAITING, (after, max_events))
        if not rows:
            return [], self._database.integer("devseq") <= after
        ahead = declarations(self._database, after, rows[-1][0]) if rows[0][3] else []
        size = len(b"[]") + sum(len(body) + len(b",") for _, body in ahead)
        chosen: list[tuple[int, bytes]] = []
        whole = not ahead
        for devseq, body, kept, _ in rows[: max(1, max_events - len(ahead))]:
            size += len(body) + len(b",")
            if chosen and size > max_bytes:
                break
            chosen.append((devseq, body))
            whole = whole and devseq == after + len(chosen) and event_hash(body) == kept
        return [*ahead, *chosen], whole

    def hash_of(self, devseq: int) -> Digest | None:
        """Our own hash of an event that waits or was the last to be receipted; None for any other number."""
        if devseq == self._database.integer("acked"):
            return Digest(self._database.text("acked_head", GENESIS))
        rows = self._database.run("SELECT COALESCE(hash, '') FROM outbox WHERE devseq = ?", (devseq,))
        return Digest(rows[0][0]) if rows else quarantined_hash(self._database, devseq)

    def acknowledge(self, upto: int, at: str = "") -> None:
        """Let the events up to `upto`, which the centre has receipted, leave; `at` is remembered as when the last
        receipt came. Raises `EnvironmentFault`."""
        head = self.hash_of(upto)
        if head is None:
            raise EnvironmentFault(f"本机没有第 {upto} 号事件，不能按回执清理。请检查 agent.db。")
        left = self._database.insist(lambda: self._receipted(upto, head, at))
        while left == DELETE_ROWS:
            left = self._database.insist(lambda: self._receipted(upto, head, at))

    def _row(self, draft: EventDraft, last: int, prev: Digest) -> tuple[int, str, str, bytes, Digest]:
        devseq = last + 1
        body = self._link(draft, devseq, prev).encode()
        if len(body) > MAX_EVENT_BYTES:  # no batch could ever carry it: the fact is kept, its content left out by name
            left_out = {"left_out": len(body), "digest": event_hash(body)}
            body = self._link(replace(draft, data=left_out), devseq, prev).encode()
        return devseq, draft.event_id, draft.type.value, body, event_hash(body)

    def _link(self, draft: EventDraft, devseq: int, prev: Digest) -> DeviceEvent:
        return DeviceEvent(
            self._place,
            self._device,
            devseq,
            prev,
            draft.event_id,
            draft.type,
            draft.at.boot,
            draft.at.monotonic_ns // 1_000_000,
            draft.at.wall,
            draft.at.state,
            draft.data,
        )

    def _receipted(self, upto: int, head: Digest, at: str) -> int:
        with self._database.transaction():
            self._database.set("acked", upto)
            self._database.set("acked_head", head)
            self._database.set("acked_at", at)
            leaving = self._forget_batch(upto)
        self._database.ids.left(leaving[-1][1] if leaving else upto)
        return len(leaving)

    def _forget_batch(self, upto: int) -> list[tuple[Any, ...]]:
        sql = "SELECT event_id, devseq FROM outbox WHERE devseq <= ? ORDER BY devseq LIMIT ?"
        leaving = self._database.run(sql, (upto, DELETE_ROWS))
        if leaving:
            # Deleted first: in a full store the pages this frees are those that the ids need.
            self._database.run("DELETE FROM outbox WHERE devseq <= ?", (leaving[-1][1],))
            self._database.ids.leave(leaving)
        self._database.ids.forget(upto)
        return leaving


class DeviceMemory:
    """What survives beside the events: numbers in use, versions seen, the last error."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def remember(self, note: Note) -> None:
        """Commit `note` alone; raises `EnvironmentFault`."""
        with self._database.transaction():
            write_note(self._database, note, 0)

    def reserve_recording(self, number: int) -> None:
        """Make recording `number` used, and open until a `RecordingEnded`; raises `EnvironmentFault`."""
        self._database.mirror.cover_recording(number)
        with self._database.transaction():
            self._database.set("recording", max(number, self._database.integer("recording")))
            self._database.run("INSERT OR IGNORE INTO open_recording(number) VALUES (?)", (number,))

    def next_session(self) -> int:
        """The number of a new connection, one more than ever before; raises `EnvironmentFault`."""
        session = self._database.integer("session") + 1
        self._database.insist(lambda: self._begin_session(session))
        return session

    def _begin_session(self, session: int) -> None:
        self._database.mirror.cover_session(session)
        with self._database.transaction():
            self._database.set("session", session)

    def record_fault(self, text: str, at: datetime) -> None:
        """Keep `text` as the device's last error, told at `at`; raises `EnvironmentFault`."""
        with self._database.transaction():
            self._database.set("last_error", f"{canonical.timestamp(at)} {text}")

    def recall(self) -> Memory:
        """What the controller starts from."""
        store = self._database
        recordings = RecordingMemory(
            max(store.integer("recording"), store.mirror.written.recording),
            store.integer("recording_head_number"),
            Digest(store.text("recording_head", GENESIS)),
        )
        rows = store.run("SELECT kind, id, version, digest, withdrawn FROM disclosure")
        floors = {
            (kind, name): Floor(version, digest, bool(gone))
            for kind, name, version, digest, gone in rows
            if isinstance(version, int) and DIGEST_PATTERN.fullmatch(str(digest))
        }
        return Memory(
            store.integer("devseq"),
            store.integer("acked"),
            recordings,
            floors,
            self._witnessed(),
            self._shift(),
            kept=read_kept(store),
            commands=read_commands(store),
            holds=read_holds(store),
            offload_wanted=offload_wanted(store),
        )

    def _shift(self) -> Shift:
        kept = self._database.text("shift", "")
        try:
            return parse_shift(kept.encode()) if kept else Shift()
        except SenderFault as fault:
            logger.warning("%s", fault)
            return Shift()

    def _witnessed(self) -> dict[DeviceId, WitnessFloor]:
        rows = self._database.run("SELECT name, value FROM counter WHERE name LIKE 'witnessed/%'")
        return dict(floor for name, value in rows for floor in _witness_floor(name.partition("/")[2], value))

    def open_recordings(self) -> tuple[int, ...]:
        """Numbers of recordings whose end was never stored."""
        return tuple(number for number in _open_numbers(self._database) if _is_possible(self._database, number))

    def drop_impossible(self) -> list[str]:
        """Forget open recordings that this device can never have begun: a flipped bit; one Chinese line for each.
        Raises `EnvironmentFault`."""
        gone = [number for number in _open_numbers(self._database) if not _is_possible(self._database, number)]
        with self._database.transaction():
            for number in gone:
                self._database.run("DELETE FROM open_recording WHERE number IS ?", (number,))
        return [
            f"数据库中未结束的录制编号 {str(number)[:20]} 不可能存在，已忽略；录像文件不受影响。" for number in gone
        ]

    def collected(self) -> int:
        """The highest number of a collected file that was ever stored as an event."""
        return self._database.integer("collected")

    def trust_version(self) -> int:
        """The highest trust list version ever accepted."""
        return self._database.integer("trust_version")


def _open_numbers(database: Database) -> list[Any]:
    return [number for (number,) in database.run("SELECT number FROM open_recording ORDER BY number")]


def _is_possible(database: Database, number: Any) -> bool:
    last = max(database.integer("recording"), database.mirror.written.recording)
    return isinstance(number, int) and 1 <= number <= last


def _witness_floor(partner: str, value: str) -> Iterator[tuple[DeviceId, WitnessFloor]]:
    try:
        number, recording, sequence = map(int, value.split())
        yield device_id(partner), WitnessFloor(number, recording, sequence)
    except (ValueError, SenderFault):
        return  # a flipped bit; what the partner says next is taken as the first


def write_note(database: Database, note: Note, devseq: int) -> None:
    """Keep `note`, inside the transaction of event `devseq` (0 for none)."""
    match note:
        case EventsDamaged(run):
            quarantine(database, run, devseq)
        case RecordingEnded(number, head):
            database.run("DELETE FROM open_recording WHERE number = ?", (number,))
            if head is not None and number >= database.integer("recording_head_number"):
                database.set("recording_head_number", number)
                database.set("recording_head", head)
        case DisclosureSeen(kind, name, version, digest, withdrawn):
            sql = "INSERT OR REPLACE INTO disclosure(kind, id, version, digest, withdrawn) VALUES (?, ?, ?, ?, ?)"
            database.run(sql, (kind, name, version, digest, int(withdrawn)))
        case HeadSeen(partner, number, recording, sequence):
            database.set(f"witnessed/{partner}", f"{number} {recording} {sequence}")
        case HealthSeen(reading):
            database.set("health", reading)
        case CollectedTold(number):
            database.set("collected", max(number, database.integer("collected")))
        case KeptSeen() | KeptGone() | OffloadWanted():
            write_kept(database, note)
        case DutyKept(shift):
            database.set("shift", shift)
        case TrustSeen(version):
            database.set("trust_version", max(version, database.integer("trust_version")))
        case CommandUsed() | CommandSettled() | HoldsKept():
            write_command_note(database, note)
