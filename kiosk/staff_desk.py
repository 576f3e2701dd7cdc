"""Who may switch a window, and what was switched: `staff.json` (digests of cards and PINs) and `windows.json`.

Wrong PINs make their window wait, longer with each one, also over a restart (`pin_waits.py`); the other windows do not.
"""

import contextlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent import durable
from agent.duty.enrolment import SALT_BYTES, card_digest, is_pin, pin_record
from agent.duty.windows import WindowState, same_window
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.hall_facts import FactKind, HallFact
from agent.wire.instant import Instant
from kiosk.outgoing import Outgoing
from kiosk.pin_waits import WaitsFile
from kiosk.switches import Switch, encode_switches, parse_switches

STAFF, WINDOWS = "staff.json", "windows.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """One of the staff: `windows` are those he may switch; `card` and `pin` are digests, either may be empty."""

    certificate: str
    windows: tuple[str, ...]
    card: str
    pin: str


class StaffDesk:
    """Believes a PIN or a card, keeps the switch, and tells the centre."""

    def __init__(self, state: Path, outgoing: Outgoing) -> None:
        self._staff, self._windows = state / STAFF, state / WINDOWS
        self._outgoing, self._waits = outgoing, WaitsFile(state)
        self.switches: dict[str, Switch] = {}

    def open(self) -> None:
        """Read what was switched before and who waits; a damaged file is put aside."""
        self._waits.open()
        try:
            self.switches = parse_switches(self._windows.read_bytes())
        except FileNotFoundError:
            self.switches = {}
        except OSError as error:
            log.error("%s cannot be read, no window is switched: %s", self._windows, error)  # noqa: TRY400
        except SenderFault as fault:
            log.warning("%s is damaged, kept as %s.damaged: %s", self._windows, WINDOWS, fault)
            with contextlib.suppress(EnvironmentFault):  # a disk that refuses: it is damaged again at the next start
                durable.move(self._windows, self._windows.with_name(f"{WINDOWS}.damaged"))

    def believe(self, window: str, secret: str, now: Instant) -> Member:
        """The member whose PIN or card `secret` is and who may switch `window`; raises `SenderFault`."""
        wait_s = self._waits.left_s(window, now)
        if wait_s > 0:
            raise SenderFault(f"本窗口输入有误的次数较多，请 {wait_s} 秒后再试。")
        allowed = [member for member in self.members() if any(same_window(window, one) for one in member.windows)]
        for member in allowed:
            if card_digest(member.certificate, secret) == member.card or is_pin(secret, member.pin):
                self._waits.right(window)
                return member
        if allowed:  # no count for a window that nobody may switch: any text can be sent as one
            self._waits.wrong(window, now)
        raise SenderFault("PIN 或工作卡不对，或无权切换这个窗口。请重新输入。")

    def switch(self, window: str, state: WindowState, member: Member, cover: str, now: Instant) -> None:
        """Keep and tell; raises `EnvironmentFault`."""
        one = Switch(window, state, member.certificate, cover, now.wall)
        kept = {**self.switches, window: one}
        durable.write_bytes(self._windows, encode_switches(kept), durable.PRIVATE)
        self.switches = kept
        name = f"window-{now.boot[:8]}-{now.monotonic_ns}"
        self._outgoing.put(HallFact(name, FactKind.WINDOW_STATE, one.as_json()))

    def members(self) -> list[Member]:
        """Everybody enrolled; raises `OperatorFault` for a damaged file."""
        try:
            return [_member(entry) for entry in canonical.decode_object(self._staff.read_bytes())["staff"]]
        except FileNotFoundError:
            return []
        except (SenderFault, KeyError) as error:
            raise OperatorFault(f"{self._staff} 已损坏。请重新运行 liuhen-kiosk enrol。") from error

    def enrol(self, certificate: str, windows: Sequence[str], card: str, pin: str) -> None:
        """Let somebody switch `windows` by card number or PIN; raises `OperatorFault` for a bad PIN. What root writes
        belongs to whom the folder belongs to: the service reads it, and is somebody else."""
        digest = card_digest(certificate, card) if card else ""
        record = pin_record(pin, os.urandom(SALT_BYTES)) if pin else ""
        member = Member(certificate, tuple(windows), digest, record)
        staff = [*(one for one in self.members() if one.certificate != certificate), member]
        durable.make_directory(self._staff.parent)
        durable.write_bytes(self._staff, canonical.encode({"staff": [_spelled(one) for one in staff]}), durable.PRIVATE)
        owner = self._staff.parent.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            with durable.disk_errors(self._staff):
                os.chown(self._staff, owner.st_uid, owner.st_gid)


def _member(entry: object) -> Member:
    fields = Fields("窗口人员", entry)
    windows = tuple(map(str, fields.array("windows")))
    return Member(fields.text("certificate"), windows, fields.text("card"), fields.text("pin"))


def _spelled(one: Member) -> dict[str, object]:
    return {"card": one.card, "certificate": one.certificate, "pin": one.pin, "windows": list(one.windows)}
