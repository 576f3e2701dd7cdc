"""The MCU's frames: garbage never raises, never stalls, and a sound frame behind it is found."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_hooks.frames import (
    MARK,
    MAX_PAYLOAD,
    Action,
    Asked,
    Battery,
    Button,
    Colour,
    Dock,
    FrameReader,
    Pattern,
    Press,
    Pulse,
    Show,
    Tamper,
    checksum,
    encode,
    parse_body,
)

PRESS = Button(Press.SHORT, 1)
FRAMES = st.one_of(
    st.builds(Button, st.sampled_from(Press), st.integers(0, 255)),
    st.builds(Asked, st.sampled_from(Action), st.integers(0, 9) | st.integers(16, 255), st.integers(0, 255)),
    st.builds(Battery, st.integers(0, 100), st.integers(0, 65_535)),
    st.builds(Tamper, st.booleans()),
    st.builds(Dock, st.booleans()),
    st.builds(Show, st.sampled_from(Colour), st.sampled_from(Pattern), st.sampled_from(Pulse), st.sampled_from(Pulse)),
)
# garbage that likes to look like frames
GARBAGE = st.lists(st.one_of(st.binary(max_size=8), st.just(MARK), st.just(MARK[:1]), st.just(MARK + b"\x21"))).map(
    b"".join
)


def fed(reader: FrameReader, data: bytes, cuts: list[int]) -> list:
    frames, start = [], 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        frames += reader.feed(data[start:cut])
        start = cut
    return frames


@given(st.lists(FRAMES), st.lists(st.integers(0, 1000)))
def test_every_frame_comes_through_however_the_bytes_arrive(frames, cuts):
    reader = FrameReader()
    assert fed(reader, b"".join(encode(frame) for frame in frames), cuts) == frames
    assert (reader.garbage, reader.unknown) == (0, 0)


@given(GARBAGE, FRAMES, GARBAGE, st.lists(st.integers(0, 1000)))
def test_a_frame_between_garbage_is_found_once_the_line_is_quiet(before, frame, after, cuts):
    reader = FrameReader()
    found = fed(reader, before + encode(frame) + after, cuts) + reader.quiet()
    assert frame in found
    assert reader.quiet() == []


@given(st.binary(max_size=600))
def test_garbage_never_raises_and_is_not_hoarded(data):
    reader = FrameReader()
    for byte in data:
        reader.feed(bytes([byte]))
    assert len(reader._pending) < len(MARK) + 1 + 1 + MAX_PAYLOAD + 2


@given(FRAMES, st.integers(0, 1000), st.integers(1, 255))
def test_a_changed_bit_is_never_taken_for_the_frame(frame, at, flip):
    data = bytearray(encode(frame))
    data[at % len(data)] ^= flip
    reader = FrameReader()
    assert frame not in reader.feed(bytes(data)) + reader.quiet()


def test_stray_mark_does_not_hold_a_press_back():
    reader = FrameReader()
    assert reader.feed(MARK + b"\x21" + encode(PRESS)) == []
    assert reader.quiet() == [PRESS]


def test_length_that_no_frame_has_holds_nothing_back():
    """A line that never falls silent: waiting for 255 bytes would hold back the next twenty presses."""
    for length in (b"\0", bytes([MAX_PAYLOAD + 2]), b"\xff"):
        assert FrameReader().feed(MARK + length + encode(PRESS)) == [PRESS]


def test_unknown_kinds_and_values_are_counted_not_guessed():
    reader = FrameReader()
    for body in (b"\x7fx", b"\x01\x09\x01", b"\x02\x65\0\0", b"\x03\x02", b"\x81\x01\x01\x01\x09", b"\x05\x01\x0a\x01"):
        assert parse_body(body) is None
        checked = bytes([len(body)]) + body
        assert reader.feed(MARK + checked + checksum(checked)) == []
    assert reader.unknown == 6


def test_the_frame_shown_in_the_readme_is_the_frame():
    shown = encode(PRESS).hex(" ").upper()
    assert shown in (Path(__file__).parents[2] / "firmware_hooks/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("data", "crc"), [(b"123456789", 0x31C3), (b"", 0)])
def test_checksum_is_crc16_xmodem(data, crc):
    assert checksum(data) == crc.to_bytes(2)
