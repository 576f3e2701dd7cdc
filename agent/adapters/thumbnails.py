"""A handful of pictures out of a recording for the printed report: one from each of a few fragments that verify."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.errors import EnvironmentFault, SenderFault
from agent.evidence.bmff import walk
from agent.evidence.journal import JournalRecord
from agent.evidence.places import Examined, clock_text

COUNT = 6  # ours; one row on paper
WIDTH = 320  # pixels
MAX_FRAGMENT_BYTES = 16 * 1024 * 1024  # ours; half a second of ours has about 250 KiB


@dataclass(frozen=True)
class Thumbnail:
    """A JPEG and where it comes from: `sequence` of the fragment, `at` its first frame's time as people read it."""

    jpeg: bytes
    sequence: int
    at: str


def thumbnails(segments: Sequence[Examined], count: int = COUNT) -> tuple[Thumbnail, ...]:
    """Up to `count` pictures, evenly over the recording; a fragment that cannot be decoded gives none, which the page
    says. The segments' sources must still be open."""
    from agent.adapters.libav import first_picture

    found = []
    for segment, record in _chosen(segments, count):
        try:
            jpeg = first_picture(_film(segment, record), WIDTH)
        except (EnvironmentFault, SenderFault):
            continue
        found.append(Thumbnail(jpeg, record.entry.sequence, clock_text(record.entry.moment.captured)))
    return tuple(found)


def _chosen(segments: Sequence[Examined], wanted: int) -> list[tuple[Examined, JournalRecord]]:
    every = [(segment, record) for segment in segments for record in segment.found.fragments]
    every = [(segment, record) for segment, record in every if record.media_size <= MAX_FRAGMENT_BYTES]
    count = min(wanted, len(every))
    return [every[(2 * number + 1) * len(every) // (2 * count)] for number in range(count)]


def _film(segment: Examined, record: JournalRecord) -> bytes:
    """A playable file of one fragment: the segment's ftyp and moov, then its moof and mdat."""
    source = segment.file.source
    head = []
    for box in walk(source):
        if box.kind in (b"ftyp", b"moov"):
            head.append(box.raw())
        if box.kind == b"moov":
            break
    return b"".join([*head, *source.chunks(record.media_offset, record.media_size)])
