"""The district's devices: who has which, in which state, since when; every act is one row of the audit as well.

    with open_inventory(folder, by="示例-000001") as inventory:
        inventory.plan(Planned("REC-0001", hardware="...", unit="..."), now)
        inventory.move("REC-0001", State.BUNDLED, "制卡", now)

A row and its audit row are one transaction: after a power cut both are there or neither. `settings` is what the device
was ordered with (`site` and `add-device`), as canonical JSON; it holds no secret.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.errors import OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import parse_timestamp, timestamp
from agent.wire.card_bundle import hardware_serial
from provisioning.authority.audit_chain import Act
from provisioning.authority.records import Records, open_records
from provisioning.authority.subjects import device_role
from provisioning.fleet.states import CHINESE, State, checked_move

MAX_TEXT = 200  # ours: a unit's full name, a reason


@dataclass(frozen=True)
class Planned:
    """A device to be listed. `hardware` is its serial number, "" while it is unknown; its case counts for nothing."""

    device: str
    hardware: str = ""
    unit: str = ""
    model: str = ""
    settings: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Device:
    """A device as it is listed; `officer` has it now, "" for nobody."""

    device: str
    role: str
    state: State
    hardware: str
    unit: str
    model: str
    officer: str
    settings: Mapping[str, Any]
    planned_at: datetime
    changed_at: datetime
    changed_by: str
    why: str


class Inventory:
    """An open inventory, used by one thread; made by `open_inventory`. Times are aware."""

    def __init__(self, records: Records, by: str) -> None:
        self.records, self.by = records, by

    def device(self, device: str) -> Device:
        """The device; raises `OperatorFault` when it is not listed."""
        found = self.find(device)
        if found is None:
            raise OperatorFault(f"台账中没有 {device[:40]}。请先运行 liuhen-provision add-device。")
        return found

    def find(self, device: str) -> Device | None:
        """The device, None when it is not listed."""
        rows = self.records.rows("SELECT * FROM device WHERE device = ?", device)
        return _device(rows[0]) if rows else None

    def devices(self, state: State | None = None) -> tuple[Device, ...]:
        """All devices, or those in `state`, by id."""
        where, values = ("", ()) if state is None else (" WHERE state = ?", (state.value,))
        rows = self.records.rows(f"SELECT * FROM device{where} ORDER BY device", *values)  # noqa: S608
        return tuple(map(_device, rows))

    def plan(self, wanted: Planned, now: datetime) -> bool:
        """List a device as planned; False when it is listed already with the same facts.

        Raises `OperatorFault` when it is listed with others, or another device has its serial number.
        """
        role = device_role(wanted.device).value
        row = checked(wanted)
        with self.records.transaction():
            held = self.find(wanted.device)
            if held is not None:
                _same(held, row)
                return False
            _refuse_second(self.records, wanted.device, row["hardware"])
            moment = {"planned_at": timestamp(now), "changed_at": timestamp(now), "changed_by": self.by, "why": ""}
            first = {"device": wanted.device, "role": role, "state": State.PLANNED.value, "officer": ""}
            self.records.insert("device", first | row | moment)
            self.note("device-planned", wanted.device, {"hardware": row["hardware"], "unit": wanted.unit}, now)
        return True

    def move(self, device: str, state: State, why: str, now: datetime) -> Device:
        """Bring a device into `state` by a legal move, which is one row of the audit; the same state again is none.

        Raises `OperatorFault` for a move that is not legal.
        """
        with self.records.transaction():
            held = self.device(device)
            if held.state is not state:
                checked_move(device, held.state, state)
                officer = held.officer if state in (State.ASSIGNED, State.IN_REPAIR, State.LOST) else ""
                if not officer:
                    _end_assignment(self.records, device, now)
                self._set(device, {"state": state.value, "why": _text(why, "原因"), "officer": officer}, now)
                self.note("device-moved", device, {"from": held.state.value, "to": state.value, "why": why}, now)
        return self.device(device)

    def bind(self, device: str, hardware: str, now: datetime) -> None:
        """Write down the serial number of a device that was listed without; raises `OperatorFault` when it has another
        already or the number is somebody else's."""
        with self.records.transaction():
            held, number = self.device(device), _hardware(hardware)
            if held.hardware and held.hardware.lower() != number:
                raise OperatorFault(f"{device} 登记的硬件序列号是 {held.hardware}，不是 {hardware}。请核对设备。")
            if not held.hardware:
                _refuse_second(self.records, device, number)
                self._set(device, {"hardware": number}, now)
                self.note("device-bound", device, {"hardware": number}, now)

    def assign(self, device: str, officer: str, document: bytes, now: datetime) -> Device:
        """Hand an accepted device to `officer` by a signed dated `document`; the assignment before it ends."""
        with self.records.transaction():
            _end_assignment(self.records, device, now)
            held = self.device(device)
            if held.state is not State.ASSIGNED:
                self.move(device, State.ASSIGNED, f"交 {officer}", now)
            row = {"device": device, "officer": _text(officer, "人员编号"), "since": timestamp(now)}
            self.records.insert("assignment", row | {"until": None, "document": document})
            self._set(device, {"officer": officer}, now)
            self.note("device-assigned", device, {"officer": officer}, now)
        return self.device(device)

    def assignment(self, device: str) -> bytes | None:
        """The document of the assignment that runs; None when there is none."""
        rows = self.records.rows("SELECT document FROM assignment WHERE device = ? AND until IS NULL", device)
        return bytes(rows[0]["document"]) if rows else None

    def hand_back(self, device: str, why: str, now: datetime) -> Device:
        """An officer gives the device back: it is accepted, and nobody's. Raises `OperatorFault` when nobody has it."""
        with self.records.transaction():
            held = self.device(device)
            if held.state is not State.ASSIGNED:
                told = f"{device} 现为{CHINESE[held.state]}（{held.state}），没有配备给人，无须交回"
                raise OperatorFault(f"{told}。请用 inventory 查看其状态。")
            return self.move(device, State.ACCEPTED, why, now)

    def report(self, device: str, document: bytes, now: datetime, *, passed: bool) -> None:
        """Keep an acceptance report (its signed document); whether the device is accepted by it is a `move`."""
        with self.records.transaction():
            self.device(device)
            row = {"device": device, "passed": int(passed), "made_at": timestamp(now), "document": document}
            self.records.insert("check_report", row)
            self.note("device-checked", device, {"passed": passed}, now)

    def note(self, act: str, subject: str, facts: dict[str, Any], now: datetime) -> None:
        """One row of the audit; `facts` hold no secret."""
        self.records.audit(Act(now, self.by, act, subject, facts))

    def _set(self, device: str, values: dict[str, str], now: datetime) -> None:
        told = values | {"changed_at": timestamp(now), "changed_by": self.by}
        names = ", ".join(f"{name} = ?" for name in told)
        self.records.rows(f"UPDATE device SET {names} WHERE device = ?", *told.values(), device)  # noqa: S608


def relist(inventory: Inventory, wanted: Planned, now: datetime) -> bool:
    """List a device with other facts; False when they are the ones there are. Raises `OperatorFault` as `plan`."""
    row = checked(wanted)
    with inventory.records.transaction():
        if not _others(inventory.device(wanted.device), row):
            return False
        _refuse_second(inventory.records, wanted.device, row["hardware"])
        told = row | {"changed_at": timestamp(now), "changed_by": inventory.by}
        names = ", ".join(f"{name} = ?" for name in told)
        inventory.records.rows(f"UPDATE device SET {names} WHERE device = ?", *told.values(), wanted.device)  # noqa: S608
    return True


@contextmanager
def open_inventory(folder: Path, by: str) -> Iterator[Inventory]:
    """The inventory of the authority in `folder`; `by` is who works there."""
    records = open_records(folder)
    try:
        yield Inventory(records, _text(by, "操作人"))
    finally:
        records.close()


def _end_assignment(records: Records, device: str, now: datetime) -> None:
    sql = "UPDATE assignment SET until = ? WHERE device = ? AND until IS NULL"
    records.rows(sql, timestamp(now), device)


def _refuse_second(records: Records, device: str, hardware: str) -> None:
    sql = "SELECT device FROM device WHERE lower(hardware) = ? AND hardware <> '' AND state <> 'decommissioned'"
    for row in records.rows(f"{sql} AND device <> ?", hardware, device):
        raise OperatorFault(f"硬件序列号 {hardware} 已登记为 {row['device']}，{device} 未登记。请核对标签。")


def checked(wanted: Planned) -> dict[str, str]:
    """The facts of a device as they will stand in its row; raises `OperatorFault` for what cannot."""
    settings = canonical.encode(dict(wanted.settings or {})).decode()
    unit, model = _text(wanted.unit, "使用单位"), _text(wanted.model, "型号")
    return {"hardware": _hardware(wanted.hardware), "unit": unit, "model": model, "settings": settings}


def _others(held: Device, row: dict[str, str]) -> list[str]:
    """Which facts of `row` are not those of `held`."""
    told = {"hardware": held.hardware.lower(), "unit": held.unit, "model": held.model}
    told["settings"] = canonical.encode(dict(held.settings)).decode()
    return [name for name, value in row.items() if told[name] != value and not (name == "hardware" and not value)]


def _same(held: Device, row: dict[str, str]) -> None:
    if other := _others(held, row):
        names = {"hardware": "硬件序列号", "unit": "使用单位", "model": "型号", "settings": "配置"}
        what = "、".join(names[name] for name in other)
        raise OperatorFault(f"{held.device} 已登记，且{what}不同，未作改动。请核对；尚未入网的可用 --correct 更正。")


def _hardware(text: str) -> str:
    """In one case, as a second device is looked for; a card can carry it."""
    try:
        return hardware_serial(text).lower() if text else ""
    except SenderFault as fault:
        raise OperatorFault(f"{fault}请核对标签。") from fault


def _text(text: str, what: str) -> str:
    if not text.isprintable() or len(text) > MAX_TEXT:
        raise OperatorFault(f"{what}不能含换行或控制字符，也不能超过 {MAX_TEXT} 字。请改正。")
    return text


def _device(row: dict[str, Any]) -> Device:
    return Device(
        row["device"],
        row["role"],
        State(row["state"]),
        row["hardware"],
        row["unit"],
        row["model"],
        row["officer"],
        canonical.decode_object(row["settings"].encode()),
        parse_timestamp(row["planned_at"]),
        parse_timestamp(row["changed_at"]),
        row["changed_by"],
        row["why"],
    )
