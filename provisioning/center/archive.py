"""Decrypting what recorders encrypted for the archive: recordings with what lies beside them, and photos."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_photo import MAX_ENCRYPTED_BYTES, decrypt_photo
from agent.evidence.encrypted_reading import EncryptedSegment, encryption_findings, open_with_archive_key
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.note_findings import NOTES
from agent.evidence.recovery import examine
from agent.evidence.sidecars import JOURNAL_NAME, PHOTOS, iterate_journal_lines

ENCRYPTED = "segment-*.mp4" + SUFFIX


@dataclass(frozen=True)
class Decrypted:
    """A file that was written in the clear; `problems` are Chinese lines, none when it is whole."""

    file: Path
    size: int
    problems: tuple[str, ...]


def decrypt(path: Path, key: ec.EllipticCurvePrivateKey, out: Path) -> list[Decrypted]:
    """`decrypt_recording` into a folder of the same name in `out`, or the photo `path` into `out` itself."""
    if path.name.endswith(".jpg" + SUFFIX):
        return [_decrypt_photo(path, key, out / path.name.removesuffix(SUFFIX))]
    return decrypt_recording(path, key, out / path.name)


def decrypt_recording(folder: Path, key: ec.EllipticCurvePrivateKey, out: Path) -> list[Decrypted]:
    """Write every encrypted segment of `folder` in the clear into `out` (0600), the journal out of them, and copy what
    lies beside them.

    What can be read is written even where the encrypted file is damaged; the damage is in `problems`. Raises
    `OperatorFault` when there is nothing to decrypt or the key is another, `SenderFault` for a damaged header.
    """
    segments = sorted(folder.glob(ENCRYPTED))
    if not segments:
        raise OperatorFault(f"{folder} 中没有加密的分段文件（{ENCRYPTED}）。请指明录制文件夹。")
    durable.make_directory(out, 0o700)
    with ExitStack() as stack:
        opened = [(segment, stack.enter_context(_opened(segment, key))) for segment in segments]
        done = [_write(found, out / segment.name.removesuffix(SUFFIX)) for segment, found in opened]
        _write_journal([found for _, found in opened], out / JOURNAL_NAME)
    photos = sorted(folder.glob(PHOTOS + SUFFIX))
    done += [_photo_beside(photo, key, out / photo.name.removesuffix(SUFFIX)) for photo in photos]
    for beside in _beside(folder):
        _copy(beside, out / beside.relative_to(folder))
    return done


def _write(opened: EncryptedSegment, target: Path) -> Decrypted:
    _refuse_existing(target)
    plain = opened.plain
    durable.write_stream(target, plain.chunks(0, plain.size), durable.PRIVATE)
    problems = tuple(finding.text for finding in encryption_findings(target.name, opened))
    return Decrypted(target, plain.size, problems)


def _write_journal(segments: Sequence[EncryptedSegment], target: Path) -> None:
    """The very bytes that the device listed in its sums: they follow from the signed journal in the segments."""
    records = (record for opened in segments for record in examine(opened.plain).fragments)
    durable.write_stream(target, iterate_journal_lines(records), durable.PRIVATE)


def _decrypt_photo(photo: Path, key: ec.EllipticCurvePrivateKey, target: Path) -> Decrypted:
    _refuse_existing(target)
    with _reading(photo) as file:
        plain = decrypt_photo(file.read_at(0, MAX_ENCRYPTED_BYTES), key)
    durable.make_directory(target.parent, 0o700)
    durable.write_bytes(target, plain, durable.PRIVATE)
    return Decrypted(target, len(plain), ())


def _photo_beside(photo: Path, key: ec.EllipticCurvePrivateKey, target: Path) -> Decrypted:
    try:
        return _decrypt_photo(photo, key, target)
    except SenderFault as fault:
        return Decrypted(target, 0, (f"{photo.name}：{fault}",))


def _beside(folder: Path) -> Iterator[Path]:
    """Sums, their signature, a journal if one stands there, torn tails, notes; nothing that is decrypted."""
    places = [*folder.iterdir(), *(folder / NOTES).glob("*.dsse")]
    yield from (place for place in sorted(places) if place.is_file() and place.suffix != SUFFIX)


def _copy(source: Path, target: Path) -> None:
    durable.make_directory(target.parent, 0o700)
    with _reading(source) as file:
        durable.write_stream(target, file.chunks(0, file.size), durable.PRIVATE)


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise OperatorFault(f"{target} 已存在，未作改动。请用 --out 指明另一个目录。")


@contextmanager
def _opened(segment: Path, key: ec.EllipticCurvePrivateKey) -> Iterator[EncryptedSegment]:
    with _reading(segment) as source:
        yield open_with_archive_key(source, key)


@contextmanager
def _reading(path: Path) -> Iterator[Source]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror or error}。请检查路径与权限。") from error
    with file:
        descriptor = file.fileno()
        yield Source(os.fstat(descriptor).st_size, lambda at, length: os.pread(descriptor, length, at))
