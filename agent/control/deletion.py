"""The only rule by which a recording may ever leave its device: the centre has signed that it holds these very files,
the time for which they are kept is over, and nobody holds them (DESIGN section 5).

Never by age alone, and never because a clock says so by itself. The time is counted from the later of the recording's
end and the moment at which the centre signed, which no clock of the device can make earlier. It is over when the
device's clock, disciplined by NTP or GNSS, and the centre's, heard in this run and carried on by the monotonic clock,
agree with each other and both say so.

A deletion is an event of the chain, in one transaction with the note that it is on its way; the files go after it. A
power cut in between is finished by the next start: `Kept.going` says what is still to be done. An event that the store
did not take is forgotten: whether the recording may go is decided anew, never carried out later.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from agent.duty.holds import SHORTEST
from agent.duty.retention import Retention, longest, parse_retention
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.identifiers import RecordingId, parse_recording_id
from agent.wire.instant import Instant, TimeState

CLOCKS_APART = timedelta(hours=1)  # ours: a receipt may have been on its way for a while; a year is no such while
TRUSTED = frozenset({TimeState.GNSS, TimeState.NTP})
NOT_FILED = ""
MOMENTS = ("ended", "receipted_at", "signed_at")


class Stay(StrEnum):
    """Why a recording stays; for people and for tests."""

    NOT_RECEIPTED = "中心尚未签收这些文件"
    HELD = "已冻结"
    MARKED = "有重点标记"
    FOR_EVER = "永久保存、随案卷保存或尚未归类"
    NOT_YET = "保存期限未满"
    CLOCK = "时钟未校准，或与中心不一致"


@dataclass(frozen=True)
class Kept:
    """What is remembered of a recording. `ended` by a clock that was disciplined, else None; `terms` are the classes of
    the tasks it was made for, `NOT_FILED` where there was none; `filed` is the centre's own. `manifest` is what stands
    outside, `receipted` the manifest that the centre signed for, which it has had since `receipted_at`; it signed last
    at `signed_at`. `going`: its deletion is on the chain."""

    recording: RecordingId
    ended: datetime | None = None
    terms: tuple[str, ...] = ()
    marked: bool = False
    manifest: str = ""
    receipted: str = ""
    receipted_at: datetime | None = None
    filed: str = NOT_FILED
    going: bool = False
    signed_at: datetime | None = None

    def encode(self) -> str:
        """Canonical JSON."""
        fields = {**vars(self), "terms": list(self.terms)}
        for name in MOMENTS:
            fields[name] = None if fields[name] is None else canonical.timestamp(fields[name])
        return canonical.encode(fields).decode()

    @property
    def retention(self) -> Retention | None:
        """How long it is kept: the longest of all classes, None while a part of it is in none. Raises `SenderFault`."""
        if not self.filed and (NOT_FILED in self.terms or not self.terms):
            return None
        return longest(parse_retention(text) for text in (*self.terms, self.filed) if text)


def parse_kept(text: str) -> Kept:
    """The inverse of `Kept.encode`; raises `SenderFault`."""
    fields = Fields("保存状态", canonical.decode(text.encode()))
    return Kept(
        parse_recording_id(fields.text("recording")),
        fields.optional_moment("ended"),
        tuple(str(term) for term in fields.array("terms")),
        fields.boolean("marked"),
        fields.text("manifest"),
        fields.text("receipted"),
        fields.optional_moment("receipted_at"),
        fields.text("filed"),
        fields.boolean("going"),
        fields.optional_moment("signed_at") if fields.has("signed_at") else None,
    )


@dataclass(frozen=True)
class CentreTime:
    """The centre signed `said` with its own time; we heard it at `heard`."""

    said: datetime
    heard: Instant

    def at(self, now: Instant) -> datetime:
        """The centre's time now, at the earliest; `now` belongs to the same run of the device."""
        return self.said + timedelta(microseconds=(now.monotonic_ns - self.heard.monotonic_ns) // 1000)


def later(before: CentreTime | None, other: CentreTime, now: Instant) -> CentreTime:
    """The one that is farther on: an old word that comes again moves nothing."""
    return other if before is None or other.at(now) > before.at(now) else before


def may_be_removed(kept: Kept, holds: Iterable[str]) -> bool:
    """Whether the files of a recording whose deletion is on the chain may still be removed."""
    return kept.going and bool(kept.receipted) and kept.receipted == kept.manifest and not list(holds)


def why_stays(kept: Kept, holds: Iterable[str], now: Instant, centre: CentreTime | None) -> Stay | None:
    """Why `kept` may not be deleted, None when it may. `holds` are the names of those in force."""
    if not kept.receipted or kept.receipted != kept.manifest or kept.receipted_at is None:
        return Stay.NOT_RECEIPTED
    if list(holds):
        return Stay.HELD
    if kept.marked:
        return Stay.MARKED
    due = _due(kept)
    if due is None:
        return Stay.FOR_EVER
    if centre is None or now.state not in TRUSTED or abs(centre.at(now) - now.wall) > CLOCKS_APART:
        return Stay.CLOCK
    return None if min(now.wall, centre.at(now)) > due else Stay.NOT_YET


def _due(kept: Kept) -> datetime | None:
    try:
        term = kept.retention
    except SenderFault:
        return None  # a class that nobody can read keeps it
    begins = max(moment for moment in (kept.ended, kept.receipted_at) if moment is not None)
    ends = None if term is None else term.ends(begins)
    return None if ends is None else max(ends, begins + SHORTEST)


def with_term(kept: Kept, term: str) -> Kept:
    """`kept`, made for a task of this class as well."""
    return kept if term in kept.terms else replace(kept, terms=(*kept.terms, term))
