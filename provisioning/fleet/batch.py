"""Many devices from one table: read and judged whole before anything is done, then one device at a time.

    编号,硬件序列号,使用单位,型号,摄像头,大厅,大厅标识,投诉电话      or the English names of `COLUMNS`

Each device is finished before the next is begun: listed, its token granted, its card bundle on the disk, moved to
`bundled`. A `kill -9` leaves at most one half-made, which the same command again finishes with a new token.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent import durable
from agent.errors import LiuhenFault, OperatorFault
from agent.wire import canonical
from provisioning.authority.subjects import device_role
from provisioning.fleet.enrolment import Desk, write_pem
from provisioning.fleet.inventory import Device, Planned
from provisioning.fleet.listing import judged
from provisioning.fleet.site import checked_settings
from provisioning.fleet.states import State

COLUMNS = {
    "编号": "device", "设备编号": "device", "硬件序列号": "hardware", "使用单位": "unit", "型号": "model",
    "摄像头": "camera", "按键板": "mcu", "搭档": "partner", "大厅": "hall", "大厅标识": "audience",
    "投诉电话": "complaint_phone",
}  # fmt: skip
OWN = ("device", "hardware", "unit", "model")
NAMES = frozenset(COLUMNS.values()) | {"listen", "archive"}
ENCODINGS = ("utf-8-sig", "gb18030")  # what spreadsheet programs of the offices write; GB18030 contains GBK
MAX_ROWS = 10_000  # ours
CARD = "card.dsse"
CORRECT = "请核对；尚未入网的可用 add-device --correct 更正。"


@dataclass(frozen=True)
class RowFault:
    """Why line `line` of the table cannot be done."""

    line: int
    text: str


@dataclass(frozen=True)
class Table:
    """The rows that can be done, by line, and those that cannot."""

    rows: tuple[tuple[int, Planned], ...]
    faults: tuple[RowFault, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of a row; `fault` is empty when it was done."""

    line: int
    device: str
    changed: bool
    fault: str = ""


def parse_table(data: bytes) -> Table:
    """The rows of a CSV file: UTF-8 with or without byte order mark, or GBK. Blank rows are passed over; duplicates are
    faults of the later row. Raises `OperatorFault` for what is no such table at all."""
    lines = csv.reader(io.StringIO(_decoded(data)), strict=True)
    try:
        numbered = [(lines.line_num, [cell.strip() for cell in row]) for row in lines]
    except csv.Error as error:
        raise OperatorFault(f"表格第 {lines.line_num} 行不合 CSV 格式（{error}）。请检查引号与分隔符。") from error
    filled = [(line, row) for line, row in numbered if any(row)]
    if len(filled) < 2 or len(filled) > MAX_ROWS:  # the first names the columns
        raise OperatorFault(f"表格中没有设备，或超过 {MAX_ROWS} 行。请检查文件。")
    names = _header(filled[0][1])
    rows: list[tuple[int, Planned]] = []
    faults: list[RowFault] = []
    seen: dict[str, int] = {}
    for line, cells in filled[1:]:
        try:
            rows.append((line, _row(names, cells, seen, line)))
        except LiuhenFault as fault:
            faults.append(RowFault(line, str(fault)))
    return Table(tuple(rows), tuple(faults))


def conflicts(table: Table, desk: Desk) -> tuple[RowFault, ...]:
    """What the inventory has against the rows: nothing is changed."""
    held = {device.device: device for device in desk.inventory.devices()}
    listed = [device for device in held.values() if device.state is not State.DECOMMISSIONED]
    owners = {device.hardware.lower(): device.device for device in listed}
    found = []
    for line, wanted in table.rows:
        owner = owners.get(wanted.hardware.lower(), wanted.device)
        if owner != wanted.device:
            found.append(RowFault(line, f"硬件序列号 {wanted.hardware} 已登记为 {owner}。请核对标签。"))
        elif wanted.device in held and not _is(held[wanted.device], wanted):
            found.append(RowFault(line, f"{wanted.device} 已登记，且内容不同。{CORRECT}"))
    return tuple(found)


def run_batch(
    table: Table, desk: Desk, out: Path, now: Callable[[], datetime], tell: Callable[[Outcome], None]
) -> tuple[Outcome, ...]:
    """Do every row; one that fails does not stop the rest. Done again it changes no byte."""
    durable.make_directory(out, 0o700)
    for path, content in write_pem(out, desk).items():
        if not path.exists() or path.read_bytes() != content:
            durable.write_bytes(path, content)
    held = {device.device: device for device in desk.inventory.devices()}
    outcomes = []
    for line, wanted in table.rows:
        try:
            outcome = Outcome(line, wanted.device, _done(wanted, held.get(wanted.device), desk, out, now()))
        except OperatorFault as fault:
            outcome = Outcome(line, wanted.device, changed=False, fault=str(fault))
        outcomes.append(outcome)
        tell(outcome)
    return tuple(outcomes)


def write_card_file(desk: Desk, device: str, out: Path, now: datetime) -> Path:
    """Grant a token, write the card bundle into `out/{device}/card.dsse` and move the device to `bundled`."""
    folder = durable.make_directory(out / device, 0o700)
    durable.write_bytes(folder / CARD, desk.card(device, now), durable.PRIVATE)
    if desk.inventory.device(device).state is not State.BUNDLED:
        desk.inventory.move(device, State.BUNDLED, "已制卡", now)
    return folder / CARD


def _done(wanted: Planned, held: Device | None, desk: Desk, out: Path, now: datetime) -> bool:
    if held is not None and not _is(held, wanted):
        raise OperatorFault(f"{wanted.device} 已登记，且内容不同，未作改动。{CORRECT}")
    if held is not None and held.state not in (State.PLANNED, State.BUNDLED):
        return False  # it has gone further
    if held is not None and held.state is State.BUNDLED and (out / wanted.device / CARD).exists():
        return False
    desk.inventory.plan(wanted, now)
    write_card_file(desk, wanted.device, out, now)
    return True


def _is(held: Device, wanted: Planned) -> bool:
    facts = held.hardware.lower(), held.unit, held.model
    same = facts == (wanted.hardware.lower(), wanted.unit, wanted.model)
    return same and canonical.encode(dict(held.settings)) == canonical.encode(dict(wanted.settings or {}))


def _decoded(data: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise OperatorFault("表格不是 UTF-8 或 GBK 编码。请另存为 CSV（UTF-8）。")


def _header(cells: list[str]) -> list[str]:
    names = [COLUMNS.get(cell, cell) for cell in cells]
    strange = [cell for cell, name in zip(cells, names, strict=True) if name and name not in NAMES]
    if strange or not {"device", "hardware", "unit"} <= set(names) or len(set(names)) != len(names):
        told = f"不认识列“{strange[0][:20]}”" if strange else "缺少列 编号、硬件序列号 或 使用单位，或有重复的列"
        raise OperatorFault(f"表格第一行{told}。可用：{'、'.join(COLUMNS)}。")
    return names


def _row(names: list[str], cells: list[str], seen: dict[str, int], line: int) -> Planned:
    if len(cells) > len(names) and any(cells[len(names) :]):
        raise OperatorFault("单元格比表头多。请检查多余的逗号。")
    told = dict(zip(names, cells, strict=False))
    role = device_role(told.get("device", "")).value
    if not told.get("hardware"):
        raise OperatorFault("没有硬件序列号。请补上。")
    if not told.get("unit"):
        raise OperatorFault("没有使用单位。请补上。")
    for what in (told["device"], f"serial {told['hardware'].lower()}"):
        if (first := seen.setdefault(what, line)) != line:
            raise OperatorFault(f"与第 {first} 行重复（{what.removeprefix('serial ')}）。请删去一行。")
    settings = checked_settings(role, {name: value for name, value in told.items() if name not in OWN})
    return judged(Planned(told["device"], told["hardware"], told.get("unit", ""), told.get("model", ""), settings))


def faults_of(table: Table, more: tuple[RowFault, ...]) -> Iterator[RowFault]:
    """Every fault, by line."""
    yield from sorted((*table.faults, *more), key=lambda fault: fault.line)
