"""What already lies at the centre under a recording's name, held byte by byte against the manifest of what its device
brought: nobody may sign for files that were not looked at."""

import hashlib
from pathlib import Path

from agent.durable import disk_errors
from agent.errors import SenderFault
from agent.evidence import bmff
from agent.evidence.bmff import Source
from agent.evidence.photo import MAX_PHOTO_BYTES
from agent.evidence.photo_report import digest_as_taken
from agent.evidence.time_stamps import as_sealed
from agent.wire.offload_manifest import OffloadManifest, StoredFile

READ_BYTES = 2**20
FILM, PHOTO = ".mp4", ".jpg"  # may bear a time-stamp, which is taken out for the comparison: nothing else may differ


def check_held(folder: Path, manifest: OffloadManifest) -> None:
    """Raise `SenderFault` with the first file of `manifest` that stands in `folder` as something else, or does not
    stand there; `EnvironmentFault` when it cannot be read."""
    for file in manifest.files:
        check_file(folder / file.name, file)


def check_file(path: Path, file: StoredFile) -> None:
    """The same for one file."""
    with disk_errors(path):
        same = path.is_file() and not path.is_symlink() and path.stat().st_size == file.size and _is(path, file)
    if not same:
        raise SenderFault(f"中心已有的 {path} 与设备上传的不同或缺失，未签回执。请人工核查，将它移走后再运行 intake。")


def _is(path: Path, file: StoredFile) -> bool:
    with path.open("rb", buffering=0) as opened:

        def read_at(offset: int, length: int) -> bytes:
            opened.seek(offset)
            return opened.read(length)

        source = Source(file.size, read_at)
        return file.sha256 in (_sha256(source), _made_sha256(path, source))


def _made_sha256(path: Path, source: Source) -> str:
    """Of the film or photo as its device made it, without a time-stamp; empty for what has no manifest of ours."""
    if path.suffix == PHOTO and source.size <= MAX_PHOTO_BYTES:
        return digest_as_taken(source.read_at(0, source.size))
    if path.suffix != FILM:
        return ""
    try:
        return _sha256(as_sealed(source, bmff.box_at(source, 0).end))
    except SenderFault:
        return ""


def _sha256(source: Source) -> str:
    whole = hashlib.sha256()
    for offset in range(0, source.size, READ_BYTES):
        whole.update(source.read_at(offset, min(READ_BYTES, source.size - offset)))
    return whole.hexdigest()
