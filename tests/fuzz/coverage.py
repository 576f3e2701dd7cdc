"""A small coverage-guided fuzzer for parsers written in Python: an input that reaches a new pair of lines is kept and
changed further. No clock and no chance but a seed's: a run can be played again. Work is counted in lines, not seconds.
"""

import copy
import json
import random
import sys
import traceback
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from agent.errors import LiuhenFault

Edge = tuple[int, int, int]
LINES_AT_LEAST, LINES_A_BYTE = 20_000, 400  # ours: what an input may cost us in lines of Python
MEMORY_AT_LEAST, MEMORY_A_BYTE = 48 * 2**20, 400  # ours: a table is read into room for the largest
LONGEST = 4096
BYTES = (0, 1, 9, 10, 13, 32, 34, 36, 44, 48, 57, 58, 91, 92, 93, 123, 125, 127, 128, 255)
TOKENS = (
    b"null", b"true", b"-1", b"0", b"1e999", b"1e300", b"NaN", b"9999999999999999999999", b'""', b"{}", b"[]",
    b"\\u0000", b"\\ud800", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"2026-02-30T25:61:61Z", b"../", b"\x00", b"=",
    b"==", "中".encode(),
)  # fmt: skip


ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2**31, 2**53, 2**63, "", " ", "0", "x", "x" * 300, "1" * 40, "中", "\u202e", "\x00",
    "../x", "=1", "a" * 64, "2026-02-30T25:61:61.000Z", "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", [], {},
    [[]], {"": 0}, [None] * 9,
)  # fmt: skip
SPELT_RIGHTLY = 0.5


@dataclass(frozen=True)
class Target:
    """`take` may raise a fault of ours and nothing else; lines of files whose path holds one of `rooms` count."""

    name: str
    rooms: tuple[str, ...]
    take: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]


class TooMuchWork(Exception):
    """An input costs more lines than its length allows."""


@dataclass
class Seen:
    """The pairs of lines that one input reached."""

    rooms: tuple[str, ...]
    most: int
    edges: set[Edge] = field(default_factory=set)
    lines: int = 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        """The tracer of calls: gives one of lines for files of ours."""
        name = frame.f_code.co_filename
        if event != "call" or not any(room in name for room in self.rooms):
            return None
        code, last = hash(frame.f_code), 0

        def line(inner: FrameType, what: str, _: Any) -> Any:
            nonlocal last
            if what == "line":
                self.edges.add((code, last, inner.f_lineno))
                last = inner.f_lineno
                self.lines += 1
                if self.lines > self.most:
                    raise TooMuchWork(f"{self.lines} lines")
            return line

        return line


def reached(target: Target, data: bytes) -> set[Edge]:
    """What `data` reaches; raises what `take` must not raise, and `TooMuchWork`, also where `take` turned that into a
    refusal in words of ours."""
    seen = Seen(target.rooms, LINES_AT_LEAST + LINES_A_BYTE * len(data))
    sys.settrace(seen)
    try:
        target.take(data)
    except LiuhenFault:
        pass
    finally:
        sys.settrace(None)
    if seen.lines > seen.most:
        raise TooMuchWork(f"{seen.lines} lines")
    return seen.edges


def memory(target: Target, data: bytes) -> int:
    """The most bytes that `data` has us hold, beyond what its length allows: 0 when that is enough."""
    tracemalloc.start()
    try:
        target.take(data)
    except LiuhenFault:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return max(0, peak - MEMORY_AT_LEAST - MEMORY_A_BYTE * len(data))


@dataclass
class Fuzzed:
    """`kept` are the inputs that each reached something new, seeds first; `broken` one for each that must not be."""

    kept: list[bytes] = field(default_factory=list)
    broken: dict[str, bytes] = field(default_factory=dict)
    edges: set[Edge] = field(default_factory=set)


def fuzz(target: Target, corpus: Iterable[bytes], rounds: int, seed: int = 1) -> Fuzzed:
    """`rounds` changed inputs beyond the seeds and `corpus`."""
    found, dice = Fuzzed(), random.Random(f"{target.name}{seed}")
    for data in (*target.seeds(), *corpus):
        _try(target, data, found)
    for _ in range(rounds if found.kept else 0):
        _try(target, changed(dice.choice(found.kept), found.kept, dice), found)
    return found


def _try(target: Target, data: bytes, found: Fuzzed) -> None:
    try:
        edges = reached(target, data)
        new = edges - found.edges
        if new and (over := memory(target, data)):
            found.broken.setdefault(f"holds {over} bytes too many", data)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - this is what is looked for; a panic of a C library is no Exception
        found.broken.setdefault(_place(error), data)
        return
    if new or not found.kept:
        found.edges |= edges
        found.kept.append(data)


def _place(error: BaseException) -> str:
    """What it is and where it came from: many inputs break the same thing."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {last.filename.rpartition('/')[2]}:{last.lineno}"


def changed(data: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """`data` after one to four small changes; what is JSON, now and then as another tree that is spelt rightly: of
    changed bytes a reader that insists on canonical JSON sees hardly any."""
    if data[:1] in (b"{", b"[") and dice.random() < SPELT_RIGHTLY:
        return regrown(data, dice)
    made = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at, end = sorted((dice.randint(0, len(made)), dice.randint(0, len(made))))
        match dice.randrange(8):
            case 0 if at < len(made):
                made[at] ^= 1 << dice.randrange(8)
            case 1 if at < len(made):
                made[at] = dice.choice(BYTES)
            case 2:
                del made[at : min(end, at + 40)]
            case 3:
                made[at:at] = dice.choice(TOKENS)
            case 4:
                made[at:at] = made[at:end] * dice.choice((1, 2, 20))
            case 5:
                other = dice.choice(others)
                begin = dice.randint(0, len(other))
                made[at:end] = other[begin : begin + dice.randint(0, 60)]
            case 6:
                made[at:at] = bytes([dice.choice(BYTES)]) * dice.choice((1, 3, 70))
            case _:
                made[at : at + 4] = dice.randbytes(4)
    return bytes(made[: max(LONGEST, len(data))])


def regrown(data: bytes, dice: random.Random) -> bytes:
    """Canonical JSON like `data`, in which one to three values are odd ones, are gone, or stand elsewhere too."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return data
    for _ in range(dice.randint(1, 3)):
        places = list(_places(tree))
        if not places:
            break
        owner, name = dice.choice(places)
        match dice.randrange(4):
            case 0:
                del owner[name]
            case 1:
                owner[name] = copy.deepcopy(dice.choice(places)[0])
            case 2 if isinstance(owner, dict):
                owner[str(dice.choice(ODD))] = owner[name]
            case _:
                owner[name] = copy.deepcopy(dice.choice(ODD))
    grown = json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "replace")
    return grown if len(grown) <= LONGEST else data


def _places(tree: Any) -> Iterable[tuple[Any, Any]]:
    """Every value of the tree, as what holds it and the name or number it has there."""
    if isinstance(tree, dict | list):
        for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield tree, name
            yield from _places(value)
