"""Naming the place of damage: which fragment it is and when it was captured, from its neighbours if need be."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.evidence.bmff import Source
from agent.evidence.fragment_walk import APPENDED, Damage
from agent.evidence.fragments import JOURNAL, MDAT, MOOF, SIGNATURE
from agent.evidence.journal import JournalEvent, JournalRecord
from agent.evidence.recovery import Examination
from agent.evidence.report import Finding, Place
from agent.evidence.statements import Seal
from agent.wire.instant import BEIJING, Instant

MISSING = "missing"
FARTHEST, FARTHEST_STEPS = timedelta(days=1), 200_000  # ours; a time is not inferred over a longer stretch


@dataclass(frozen=True)
class SegmentFile:
    """A segment file by name; `besides` is asked last for what is known of it apart from `source`."""

    name: str
    source: Source
    besides: Callable[[], Sequence[Finding]] = tuple


@dataclass(frozen=True)
class Examined:
    """A segment file and what stands in it."""

    file: SegmentFile
    found: Examination

    @property
    def seal(self) -> Seal | None:
        """The seal, None while unsealed or unreadable."""
        return None if self.found.manifest is None else self.found.manifest.seal

    @property
    def events(self) -> Iterator[tuple[int | None, JournalEvent]]:
        """The events of its journal in order, each with the fragment that carries it, None for the seal."""
        for record in self.found.fragments:
            yield from ((record.entry.sequence, event) for event in record.entry.moment.events)
        if self.seal is not None:
            yield from ((None, event) for event in self.seal.closing.gaps)

    @property
    def number(self) -> int | None:
        """The signed segment number, None when unreadable."""
        return None if self.found.origin is None else self.found.origin.segment


def located(segment: Examined) -> dict[Damage, Place]:
    """The place of every stretch of damage, the tail included."""
    found = segment.found
    items: list[Damage | JournalRecord] = sorted(
        (*found.damage, *found.tail, *found.fragments), key=lambda item: item.offset
    )
    following: JournalRecord | None = None
    after: dict[Damage, JournalRecord | None] = {}
    for item in reversed(items):
        if isinstance(item, Damage):
            after[item] = following
        else:
            following = item
    return _walked(segment, items, after)


def nearest(records: Sequence[JournalRecord], sequence: int) -> JournalRecord | None:
    """The record that bears a number nearest to `sequence`."""
    return min(records, key=lambda record: abs(record.entry.sequence - sequence), default=None)


def timed(place: Place, neighbour: JournalRecord | None) -> Place:
    """`place` with its time counted from a neighbouring fragment that verifies."""
    if place.sequence is None or neighbour is None:
        return place
    moment, steps = neighbour.entry.moment, place.sequence - neighbour.entry.sequence
    if abs(steps) > FARTHEST_STEPS or timedelta(milliseconds=moment.duration_ms * abs(steps)) > FARTHEST:
        return place
    shift = timedelta(milliseconds=moment.duration_ms * steps)
    return replace(place, captured=_shifted(moment.captured, shift), inferred=True)


def named(place: Place) -> str:
    """The place in Chinese words: file, fragment, time."""
    words = place.file
    if place.sequence is not None:
        words += f" 第 {place.sequence} 片段"
    if place.captured is not None:
        about = "约 " if place.inferred else ""
        words += f"（{about}{clock_text(place.captured)}）"
    return words


def clock_text(moment: Instant) -> str:
    """The wall clock of a moment, to the second, as people in China read it."""
    return wall_text(moment.wall)


def wall_text(wall: datetime) -> str:
    """An aware moment likewise."""
    return f"{wall.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"


def _walked(
    segment: Examined,
    items: Sequence[Damage | JournalRecord],
    after: dict[Damage, JournalRecord | None],
) -> dict[Damage, Place]:
    origin = segment.found.origin
    expected = 1 if origin is None else origin.first_sequence
    before: JournalRecord | None = None
    places: dict[Damage, Place] = {}
    for item in items:
        if isinstance(item, JournalRecord):
            before, expected = item, item.entry.sequence + 1
            continue
        place = Place(segment.file.name, item.kind, segment.number, offset=item.offset, size=item.size)
        if item.fragment is not None and item.kind == APPENDED:
            place = replace(place, sequence=None if before is None else before.entry.sequence, inferred=True)
        elif item.fragment is not None:
            place = _of_fragment(place, item, expected, before, after[item], segment.seal)
            expected += 1
        places[item] = place
    return places


def _of_fragment(
    place: Place,
    damage: Damage,
    expected: int,
    before: JournalRecord | None,
    after: JournalRecord | None,
    seal: Seal | None,
) -> Place:
    fragment = damage.fragment
    info, entry = (None, None) if fragment is None else (fragment.info, fragment.entry)
    kind = _refined(damage, after, seal)
    place = replace(place, kind=kind, sequence=expected if info is None else info.sequence)
    if entry is not None and kind != JOURNAL and entry.sequence == place.sequence:
        return replace(place, captured=entry.moment.captured)
    return timed(place, before or after)


def _refined(damage: Damage, after: JournalRecord | None, seal: Seal | None) -> str:
    """Tell a changed journal from changed media by what carries its hash: the entry after it, or the seal."""
    fragment = damage.fragment
    if fragment is None or fragment.entry is None or damage.kind not in (MOOF, MDAT, SIGNATURE):
        return damage.kind
    told = None if seal is None else seal.head
    if after is not None:
        told = after.entry.previous if after.entry.sequence == fragment.entry.sequence + 1 else None
    return damage.kind if told in (None, fragment.head) else JOURNAL


def _shifted(moment: Instant, shift: timedelta) -> Instant:
    nanoseconds = shift // timedelta(microseconds=1) * 1000
    return replace(moment, wall=moment.wall + shift, monotonic_ns=moment.monotonic_ns + nanoseconds)
