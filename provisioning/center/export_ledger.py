"""`exports.jsonl`: one line for every export, each with the hash of the line before; written before anything is handed
out, so that there is no export without its line."""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent import durable
from agent.errors import EnvironmentFault, SenderFault
from agent.wire import canonical
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest

LEDGER_NAME = "exports.jsonl"
LEDGER_MODE = 0o640


def add_line(path: Path, fields: Mapping[str, Any]) -> Digest:
    """Append `fields` as the next line; returns its hash.

    Raises `EnvironmentFault` when the disk refuses, `SenderFault` when the ledger there was changed."""
    with _locked(path) as descriptor:
        content = _whole_lines(path, descriptor)
        try:
            line = canonical.encode({**fields, "previous": check_lines(content)})
        except SenderFault as fault:
            raise SenderFault(f"{path}：{fault}") from fault
        data = line + b"\n"
        if os.pwrite(descriptor, data, len(content)) != len(data):
            os.ftruncate(descriptor, len(content))
            raise EnvironmentFault(f"{path} 未能写全，未导出。请检查存储空间后重试。")
        os.fsync(descriptor)
    durable.sync_directory(path.parent)
    return _hash(line)


def check_lines(content: bytes) -> Digest:
    """The hash of the last line of a ledger whose chain holds (GENESIS when empty); raises `SenderFault` otherwise."""
    before = GENESIS
    for number, line in enumerate(content.splitlines(), start=1):
        if canonical.decode_object(line).get("previous") != before:
            raise SenderFault(f"导出台账第 {number} 行与前一行衔接不上，台账被改动。请先查明原因。")
        before = _hash(line)
    if content and not content.endswith(b"\n"):
        raise SenderFault("导出台账最后一行不完整。请先查明原因。")
    return before


def _whole_lines(path: Path, descriptor: int) -> bytes:
    """The lines. Nothing was handed out for one that a power cut or a full disk left half: it is cut off, and kept
    beside; one that lacks nothing but its end gets that. A power cut may also leave an end without its beginning: where
    that should stand are zeros, which no line of ours has, and no change of a line by hand would be taken for that."""
    content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    begin = content.rfind(b"\n", 0, max(0, len(content) - 1)) + 1
    whole, rest = content[:begin], content[begin:]
    if not rest or (rest.endswith(b"\n") and b"\0" not in rest):
        return content
    with contextlib.suppress(SenderFault):
        canonical.decode_object(rest)
        os.pwrite(descriptor, b"\n", len(content))
        return content + b"\n"
    durable.write_bytes(path.with_name(f"{path.name}.torn-{len(whole)}"), rest, LEDGER_MODE)
    os.ftruncate(descriptor, len(whole))
    return whole


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    with durable.disk_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, LEDGER_MODE)
    try:
        with durable.disk_errors(path):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
    finally:
        os.close(descriptor)


def _hash(line: bytes) -> Digest:
    return Digest(hashlib.sha256(line).hexdigest())
