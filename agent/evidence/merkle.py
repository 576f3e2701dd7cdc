"""The Merkle tree of RFC 6962 (section 2.1; the same in RFC 9162): grown, proved, and proofs checked (pure).

A tree of `size` leaves is kept as its complete subtrees: the hash of level L at position P covers the leaves P * 2^L up
to (P + 1) * 2^L. A complete subtree never changes any more, so everything here is append-only.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agent.errors import SenderFault

LEAF_PREFIX, NODE_PREFIX = b"\x00", b"\x01"  # RFC 6962 section 2.1: a leaf can never be read as an inner node
EMPTY_ROOT = hashlib.sha256(b"").digest()
MAX_PATH = 64  # ours: a tree of 2^63 leaves needs 63

Read = Callable[[int, int], bytes]
"""The hash of the complete subtree at (level, position)."""


@dataclass(frozen=True)
class Node:
    """A complete subtree; level 0 is a leaf's hash."""

    level: int
    position: int
    digest: bytes


@dataclass(frozen=True)
class Peaks:
    """A tree of `size` leaves: the hashes of its complete subtrees from the largest to the smallest."""

    size: int = 0
    digests: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """The hash of the whole tree."""
        if not self.digests:
            return EMPTY_ROOT
        found = self.digests[-1]
        for digest in reversed(self.digests[:-1]):
            found = node_hash(digest, found)
        return found


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf that holds `data`."""
    return hashlib.sha256(LEAF_PREFIX + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


def grow(peaks: Peaks, leaves: Iterable[bytes]) -> tuple[Peaks, list[Node]]:
    """The tree with the hashes of `leaves` behind it, and every subtree that became complete, leaves included."""
    size, stack, made = peaks.size, list(peaks.digests), list[Node]()
    for leaf in leaves:
        made.append(Node(0, size, leaf))
        stack.append(leaf)
        level = 0
        while size >> level & 1:  # as many subtrees join as the old size ends with ones
            level += 1
            right = stack.pop()
            stack.append(node_hash(stack.pop(), right))
            made.append(Node(level, size >> level, stack[-1]))
        size += 1
    return Peaks(size, tuple(stack)), made


def root_at(size: int, read: Read) -> bytes:
    """The root that the tree had with its first `size` leaves."""
    return _range_hash(0, size, read) if size else EMPTY_ROOT


def inclusion_path(position: int, size: int, read: Read) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962 section 2.1.1: what leads from leaf `position` to the root of `size` leaves."""
    if not 0 <= position < size:
        raise ValueError(f"no leaf {position} in a tree of {size}")
    path, first, last = list[bytes](), 0, size
    while last - first > 1:
        middle = first + _split(last - first)
        if position < middle:
            path.append(_range_hash(middle, last, read))
            last = middle
        else:
            path.append(_range_hash(first, middle, read))
            first = middle
    return path[::-1]


def consistency_path(old: int, size: int, read: Read) -> list[bytes]:
    """PROOF(m, D[n]) of RFC 6962 section 2.1.2: that the first `old` leaves of the tree of `size` are the old tree."""
    if not 0 < old <= size:
        raise ValueError(f"no proof from {old} to {size} leaves")
    path, first, last, whole = list[bytes](), 0, size, True
    while old < last:
        middle = first + _split(last - first)
        if old <= middle:
            path.append(_range_hash(middle, last, read))
            last = middle
        else:
            path.append(_range_hash(first, middle, read))
            first, whole = middle, False
    return ([] if whole else [_range_hash(first, last, read)]) + path[::-1]


def verify_inclusion(leaf: bytes, position: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root of a tree of `size` leaves in which `leaf` (a leaf's hash) stands at `position` by `path` (RFC 9162
    section 2.1.3.2); raises `SenderFault` when the path is not one for these numbers."""
    if not 0 <= position < size or len(path) > MAX_PATH:
        raise SenderFault(f"证明中的位置 {position} 不在 {size} 条之内，已拒绝。")
    node, last, found = position, size - 1, leaf
    for step in path:
        if last == 0:
            raise SenderFault("包含证明的路径过长，已拒绝。")
        if node & 1 or node == last:
            found = node_hash(step, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, step)
        node, last = node >> 1, last >> 1
    if last:
        raise SenderFault("包含证明的路径过短，已拒绝。")
    return found


def verify_consistency(old: int, old_root: bytes, size: int, path: Sequence[bytes]) -> bytes:
    """The root of a tree of `size` leaves that begins with the tree (`old`, `old_root`) by `path` (RFC 9162 section
    2.1.4.2); raises `SenderFault` when it does not."""
    if not 0 < old <= size or len(path) > MAX_PATH:
        raise SenderFault(f"不能证明 {old} 条与 {size} 条一致，已拒绝。")
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if old == size:
        return old_root if not path else _refuse_consistency()
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    if not steps:
        return _refuse_consistency()
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return _refuse_consistency()
        if node & 1 or node == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, step)
        node, last = node >> 1, last >> 1
    return after if before == old_root and last == 0 else _refuse_consistency()


def _refuse_consistency() -> bytes:
    raise SenderFault("一致性证明不成立：较新的日志不是由较早的日志追加而成。请保全两份证据并向中心查问。")


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_hash(first: int, last: int, read: Read) -> bytes:
    """MTH of the leaves `first` to before `last`; `first` is a multiple of a power of two not below their number, or
    they are one complete subtree."""
    count = last - first
    if count & (count - 1) == 0 and first % count == 0:
        return read(count.bit_length() - 1, first // count)
    middle = first + _split(count)
    return node_hash(_range_hash(first, middle, read), _range_hash(middle, last, read))
