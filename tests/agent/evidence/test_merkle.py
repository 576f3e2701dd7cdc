"""The Merkle tree: golden vectors of Certificate Transparency, the definition itself, and what must not pass."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SenderFault
from agent.evidence import merkle
from agent.evidence.merkle import Peaks, grow, leaf_hash, node_hash, verify_consistency, verify_inclusion

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "merkle.json").read_text(encoding="utf-8"))
LEAVES = [leaf_hash(bytes([number])) for number in range(80)]
GROWN, MADE = grow(Peaks(), LEAVES)
NODES = {(node.level, node.position): node.digest for node in MADE}

sizes = st.integers(1, len(LEAVES))


def read(level: int, position: int) -> bytes:
    return NODES[level, position]


def mth(leaves: list[bytes]) -> bytes:
    """MTH(D[n]), word for word from RFC 6962 section 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else merkle.EMPTY_ROOT
    half = max(1 << bit for bit in range(8) if 1 << bit < len(leaves))
    return node_hash(mth(leaves[:half]), mth(leaves[half:]))


def test_roots_are_those_of_certificate_transparency() -> None:
    leaves = [leaf_hash(bytes.fromhex(data)) for data in VECTORS["leaves"]]
    roots = [grow(Peaks(), leaves[:size])[0].root.hex() for size in range(len(leaves) + 1)]
    assert roots == VECTORS["roots"]


def test_golden_proofs_stay_as_they_are() -> None:
    leaves = [leaf_hash(bytes.fromhex(data)) for data in VECTORS["leaves"]]
    nodes = {(node.level, node.position): node.digest for node in grow(Peaks(), leaves)[1]}

    def stored(level: int, position: int) -> bytes:
        return nodes[level, position]

    for position, size, path in VECTORS["inclusion"]:
        assert [step.hex() for step in merkle.inclusion_path(position, size, stored)] == path
    for old, size, path in VECTORS["consistency"]:
        assert [step.hex() for step in merkle.consistency_path(old, size, stored)] == path


@given(st.lists(st.integers(0, 20), max_size=8))
def test_tree_grown_in_any_pieces_is_the_tree_of_the_definition(pieces: list[int]) -> None:
    peaks, done, made = Peaks(), 0, 0
    for piece in pieces:
        leaves = LEAVES[done : done + piece]
        peaks, nodes = grow(peaks, leaves)
        done, made = done + len(leaves), made + len(nodes)
    assert peaks.root == mth(LEAVES[:done])
    assert merkle.root_at(done, read) == peaks.root
    assert made == 2 * done - done.bit_count()


@given(sizes, st.data())
def test_every_leaf_is_proved_and_no_other_passes_for_it(size: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, size - 1))
    path, root = merkle.inclusion_path(position, size, read), mth(LEAVES[:size])
    assert verify_inclusion(LEAVES[position], position, size, path) == root
    assert not passes(leaf_hash(b"another"), position, size, path, root)
    other = data.draw(st.integers(0, size - 1))
    assert passes(LEAVES[position], other, size, path, root) == (other == position)


@given(sizes, st.data())
def test_bent_path_proves_nothing(size: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, size - 1))
    path, root = merkle.inclusion_path(position, size, read), mth(LEAVES[:size])
    assert not passes(LEAVES[position], position, size, [*path, LEAVES[0]], root)
    if path:
        step = data.draw(st.integers(0, len(path) - 1))
        assert not passes(LEAVES[position], position, size, path[:step] + path[step + 1 :], root)
        assert not passes(LEAVES[position], position, size, [*path[:step], b"\0" * 32, *path[step + 1 :]], root)


@given(sizes, st.data())
def test_log_that_only_grew_is_proved_and_a_rewritten_one_is_not(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    path, root = merkle.consistency_path(old, size, read), mth(LEAVES[:size])
    assert verify_consistency(old, mth(LEAVES[:old]), size, path) == root
    rewritten = mth([leaf_hash(b"rewritten"), *LEAVES[1:old]])
    assert not consistent(old, rewritten, size, path, root)
    assert not consistent(old, mth(LEAVES[:old]), size, [*path, LEAVES[0]], root)
    if path:
        assert not consistent(old, mth(LEAVES[:old]), size, path[:-1], root)


def test_inner_node_does_not_pass_for_a_leaf() -> None:
    root = grow(Peaks(), LEAVES[:2])[0].root
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != root


@pytest.mark.parametrize(("position", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_position_outside_the_log_is_refused(position: int, size: int) -> None:
    with pytest.raises(SenderFault):
        verify_inclusion(LEAVES[0], position, size, [])
    with pytest.raises(ValueError):
        merkle.inclusion_path(position, size, read)


def passes(leaf: bytes, position: int, size: int, path: list[bytes], root: bytes) -> bool:
    try:
        return verify_inclusion(leaf, position, size, path) == root
    except SenderFault:
        return False


def consistent(old: int, old_root: bytes, size: int, path: list[bytes], root: bytes) -> bool:
    try:
        return verify_consistency(old, old_root, size, path) == root
    except SenderFault:
        return False
