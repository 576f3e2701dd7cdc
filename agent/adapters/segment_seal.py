"""Writing a seal so that a power cut leaves either a sealed segment or the means to seal it again.

A manifest half overwritten can be read by nobody. So the seal stands whole beside the segment first, the file is then
cut to its length and overwritten in place, and the draft is removed last; a draft found later is simply carried out
once more.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from agent import durable
from agent.adapters.data_keys import DataKeys, is_encrypted
from agent.adapters.segment_file import write_all
from agent.evidence.encrypted_stream import final_record
from agent.evidence.segment import Patch

NUMBER_BYTES = 8


def draft_path(segment: Path) -> Path:
    """Where the seal of `segment` stands until it is carried out."""
    return segment.with_name(segment.name + ".seal")


def seal_segment(segment: Path, size: int, patch: Patch, keys: DataKeys) -> None:
    """Cut `segment` to `size` bytes (of plaintext, if it is encrypted) and write `patch` into it, through a new
    descriptor; raises `EnvironmentFault`, and then nothing is lost."""
    draft = patch.offset.to_bytes(NUMBER_BYTES) + size.to_bytes(NUMBER_BYTES) + patch.data
    durable.write_bytes(draft_path(segment), draft)
    finish_seal(segment, keys)


def finish_seal(segment: Path, keys: DataKeys) -> None:
    """Carry out the draft beside `segment`, if there is one; raises `EnvironmentFault`."""
    draft = draft_path(segment)
    if not draft.exists():
        return
    with durable.disk_errors(draft):
        content = draft.read_bytes()
    offset, size = (int.from_bytes(content[at : at + NUMBER_BYTES]) for at in (0, NUMBER_BYTES))
    patch = Patch(offset, content[2 * NUMBER_BYTES :])
    with durable.disk_errors(segment):
        if is_encrypted(segment):
            _close_stream(segment, size, patch, keys)
        else:
            _write_steps(segment, size, [(patch.offset, patch.data)])
    durable.remove(draft)


def _close_stream(segment: Path, size: int, patch: Patch, keys: DataKeys) -> None:
    """The seal goes into its slot before the stream is finished: a finished stream without a seal is a forgery."""
    with keys.opened(segment) as opened:
        header, end = opened.header, opened.boundary(size)
    key = keys.stream(header.wrapped.recording, header)
    slot_at = len(header.encode())
    steps = [(slot_at, key.lock_slot(patch.offset, patch.data)), (end, final_record(key, end))]
    _write_steps(segment, end, steps)


def _write_steps(segment: Path, size: int, steps: Sequence[tuple[int, bytes]]) -> None:
    descriptor = os.open(segment, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
        for offset, data in steps:
            write_all(descriptor, data, offset)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
