"""The folder of one recording, opened for verification: its segments, and what lies beside them."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from agent.adapters.one_open_file import OneOpenFile, open_regular
from agent.errors import OperatorFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_photo import decrypted_photo
from agent.evidence.encrypted_reading import decrypted_segment
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.note_findings import NOTES
from agent.evidence.sidecars import JOURNAL_NAME, MAX_SUMS, PHOTOS, SIGNATURE_NAME, SUMS_NAME
from agent.evidence.verify import SegmentFile, Sidecars
from agent.folder_names import FolderNames, names_in
from agent.wire.notes import MAX_NOTES

SEGMENTS = "segment-*.mp4"
MAX_SEGMENT_BYTES = 32 << 30  # ours; an hour at 50 Mbit/s has 22 GB
MAX_SIDECAR_BYTES = 1024 * 1024  # ours; a list of 4096 files is below half of it
_Read = TypeVar("_Read")


def segment_paths(path: Path) -> list[Path]:
    """The segments in the folder `path`, by name, or `path` itself; raises `OperatorFault` for too many."""
    found = sorted([*path.glob(SEGMENTS), *path.glob(SEGMENTS + SUFFIX)]) if path.is_dir() else [path]
    if len(found) > MAX_SUMS:
        raise OperatorFault(f"{path} 中有 {MAX_SUMS} 个以上的分段文件，不像一次录制。请检查路径。")
    return found


def open_segments(
    paths: Sequence[Path], desk: OneOpenFile, archive: ec.EllipticCurvePrivateKey | None, unread: list[str]
) -> tuple[list[SegmentFile], list[str]]:
    """The segments at `paths`, of encrypted ones what `archive` opens, and the names of those that cannot be read, told
    in `unread`. Raises `OperatorFault` when none can be."""
    opened = {path.name: _readable(path, lambda place: _segment(place, desk, archive), unread) for path in paths}
    files = [it for it in opened.values() if it is not None]
    if unread and not files:
        raise OperatorFault(unread[0])
    return files, [name for name, it in opened.items() if it is None]


def _segment(path: Path, desk: OneOpenFile, archive: ec.EllipticCurvePrivateKey | None) -> SegmentFile:
    if path.stat().st_size > MAX_SEGMENT_BYTES:
        raise OperatorFault(f"{path} 大于 {MAX_SEGMENT_BYTES >> 30} GiB，不是设备写出的分段，未检验。请检查来源。")
    if path.suffix != SUFFIX:
        return SegmentFile(path.name, desk.source(path))
    return decrypted_segment(path.name.removesuffix(SUFFIX), desk.source(path), needed_key(path, archive))


def needed_key(path: Path, archive: ec.EllipticCurvePrivateKey | None) -> ec.EllipticCurvePrivateKey:
    """The key that opens `path`; raises `OperatorFault` where none was given."""
    if archive is None:
        raise OperatorFault(f"{path} 是加密的。请用 --key 指明中心的存档私钥。")
    return archive


def read_sidecars(
    folder: Path,
    desk: OneOpenFile,
    archive: ec.EllipticCurvePrivateKey | None,
    unread: list[str],
    segments: Sequence[str],
) -> Sidecars:
    """What lies beside the segments; what cannot be read is told in `unread` and left out, so that it hides nothing.
    `segments` are the names of those that could not be read."""
    left = list(segments)

    def readable(path: Path, read: Callable[[Path], _Read | None]) -> _Read | None:
        told = len(unread)
        found = _readable(path, read, unread)
        if len(unread) > told and path.exists():  # a link into nothing is nothing
            left.append(path.name)
        return found

    def all_readable(paths: Iterable[Path], most: int, read: Callable[[Path], _Read | None]) -> dict[str, _Read]:
        found = sorted(paths)
        if len(found) > most:
            unread.append(f"{folder} 中有 {most} 个以上的 {found[0].suffix} 文件，其余未检验。请检查来源。")
        opened = {path.name: readable(path, read) for path in found[:most]}
        return {name: it for name, it in opened.items() if it is not None}

    journal = folder / JOURNAL_NAME
    opened = readable(journal, desk.source) if os.path.lexists(journal) else None
    notes = all_readable((folder / NOTES).glob("*.dsse"), MAX_NOTES + 1, content_of)
    places = (it for it in (*folder.glob(PHOTOS), *folder.glob(PHOTOS + SUFFIX)) if it.exists())
    photos = all_readable(places, 2 * MAX_SUMS, lambda place: _photo(place, desk, archive))
    inside = opened is None and any(folder.glob(SEGMENTS + SUFFIX))
    sums, signature = (readable(folder / name, content_of) for name in (SUMS_NAME, SIGNATURE_NAME))
    found = _readable(folder, names_in, unread) or FolderNames((), ())
    names = (found.files, found.traces, left, folder.absolute().name)
    return Sidecars(opened, sums, signature, notes, photos, inside, *names)


def _readable(path: Path, read: Callable[[Path], _Read], unread: list[str]) -> _Read | None:
    try:
        with reading(path):
            return read(path)
    except OperatorFault as fault:
        unread.append(str(fault))
        return None


def _photo(path: Path, desk: OneOpenFile, archive: ec.EllipticCurvePrivateKey | None) -> Source:
    source = desk.source(path)
    return source if path.suffix != SUFFIX else decrypted_photo(source, needed_key(path, archive))


def content_of(path: Path, limit: int = MAX_SIDECAR_BYTES) -> bytes | None:
    """The first `limit` bytes of the regular file at `path`, None without one; raises `OperatorFault` or `OSError`."""
    if not os.path.lexists(path):  # a link into nothing is not "nothing there"
        return None
    with open_regular(path) as stream:
        return stream.read(limit)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the disk's errors about `path` into an `OperatorFault`: what cannot be read cannot be judged."""
    try:
        yield
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror or error}。请检查路径、权限与存储卡后重试。") from error
