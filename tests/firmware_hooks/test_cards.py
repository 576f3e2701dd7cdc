"""The card reader: a card is its number or nothing, whatever stands around it on the wire."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_hooks.cards import BAUD, LENGTHS, MAX_FRAME, CardReader, encode_card
from firmware_hooks.device_link import SerialLink
from firmware_hooks.simulated_card_reader import SimulatedCardReader

NUMBERS = (
    st.sampled_from(LENGTHS)
    .flatmap(lambda length: st.binary(min_size=length, max_size=length))
    .map(lambda number: number.hex().upper())
)


def test_frame_of_a_common_reader_is_read():
    assert CardReader().feed(b"\x020600A3D5F282\x03") == ["0600A3D5F2"]  # as in the RDM6300's own paper: XOR is 82


def test_frame_shown_in_the_readme_is_the_frame():
    readme = (Path(__file__).parents[2] / "firmware_hooks/README.md").read_text(encoding="utf-8")
    shown = encode_card("0600A3D5F2").replace(b"\r\n", b"").hex(" ").upper()
    assert shown in readme


@given(NUMBERS, st.binary(max_size=50), st.lists(st.integers(0, 100), max_size=4))
def test_card_behind_garbage_is_read_however_the_bytes_arrive(number, before, cuts):
    reader, cards, start = CardReader(), [], 0
    data = before.replace(b"\x02", b"") + encode_card(number)
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        cards += reader.feed(data[start:cut])
        start = cut
    assert cards == [number]


@given(NUMBERS, st.integers(1, 200), st.integers(1, 255))
def test_damaged_card_is_never_that_of_another_officer(number, at, flip):
    data = bytearray(encode_card(number))
    data[at % len(data)] ^= flip
    assert set(CardReader().feed(bytes(data))) <= {number}


@given(st.binary(max_size=400))
def test_garbage_never_raises_and_is_not_hoarded(data):
    reader = CardReader()
    for byte in data:
        reader.feed(bytes([byte]))
    assert len(reader._pending) <= MAX_FRAME


@pytest.mark.parametrize("number", ["AA", "AABB", "AABBCCDDEEFF"])
def test_number_of_a_length_no_card_has_is_none(number):
    assert CardReader().feed(encode_card(number)) == []


def test_cut_card_is_given_up_when_the_line_falls_silent():
    with SimulatedCardReader() as cards, SerialLink(cards.device, CardReader, BAUD, 0.02) as link:
        cards.send_bytes(encode_card("04AABBCC")[:6])
        while link.read() or link._reader._pending:
            pass
        cards.show("04AABBCC", times=2)
        found = []
        while len(found) < 2:
            found += link.read()
    assert found == ["04AABBCC"] * 2
