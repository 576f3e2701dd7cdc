"""Malformed and hostile boxes, built by hypothesis, and a bounded mutation fuzzer with a fixed seed.

For every one: no traceback, never a sound verdict, bounded memory and work; and the foreign verifiers, where they can
see the bytes at all, accept none that we refuse.
"""

import random
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.evidence.bmff import Source, encode_box, walk
from agent.evidence.report import Verdict
from agent.evidence.verify import SegmentFile, Sidecars, verify_recording
from tests.agent.evidence.agreement import SOUND, Judges
from tests.agent.evidence.bench import NOW, Bench, make_authority
from tests.agent.evidence.test_standalone import alone as alone

AUTHORITY = make_authority()
JUDGES = Judges(AUTHORITY)
SEALED = Bench(AUTHORITY.signer()).sealed()
LIVE = Bench(AUTHORITY.signer()).live()[1]
TOP = [(box.offset, box.end) for box in walk(Source.of_bytes(SEALED))]
PADDING = SEALED.find(bytes(2000)), SEALED.find(bytes(2000)) + 12_000  # inside the C2PA box; foreign readers skip it
SIZES = (0, 1, 2, 7, 8, 9, 15, 16, 2**31 - 1, 2**31, 2**32 - 1)
LARGE_SIZES = (0, 1, 7, 8, 15, 16, 17, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
SEED, ROUNDS = 20261122, 600
MAX_MEMORY = 60 * 1024 * 1024
MAX_READ = 20  # times its own length that a file may make us read


@dataclass
class _Counted:
    """A source that counts what is read of it."""

    data: bytes
    read: int = 0

    def read_at(self, offset: int, length: int) -> bytes:
        piece = self.data[offset : offset + length]
        self.read += len(piece)
        return piece

    def verdict(self) -> Verdict:
        files = [SegmentFile("segment-0001.mp4", Source(len(self.data), self.read_at))]
        return verify_recording(files, [AUTHORITY.root], NOW, Sidecars()).verdict


def _refused(data: bytes) -> None:
    counted = _Counted(data)
    assert counted.verdict() not in SOUND
    assert counted.read <= MAX_READ * max(len(data), 100_000)


@settings(max_examples=200)
@given(st.integers(0, len(TOP) - 1), st.sampled_from(SIZES))
def test_box_with_another_size_is_never_sound(number: int, size: int) -> None:
    at = TOP[number][0]
    changed = SEALED[:at] + size.to_bytes(4) + SEALED[at + 4 :]
    if changed != SEALED:
        _refused(changed)


@settings(max_examples=200)
@given(st.integers(0, len(TOP) - 1), st.sampled_from(LARGE_SIZES), st.booleans())
def test_box_with_a_64_bit_size_is_never_sound(number: int, size: int, honest: bool) -> None:
    """`honest`: the size is right, only written in the long form, which changes every offset after it."""
    at, end = TOP[number]
    length = end - at + 8 if honest else size
    _refused(SEALED[:at] + b"\0\0\0\1" + SEALED[at + 4 : at + 8] + length.to_bytes(8) + SEALED[at + 8 :])


@settings(max_examples=100)
@given(st.sampled_from([b"moov", b"moof", b"free", b"uuid", b"meta", b"styp"]), st.integers(1, 5000), st.integers(0, 1))
def test_boxes_nested_thousands_deep_are_never_sound(kind: bytes, depth: int, inside: int) -> None:
    nested = b"".join((8 * (depth - level)).to_bytes(4) + kind for level in range(depth))
    at = TOP[3][0] if inside else len(SEALED)
    _refused(SEALED[:at] + nested + SEALED[at:])
    _refused(nested)


@settings(max_examples=200)
@given(st.sampled_from([SEALED, LIVE]), st.data())
def test_truncated_anywhere_is_never_sound(original: bytes, data: st.DataObject) -> None:
    _refused(original[: data.draw(st.integers(0, len(original) - 1))])


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from(SIZES), st.binary(min_size=4, max_size=4), st.binary(max_size=64)), max_size=30)
)
def test_box_soup_is_never_sound(boxes: list[tuple[int, bytes, bytes]]) -> None:
    soup = b"".join(size.to_bytes(4) + kind + content for size, kind, content in boxes)
    _refused(soup)
    _refused(SEALED[: TOP[2][1]] + soup)
    _refused(SEALED + soup + b"!")


Mutation = Callable[[random.Random, bytearray], None]


def _flip(chance: random.Random, data: bytearray) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data))
    data[at : at + 64] = chance.randbytes(min(64, len(data) - at))


def _cut_out(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randrange(1, 3000)]


def _repeat(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data))
    piece = data[at : at + chance.randrange(1, 3000)]
    data[at:at] = piece


def _move_box(chance: random.Random, data: bytearray) -> None:
    (begin, end), (at, _) = chance.choice(TOP), chance.choice(TOP)
    box = data[begin:end]
    del data[begin:end]
    data[at:at] = box


def _resize(chance: random.Random, data: bytearray) -> None:
    at = chance.choice(TOP)[0]
    data[at : at + 4] = chance.choice(SIZES).to_bytes(4)


def _insert_box(chance: random.Random, data: bytearray) -> None:
    at = chance.choice(TOP)[0]
    data[at:at] = encode_box(chance.choice([b"free", b"skip", b"moov", b"mdat"]), chance.randbytes(40))


MUTATIONS: tuple[Mutation, ...] = (_flip, _overwrite, _cut_out, _repeat, _move_box, _resize, _insert_box)


def _mutants(seed: int, rounds: int) -> list[bytes]:
    chance, found = random.Random(seed), []
    while len(found) < rounds:
        data = bytearray(SEALED)
        for _ in range(chance.choice([1, 1, 1, 2, 5])):
            chance.choice(MUTATIONS)(chance, data)
        if data != SEALED:
            found.append(bytes(data))
    return found


def _is_blind_spot(data: bytes) -> bool:
    """Whether all that differs lies in bytes that C2PA leaves out: ftyp, and the padding of its own box."""
    if len(data) != len(SEALED):
        return False
    spots = (TOP[0], PADDING)
    differing = [at for at, (new, old) in enumerate(zip(data, SEALED, strict=True)) if new != old]
    return all(any(begin <= at < end for begin, end in spots) for at in differing)


def test_mutants_of_a_fixed_seed_are_refused_by_all() -> None:
    tracemalloc.start()
    try:
        for number, data in enumerate(_mutants(SEED, ROUNDS)):
            counted = _Counted(data)
            assert counted.verdict() not in SOUND, number
            assert counted.read <= MAX_READ * len(data), number
        assert tracemalloc.get_traced_memory()[1] < MAX_MEMORY
    finally:
        tracemalloc.stop()


def test_standalone_verifier_never_calls_a_mutant_sound_and_fails_on_none(alone: ModuleType, tmp_path: Path) -> None:
    """The third verifier, which shares no code with the first, over the same mutants as a folder of one segment."""
    root, place = x509.load_pem_x509_certificate(AUTHORITY.root_pem), tmp_path / "segment-0001.mp4"
    for number, data in enumerate(_mutants(SEED, ROUNDS)):
        place.write_bytes(data)
        assert alone.verify(tmp_path, [root])[0] not in SOUND, number


@pytest.mark.parametrize("part", range(4))
def test_mutants_that_we_refuse_are_refused_by_the_others_outside_their_blind_spots(part: int) -> None:
    for number, data in enumerate(_mutants(SEED, ROUNDS)):
        if number % 4 != part or _is_blind_spot(data):
            continue
        ours, c2pa, encypher = JUDGES.verdicts(data)
        assert (ours in SOUND, c2pa, encypher) == (False, False, False), number
