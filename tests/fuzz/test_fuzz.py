"""Every parser of foreign bytes, fuzzed by coverage: whatever comes is read or refused in words of ours, for work and
memory that its length allows. And that the fuzzer finds what is wrong."""

import random
from pathlib import Path

import pytest

from agent.errors import LiuhenFault, OperatorFault, SenderFault
from agent.wire import canonical
from tests.fuzz import corpus as kept
from tests.fuzz.__main__ import main
from tests.fuzz.corpus import corpus
from tests.fuzz.coverage import Target, fuzz, memory, regrown
from tests.fuzz.targets import SHEET, TARGETS, book, part_of_a_book

SOME, MANY = 60, 20_000


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_foreign_bytes_break_a_parser(target: Target) -> None:
    found = fuzz(target, corpus(target.name), SOME)
    assert found.broken == {}
    assert found.edges, "nothing of ours was reached: the rooms are wrong"


@pytest.mark.faults
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_many_foreign_bytes_break_no_parser(target: Target, record_property: pytest.FixtureRequest) -> None:
    found = fuzz(target, corpus(target.name), MANY)
    record_property("measured", f"{len(found.broken)} of {MANY} inputs break a parser")  # type: ignore[operator]
    assert found.broken == {}


def careless(data: bytes) -> None:
    """Falls over three nested conditions, which no blind change meets at once."""
    if data[:1] != b"{":
        return
    if data[1:2] != b"[":
        return
    if data[2:3] == b'"':
        raise KeyError("nobody catches this")


def endless(data: bytes) -> int:
    return sum(1 for _ in range(10**6) if data)


def test_what_falls_over_step_by_step_is_found() -> None:
    found = fuzz(Target("careless", ("/tests/fuzz/",), careless, lambda: [b"abc"]), [], 20_000)
    assert [kind.partition(" ")[0] for kind in found.broken] == ["KeyError"]
    assert next(iter(found.broken.values()))[:3] == b'{["'


def test_what_works_on_for_ever_is_found() -> None:
    found = fuzz(Target("endless", ("/tests/fuzz/",), endless, lambda: [b"a"]), [], 1)
    assert [kind.partition(" ")[0] for kind in found.broken] == ["TooMuchWork"]


def test_json_that_is_spelt_rightly_is_fuzzed_too() -> None:
    whole = b'{"a":[1,{"b":"c"}],"d":null}'
    grown = {regrown(whole, random.Random(seed)) for seed in range(200)}
    read = [data for data in grown if _is_read(CANONICAL, data)]  # but for numbers that are too large
    assert len(read) > max(50, 0.8 * len(grown))
    assert regrown(b"[" * 5000, random.Random(1)) == b"[" * 5000


CANONICAL = Target("canonical", (), canonical.decode, list)


def swallowing(data: bytes) -> int:
    try:
        return endless(data)
    except Exception as error:
        raise SenderFault("示例：无法读取") from error


def test_work_without_end_is_found_also_where_the_parser_calls_it_a_refusal() -> None:
    found = fuzz(Target("swallowing", ("/tests/fuzz/",), swallowing, lambda: [b"a"]), [], 1)
    assert [kind.partition(" ")[0] for kind in found.broken] == ["TooMuchWork"]


def panicking(data: bytes) -> None:
    raise SystemExit("as a panic in Rust: no Exception")


def test_what_ends_the_process_is_found_with_its_bytes() -> None:
    found = fuzz(Target("panicking", ("/tests/fuzz/",), panicking, lambda: [b"a"]), [], 1)
    assert [(kind.partition(" ")[0], data) for kind, data in found.broken.items()] == [("SystemExit", b"a")]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_fuzzing_begins_with_something_that_the_parser_reads(target: Target) -> None:
    """Where every seed is refused at the first look, hardly a change of it comes farther."""
    assert any(_is_read(target, data) for data in target.seeds())


def _is_read(target: Target, data: bytes) -> bool:
    try:
        target.take(data)
    except LiuhenFault:
        return False
    return True


def test_one_merged_area_does_not_fill_the_memory() -> None:
    merged = book()[SHEET].replace(b"A3:B4", b"A1:GR20000")
    assert merged != book()[SHEET]
    target = next(target for target in TARGETS if target.name == "xlsx-sheet")
    with pytest.raises(OperatorFault, match="合并"):
        part_of_a_book(SHEET)(merged)
    assert memory(target, merged) == 0


def test_a_short_run_drops_nothing_that_once_was_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "FILE", tmp_path / "corpus.json")
    kept.keep("nmea", [b"$", b"twice the same path", b"twice the same PATH"])
    assert main(["nmea", "--rounds", "1"]) == 0
    assert {b"$", b"twice the same path", b"twice the same PATH"} <= set(corpus("nmea"))


@pytest.mark.parametrize("words", [["no-such-target"], ["nmea", "--rounds", "0"]])
def test_a_run_that_would_look_at_nothing_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert words[-1] in capsys.readouterr().err
