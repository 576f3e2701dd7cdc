"""Writing a seal so that a power cut leaves either a sealed segment or the means to seal it again.

A manifest half overwritten can be read by nobody. So the seal stands whole beside the segment first, the file is then
cut to its length and overwritten in place, and the draft is removed last; a draft found later is carried out once more,
if it is what it should be. Nothing is cut on the word of any other file: that is set aside as `.seal.bad`. A seal of an
encrypted segment goes into its slot, never over what was encrypted: see `agent.evidence.encrypted_stream`.
"""

import logging
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from agent import durable
from agent.adapters.data_keys import NO_KEYS, DataKeys, is_encrypted
from agent.adapters.segment_file import StreamEnd, write_all
from agent.errors import SenderFault
from agent.evidence.encrypted_stream import final_record
from agent.evidence.manifest import RESERVED_BYTES
from agent.evidence.segment import Patch

NUMBER_BYTES = 8
DRAFT_BYTES = 2 * NUMBER_BYTES + RESERVED_BYTES  # the box in it is compressed, so a draft is always shorter
PAGE_BYTES = 4096  # what a disk writes at least; pages that stay as they are (most are padding) are not written again
BAD_SUFFIX = ".bad"

logger = logging.getLogger(__name__)


def draft_path(segment: Path) -> Path:
    """Where the seal of `segment` stands until it is carried out."""
    return segment.with_name(segment.name + ".seal")


def seal_segment(
    segment: Path, size: int, patch: Patch, keys: DataKeys = NO_KEYS, stream: StreamEnd | None = None
) -> None:
    """Cut `segment` to `size` bytes (of plaintext, if it is encrypted) and write `patch` into it, through a new
    descriptor; raises `EnvironmentFault`, and then nothing is lost. Whoever wrote an encrypted segment gives its
    `stream`, and nothing is read; without, it is read back with `keys`, which may raise `SenderFault`."""
    draft = patch.offset.to_bytes(NUMBER_BYTES) + size.to_bytes(NUMBER_BYTES) + zlib.compress(patch.data)
    durable.write_bytes(draft_path(segment), draft, durable.SHARED)
    _carry_out(segment, size, patch, keys, stream)


def finish_seal(segment: Path, check: Callable[[int, Patch], Patch], keys: DataKeys = NO_KEYS) -> None:
    """Carry out the draft beside `segment`, if there is one; `check` gets the size and the patch in it, and raises
    `SenderFault` when it is not to be obeyed. Such a draft is set aside. Raises `EnvironmentFault`."""
    draft = draft_path(segment)
    if not os.path.lexists(draft):
        return
    try:
        size, patch = _read(draft)
        check(size, patch)
    except SenderFault as fault:
        logger.warning("a seal that is none was set aside: %s: %s", draft, fault)
        durable.move(draft, draft.with_name(draft.name + BAD_SUFFIX))
        return
    _carry_out(segment, size, patch, keys)


def _read(draft: Path) -> tuple[int, Patch]:
    with durable.disk_errors(draft):
        if not stat.S_ISREG(draft.lstat().st_mode):
            raise SenderFault(f"{draft.name} 不是普通文件。")
        with draft.open("rb") as file:
            content = file.read(DRAFT_BYTES)
    offset, size = (int.from_bytes(content[at : at + NUMBER_BYTES]) for at in (0, NUMBER_BYTES))
    return size, Patch(offset, _unpacked(draft, content[2 * NUMBER_BYTES :]))


def _unpacked(draft: Path, packed: bytes) -> bytes:
    try:
        data = zlib.decompressobj().decompress(packed, RESERVED_BYTES + 1)
    except zlib.error as error:
        raise SenderFault(f"{draft.name} 无法解压。") from error
    if len(data) != RESERVED_BYTES:
        raise SenderFault(f"{draft.name} 的长度不对。")
    return data


def _carry_out(segment: Path, size: int, patch: Patch, keys: DataKeys, stream: StreamEnd | None = None) -> None:
    with durable.disk_errors(segment):
        if is_encrypted(segment):
            _close_stream(segment, patch, stream or _read_back(segment, size, keys))
        else:
            _overwrite(segment, size, patch.offset, patch.data)
    durable.remove(draft_path(segment))


def _read_back(segment: Path, size: int, keys: DataKeys) -> StreamEnd:
    with keys.opened(segment) as (opened, key):
        return StreamEnd(key, opened.header, opened.boundary(size))


def _close_stream(segment: Path, patch: Patch, stream: StreamEnd) -> None:
    """The seal goes into its slot before the stream is finished: a finished stream without a seal is a forgery. The
    header before it, which is known, is written again where the card does not give it back as it was."""
    begin = stream.header.encode() + stream.key.lock_slot(patch.offset, patch.data)
    _overwrite(segment, stream.end, 0, begin)
    _overwrite(segment, stream.end, stream.end, final_record(stream.key, stream.end))


def _overwrite(segment: Path, size: int, offset: int, data: bytes) -> None:
    descriptor = os.open(segment, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
        for place, page in _changed(os.pread(descriptor, len(data), offset), data):
            write_all(descriptor, page, offset + place)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _changed(old: bytes, new: bytes) -> Iterator[tuple[int, bytes]]:
    for place in range(0, len(new), PAGE_BYTES):
        page = new[place : place + PAGE_BYTES]
        if page != old[place : place + PAGE_BYTES]:
            yield place, page
