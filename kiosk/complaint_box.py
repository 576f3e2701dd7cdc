"""The box of complaints: each is closed at once, waits ten minutes for its citizen, then goes to the agent.

    complaints/<name>.json  {"filed": …, "held": base64, "sealed": base64}

`sealed` only the centre opens; `held` only the code on the citizen's receipt. When the ten minutes are over the file
goes, and with it what the code opened; a screen that was off meanwhile sends as soon as it is on.
"""

import base64
import binascii
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.complaints import (
    CODE_BYTES,
    Complaint,
    complaint_name,
    held_complaint,
    hold_complaint,
    seal_complaint,
)
from agent.wire.hall_facts import FactKind, HallFact
from kiosk.file_stamp import FileStamp, file_stamp
from kiosk.outgoing import Outgoing

RECONSIDER = timedelta(minutes=10)  # reference/kiosk.md 1.4: reversible or editable for ten minutes
RECONSIDER_NS = int(RECONSIDER.total_seconds()) * 1_000_000_000
DAMAGED = ".damaged"
LOST = "有 {} 件投诉在本屏存储中损坏，未能上报（留存在 complaints 中）。请技术人员核对。"
MOST_WAITING = 5  # reference/kiosk.md 3.5: in ten minutes, at one kiosk

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """One complaint that waits."""

    name: str
    filed: datetime
    held: bytes
    sealed: str

    def encode(self) -> bytes:
        """The content of its file."""
        held = base64.b64encode(self.held).decode()
        return canonical.encode({"filed": canonical.timestamp(self.filed), "held": held, "sealed": self.sealed})


class ComplaintBox:
    """The folder of waiting complaints; `centre` gives None while this kiosk has no key to close them with."""

    def __init__(
        self,
        folder: Path,
        centre: Callable[[], ec.EllipticCurvePublicKey | None],
        outgoing: Outgoing,
        passed_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._folder, self._centre, self._outgoing, self._passed_ns = folder, centre, outgoing, passed_ns
        self._filed_ns: dict[str, int] = {}  # those filed since the start, by the clock that nobody sets
        self._found_ns: dict[str, int] = {}  # when those of before the start were first looked at
        self._why_waiting = ""  # it is tried every second: what keeps it from going is told once

    @property
    def takes(self) -> bool:
        """Whether complaints can be taken at all."""
        return self._centre() is not None

    @property
    def remark(self) -> str:
        """One line about complaints that were damaged on this screen's disk, empty when there is none."""
        damaged = len(list(self._folder.glob(f"*{DAMAGED}")))
        return LOST.format(damaged) if damaged else ""

    def file(self, complaint: Complaint) -> bytes:
        """Close and keep `complaint`; returns its code. Raises `SenderFault` (limits) and `EnvironmentFault`."""
        if len(self._waiting()) >= MOST_WAITING:
            raise SenderFault("本屏十分钟内已受理较多投诉。请稍候再试，或拨打投诉举报电话。")
        code = os.urandom(CODE_BYTES)
        self._write(complaint, code)
        self._filed_ns[complaint_name(code)] = self._passed_ns()
        return code

    def open(self, code: bytes) -> tuple[Complaint, datetime]:
        """The complaint of `code` and until when it can be changed; raises `SenderFault` when there is none."""
        kept = self._kept(code)
        return held_complaint(kept.held, code), kept.filed + RECONSIDER

    def change(self, code: bytes, complaint: Complaint) -> None:
        """Put `complaint` in the place of that of `code`; its ten minutes go on. Raises `SenderFault`."""
        filed = self._kept(code).filed
        self._write(replace(complaint, written=filed), code)

    def withdraw(self, code: bytes) -> None:
        """Nothing of the complaint of `code` remains; raises `SenderFault` when it has gone already."""
        name = self._kept(code).name
        durable.remove(self._folder / _file(name))
        self._filed_ns.pop(name, None)

    def release(self, now: datetime) -> None:
        """Hand over those whose ten minutes are past; what a full disk does not take waits on, and the log says so.

        A clock that is set neither shortens nor lengthens them. Of one that was filed before the last start only the
        wall clock knows; it waits ten minutes more at most.
        """
        why = ""
        try:
            self._hand_over(now)
        except EnvironmentFault as fault:
            why = str(fault)
        if why and why != self._why_waiting:
            log.error("complaints wait: %s", why)
        self._why_waiting = why

    def _hand_over(self, now: datetime) -> None:
        due = [kept for kept in self._waiting() if self._is_due(kept, now)]
        for kept in due:
            filed = canonical.timestamp(kept.filed)
            fact = HallFact(f"complaint-{kept.name}", FactKind.COMPLAINT, {"filed": filed, "sealed": kept.sealed})
            self._outgoing.put(fact)
            durable.remove(self._folder / _file(kept.name))
            self._filed_ns.pop(kept.name, None)
            self._found_ns.pop(kept.name, None)

    def _is_due(self, kept: Kept, now: datetime) -> bool:
        here, passed_ns = self._filed_ns.get(kept.name), self._passed_ns()
        if here is not None:
            return passed_ns - here >= RECONSIDER_NS
        found_ns = self._found_ns.setdefault(kept.name, passed_ns)
        return now - kept.filed >= RECONSIDER or passed_ns - found_ns >= RECONSIDER_NS

    def _write(self, complaint: Complaint, code: bytes) -> None:
        centre = self._centre()
        if centre is None:
            raise SenderFault("本屏没有可用的投诉密钥，不能受理。请拨打投诉举报电话。")
        sealed = seal_complaint(complaint, centre)
        kept = Kept(complaint_name(code), complaint.written, hold_complaint(complaint, code), sealed)
        durable.make_directory(self._folder, 0o700)
        durable.write_bytes(self._folder / _file(kept.name), kept.encode(), durable.PRIVATE)

    def _kept(self, code: bytes) -> Kept:
        kept = _read(self._folder / _file(complaint_name(code)))
        if kept is None:
            raise SenderFault("没有这个投诉编号，或已过可修改的时间。请对照回执核对。")
        return kept

    def _waiting(self) -> list[Kept]:
        found = {path: _read(path) for path in sorted(self._folder.glob("*.json"))}
        for path in (path for path, kept in found.items() if kept is None and path.exists()):
            durable.move(path, path.with_name(f"{path.name}{DAMAGED}"))
            log.error("complaint %s is damaged and cannot be sent, kept as %s%s", path.name, path.name, DAMAGED)
        return [kept for kept in found.values() if kept is not None]


def _file(name: str) -> str:
    return f"{name}.json"


def read_complaint_key(path: Path) -> ec.EllipticCurvePublicKey | None:
    """The centre's key for complaints (PEM), None when there is no such file; raises `OperatorFault` for another."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise OperatorFault(f"投诉公钥 {path} 无法读取。请向技术人员索取本区的 complaint.pub。") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise OperatorFault(f"{path} 不是 P-256 公钥。请向技术人员索取本区的 complaint.pub。")
    return key


class ComplaintKeyFile:
    """The key in `path`, read again whenever the file changed: a damaged one closes the form, not the screen."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: FileStamp | None = None
        self._key: ec.EllipticCurvePublicKey | None = None

    def read(self) -> ec.EllipticCurvePublicKey | None:
        """The key, None while there is none that can be used; the log says why."""
        seen = file_stamp(self._path)
        if seen != self._seen:
            self._seen, self._key = seen, None
            try:
                self._key = read_complaint_key(self._path)
            except OperatorFault as fault:
                log.error("no complaints are taken until the key is mended: %s", fault)  # noqa: TRY400 - it says it all
        return self._key


def _read(path: Path) -> Kept | None:
    try:
        fields = Fields("待办投诉", canonical.decode(path.read_bytes()))
        held = base64.b64decode(fields.text("held"), validate=True)
        return Kept(path.stem, fields.moment("filed"), held, fields.text("sealed"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EnvironmentFault(f"无法读取 {path}：{error.strerror or error}。请检查权限与存储卡。") from error
    except (SenderFault, binascii.Error) as fault:
        log.warning("%s is damaged: %s", path.name, fault)
        return None
