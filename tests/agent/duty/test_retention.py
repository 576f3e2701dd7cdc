"""Retention classes as lists write them; what may be gone earlier needs a second person."""

from datetime import UTC, datetime

import pytest

from agent.duty.retention import CASE_FILE, PERMANENT, Retention, RetentionKind, longest, parse_retention, shortens
from agent.errors import SenderFault

WRITTEN = {
    "永久": PERMANENT,
    "永久保存": PERMANENT,
    "同案卷保留期限": CASE_FILE,
    "与案卷保存期限一致": CASE_FILE,
    "30年": Retention(RetentionKind.TERM, 360),
    "定期 10 年": Retention(RetentionKind.TERM, 120),
    "二十年": Retention(RetentionKind.TERM, 240),
    "不少于6个月": Retention(RetentionKind.TERM, 6),
    "半年": Retention(RetentionKind.TERM, 6),
    "同案卷保留期限，不少于30年": Retention(RetentionKind.CASE_FILE, 360),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_a_class_is_read_as_it_is_published_and_its_own_words_say_the_same(text: str) -> None:
    retention = parse_retention(text)
    assert retention == WRITTEN[text]
    assert parse_retention(retention.text) == retention


@pytest.mark.parametrize("text", ["", "长期", "0年", "6个月（作为证据的永久）", "30", "201年", "年", "不限"])
def test_words_that_say_no_single_class_are_refused_and_not_guessed(text: str) -> None:
    with pytest.raises(SenderFault, match="应为永久"):
        parse_retention(text)


def test_the_longest_of_several_satisfies_them_all() -> None:
    half, long = parse_retention("6个月"), parse_retention("30年")
    assert longest([half, long]) == long
    assert longest([half, PERMANENT, CASE_FILE]) == PERMANENT
    assert longest([CASE_FILE, long]) == Retention(RetentionKind.CASE_FILE, 360)
    assert longest([]) is None


def test_what_might_end_earlier_counts_as_shorter() -> None:
    half, long = parse_retention("6个月"), parse_retention("30年")
    assert not shortens(half, long)
    assert not shortens(CASE_FILE, PERMANENT)
    for old, new in [(long, half), (PERMANENT, long), (PERMANENT, CASE_FILE), (CASE_FILE, long), (half, CASE_FILE)]:
        assert shortens(old, new)


def test_a_term_ends_on_its_day_and_nothing_else_ends_by_itself() -> None:
    closed = datetime(2026, 8, 31, 10, tzinfo=UTC)
    assert parse_retention("6个月").ends(closed) == datetime(2027, 2, 28, 10, tzinfo=UTC)
    assert PERMANENT.ends(closed) is None
    assert CASE_FILE.ends(closed) is None
