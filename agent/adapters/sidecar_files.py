"""Writing the files beside a recording: journal, sums, their signature; with the gm profile SM3 sums as well."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent import durable
from agent.adapters.data_keys import DataKeys
from agent.adapters.segment_recovery import opened
from agent.errors import EnvironmentFault
from agent.evidence import gm_sums, sidecars
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.gm_sums import GmSigner
from agent.evidence.journal import JournalRecord
from agent.wire.identifiers import Digest
from agent.wire.signing import CertifiedSigner

logger = logging.getLogger(__name__)


def write_sidecars(
    folder: Path,
    segments: Sequence[Path],
    records: Sequence[JournalRecord],
    signer: CertifiedSigner,
    keys: DataKeys,
    gm: GmSigner | None,
) -> None:
    """Write them into `folder`, the signature of the sums last: with it a recording is finished. The sums of encrypted
    segments are those of their plaintext. Raises `EnvironmentFault`."""
    journal = durable.write_bytes(folder / sidecars.JOURNAL_NAME, sidecars.journal_lines(records))
    files = {place.name.removesuffix(SUFFIX): place for place in (journal, *segments)}
    sums = sidecars.sha256sums({name: _sha256(place, keys) for name, place in files.items()})
    durable.write_bytes(folder / sidecars.SUMS_NAME, sums)
    if gm is not None:
        _write_gm_sums(folder, files, keys, gm)
    durable.write_bytes(folder / sidecars.SIGNATURE_NAME, sidecars.sign_sums(sums, signer))


def _write_gm_sums(folder: Path, files: Mapping[str, Path], keys: DataKeys, gm: GmSigner) -> None:
    digests = {name: _sm3(place, keys) for name, place in files.items()}
    sums = gm_sums.sm3sums(digests, gm.key_id)
    try:
        signature = gm.sign(sums)
    except EnvironmentFault as fault:  # the recording is evidence without it, and lacks it openly
        logger.error("gm profile: %s", fault)  # noqa: TRY400 - a traceback says no more
        return
    durable.write_bytes(folder / gm_sums.SM3SUMS_NAME, sums)
    durable.write_bytes(folder / gm_sums.SM2_SIGNATURE_NAME, signature)


def _sha256(place: Path, keys: DataKeys) -> Digest:
    whole = hashlib.sha256()
    with opened(place, keys) as source:
        for chunk in source.chunks(0, source.size):
            whole.update(chunk)
    return Digest(whole.hexdigest())


def _sm3(place: Path, keys: DataKeys) -> str:
    with opened(place, keys) as source:
        return gm_sums.sm3(source.chunks(0, source.size))
