"""Whoever holds the keys of a device can sign anything: neither verifier ends in a traceback, and both say the same.

The bytes are signed again after each change (`resigned.py`), so that what stands behind the signatures is reached.
"""

import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cbor2
import pytest

from agent.evidence.bmff import Source
from agent.evidence.verify import SegmentFile, Sidecars, examine_files, judge
from tests.agent.evidence.bench import NOW, make_authority
from tests.agent.evidence.resigned import ODD, Forger, removals, retypes, spoil, tree, written
from tests.agent.evidence.test_standalone import alone as alone

AUTHORITY = make_authority()
FORGER = Forger.of(AUTHORITY.signer())
LABELS = FORGER.labels()
VECTORS = Path(__file__).parents[2] / "vectors"
SEED, ROUNDS, LONG_ROUNDS = 20261123, 100, 20_000
MAX_MEMORY = 60 * 1024 * 1024
Judge = Callable[[bytes], tuple[str, str]]


@pytest.fixture
def both(alone: ModuleType, tmp_path: Path) -> Judge:
    """The verdicts of both verifiers on a folder of one segment."""

    def verdicts(data: bytes) -> tuple[str, str]:
        (tmp_path / "segment-0001.mp4").write_bytes(data)
        files = [SegmentFile("segment-0001.mp4", Source.of_bytes(data))]
        segments = examine_files(files)
        ours = judge(segments, [AUTHORITY.root], NOW, Sidecars()).verdict.value
        ours = "unreadable" if segments[0].found.unsupported else ours  # as `agent.verify_files` has it
        try:
            return ours, str(alone.verify(tmp_path, [AUTHORITY.root])[0])
        except OSError:
            return ours, "unreadable"

    return verdicts


def _alike(both: Judge, data: bytes, what: object) -> None:
    ours, theirs = both(data)
    assert ours == theirs, what


def test_what_is_only_taken_apart_and_signed_again_is_as_before(both: Judge) -> None:
    """Otherwise every other test here would only play with broken signatures."""
    again = [FORGER.with_assertion(label, written(tree(FORGER.assertion(label)))) for label in LABELS]
    again += [FORGER.with_claim(lambda claim: claim), FORGER.with_protected(lambda header: header)]
    assert {both(data) for data in again} == {("complete", "complete")}
    live = [FORGER.with_entry(FORGER.entry()), FORGER.with_message(*FORGER.message())]
    assert {both(data) for data in live} == {("unexplained-gap", "unexplained-gap")}


@pytest.mark.parametrize("label", LABELS)
def test_signed_assertion_with_a_field_left_out_is_judged_alike(both: Judge, label: str) -> None:
    for number, content in enumerate((None, *removals(FORGER.assertion(label)))):
        _alike(both, FORGER.with_assertion(label, content), number)


@pytest.mark.parametrize("label", ["cn.liuhen.recording", "cn.liuhen.seal", "c2pa.hash.bmff.v3"])
def test_signed_assertion_with_a_field_of_another_kind_is_judged_alike(both: Judge, label: str) -> None:
    chance = random.Random(SEED)
    forged = [*retypes(FORGER.assertion(label))]
    for content in chance.sample(forged, 60):
        _alike(both, FORGER.with_assertion(label, content), content)


def test_signed_journal_entry_with_a_field_left_out_is_altered_in_both(both: Judge) -> None:
    for number, content in enumerate(removals(FORGER.entry())):
        assert both(FORGER.with_entry(content, 2)) == ("altered", "altered"), number


@pytest.mark.parametrize("odd", range(len(ODD)))
def test_signed_opening_that_is_no_map_is_altered_in_both(both: Judge, odd: int) -> None:
    assert both(FORGER.with_assertion("cn.liuhen.recording", written(ODD[odd]))) == ("altered", "altered")


def test_bytes_behind_the_signature_in_its_own_box_are_altered_in_both(both: Judge) -> None:
    """Nobody signs them, and the padding makes room: a place to hide something in an honest file."""
    assert both(FORGER.with_bytes_behind_the_signature(b"hidden")) == ("altered", "altered")


def test_kind_of_a_store_that_nobody_signs_is_looked_at_by_both(both: Judge) -> None:
    """Type and label of the outermost box are in no hash."""
    at = FORGER.sealed.index(b"c2pa\0\x11\0\x10")
    for offset in (at, at + 17):
        changed = bytearray(FORGER.sealed)
        changed[offset] ^= 1
        assert both(bytes(changed)) == ("altered", "altered")


@pytest.mark.parametrize("name", ["unheard-of", "c2pa-2.4", 5, [], [[]], True])
def test_unknown_dialect_of_live_signatures_is_unreadable_to_both(both: Judge, name: object) -> None:
    """A list cannot be looked up in a table: that must not end in a traceback either."""
    opening = cbor2.loads(FORGER.assertion("cn.liuhen.recording"))
    opening["context"]["vsi_profile"] = name
    assert both(FORGER.with_assertion("cn.liuhen.recording", cbor2.dumps(opening))) == ("unreadable", "unreadable")


@pytest.mark.parametrize("vector", sorted(VECTORS.glob("*.mp4")), ids=lambda place: place.stem)
def test_committed_vectors_of_every_dialect_are_complete_to_both(both: Judge, vector: Path) -> None:
    assert both(vector.read_bytes()) == ("complete", "complete")


def test_mutants_that_are_signed_again_are_judged_alike(both: Judge) -> None:
    tracemalloc.start()
    try:
        for number in range(ROUNDS):
            _alike(both, FORGER.any(random.Random(SEED + number)), number)
        assert tracemalloc.get_traced_memory()[1] < MAX_MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.faults
@pytest.mark.parametrize("part", range(4))
def test_many_mutants_that_are_signed_again_are_judged_alike(both: Judge, part: int) -> None:
    for number in range(part, LONG_ROUNDS, 4):
        _alike(both, FORGER.any(random.Random(SEED + number)), number)


def test_spoiling_changes_something_nearly_always() -> None:
    entry = FORGER.entry()
    changed = sum(spoil(random.Random(seed), entry) != entry for seed in range(200))
    assert changed > 190
