"""No writer without a fault that was played under it: whoever changes a disk stands in `writers.toml`."""

import ast
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.catalogue import CALL_BY_CALL, HOMES
from tests.test_architecture import PACKAGES, ROOT

TABLE = tomllib.loads(Path(__file__).with_name("writers.toml").read_text(encoding="utf-8"))
SIMULATED = ("firmware_hooks/", "provisioning/rehearsal/")  # what stands for people and things
WHOLE = {"write_bytes", "write_stream"}  # of `durable`: one file at once
CHANGES = {
    "durable": {"move", "remove", "overwrite", "sync_tree"},
    "os": {"rename", "replace", "write", "pwrite", "fsync", "fdatasync", "ftruncate", "posix_fallocate", "unlink"},
    "shutil": {"copy", "copyfile", "copytree", "copyfileobj", "move", "rmtree"},
}
METHODS = {"unlink", "symlink_to", "rmdir", "write_text", "write_bytes", "touch"}  # of a path
OPENS_TO_WRITE = frozenset("wax+")


def change_of(call: ast.Call) -> str:
    """`whole`, `change`, or nothing: what a call does to a disk."""
    if not isinstance(call.func, ast.Attribute):
        return ""
    name, owner = call.func.attr, call.func.value.id if isinstance(call.func.value, ast.Name) else ""
    if owner == "durable" and name in WHOLE:
        return "whole"
    if owner in CHANGES:
        return "change" if name in CHANGES[owner] else ""
    return "change" if name in METHODS or (name == "open" and _writes(call)) else ""


def _writes(call: ast.Call) -> bool:
    modes = (it.value for it in call.args if isinstance(it, ast.Constant) and isinstance(it.value, str))
    return any(len(mode) <= 3 and OPENS_TO_WRITE & set(mode) for mode in modes)


def is_writer(source: str) -> bool:
    """Whether it changes a disk otherwise than by one whole file at once."""
    found = Counter(change_of(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return found["whole"] > 1 or found["change"] > 0


def writers() -> set[str]:
    """Paths of every writer of the packages."""
    places = (place for package in PACKAGES for place in sorted((ROOT / package).rglob("*.py")))
    names = {str(place.relative_to(ROOT)): place for place in places}
    return {name for name, place in names.items() if not name.startswith(SIMULATED) and is_writer(place.read_text())}


def test_every_writer_is_played_or_says_why_not() -> None:
    listed = [*TABLE["played"], *TABLE["nothing_promised"]]
    assert sorted(writers()) == sorted(listed)
    assert max(Counter(listed).values()) == 1


@pytest.mark.parametrize("name", sorted(TABLE["played"]))
def test_what_plays_a_writer_exists(name: str) -> None:
    for played in TABLE["played"][name]:
        file, _, function = played.partition("::")
        if not function:
            assert played in CALL_BY_CALL | HOMES
            continue
        tests = (node.name for node in ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8")).body
                 if isinstance(node, ast.FunctionDef))  # fmt: skip
        assert function == "*" or function in tests, played


@pytest.mark.parametrize("line", ["place.write_text(x)", "os.replace(a, b)", 'path.open("r+b")', "durable.move(a, b)"])
def test_a_new_writer_is_noticed(line: str) -> None:
    assert is_writer(line)
    assert not is_writer("durable.write_bytes(path, x)")
    assert is_writer("durable.write_bytes(path, x)\ndurable.write_bytes(path, y)")
