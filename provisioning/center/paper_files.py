"""The texts of documents beside recordings at the centre: `papers/*.json`, or `.json.enc` for the archive's key."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from agent import durable
from agent.duty.case_papers import FoundPaper
from agent.duty.papers import BESIDE, MAX_PAPER_BYTES, PAPER_SUFFIX, parse_paper
from agent.errors import OperatorFault, SenderFault
from agent.evidence.encrypted_paper import OVERHEAD_BYTES, decrypt_paper
from agent.evidence.encrypted_stream import SUFFIX
from agent.wire.identifiers import RecordingId
from provisioning.center.recording_files import Archive

MAX_PAPERS = 1_000  # ours, of one recording; whoever had the card may have laid anything there


def found_papers(recordings: Path, names: Iterable[RecordingId], archive: Archive) -> list[FoundPaper]:
    """Every paper that lies beside these recordings, opened where it can be."""
    return [_read(place, archive) for name in names for place in _places(recordings / name / BESIDE)]


def _places(folder: Path) -> Iterator[Path]:
    found = sorted([*folder.glob(f"*{PAPER_SUFFIX}"), *folder.glob(f"*{PAPER_SUFFIX}{SUFFIX}")])
    yield from islice((place for place in found if place.is_file() and not place.is_symlink()), MAX_PAPERS)


def _read(place: Path, archive: Archive) -> FoundPaper:
    encrypted = place.suffix == SUFFIX
    if encrypted and archive is None:
        return FoundPaper(place.name, sealed=True)
    with durable.disk_errors(place):
        size = place.stat().st_size
        data = b"" if size > MAX_PAPER_BYTES + OVERHEAD_BYTES else place.read_bytes()
    try:
        return FoundPaper(place.name, parse_paper(decrypt_paper(data, archive) if encrypted and archive else data))
    except OperatorFault:  # for another archive's key
        return FoundPaper(place.name, sealed=True)
    except SenderFault:
        return FoundPaper(place.name)
