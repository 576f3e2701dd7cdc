"""A recording's folder at the centre, opened as it lies: in the clear, or encrypted and read with the archive's key.
Nothing decrypted is written anywhere."""

import os
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from agent import durable
from agent.errors import OperatorFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_photo import decrypted_photo
from agent.evidence.encrypted_reading import decrypted_segment
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.note_findings import NOTES
from agent.evidence.places import SegmentFile
from agent.evidence.sidecar_findings import Sidecars
from agent.evidence.sidecars import JOURNAL_NAME, PHOTOS, SIGNATURE_NAME, SUMS_NAME
from agent.wire.notes import MAX_NOTES

SEGMENTS = "segment-*.mp4"
Archive = ec.EllipticCurvePrivateKey | None


def segment_paths(folder: Path) -> list[Path]:
    """The segments of a recording, in their order."""
    found = [*folder.glob(SEGMENTS), *folder.glob(SEGMENTS + SUFFIX)]
    return sorted(found, key=lambda path: (len(path.name.removesuffix(SUFFIX)), path.name))


def needs_key(folder: Path) -> bool:
    """Whether its films or photos are encrypted."""
    return any(folder.glob(SEGMENTS + SUFFIX)) or any(folder.glob(PHOTOS + SUFFIX))


def open_segment(path: Path, archive: Archive, stack: ExitStack) -> SegmentFile:
    """A segment for verification and for playing; raises `OperatorFault` for a key that is missing or another."""
    if path.suffix != SUFFIX:
        return SegmentFile(path.name, open_source(path, stack))
    return decrypted_segment(path.name.removesuffix(SUFFIX), open_source(path, stack), _key(archive))


def open_sidecars(folder: Path, archive: Archive, stack: ExitStack) -> Sidecars:
    """What lies beside the segments; raises as `open_segment`."""
    journal = folder / JOURNAL_NAME
    notes = {place.name: _content(place) or b"" for place in sorted((folder / NOTES).glob("*.dsse"))[: MAX_NOTES + 1]}
    photos = {}
    for place in sorted([*folder.glob(PHOTOS), *folder.glob(PHOTOS + SUFFIX)]):
        source, sealed = open_source(place, stack), place.suffix == SUFFIX
        photos[place.name] = decrypted_photo(source, _key(archive)) if sealed else source
    inside = not journal.exists() and any(folder.glob(SEGMENTS + SUFFIX))
    sums, signature = _content(folder / SUMS_NAME), _content(folder / SIGNATURE_NAME)
    opened = open_source(journal, stack) if journal.exists() else None
    return Sidecars(opened, sums, signature, notes, photos, inside)


def open_source(path: Path, stack: ExitStack) -> Source:
    """The file at `path`, open until `stack` ends, never through a link; raises `EnvironmentFault`."""
    with durable.read_errors(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        stack.callback(os.close, descriptor)
        size = os.fstat(descriptor).st_size

    def read(offset: int, length: int) -> bytes:
        with durable.read_errors(path):
            return os.pread(descriptor, length, offset)

    return Source(size, read)


def _content(path: Path) -> bytes | None:
    with durable.read_errors(path):
        return path.read_bytes() if path.exists() else None


def _key(archive: Archive) -> ec.EllipticCurvePrivateKey:
    if archive is None:
        raise OperatorFault("录像是加密的。请用 --key 指明存档私钥。")
    return archive
