"""The GNSS line: garbage is never a fix, a cut sentence never takes the next one with it."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_hooks.nmea import BAUD, BETWEEN, EARLIEST, MAX_SENTENCE, NEAR, Fix, NmeaReader, checksum
from firmware_hooks.simulated_gnss import SECOND, SimulatedGnss, sentence, sentences
from tests.firmware_hooks.garbage import garbage_lines

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HERE = (39.9042, 116.4074)


def told(reader: NmeaReader, count: int = 2, start: datetime = NOON, **how) -> list[Fix]:
    return [fix for step in range(count) for fix in reader.feed(sentences(start + step * SECOND, *HERE, **how))]


def test_fix_has_time_place_quality_and_precision():
    (fix,) = told(NmeaReader())
    assert (fix.utc, fix.quality, fix.satellites, fix.hdop) == (NOON + SECOND, 1, 12, 0.9)
    assert (fix.latitude, fix.longitude) == pytest.approx(HERE, abs=1e-6)
    assert fix.altitude_m == 51.0


def test_south_and_west_are_negative():
    reader = NmeaReader()
    fixes = [fix for step in range(2) for fix in reader.feed(sentences(NOON + step * SECOND, -33.5, -70.25))]
    assert (fixes[0].latitude, fixes[0].longitude) == pytest.approx((-33.5, -70.25), abs=1e-6)


@given(st.lists(st.integers(0, 2000)))
def test_every_fix_comes_through_however_the_bytes_arrive(cuts):
    data = b"".join(sentences(NOON + step * SECOND, *HERE) for step in range(4))
    reader, fixes, start = NmeaReader(), [], 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        fixes += reader.feed(data[start:cut])
        start = cut
    assert [fix.utc for fix in fixes] == [NOON + step * SECOND for step in (1, 2, 3)]


@given(st.integers(1, 60), st.binary(max_size=40))
def test_cut_sentence_never_swallows_the_next_good_one(kept, noise):
    reader = NmeaReader()
    told(reader, 1)
    cut = sentences(NOON, *HERE)[:kept].rstrip(b"\r\n")
    joined = reader.feed(noise.replace(b"$", b"") + cut + sentences(NOON + SECOND, *HERE))
    assert [fix.utc for fix in joined] == [NOON + SECOND]


def test_receiver_that_falls_silent_inside_a_sentence_is_heard_again():
    reader = NmeaReader()
    told(reader, 1)
    reader.feed(b"$GNRMC,120001.00,A,39")
    assert reader.quiet() == []
    assert len(told(reader, 1, NOON + SECOND)) == 1


@pytest.mark.parametrize("quality", [0, 6, 7, 9])
def test_dead_reckoning_and_places_typed_in_are_no_fix(quality):
    assert told(NmeaReader(), 4, quality=quality) == []


def test_void_position_is_no_fix():
    reader = NmeaReader()
    told(reader, 1)
    data = sentences(NOON + SECOND, *HERE).replace(b",A,39", b",V,39", 1)
    body, _, rest = data[1:].partition(b"*")
    assert reader.feed(sentence(body.decode()) + rest[4:]) == []


def test_two_sentences_of_one_moment_that_disagree_are_no_fix():
    reader = NmeaReader()
    told(reader, 1)
    here, there = sentences(NOON + SECOND, *HERE), sentences(NOON + SECOND, HERE[0], HERE[1] + 0.001)
    assert reader.feed(here.split(b"\n")[0] + b"\n" + there.split(b"\n")[1] + b"\n") == []


def test_halves_of_two_seconds_at_one_place_are_no_fix():
    """A receiver that stands still says the same place every second: the time alone tells that the halves are two."""
    reader = NmeaReader()
    told(reader, 1)
    moment = sentences(NOON + SECOND, *HERE).splitlines(keepends=True)[0]
    place = sentences(NOON + SECOND + SECOND, *HERE).splitlines(keepends=True)[1]
    assert reader.feed(moment + place) == []


@pytest.mark.parametrize("fields", ["100,0.90", "-1,0.90", "12,0.00", "12,-1.0", "12,100.0", "12,nan"])
def test_satellites_and_precision_that_cannot_be_are_no_fix(fields):
    reader = NmeaReader()
    told(reader, 1)
    moment, place, _ = sentences(NOON + SECOND, *HERE).splitlines(keepends=True)
    wrong = place[1 : place.index(b"*")].decode().replace("12,0.90", fields)
    assert reader.feed(moment + sentence(wrong)) == []


def test_line_that_never_ends_is_not_hoarded():
    reader = NmeaReader()
    for _ in range(100):
        reader.feed(b"$GNRMC,120001.00,A,39")
    assert len(reader._pending) <= MAX_SENTENCE
    assert reader.feed(b"\r\n") == []
    assert len(told(reader)) == 1


def test_one_moment_that_follows_no_other_is_not_believed():
    reader = NmeaReader()
    assert told(reader, 1) == []
    assert told(reader, 1, NOON + BETWEEN + SECOND) == []
    assert told(reader, 1, NOON + BETWEEN) == []
    assert len(told(reader, 1, NOON + BETWEEN + SECOND)) == 1


def test_sentences_of_one_moment_that_are_far_apart_on_the_line_are_no_fix():
    """Bites when a reader remembers one half of a fix until the other half comes, whenever that is."""
    reader = NmeaReader()
    told(reader, 1)
    moment, place, _ = sentences(NOON + SECOND, *HERE).splitlines(keepends=True)
    assert reader.feed(moment + b"$garbage*00\r\n" * NEAR + place) == []
    assert len(reader.feed(moment)) == 1


def test_fix_does_not_follow_one_that_was_heard_long_before():
    reader = NmeaReader()
    told(reader, 1)
    reader.feed(b"$garbage*00\r\n" * NEAR * 10)
    assert told(reader, 1, NOON + SECOND) == []
    assert len(told(reader, 1, NOON + SECOND + SECOND)) == 1


def test_receiver_with_a_rolled_over_week_is_not_believed():
    assert told(NmeaReader(), 4, NOON - timedelta(weeks=1024)) == []
    assert told(NmeaReader(), 2, EARLIEST - SECOND - SECOND) == []


@given(st.binary(max_size=3000))
def test_garbage_never_raises_and_is_not_hoarded(data):
    reader = NmeaReader()
    for start in range(0, len(data), 7):
        assert reader.feed(data[start : start + 7]) == []
    assert len(reader._pending) <= MAX_SENTENCE


def test_fifty_thousand_damaged_lines_are_no_fix_and_the_next_sound_second_is_heard():
    reader = NmeaReader()
    for line in garbage_lines(random.Random(947), 50_000):
        assert reader.feed(line) == []
    assert reader.garbage > 40_000
    assert reader.sentences > 50  # some pass the checksum of one byte: what guards is the rest
    assert len(told(reader)) == 1


def test_sentence_with_another_checksum_is_none():
    data = sentences(NOON, *HERE)
    assert checksum(b"GNGGA,") != checksum(b"GNGGB,")
    for place in range(1, data.index(b"*")):
        changed = bytearray(data[: data.index(b"\n") + 1])
        changed[place] ^= 1
        reader = NmeaReader()
        reader.feed(bytes(changed))
        assert (reader.sentences, reader.garbage) == (0, 1)


def test_fixes_arrive_over_a_serial_line():
    from firmware_hooks.device_link import SerialLink

    with SimulatedGnss() as gnss, SerialLink(gnss.device, NmeaReader, BAUD, 0.05) as link:
        gnss.send_bytes(b"\xff\x00$GNRMC,12")
        for step in range(3):
            gnss.tell(NOON + step * SECOND, *HERE)
        fixes = []
        while len(fixes) < 2:
            fixes += link.read()
    assert [fix.utc for fix in fixes] == [NOON + SECOND, NOON + 2 * SECOND]
