"""What a disk may legally hold after a power cut, by two models.

`strict` is POSIX: whatever was not synced is there or not, each change for itself, a write also in part (a sector is
whole), or only its size, with zeros; a name is safe only when its folder was synced. `ext4` (data=ordered, delayed
allocation): names and sizes are kept in the order of the journal, any sync of a file with new size or name commits it;
data that were not synced are lost from some point of each file on. Method: ALICE (Pillai et al., OSDI 2014);
reference/reliability.md sections 1 and 2.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from tests.faults.operations import (
    Change,
    Link,
    Named,
    Node,
    Operation,
    Promised,
    Renamed,
    Resized,
    Synced,
    Trace,
    Tree,
    Written,
)

BLOCK, SECTOR = 4096, 512
UNITS = BLOCK, SECTOR
SINGLES = 12  # changes of one cut that are lost, or kept, one at a time
RANDOM = 6  # random choices at one cut
TEARS = 3  # borders at which one write is torn


class Model(StrEnum):
    """Whose promises hold."""

    STRICT = "strict"
    EXT4 = "ext4"


class Part(StrEnum):
    """What of one write came: what stands before a border, what stands behind it, or the new size alone."""

    BEFORE = "before"
    BEHIND = "behind"
    SIZE = "size"


@dataclass(frozen=True)
class Tear:
    """The write at `place` in the list of the cut came only in part; the border is so far into it (0 to 1), where a
    block of the file system ends, or any sector of the disk."""

    place: int
    part: Part
    border: float = 0.5
    unit: int = BLOCK


@dataclass(frozen=True)
class Survivors:
    """The unsynced changes, by place in the list of the cut, that the disk has; one of them perhaps `torn`."""

    kept: frozenset[int]
    torn: Tear | None = None


@dataclass
class Disk:
    """Names and contents by node; `promises` made so far; `pending` is not safe yet."""

    root: Node
    names: dict[Node, dict[str, Node]]
    content: dict[Node, bytes]
    promises: list[str] = field(default_factory=list)
    pending: list[tuple[int, Change]] = field(default_factory=list)

    @classmethod
    def at_start(cls, trace: Trace) -> "Disk":
        """Everything that was there before is safe."""
        return cls(trace.root, {node: dict(names) for node, names in trace.start.items()}, dict(trace.content))

    def cuts(self, operations: Iterable[tuple[int, Operation]], model: Model) -> Iterator[None]:
        """Carry out one operation after another; the power may go wherever this yields, also before the first: a
        recovery that finds nothing to do writes nothing."""
        yield
        for ended, operation in operations:
            match operation:
                case Promised(text):
                    self.promises.append(text)
                case Synced():
                    self._sync(operation, model)
                case _:
                    self.pending.append((ended, operation))
            yield

    def tree(self, survivors: Survivors) -> Tree:
        """What stands there if just `survivors` of what is pending reached the disk."""
        names = {node: dict(here) for node, here in self.names.items()}
        content = dict(self.content)
        for place, (_, change) in enumerate(self.pending):
            if place in survivors.kept:
                torn = survivors.torn
                _apply(change, names, content, torn if torn is not None and torn.place == place else None)
        return dict(_walk(self.root, names, content, ""))

    def everything(self) -> Survivors:
        """What a killed process, but no power cut, leaves."""
        return Survivors(frozenset(range(len(self.pending))))

    def _sync(self, sync: Synced, model: Model) -> None:
        covered = [change for ended, change in self.pending if ended < sync.begun]
        commits = model is Model.EXT4 and any(_is_in_journal(it) and _concerns(it, sync.node) for it in covered)
        left: list[tuple[int, Change]] = []
        for ended, change in self.pending:
            if ended >= sync.begun:
                left.append((ended, change))
            elif _concerns(change, sync.node) and model is Model.STRICT and isinstance(change, Renamed):
                left += [(ended, half) for half in self._settle_halves(change, sync.node)]
            elif _concerns(change, sync.node) or (commits and _is_name(change)):
                _apply(change, self.names, self.content, None)
            else:
                left.append((ended, change))
        self.pending = left

    def _settle_halves(self, change: Renamed, node: Node | None) -> list[Change]:
        """Syncing one folder of a rename between two makes only its own half safe."""
        left: list[Change] = []
        for half in (change.there, change.gone):
            if _concerns(half, node):
                _apply(half, self.names, self.content, None)
            else:
                left.append(half)
        return left


def choices(disk: Disk, model: Model, dice: random.Random) -> Iterator[Survivors]:
    """What may have survived a power cut now, from the worst and the best to random mixtures."""
    changes = [change for _, change in disk.pending]
    last = len(changes)
    yield Survivors(frozenset())
    yield disk.everything()
    if model is Model.EXT4:
        yield from _by_journal(changes, dice)
        return
    for place in _some(range(last), dice):
        yield Survivors(frozenset(range(last)) - {place})
        yield Survivors(frozenset({place}))
        yield Survivors(frozenset(range(place)))
    for place in _some([it for it in range(last) if isinstance(changes[it], Written)], dice):
        for kept in (frozenset(range(last)), frozenset(range(place + 1))):
            yield Survivors(kept, Tear(place, Part.SIZE))
            yield from (Survivors(kept, _tear(place, part, dice)) for part in (Part.BEFORE, Part.BEHIND) * TEARS)
    for _ in range(RANDOM if last > 1 else 0):
        mixed = frozenset(it for it in range(last) if dice.random() < 0.5)
        yield Survivors(mixed)
        if torn := [it for it in sorted(mixed) if isinstance(changes[it], Written)]:
            yield Survivors(mixed, _tear(dice.choice(torn), dice.choice((Part.BEFORE, Part.BEHIND)), dice))


def _tear(place: int, part: Part, dice: random.Random) -> Tear:
    return Tear(place, part, dice.random(), dice.choice(UNITS))


def _by_journal(changes: list[Change], dice: random.Random) -> Iterator[Survivors]:
    journal = [place for place, change in enumerate(changes) if _is_in_journal(change)]
    written = [place for place, change in enumerate(changes) if isinstance(change, Written)]
    for committed in _some(range(len(journal) + 1), dice):
        names = set(journal[:committed])
        for chance in (0.0, 1.0, 0.5, 0.8):
            kept = names | set(_ordered_data(changes, written, names, chance, dice))
            yield Survivors(frozenset(kept))
            data = sorted(kept - names)
            if data:
                yield from (Survivors(frozenset(kept), _tear(data[-1], Part.BEFORE, dice)) for _ in range(TEARS))


def _ordered_data(
    changes: list[Change], written: list[int], names: set[int], chance: float, dice: random.Random
) -> Iterator[int]:
    """Appended data up to some point of each file, overwritten data at will; nothing behind a size not yet there."""
    ended: set[Node] = set()
    lost = {
        change.node: place
        for place, change in reversed(list(enumerate(changes)))
        if isinstance(change, Resized) and place not in names
    }
    for place in written:
        change = changes[place]
        assert isinstance(change, Written)
        if place > lost.get(change.node, place) or change.node in ended:
            continue
        if dice.random() < chance:
            yield place
        elif change.grows:
            ended.add(change.node)


def _some(places: Iterable[int], dice: random.Random) -> list[int]:
    found = list(places)
    return found if len(found) <= SINGLES else sorted(dice.sample(found, SINGLES))


def _is_name(change: Change) -> bool:
    return isinstance(change, Named | Renamed)


def _is_in_journal(change: Change) -> bool:
    return not isinstance(change, Written)


def _concerns(change: Change, node: Node | None) -> bool:
    match change:
        case Named(folder):
            return node is None or folder is node
        case Renamed(gone, there):
            return _concerns(gone, node) or _concerns(there, node)
        case Written(changed) | Resized(changed):
            return node is None or changed is node


def _apply(change: Change, names: dict[Node, dict[str, Node]], content: dict[Node, bytes], tear: Tear | None) -> None:
    match change:
        case Named(folder, name, None):
            names.get(folder, {}).pop(name, None)
        case Named(folder, name, node) if node is not None:
            names.setdefault(folder, {})[name] = node
            if node.is_folder:
                names.setdefault(node, {})
            else:
                content.setdefault(node, b"")
        case Renamed(gone, there):
            _apply(gone, names, content, None)
            _apply(there, names, content, None)
        case Written(node, offset, data):
            old = content.get(node, b"").ljust(offset, b"\0")
            content[node] = _torn(old, offset, data, tear)
        case Resized(node, size):
            content[node] = content.get(node, b"")[:size].ljust(size, b"\0")


def _torn(old: bytes, offset: int, data: bytes, tear: Tear | None) -> bytes:
    whole = old[:offset] + data + old[offset + len(data) :]
    sized = old + bytes(max(0, offset + len(data) - len(old)))
    border = offset + len(data) if tear is None else _border(offset, *_differing(old[offset:], data), tear)
    if tear is None:
        return whole
    match tear.part:
        case Part.SIZE:
            return sized
        case Part.BEFORE:
            return whole[:border] + old[border:]
        case Part.BEHIND:
            return sized[:border] + whole[border:]


def _differing(old: bytes, new: bytes) -> tuple[int, int]:
    """Where `new` begins and ends to be something else than stood there: a tear before or behind changes nothing."""
    length = len(new)
    other = int.from_bytes(old[:length].ljust(length, b"\0")) ^ int.from_bytes(new)
    if not other or len(old) < length:
        return 0, length
    return length - (other.bit_length() + 7) // 8, length - ((other & -other).bit_length() - 1) // 8


def _border(offset: int, begin: int, end: int, tear: Tear) -> int:
    """The border of a unit between `begin` and `end` of a write that is next to its share of them, of a sector where
    there is no other; what is inside one sector is whole."""
    place = offset + begin + int((end - begin) * tear.border)
    for unit in (tear.unit, SECTOR):
        below = place // unit * unit
        for border in (below, below + unit):
            if offset + begin < border < offset + end:
                return border
    return offset + end


def _walk(
    node: Node, names: dict[Node, dict[str, Node]], content: dict[Node, bytes], path: str
) -> Iterator[tuple[str, bytes | Link | None]]:
    for name, below in sorted(names.get(node, {}).items()):
        if below.link:
            yield f"{path}{name}", Link(below.link)
            continue
        if below.is_folder:
            yield f"{path}{name}", None
            yield from _walk(below, names, content, f"{path}{name}/")
        else:
            yield f"{path}{name}", content.get(below, b"")
