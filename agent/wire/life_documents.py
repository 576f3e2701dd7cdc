"""What is signed in a device's life between its card and its end (pure).

    report      the device's own acceptance report: what it found of itself, signed with its evidence key
    accepted    the authority's word on a report          assignment  who has the device, since when
    retire      the authority's order to erase            retired     the device's last word, signed before its key goes
    update      a release of the software for devices, by the SHA-256 of every file

`report` and `retired` are sealed by the device, the others by the issuing CA (`authority_seal.py`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.card_bundle import hardware_serial, short_text
from agent.wire.identifiers import DeviceId, Digest, device_id, digest

REPORT_TYPE = "application/vnd.liuhen.acceptance-report+json"
ACCEPTED_TYPE = "application/vnd.liuhen.accepted+json"
ASSIGNMENT_TYPE = "application/vnd.liuhen.assignment+json"
RETIRE_TYPE = "application/vnd.liuhen.retire+json"
RETIRED_TYPE = "application/vnd.liuhen.retired+json"
UPDATE_TYPE = "application/vnd.liuhen.update+json"
LEVELS = ("pass", "attention", "fail")
MAX_ITEMS, MAX_LINE = 64, 500  # ours
VERSION_PATTERN = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")
FILE_PATTERN = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,199}")
MAX_FILES = 300  # ours: an offline installation has some 60 wheels


@dataclass(frozen=True)
class CheckItem:
    """One line of a report; `name` for programs, `level` one of `LEVELS`."""

    name: str
    level: str
    text: str


@dataclass(frozen=True)
class AcceptanceReport:
    """What `device` on the computer `hardware` found of itself at `made_at`, by its own clock."""

    device: DeviceId
    hardware: str
    version: str
    made_at: datetime
    items: tuple[CheckItem, ...]

    @property
    def passed(self) -> bool:
        """Whether no item failed and there is one at all."""
        return bool(self.items) and all(item.level != "fail" for item in self.items)

    def encode(self) -> bytes:
        """Canonical payload for the device to seal."""
        items = [{"level": it.level, "name": it.name, "text": it.text} for it in self.items]
        body = {"device": self.device, "hardware": self.hardware, "items": items, "version": self.version}
        return canonical.encode(body | {"made_at": canonical.timestamp(self.made_at)})


@dataclass(frozen=True)
class Accepted:
    """The authority has accepted `device` by the report with this SHA-256 (of its envelope)."""

    device: DeviceId
    report: Digest
    by: str
    at: datetime

    def encode(self) -> bytes:
        """Canonical payload for the authority to seal."""
        body = {"at": canonical.timestamp(self.at), "by": self.by, "device": self.device, "report": self.report}
        return canonical.encode(body)


@dataclass(frozen=True)
class Assignment:
    """`officer` (a number, never a name) of `unit` has `device` from `since` on; an earlier assignment ends with it."""

    device: DeviceId
    officer: str
    unit: str
    since: datetime
    by: str

    def encode(self) -> bytes:
        """Canonical payload for the authority to seal."""
        body = {"by": self.by, "device": self.device, "officer": self.officer, "unit": self.unit}
        return canonical.encode(body | {"since": canonical.timestamp(self.since)})


@dataclass(frozen=True)
class RetireOrder:
    """`device` on `hardware` is to erase itself, before `expires_at`. `number` stands for one enrolment
    of the device: ordered again it is the same, after another enrolment another."""

    device: DeviceId
    hardware: str
    number: Digest
    by: str
    expires_at: datetime

    def encode(self) -> bytes:
        """Canonical payload for the authority to seal."""
        body = {"by": self.by, "device": self.device, "hardware": self.hardware, "number": self.number}
        return canonical.encode(body | {"expires_at": canonical.timestamp(self.expires_at)})


@dataclass(frozen=True)
class Retired:
    """The device's last word on the order `number`: `events` events are all receipted, the chain ends with `head`, and
    `recordings` recordings stood on it, each receipted. What it erases, it erases after signing this."""

    device: DeviceId
    number: Digest
    events: int
    head: Digest
    recordings: int
    at: datetime

    def encode(self) -> bytes:
        """Canonical payload for the device to seal."""
        body = {"device": self.device, "events": self.events, "head": self.head, "number": self.number}
        return canonical.encode(body | {"at": canonical.timestamp(self.at), "recordings": self.recordings})


@dataclass(frozen=True)
class Update:
    """Release `version`, the `serial`-th (an older one is never installed over a newer), with every file's SHA-256."""

    version: str
    serial: int
    made_at: datetime
    files: Mapping[str, Digest]

    def encode(self) -> bytes:
        """Canonical payload for the authority to seal."""
        body = {"files": dict(self.files), "serial": self.serial, "version": self.version}
        return canonical.encode(body | {"made_at": canonical.timestamp(self.made_at)})


def parse_report(payload: bytes) -> AcceptanceReport:
    """A report; this and those below raise `SenderFault` when malformed."""
    fields = Fields("验收报告", canonical.decode(payload))
    entries = fields.array("items")
    if len(entries) > MAX_ITEMS:
        raise SenderFault(f"验收报告超过 {MAX_ITEMS} 项，已拒绝。")
    device, hardware = device_id(fields.text("device")), hardware_serial(fields.text("hardware"))
    items = tuple(_item(Fields("验收项目", entry)) for entry in entries)
    return AcceptanceReport(device, hardware, short_text(fields, "version"), fields.moment("made_at"), items)


def parse_accepted(payload: bytes) -> Accepted:
    """An acceptance."""
    fields = Fields("验收通知", canonical.decode(payload))
    device, report = device_id(fields.text("device")), digest(fields.text("report"))
    return Accepted(device, report, short_text(fields, "by"), fields.moment("at"))


def parse_assignment(payload: bytes) -> Assignment:
    """An assignment."""
    fields = Fields("配备文件", canonical.decode(payload))
    device, since = device_id(fields.text("device")), fields.moment("since")
    return Assignment(
        device, short_text(fields, "officer"), short_text(fields, "unit"), since, short_text(fields, "by")
    )


def parse_retire(payload: bytes) -> RetireOrder:
    """An order to erase."""
    fields = Fields("退役指令", canonical.decode(payload))
    device, hardware = device_id(fields.text("device")), hardware_serial(fields.text("hardware"))
    number, until = digest(fields.text("number")), fields.moment("expires_at")
    return RetireOrder(device, hardware, number, short_text(fields, "by"), until)


def parse_retired(payload: bytes) -> Retired:
    """A device's last word."""
    fields = Fields("退役声明", canonical.decode(payload))
    device, number, head = device_id(fields.text("device")), digest(fields.text("number")), digest(fields.text("head"))
    return Retired(device, number, fields.integer("events"), head, fields.integer("recordings"), fields.moment("at"))


def parse_update(payload: bytes) -> Update:
    """A release, whose file names are names and nothing else."""
    fields = Fields("更新包", canonical.decode(payload))
    version, files = fields.text("version"), fields.object("files")
    if not VERSION_PATTERN.fullmatch(version) or not files or len(files) > MAX_FILES:
        raise SenderFault("更新包的版本号或文件数不合规定，已拒绝。")
    for name in files:
        if not FILE_PATTERN.fullmatch(name):
            raise SenderFault(f"更新包中的文件名“{name[:40]}”不合规定，已拒绝。")
    return Update(
        version, fields.integer("serial", 1), fields.moment("made_at"), {name: digest(files[name]) for name in files}
    )


def _item(fields: Fields) -> CheckItem:
    level = fields.text("level")
    if level not in LEVELS:
        raise SenderFault(f"验收项目的结论“{level[:20]}”未知，已拒绝。")
    return CheckItem(short_text(fields, "name"), level, short_text(fields, "text", MAX_LINE))
