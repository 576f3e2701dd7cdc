"""A small coverage-guided fuzzer for parsers written in Python: an input that reaches a new pair of lines is kept and
changed further. No clock and no chance but a seed's: a run can be played again. Work is counted in lines, not seconds.
"""

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
    """What `data` reaches; raises what `take` must not raise, and `TooMuchWork`."""
    seen = Seen(target.rooms, LINES_AT_LEAST + LINES_A_BYTE * len(data))
    sys.settrace(seen)
    try:
        target.take(data)
    except LiuhenFault:
        pass
    finally:
        sys.settrace(None)
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
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        found.broken.setdefault(_place(error), data)
        return
    if new or not found.kept:
        found.edges |= edges
        found.kept.append(data)


def _place(error: Exception) -> str:
    """What it is and where it came from: many inputs break the same thing."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {last.filename.rpartition('/')[2]}:{last.lineno}"


def changed(data: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """`data` after one to four small changes."""
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
