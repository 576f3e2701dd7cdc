"""Reading a film's own journal from outside: when it ends, and where to damage a copy of it."""

from pathlib import Path

from agent.evidence.bmff import Source
from agent.evidence.journal import JournalRecord
from agent.evidence.recovery import examine

NANOSECONDS_PER_MS = 1_000_000


def last_moment_ns(film: Path) -> int:
    """The end of the last signed fragment, in nanoseconds since the boot it was captured in."""
    moment = _records(film)[-1].entry.moment
    return moment.captured.monotonic_ns + moment.duration_ms * NANOSECONDS_PER_MS


def picture_source(film: Path) -> tuple[str, bool]:
    """Where the signed opening says the picture came from, and whether it says that it is synthetic."""
    origin = examine(Source.of_bytes(film.read_bytes())).origin
    if origin is None:
        raise ValueError(f"{film} has no readable opening")
    return str(origin.context.get("source", "")), origin.synthetic


def flip_one_byte(film: Path) -> int:
    """Flip the last bit of one byte of picture or sound in the middle of `film`; returns the fragment's number."""
    records = _records(film)
    middle = records[len(records) // 2]
    with film.open("r+b") as file:
        file.seek(middle.media_offset + middle.media_size * 3 // 4)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    return middle.entry.sequence


def _records(film: Path) -> tuple[JournalRecord, ...]:
    data = film.read_bytes()
    return examine(Source.of_bytes(data)).fragments
