"""What a GNSS receiver says (NMEA 0183): bytes in, fixes out; garbage is skipped and counted, never an error.

Framing and checksum are ours: pynmeagps lets a cut sentence swallow the sound one behind it (reference: camera, section
4), here a sentence begins at the last `$` before its checksum. pynmeagps then reads the fields of sound sentences.

NMEA's checksum is one byte of XOR, so one in 256 of damaged sentences passes. A `Fix` therefore needs two sentences of
one moment that agree on the position, RMC (date, valid) and GGA (quality), and a fix shortly before it; "moment" and
"shortly" are meant by their own time and by the lines between them, for on a damaged line what is left may be days old.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import reduce

from pynmeagps import NMEAReader
from pynmeagps.exceptions import NMEAMessageError, NMEAParseError, NMEAStreamError, NMEATypeError
from pynmeagps.nmeamessage import NMEAMessage

BAUD = 9600  # the default of NMEA 0183 receivers
MAX_SENTENCE = 120  # NMEA 0183 says 82; receivers with many systems send somewhat more
BETWEEN = timedelta(seconds=10)  # ours; receivers tell once a second, and a fix counts if one came so shortly before
NEAR = 40  # lines, ours: a receiver of many systems sends up to thirty in a second
SAME_PLACE = 2e-5  # degrees, ours: two metres; RMC and GGA of one moment show the same digits
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)  # ours: a receiver before it suffers from the rollover of GPS weeks
SIMULATED = 8
QUALITIES = frozenset({1, 2, 3, 4, 5, SIMULATED})
"""Field 6 of GGA: 1 autonomous, 2 differential, 3 PPS, 4 and 5 RTK, 8 simulator; 0 is no fix, 6 is dead reckoning and 7
typed in by hand, neither of which is a measurement."""

_SENTENCE = re.compile(rb"\$([A-Z]{2}[A-Z]{3},[ -#%-)+-~]*)\*([0-9A-Fa-f]{2})\Z")
_MISREAD = (NMEAMessageError, NMEAParseError, NMEAStreamError, NMEATypeError, ValueError, TypeError, AttributeError)


@dataclass(frozen=True)
class Fix:
    """A measured position (degrees, WGS-84, north and east positive) and the UTC second it was measured in. `quality`
    is one of `QUALITIES`, `hdop` the horizontal dilution of precision, `altitude_m` above the geoid or None."""

    utc: datetime
    latitude: float
    longitude: float
    altitude_m: float | None
    quality: int
    satellites: int
    hdop: float


class NmeaReader:
    """Feed it what the line delivers. `sentences` counts the sound ones, `garbage` the lines that were none."""

    def __init__(self) -> None:
        self._pending = b""
        self._told: dict[str, tuple[int, NMEAMessage]] = {}
        self._before: tuple[int, datetime] | None = None
        self.sentences = self.garbage = 0

    def feed(self, data: bytes) -> list[Fix]:
        """The fixes that `data` completes, in order. Never raises; holds at most one sentence."""
        *lines, rest = (self._pending + data).replace(b"\r", b"\n").split(b"\n")
        self._pending = rest[-MAX_SENTENCE:]
        return [fix for line in lines if line for fix in self._take(line)]

    def quiet(self) -> list[Fix]:
        """The line fell silent: an unfinished sentence is given up."""
        self._pending = b""
        return []

    def _take(self, line: bytes) -> list[Fix]:
        message = parse_sentence(line)
        if message is None:
            self.garbage += 1
            return []
        self.sentences += 1
        if message.msgID not in ("RMC", "GGA"):
            return []
        line_number = self.sentences + self.garbage
        self._told[message.msgID] = line_number, message
        fix = _joined(*(self._near(kind, line_number) for kind in ("RMC", "GGA")))
        if fix is None:
            return []
        self._told.clear()
        before, self._before = self._before, (line_number, fix.utc)
        return [fix] if before is not None and self._follows(fix, line_number, *before) else []

    def _near(self, kind: str, line_number: int) -> NMEAMessage | None:
        told = self._told.get(kind)
        return None if told is None or line_number - told[0] > NEAR else told[1]

    def _follows(self, fix: Fix, line_number: int, line_before: int, before: datetime) -> bool:
        near = line_number - line_before <= NEAR * (BETWEEN // timedelta(seconds=1))
        return near and timedelta(0) < fix.utc - before <= BETWEEN


def parse_sentence(line: bytes) -> NMEAMessage | None:
    """The sentence at the end of `line`, None unless its checksum is right and its fields can be read."""
    found = _SENTENCE.search(line[line.rfind(b"$") :][:MAX_SENTENCE]) if b"$" in line else None
    if found is None or checksum(found[1]) != int(found[2], 16):
        return None
    try:
        message = NMEAReader.parse(found[0] + b"\r\n")
    except _MISREAD:
        return None
    return message if isinstance(message, NMEAMessage) else None


def checksum(body: bytes) -> int:
    """The XOR of all bytes between `$` and `*`."""
    return reduce(lambda sum_, byte: sum_ ^ byte, body, 0)


def _joined(moment: NMEAMessage | None, place: NMEAMessage | None) -> Fix | None:
    """The fix that RMC and GGA tell together; None unless both are valid and agree."""
    if moment is None or place is None:
        return None
    try:
        if moment.status != "A" or place.quality not in QUALITIES or moment.time != place.time:
            return None
        if abs(moment.lat - place.lat) > SAME_PLACE or abs(moment.lon - place.lon) > SAME_PLACE:
            return None
        at = time(moment.time.hour, moment.time.minute, moment.time.second, moment.time.microsecond)
        utc = datetime.combine(moment.date, at, UTC)
        height = place.alt if isinstance(place.alt, float) else None
        fix = Fix(utc, place.lat, place.lon, height, place.quality, int(place.numSV), float(place.HDOP))
    except _MISREAD:  # a field is empty or of another kind than the sentence promises
        return None
    return fix if _plausible(fix) else None


def _plausible(fix: Fix) -> bool:
    on_earth = abs(fix.latitude) <= 90 and abs(fix.longitude) <= 180
    return fix.utc >= EARLIEST and on_earth and 0 <= fix.satellites <= 99 and 0 < fix.hdop < 100
