"""Decrypting what recorders encrypted for the archive: recordings with what lies beside them, and photos."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec

from agent import durable
from agent.duty.papers import BESIDE as PAPERS
from agent.duty.papers import MAX_PAPER_BYTES, PAPER_SUFFIX
from agent.errors import LiuhenFault, OperatorFault, SenderFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_paper import OVERHEAD_BYTES, decrypt_paper
from agent.evidence.encrypted_photo import MAX_ENCRYPTED_BYTES, decrypt_photo
from agent.evidence.encrypted_reading import EncryptedSegment, encryption_findings, open_with_archive_key
from agent.evidence.encrypted_stream import MAGIC, SUFFIX
from agent.evidence.gm_sums import NAMES as GM_NAMES
from agent.evidence.note_findings import NOTES
from agent.evidence.recovery import examine
from agent.evidence.sidecars import JOURNAL_NAME, PHOTOS, SIGNATURE_NAME, SUMS_NAME, iterate_journal_lines

ENCRYPTED = "segment-*.mp4" + SUFFIX
TORN = ".torn"  # as agent.adapters.segment_recovery: a tail, or a file whose beginning could not be read
BESIDE = (JOURNAL_NAME, SUMS_NAME, SIGNATURE_NAME, *GM_NAMES, "segment-*", PHOTOS)
"""What may lie beside the encrypted files of a recording and is copied; a name that decryption wrote never is."""


@dataclass(frozen=True)
class Decrypted:
    """A file that was written in the clear; `problems` are Chinese lines, none when it is whole."""

    file: Path
    size: int
    problems: tuple[str, ...]


def decrypt(path: Path, key: ec.EllipticCurvePrivateKey, out: Path) -> list[Decrypted]:
    """`decrypt_recording` into a folder of the same name in `out`, or the photo `path` into `out` itself."""
    if path.name.endswith(".jpg" + SUFFIX):
        with _reading(path) as file:
            plain = decrypt_photo(file.read_at(0, MAX_ENCRYPTED_BYTES), key)
        with _OutFolder(out) as target:
            return [target.write(path.name.removesuffix(SUFFIX), [plain])]
    return decrypt_recording(path, key, out / path.name)


def decrypt_recording(folder: Path, key: ec.EllipticCurvePrivateKey, out: Path) -> list[Decrypted]:
    """Write every encrypted segment of `folder` in the clear into `out` (0600), the journal out of them, and copy what
    lies beside them.

    What can be read is written even where another file is damaged; what cannot is in `problems`. Raises `OperatorFault`
    when there is nothing to decrypt or the key is another for all there is; then, and when the disk fails, nothing of
    this run is left in `out`.
    """
    segments = sorted(folder.glob(ENCRYPTED))
    if not segments:
        raise OperatorFault(f"{folder} 中没有加密的分段文件（{ENCRYPTED}）。请指明录制文件夹。")
    with ExitStack() as stack:
        opened: dict[str, tuple[Source, EncryptedSegment]] = {}
        faults: list[tuple[Path, LiuhenFault]] = []
        for segment in segments:
            try:
                source = stack.enter_context(_reading(segment))
                opened[segment.name] = source, open_with_archive_key(source, key)
            except (OperatorFault, SenderFault) as fault:
                faults.append((segment, fault))
        if not opened:
            raise faults[0][1]
        with _OutFolder(out) as target:
            return list(_decrypted(folder, key, opened, target)) + [_unread(out, *it) for it in faults]


@dataclass
class _OutFolder:
    """The folder that is written; as a context, it takes back what it wrote when that ends with an exception."""

    path: Path
    written: dict[str, Path] = field(default_factory=dict)
    made: bool = False

    def __enter__(self) -> Self:
        self.made = not self.path.exists()
        durable.make_directory(self.path, 0o700)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            return
        for place in self.written.values():
            durable.remove(place)
        if self.made:
            for place in (self.path / NOTES, self.path / PAPERS, self.path):
                with suppress(OSError):  # something else has come to lie in it, or it is not there
                    place.rmdir()

    def write(self, name: str, pieces: Iterable[bytes], problems: tuple[str, ...] = ()) -> Decrypted:
        """The file `name`, which must not exist, out of `pieces`."""
        target = self.path / name
        if os.path.lexists(target):
            raise OperatorFault(f"{target} 已存在，未作改动。请用 --out 指明另一个目录。")
        durable.make_directory(target.parent, 0o700)
        durable.write_stream(target, pieces, durable.PRIVATE)
        self.written[name] = target
        return Decrypted(target, target.stat().st_size, problems)


def _decrypted(
    folder: Path, key: ec.EllipticCurvePrivateKey, opened: dict[str, tuple[Source, EncryptedSegment]], out: _OutFolder
) -> Iterator[Decrypted]:
    for name, (_, found) in opened.items():
        yield _segment(name.removesuffix(SUFFIX), found, out)
    _write_journal([found for _, found in opened.values()], out)
    for photo in sorted(folder.glob(PHOTOS + SUFFIX)):
        yield from _tried(photo, out, lambda place: _photo(place, key, out))
    for paper in sorted((folder / PAPERS).glob(f"*{PAPER_SUFFIX}{SUFFIX}")):
        yield from _problems(_tried(paper, out, lambda place: _paper(place, key, out)))
    for torn in sorted(folder.glob(ENCRYPTED + TORN)):
        yield from _tried(torn, out, lambda place: _torn(place, key, opened, out))
    for beside in _beside(folder):
        name = str(beside.relative_to(folder))
        if name in out.written:
            text = f"{name}：卡上另有同名的明文文件，未复制；解密得到的才是录像的内容。"
            yield Decrypted(out.path / name, 0, (text,))
        else:
            yield from _problems(_tried(beside, out, lambda place: _copied(place, folder, out)))


def _segment(name: str, opened: EncryptedSegment, out: _OutFolder) -> Decrypted:
    plain = opened.plain
    done = out.write(name, plain.chunks(0, plain.size))
    return Decrypted(done.file, done.size, tuple(it.text for it in encryption_findings(name, opened)))


def _write_journal(segments: Iterable[EncryptedSegment], out: _OutFolder) -> None:
    """The very bytes that the device listed in its sums: they follow from the signed journal in the segments."""
    records = (record for opened in segments for record in examine(opened.plain).fragments)
    out.write(JOURNAL_NAME, iterate_journal_lines(records))


def _photo(photo: Path, key: ec.EllipticCurvePrivateKey, out: _OutFolder) -> Decrypted:
    with _reading(photo) as file:
        plain = decrypt_photo(file.read_at(0, MAX_ENCRYPTED_BYTES), key)
    return out.write(photo.name.removesuffix(SUFFIX), [plain])


def _paper(paper: Path, key: ec.EllipticCurvePrivateKey, out: _OutFolder) -> Decrypted:
    with _reading(paper) as file:
        plain = decrypt_paper(file.read_at(0, MAX_PAPER_BYTES + OVERHEAD_BYTES), key)
    return out.write(f"{PAPERS}/{paper.name.removesuffix(SUFFIX)}", [plain])


def _torn(
    torn: Path,
    key: ec.EllipticCurvePrivateKey,
    opened: dict[str, tuple[Source, EncryptedSegment]],
    out: _OutFolder,
) -> Decrypted:
    """A tail is read behind the records of its segment, where it stood; a file of its own by itself."""
    name = torn.name.removesuffix(SUFFIX + TORN) + TORN
    with _reading(torn) as file:
        before = opened.get(torn.name.removesuffix(TORN))
        if file.read_at(0, len(MAGIC)) == MAGIC or before is None:
            plain, begin = open_with_archive_key(file, key).plain, 0
        else:
            plain, begin = open_with_archive_key(_behind(*before, file), key).plain, before[1].size
        return out.write(name, plain.chunks(begin, plain.size - begin))


def _behind(sealed: Source, opened: EncryptedSegment, tail: Source) -> Source:
    end = opened.end

    def read_at(offset: int, length: int) -> bytes:
        first = sealed.read_at(offset, min(length, end - offset)) if offset < end else b""
        return first + tail.read_at(max(0, offset - end), length - len(first))

    return Source(end + tail.size, read_at)


def _tried(place: Path, out: _OutFolder, work: Callable[[Path], Decrypted]) -> Iterator[Decrypted]:
    """What is wrong with one file keeps no other from being written; a full disk does."""
    try:
        yield work(place)
    except (OperatorFault, SenderFault) as fault:
        yield _unread(out.path, place, fault)


def _unread(out: Path, place: Path, fault: LiuhenFault) -> Decrypted:
    return Decrypted(out / place.name.removesuffix(SUFFIX), 0, (f"{place.name}：{fault}",))


def _problems(done: Iterable[Decrypted]) -> Iterator[Decrypted]:
    return (each for each in done if each.problems)


def _beside(folder: Path) -> Iterator[Path]:
    """Sums, their signatures, a journal if one stands there, what was in the clear already, notes; by known names."""
    for place in sorted(folder.iterdir()):
        encrypted = place.name.endswith((SUFFIX, SUFFIX + TORN))
        if not encrypted and any(fnmatch(place.name, pattern) for pattern in BESIDE):
            yield place
    yield from sorted((folder / NOTES).glob("*.dsse"))
    yield from sorted((folder / PAPERS).glob(f"*{PAPER_SUFFIX}"))


def _copied(source: Path, folder: Path, out: _OutFolder) -> Decrypted:
    with _reading(source) as file:
        return out.write(str(source.relative_to(folder)), file.chunks(0, file.size))


@contextmanager
def _reading(path: Path) -> Iterator[Source]:
    """The regular file at `path`: whoever had the card may have laid a link to a file of ours there, or a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror or error}。请检查路径与权限。") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OperatorFault(f"{path} 不是普通文件，未读取。")

        def read_at(offset: int, length: int) -> bytes:
            with durable.disk_errors(path):
                return os.pread(descriptor, length, offset)

        yield Source(found.st_size, read_at)
    finally:
        os.close(descriptor)
