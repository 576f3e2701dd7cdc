"""A button of bare contacts: what chatters, hangs or is held is never a press that nobody made."""

from hypothesis import given
from hypothesis import strategies as st

from firmware_hooks.frames import Press
from firmware_hooks.presses import BOUNCE_NS, DOUBLE_NS, LONG_NS, PressReader

MS = 1_000_000


def pressed(*edges: tuple[int, bool], until_ms: int = 10_000) -> list[Press]:
    """The presses of edges at milliseconds; time passes between them as their deadlines ask."""
    reader, found = PressReader(), []
    for at_ms, down in edges:
        while (due := reader.deadline()) is not None and due <= at_ms * MS:
            found += reader.passed(due)
        found += reader.down(at_ms * MS) if down else reader.up(at_ms * MS)
    while (due := reader.deadline()) is not None and due <= until_ms * MS:
        found += reader.passed(due)
    return found


def test_short_long_and_double_are_told_apart():
    assert pressed((0, True), (100, False)) == [Press.SHORT]
    assert pressed((0, True), (1500, False)) == [Press.LONG]
    assert pressed((0, True), (100, False), (300, True), (400, False)) == [Press.DOUBLE]
    assert pressed((0, True), (100, False), (600, True), (700, False)) == [Press.SHORT, Press.SHORT]


def test_long_press_is_told_before_the_button_is_let_go():
    reader = PressReader()
    reader.down(0)
    assert reader.deadline() == LONG_NS
    assert reader.passed(LONG_NS) == [Press.LONG]
    assert reader.up(2 * LONG_NS) == []
    assert reader.deadline() is None


def test_chattering_contacts_are_one_press():
    assert pressed((0, True), (2, False), (4, True), (6, False), (8, True), (100, False)) == [Press.SHORT]


def test_button_that_hangs_is_one_long_press_and_no_more():
    assert pressed((0, True), until_ms=100_000) == [Press.LONG]


def test_second_press_that_is_held_is_a_double_and_not_a_long_one():
    assert pressed((0, True), (100, False), (300, True), (3000, False)) == [Press.DOUBLE]


@given(st.lists(st.tuples(st.integers(0, 1500), st.booleans())))
def test_there_are_never_more_presses_than_times_it_went_down(steps):
    at, edges = 0, []
    for wait, down in steps:
        at += wait
        edges.append((at, down))
    assert len(pressed(*edges, until_ms=at + 5000)) <= sum(down for _, down in edges)
    assert BOUNCE_NS < DOUBLE_NS < LONG_NS
