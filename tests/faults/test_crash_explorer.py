"""Power cuts at every moment: real programs, every disk that may be left, real recovery. And that this bites."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.catalogue import SCENARIOS
from tests.faults.disk import Disk, Model, Part, Survivors, Tear, choices
from tests.faults.explorer import disks, explore, explore_recovery, save_disks
from tests.faults.operations import Named, Node, Promised, Renamed, Synced, Trace, Written

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
WIDE = 2_000  # disks of each scenario (order H), over both models
ROUNDS = {"outbox": 2, "recording": 12, "recording-at-rest": 10, "disclosure": 20, "disclosure-content": 10}


@needs_strace
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_power_cut_breaks_no_promise(name: str, tmp_path: Path) -> None:
    found = explore(SCENARIOS[name], tmp_path, Model.STRICT, budget=60)
    assert found.broken == []
    assert found.states >= 40


@needs_strace
@pytest.mark.faults
@pytest.mark.parametrize("name", SCENARIOS)
def test_thousands_of_power_cuts_break_no_promise(name: str, tmp_path: Path) -> None:
    states = 0
    for model in Model:
        place = tmp_path / model
        place.mkdir()
        found = explore(SCENARIOS[name], place, model, WIDE, ROUNDS[name])
        assert found.broken == []
        states += found.states
    assert states >= WIDE


@needs_strace
@pytest.mark.faults
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_second_power_cut_during_recovery_breaks_no_promise(name: str, tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    for number, broken_off in enumerate(save_disks(SCENARIOS[name], before, Model.STRICT, 12)):
        place = tmp_path / f"second-{number}"
        place.mkdir()
        found = explore_recovery(SCENARIOS[name], broken_off, place, Model.STRICT, 100)
        assert found.broken == []


def _of_files(sync: Synced) -> bool:
    return sync.node is not None and not sync.node.is_folder


def _of_folders(sync: Synced) -> bool:
    return sync.node is not None and sync.node.is_folder


@needs_strace
@pytest.mark.parametrize(
    ("name", "forget"),
    [("outbox", _of_files), ("disclosure", _of_folders), ("recording", _of_files), ("disclosure-content", _of_files)],
)
def test_a_program_that_does_not_sync_is_found_out(name: str, forget: Callable[[Synced], bool], tmp_path: Path) -> None:
    assert explore(SCENARIOS[name], tmp_path, Model.STRICT, budget=80, forget=forget).broken


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


def test_a_promise_is_known_to_the_disks_that_come_after_it() -> None:
    disk = Disk(ROOT, {ROOT: {}}, {})
    cuts = disk.cuts([(0, CREATE), (1, Promised("it is there"))], Model.STRICT)
    assert [len(disk.promises) for _ in cuts] == [0, 0, 1]  # before anything, after the file, after the promise


def test_what_writes_nothing_is_cut_off_once_all_the_same() -> None:
    quiet = Trace(ROOT, {ROOT: {"final": OLD}}, {OLD: b"old"}, [])
    assert list(disks(quiet, Model.STRICT, budget=10, seed=1)) == [({"final": b"old"}, [])]
