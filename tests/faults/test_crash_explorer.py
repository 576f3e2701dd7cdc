"""Power cuts at every moment: real programs, every disk that may be left, real recovery. And that this bites."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.catalogue import HOMES, SELDOM, scenario
from tests.faults.disk import Disk, Model, Part, Survivors, Tear, choices
from tests.faults.explorer import disks, explore, explore_recovery, save_disks
from tests.faults.operations import Named, Node, Promised, Renamed, Synced, Trace, Written

EARLY = ("outbox", "recording", "recording-at-rest", "disclosure", "disclosure-content")
Measured = Callable[[str, object], None]
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
WIDE = 2_000  # disks of each scenario (order H), over both models
FEWER = {"seal": 80, "configuration": 180}  # there are no more: every change is synced before the next, and once
FEWEST, SHORT = (
    40,
    ("export", "shared-folders", "start-again"),
)  # of what is seldom written all there are, in some seconds
ROUNDS = {
    "outbox": 2, "recording": 12, "recording-at-rest": 10, "disclosure": 20, "disclosure-content": 10,
    "segment-cut": 14, "seal": 1, "receipt": 2, "deletion": 4, "display-log": 15, "batch": 4,
    "renewal": 22, "configuration": 1, "update": 16,
}  # fmt: skip


@needs_strace
@pytest.mark.parametrize("name", HOMES)
def test_a_power_cut_breaks_no_promise(name: str, tmp_path: Path, record_property: Measured) -> None:
    found = explore(scenario(name), tmp_path, Model.STRICT, budget=60 if name in EARLY else 42)
    record_property("measured", f"{len(found.broken)} of {found.states} disks break a promise")
    assert found.broken == []
    assert found.states >= 40


@needs_strace
@pytest.mark.faults
@pytest.mark.parametrize("name", HOMES)
def test_thousands_of_power_cuts_break_no_promise(name: str, tmp_path: Path, record_property: Measured) -> None:
    states = 0
    for model in Model:
        place = tmp_path / model
        place.mkdir()
        found = explore(scenario(name), place, model, WIDE, ROUNDS[name])
        assert found.broken == []
        states += found.states
    record_property("measured", f"0 of {states} disks break a promise")
    assert states >= FEWER.get(name, WIDE)


@needs_strace
@pytest.mark.faults
@pytest.mark.parametrize("name", [*HOMES, *SELDOM])
def test_a_second_power_cut_during_recovery_breaks_no_promise(
    name: str, tmp_path: Path, record_property: Measured
) -> None:
    before, states, promises = tmp_path / "before", 0, 0
    before.mkdir()
    for number, broken_off in enumerate(save_disks(scenario(name), before, Model.STRICT, 12)):
        place = tmp_path / f"second-{number}"
        place.mkdir()
        found = explore_recovery(scenario(name), broken_off, place, Model.STRICT, 100)
        assert found.broken == []
        states, promises = states + found.states, promises + found.promises
    record_property("measured", f"0 of {states} disks break a promise")
    assert promises, "nothing was promised before any of these cuts: nothing was shown"


@needs_strace
@pytest.mark.parametrize("name", [pytest.param(it, marks=() if it in SHORT else pytest.mark.faults) for it in SELDOM])
def test_a_power_cut_of_what_is_seldom_written_breaks_no_promise(
    name: str, tmp_path: Path, record_property: Measured
) -> None:
    states = 0
    for model in Model:
        place = tmp_path / model
        place.mkdir()
        found = explore(scenario(name), place, model, WIDE)
        assert found.broken == []
        states += found.states
    record_property("measured", f"0 of {states} disks break a promise")
    assert states >= FEWEST


def _of_files(sync: Synced) -> bool:
    return sync.node is not None and not sync.node.is_folder


def _of_folders(sync: Synced) -> bool:
    return sync.node is not None and sync.node.is_folder


def _of_all(_: Synced) -> bool:
    return True


BITTEN = [
    ("outbox", _of_files), ("disclosure", _of_folders), ("recording", _of_files), ("disclosure-content", _of_files),
]  # fmt: skip
BITTEN_TOO = [
    ("receipt", _of_files), ("deletion", _of_folders), ("batch", _of_files), ("configuration", _of_files),
    ("seal", _of_files), ("segment-cut", _of_folders), ("display-log", _of_files), ("renewal", _of_folders),
    ("update", _of_all),
]  # fmt: skip


@needs_strace
@pytest.mark.parametrize(
    ("name", "forget"), [*BITTEN, *(pytest.param(*it, marks=pytest.mark.faults) for it in BITTEN_TOO)]
)
def test_a_program_that_does_not_sync_is_found_out(name: str, forget: Callable[[Synced], bool], tmp_path: Path) -> None:
    assert explore(scenario(name), tmp_path, Model.STRICT, budget=80, forget=forget).broken


ROOT, DRAFT, OLD = Node("", is_folder=True), Node("draft"), Node("final")
WRITE, RENAME = (
    Written(DRAFT, 0, b"n" * 9000, grows=True),
    Renamed(Named(ROOT, "draft", None), Named(ROOT, "final", DRAFT)),
)
CREATE = Named(ROOT, "draft", DRAFT)


def disks_after(model: Model, *operations: object) -> set[bytes | None]:
    """What `final` may hold after the last of `operations`; it held `old` before."""
    traced = Trace(ROOT, {ROOT: {"final": OLD}}, {OLD: b"old"}, list(enumerate(operations)))  # type: ignore[arg-type]
    disk = Disk.at_start(traced)
    *_, _ = disk.cuts(traced.operations, model)
    return {disk.tree(survivors).get("final") for survivors in choices(disk, model, random.Random(1))}


@pytest.mark.parametrize("model", Model)
def test_a_rename_before_its_file_is_synced_may_leave_an_empty_file(model: Model) -> None:
    assert b"" in disks_after(model, CREATE, WRITE, RENAME)


@pytest.mark.parametrize("model", Model)
def test_a_synced_file_under_a_name_that_is_not_is_the_old_one_or_the_new_one(model: Model) -> None:
    assert disks_after(model, CREATE, WRITE, Synced(DRAFT, 2), RENAME) == {b"old", b"n" * 9000}


@pytest.mark.parametrize("model", Model)
def test_what_is_synced_with_its_name_stays(model: Model) -> None:
    assert disks_after(model, CREATE, WRITE, Synced(DRAFT, 2), RENAME, Synced(ROOT, 4)) == {b"n" * 9000}


def test_a_write_that_was_not_complete_when_a_sync_began_is_not_covered_by_it() -> None:
    assert b"" in disks_after(Model.STRICT, CREATE, WRITE, Synced(DRAFT, 1), RENAME, Synced(ROOT, 4))


def test_a_write_is_torn_at_the_border_of_a_block() -> None:
    node = Node("film")
    disk = Disk(ROOT, {ROOT: {"film": node}}, {node: b"o" * 8192})
    disk.pending = [(0, Written(node, 0, b"n" * 8192, grows=False))]
    before = disk.tree(Survivors(frozenset({0}), Tear(0, Part.BEFORE, 0.9)))["film"]
    behind = disk.tree(Survivors(frozenset({0}), Tear(0, Part.BEHIND, 0.1)))["film"]
    assert (before, behind) == (b"n" * 4096 + b"o" * 4096, b"o" * 4096 + b"n" * 4096)


def test_a_write_of_many_blocks_may_be_torn_at_any_sector() -> None:
    node = Node("film")
    disk = Disk(ROOT, {ROOT: {"film": node}}, {node: b"o" * 65536})
    disk.pending = [(0, Written(node, 0, b"n" * 65536, grows=False))]
    found = (disk.tree(it)["film"] for dice in range(9) for it in choices(disk, Model.STRICT, random.Random(dice)))
    lengths = {content.count(b"n") for content in found if isinstance(content, bytes)}
    assert any(length % 4096 for length in lengths)
    assert not any(length % 512 for length in lengths)


def test_a_write_is_torn_where_it_changes_something() -> None:
    node, before = Node("film"), b"o" * 65536
    after = before[:30_000] + b"n" * 2_000 + before[32_000:]
    disk = Disk(ROOT, {ROOT: {"film": node}}, {node: before})
    disk.pending = [(0, Written(node, 0, after, grows=False))]
    found = {disk.tree(it)["film"] for dice in range(9) for it in choices(disk, Model.STRICT, random.Random(dice))}
    assert len(found - {before, after}) >= 3


def test_a_promise_is_known_to_the_disks_that_come_after_it() -> None:
    disk = Disk(ROOT, {ROOT: {}}, {})
    cuts = disk.cuts([(0, CREATE), (1, Promised("it is there"))], Model.STRICT)
    assert [len(disk.promises) for _ in cuts] == [0, 0, 1]  # before anything, after the file, after the promise


def test_what_writes_nothing_is_cut_off_once_all_the_same() -> None:
    quiet = Trace(ROOT, {ROOT: {"final": OLD}}, {OLD: b"old"}, [])
    assert list(disks(quiet, Model.STRICT, budget=10, seed=1)) == [({"final": b"old"}, [])]
