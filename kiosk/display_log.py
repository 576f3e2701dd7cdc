"""The log of what the screen showed, on disk: `display-log/00000001.jsonl`, a new file every `FILE_LINES` lines.

One append and one fdatasync a line. A power cut leaves a torn last line at most, perhaps with its end and without its
beginning; it is put aside as `.torn` at the next start, and the chain goes on behind the last whole one. A line that
the disk refused is not in the file when the next one is written, whatever came of it.
"""

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from agent import durable
from agent.errors import EnvironmentFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.device_events import GENESIS
from agent.wire.hall_facts import FactKind, HallFact
from agent.wire.instant import Instant
from agent.wire.signing import Signer
from kiosk.display_record import Head, Line, What, line_hash, signed_line
from kiosk.display_spans import BEAT_EVERY_S
from kiosk.outgoing import Outgoing

FILE_LINES = 10_000  # ours: some 8 MB
HEAD_EVERY_S = 3600  # reference/kiosk.md 3.4: at least hourly, and with every change of state
NANOSECONDS = 1_000_000_000

log = logging.getLogger(__name__)


class DisplayLog:
    """Appends to the folder; `open` first. A full disk ends no display: the line is lost and the log says so later,
    for its numbers go on only with what was written. One that could not be opened is opened with the next line."""

    def __init__(self, folder: Path, signer: Signer, outgoing: Outgoing, file_lines: int = FILE_LINES) -> None:
        self._folder, self._signer, self._outgoing, self._file_lines = folder, signer, outgoing, file_lines
        self._told_ns, self._told_state, self._beat_ns = 0, "", 0
        self._last: Mapping[str, Any] = {}
        self._first, self._bytes = 1, 0  # the file that is written to: its first number, and what of it is good
        self._is_open = False
        self.head = Head()
        self.ended: datetime | None = None  # when the last line of before was written, by the clock of then

    def open(self, now: Instant) -> None:
        """Find the end of the log and write that the screen started; raises `EnvironmentFault`."""
        durable.make_directory(self._folder)
        files = log_files(self._folder)
        if files:
            self.head = self._end_of(files)
            self._first, self._bytes = int(files[-1].stem), files[-1].stat().st_size
        self._is_open = True
        self.note(What.STARTED, {}, now)

    def shown(self, facts: Mapping[str, Any], now: Instant) -> None:
        """The screen painted what `facts` say; what does not differ from the line before is written now and then."""
        if facts == self._last:
            if now.monotonic_ns - self._beat_ns >= BEAT_EVERY_S * NANOSECONDS:
                self._painted(now, now)
        elif self.note(What.SHOWN, facts, now):
            self._last, self._beat_ns = dict(facts), now.monotonic_ns
            self.tell(str(facts["state"]), now)

    def silent(self, last: Instant, now: Instant) -> None:
        """Nothing was painted since `last`: the page of before counts until then, and the next is a new one."""
        if self._last:
            self._painted(last, now)
            self._last = {}

    def _painted(self, last: Instant, now: Instant) -> None:
        facts = {"last": canonical.timestamp(last.wall), "lastms": last.monotonic_ns // 1_000_000}
        if self.note(What.PAINTED, facts, now):
            self._beat_ns = last.monotonic_ns

    def note(self, what: What, facts: Mapping[str, Any], now: Instant) -> bool:
        """Write one line; returns whether that succeeded."""
        if not self._is_open and not self._opened(now):
            return False
        head = self.head
        monotonic_ms = now.monotonic_ns // 1_000_000
        line = Line(head.number + 1, head.digest, what, now.wall, now.state, now.boot, monotonic_ms, facts)
        content = signed_line(line, self._signer)
        try:
            self._append(line.number, content)
        except EnvironmentFault as fault:
            log.error("what was shown cannot be logged: %s", fault)  # noqa: TRY400 - a traceback says no more
            return False
        self.head = Head(line.number, line_hash(content))
        return True

    def _opened(self, now: Instant) -> bool:
        try:
            self.open(now)
        except (EnvironmentFault, OSError) as fault:
            log.error("the display log cannot be opened, tried again: %s", fault)  # noqa: TRY400 - it says it all
        return self._is_open

    def tell(self, state: str, now: Instant) -> None:
        """Leave the head for the centre: with every change of state, and once an hour."""
        if not self._is_open:
            return
        due = now.monotonic_ns - self._told_ns >= HEAD_EVERY_S * NANOSECONDS
        if not due and state == self._told_state:
            return
        head = self.head
        data = {"at": canonical.timestamp(now.wall), "head": head.digest, "seq": head.number, "state": state}
        try:
            self._outgoing.put(HallFact(f"display-{head.number:08d}-{head.digest[:16]}", FactKind.DISPLAY_HEAD, data))
        except EnvironmentFault as fault:
            log.error("the head of the display log waits: %s", fault)  # noqa: TRY400 - a traceback says no more
            return
        self._told_ns, self._told_state = now.monotonic_ns, state

    def _append(self, number: int, content: bytes) -> None:
        if number - self._first >= self._file_lines:
            self._first, self._bytes = number, 0
        path, good = self._folder / f"{self._first:08d}.jsonl", self._bytes
        with durable.disk_errors(path), path.open("ab", buffering=0) as file:
            if file.tell() != good:
                file.truncate(good)  # a line that was refused
            view = memoryview(content + b"\n")
            try:
                while view:
                    view = view[file.write(view) :]
                os.fdatasync(file.fileno())
                if not good:
                    durable.sync_directory(self._folder)
            except (OSError, EnvironmentFault):
                with contextlib.suppress(OSError):
                    os.truncate(path, good)  # half a line is no line
                raise
        self._bytes = good + len(content) + 1

    def _end_of(self, files: list[Path]) -> Head:
        path = files[-1]
        data = path.read_bytes()
        whole = _whole(data)
        if whole != data:
            log.warning("%s ends in half a line, kept as %s.torn", path.name, path.name)
            durable.write_bytes(path.with_name(f"{path.name}.torn"), data[len(whole) :], durable.SHARED)
            durable.write_bytes(path, whole, durable.SHARED)
        lines = whole.splitlines()
        first = int(path.stem)
        if lines:
            self.ended = _written_at(lines[-1])
            return Head(first + len(lines) - 1, line_hash(lines[-1]))
        return self._end_of(files[:-1]) if len(files) > 1 else Head(0, GENESIS)


def _whole(data: bytes) -> bytes:
    """The lines of a file that a power cut left whole: the one that was being written may lack any part of it."""
    whole = data[: data.rfind(b"\n") + 1]
    last = whole.rfind(b"\n", 0, -1) + 1
    try:
        canonical.decode(whole[last:-1])
    except SenderFault:
        return whole[:last]
    return whole


def _written_at(line: bytes) -> datetime | None:
    """When a line was written; only a look at this screen's own file, `verify_log` is what proves."""
    try:
        record = Fields("展示记录", canonical.decode(line)).object("record")
        return Fields("展示记录", record).moment("at")
    except SenderFault:
        return None


def log_files(folder: Path) -> list[Path]:
    """The files of a log in their order."""
    return sorted(folder.glob("[0-9]*.jsonl"))


def log_lines(folder: Path) -> Iterator[bytes]:
    """Every line of the log in `folder`; raises `EnvironmentFault` when one cannot be read."""
    for path in log_files(folder):
        with durable.disk_errors(path), path.open("rb") as file:
            yield from (line.rstrip(b"\n") for line in file)
