"""A handful of pictures out of a recording for the printed report: one from each of a few fragments that verify."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.errors import EnvironmentFault, SenderFault
from agent.evidence.bmff import walk
from agent.evidence.journal import JournalRecord
from agent.evidence.places import Examined, clock_text

COUNT = 6  # ours; one row on paper
WIDTH = 320  # pixels
STEPS_BACK = 4  # ours; a keyframe stands in every second fragment of ours, in other cameras' every two seconds
MAX_FRAGMENT_BYTES = 16 * 1024 * 1024  # ours; half a second of ours has about 250 KiB


@dataclass(frozen=True)
class Thumbnail:
    """A JPEG and where it comes from: `sequence` of the fragment, `at` its first frame's time as people read it."""

    jpeg: bytes
    sequence: int
    at: str


def thumbnails(segments: Sequence[Examined], count: int = COUNT) -> tuple[Thumbnail, ...]:
    """Up to `count` pictures, evenly over the recording; where neither a fragment nor the few
    before it can be decoded alone there is none, and the page says how many there are. The segments'
    sources must still be open."""
    from agent.adapters.libav import first_picture

    found = []
    for tries in _chosen(segments, count):
        for segment, record in tries:
            try:
                jpeg = first_picture(_film(segment, record), WIDTH)
            except (EnvironmentFault, SenderFault):
                continue
            found.append(Thumbnail(jpeg, record.entry.sequence, clock_text(record.entry.moment.captured)))
            break
    return tuple({picture.sequence: picture for picture in found}.values())


def _chosen(segments: Sequence[Examined], wanted: int) -> list[list[tuple[Examined, JournalRecord]]]:
    """Evenly chosen fragments, each with the few before it: not every fragment begins with a keyframe."""
    every = [(segment, record) for segment in segments for record in segment.found.fragments]
    every = [(segment, record) for segment, record in every if record.media_size <= MAX_FRAGMENT_BYTES]
    count = min(wanted, len(every))
    chosen = [(2 * number + 1) * len(every) // (2 * count) for number in range(count)]
    return [every[max(0, at - STEPS_BACK) : at + 1][::-1] for at in chosen]


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
