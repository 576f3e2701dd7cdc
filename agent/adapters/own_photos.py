"""Which photos in a recording's folder were taken in it by this device: no others are listed under its signature.

The signed journal names each by its hash. A power cut may have taken that entry with the last fragment: then a photo in
plain is believed by its own signature; an encrypted one cannot be read here. Whatever else bears such a name, a pipe or
a link as well as a picture, is put aside under another one, and nothing of it is deleted.
"""

import logging
import stat
from collections.abc import Callable, Collection
from pathlib import Path

from agent import durable
from agent.adapters.sidecar_files import FileSums
from agent.errors import SenderFault
from agent.evidence import sidecars
from agent.evidence.encrypted_photo import MAX_ENCRYPTED_BYTES
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.photo import MAX_PHOTO_BYTES, open_photo
from agent.wire.identifiers import RecordingId, recording_device
from agent.wire.signing import CertifiedSigner

ASIDE = "unlisted-"  # before the name of what was put aside; with a number where there is one already

logger = logging.getLogger(__name__)


def own_photos(
    folder: Path, named: Collection[str], signer: CertifiedSigner, sums_of: Callable[[Path], FileSums]
) -> dict[str, FileSums]:
    """The sums of the photos of the recording in `folder` by name without `.enc`; `named` are the hashes that its
    journal tells. Raises `EnvironmentFault`."""
    found = {}
    for place in sorted([*folder.glob(sidecars.PHOTOS), *folder.glob(sidecars.PHOTOS + SUFFIX)]):
        sums = sums_of(place) if _is_readable(place) else None
        if sums is not None and (sums.sha256 in named or _is_own(place, signer)):
            found[place.name.removesuffix(SUFFIX)] = sums
        else:
            _put_aside(place)
    return found


def _is_readable(place: Path) -> bool:
    limit = MAX_ENCRYPTED_BYTES if place.suffix == SUFFIX else MAX_PHOTO_BYTES
    with durable.disk_errors(place):
        status = place.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_size <= limit


def _is_own(place: Path, signer: CertifiedSigner) -> bool:
    """Whether a photo in plain says, under this device's certificate, that it was taken in this recording."""
    recording = RecordingId(place.parent.name)
    try:
        with durable.disk_errors(place):
            photo = open_photo(place.read_bytes())
    except SenderFault:
        return False
    told = photo.statement.place
    mine = photo.chain[0] == signer.chain[0] and photo.statement.device == recording_device(recording)
    return mine and told is not None and told.recording == recording


def _put_aside(place: Path) -> None:
    taken = {it.name for it in place.parent.iterdir()}
    names = (f"{ASIDE}{number or ''}{'-' if number else ''}{place.name}" for number in range(len(taken) + 1))
    name = next(it for it in names if it not in taken)
    with durable.disk_errors(place):
        place.rename(place.with_name(name))
    logger.warning("%s 不是这次录制中拍的照片，已改名为 %s，不列入签名清单。请查明来历。", place, name)
