"""The equipment ledger of recording devices (配备、使用、管理台账) out of the inventory, as rows and as CSV.

The seed asks three things of it: what a unit was equipped with (配备), who uses it (使用), how it is looked
after (管理).
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.wire.canonical import parse_timestamp, timestamp
from provisioning.csv_cells import inert
from provisioning.fleet.inventory import Device, Inventory
from provisioning.fleet.states import CHINESE

COLUMNS = (
    "设备编号", "设备类别", "型号", "硬件序列号", "使用单位", "配备时间", "状态", "使用人", "使用起始",
    "最近检验", "检验结果", "连接证书到期", "证书剩余天数", "最近变更", "变更人", "变更原因",
)  # fmt: skip
KINDS = {"recorder": "执法记录仪", "kiosk": "窗口终端"}
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"  # what spreadsheet programs take as the sign of UTF-8


@dataclass(frozen=True)
class Line:
    """One device of the ledger: what is listed, and what else is known of it."""

    device: Device
    since: datetime | None
    checked_at: datetime | None
    passed: bool | None
    certificate_until: datetime | None

    def days(self, now: datetime) -> int | None:
        """Whole days until the TLS certificate is over, negative when it is; None without one."""
        return None if self.certificate_until is None else (self.certificate_until - now).days

    def as_json(self, now: datetime) -> dict[str, Any]:
        """The line for programs."""
        held = self.device
        return {
            "device": held.device,
            "role": held.role,
            "state": held.state.value,
            "hardware": held.hardware,
            "unit": held.unit,
            "model": held.model,
            "officer": held.officer,
            "planned_at": timestamp(held.planned_at),
            "changed_at": timestamp(held.changed_at),
            "changed_by": held.changed_by,
            "why": held.why,
            "checked_at": _moment(self.checked_at) or None,
            "passed": self.passed,
            "certificate_days": self.days(now),
        }


def ledger(inventory: Inventory) -> tuple[Line, ...]:
    """Every device with its newest assignment, report and TLS certificate."""
    assigned = _newest(inventory, "SELECT device, since FROM assignment WHERE until IS NULL ORDER BY number")
    checked = _newest(inventory, "SELECT device, made_at, passed FROM check_report ORDER BY number")
    sql = "SELECT subject AS device, not_after FROM cert WHERE profile = 'tls-client' AND revoked_at IS NULL"
    certified = _newest(inventory, f"{sql} AND superseded_at IS NULL")
    return tuple(
        Line(
            held,
            _parsed(assigned.get(held.device, {}).get("since")),
            _parsed(checked.get(held.device, {}).get("made_at")),
            bool(checked[held.device]["passed"]) if held.device in checked else None,
            _parsed(certified.get(held.device, {}).get("not_after")),
        )
        for held in inventory.devices()
    )


def as_csv(lines: Iterable[Line], now: datetime) -> str:
    """The ledger as CSV with a byte order mark and CRLF, as spreadsheet programs of the offices read it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_plain(cell) for cell in _cells(line, now)] for line in lines)
    return BOM + out.getvalue()


def _cells(line: Line, now: datetime) -> list[str]:
    held, days = line.device, line.days(now)
    result = "" if line.passed is None else "合格" if line.passed else "不合格"
    first = [held.device, KINDS[held.role], held.model, held.hardware, held.unit, _moment(held.planned_at)]
    use = [CHINESE[held.state], held.officer, _moment(line.since), _moment(line.checked_at), result]
    until = [_moment(line.certificate_until), "" if days is None else str(days)]
    return [*first, *use, *until, _moment(held.changed_at), held.changed_by, held.why]


def _plain(cell: str) -> str:
    return cell if cell.lstrip("-").isdigit() else inert(cell)


def _newest(inventory: Inventory, sql: str) -> dict[str, dict[str, Any]]:
    return {row["device"]: row for row in inventory.records.rows(sql)}


def _parsed(text: str | None) -> datetime | None:
    return None if text is None else parse_timestamp(text)


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else timestamp(moment)
