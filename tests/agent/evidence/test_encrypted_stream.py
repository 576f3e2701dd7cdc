"""Encryption at rest: nothing whole is lost by a cut, nothing changed goes unnamed, no nonce serves twice."""

import random
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.errors import OperatorFault, SenderFault
from agent.evidence import encrypted_stream, encrypted_walk
from agent.evidence.bmff import Source
from agent.evidence.encrypted_photo import decrypt_photo, encrypt_photo
from agent.evidence.encrypted_reading import EncryptedSegment, decrypted_segment, open_encrypted
from agent.evidence.encrypted_stream import (
    CHUNK_BYTES,
    HEAD_BYTES,
    SLOT_BYTES,
    Header,
    StreamKey,
    StreamWriter,
    encode_head,
    final_record,
    record_bytes,
    unwrap_key,
    wrap_key,
)
from agent.evidence.manifest import RESERVED_BYTES
from agent.evidence.report import Verdict
from agent.wire.identifiers import recording_id
from agent.wire.signing import key_id_of
from tests.agent.evidence.bench import DEVICE, flipped, private_key

RECORDING = recording_id(DEVICE, 7)
ARCHIVE = private_key("archive")
DATA_KEY = bytes(range(32))
HEADER = Header(wrap_key(DATA_KEY, RECORDING, ARCHIVE.public_key()), bytes(16))
SIZES = (17_000, 150_000, CHUNK_BYTES, 1, 400_000, 70_001)


def pieces(*sizes: int) -> list[bytes]:
    return [random.Random(size).randbytes(size) for size in sizes]


def encrypted(appends: list[bytes], *, box: bytes | None = None, finish: bool = True) -> bytes:
    key = StreamKey(DATA_KEY, HEADER)
    writer = StreamWriter(key, HEADER)
    data = writer.opening() + b"".join(writer.append(piece) for piece in appends)
    if box is not None:
        at = len(HEADER.encode())
        data = data[:at] + key.lock_slot(28, box) + data[at + SLOT_BYTES :]
    return data + final_record(key, len(data)) if finish else data


def opened(data: bytes) -> EncryptedSegment:
    return open_encrypted(Source.of_bytes(data), DATA_KEY)


def plain_of(segment: EncryptedSegment) -> bytes:
    return b"".join(segment.plain.chunks(0, segment.plain.size))


BOX = random.Random(1).randbytes(RESERVED_BYTES)
WHOLE = encrypted(pieces(*SIZES), box=BOX)


def test_what_was_appended_is_read_again_and_the_slot_lies_over_it() -> None:
    appends = pieces(*SIZES)
    bare = opened(encrypted(appends))
    segment = opened(WHOLE)
    expected = b"".join(appends)
    assert plain_of(segment) == expected[:28] + BOX + expected[28 + RESERVED_BYTES :]
    assert (segment.finished, segment.damage, segment.sealed_slot) == (True, [], True)
    assert [damage.kind for damage in bare.damage] == ["slot"]  # finished, and yet never sealed
    unfinished = opened(encrypted(appends, finish=False))
    assert (plain_of(unfinished), unfinished.finished, unfinished.damage) == (expected, False, [])


@given(st.lists(st.tuples(st.integers(0, 800_000), st.integers(0, 200_000)), max_size=12))
@settings(deadline=None, max_examples=40)
def test_any_stretch_reads_as_in_the_plain_file(reads: list[tuple[int, int]]) -> None:
    segment, plain = opened(WHOLE), plain_of(opened(WHOLE))
    for offset, length in reads:
        assert segment.plain.read_at(offset, length) == plain[offset : offset + length]


def test_the_archive_alone_unwraps_the_key() -> None:
    assert unwrap_key(HEADER.wrapped, ARCHIVE) == DATA_KEY
    with pytest.raises(SenderFault, match="打不开"):
        unwrap_key(HEADER.wrapped, private_key("someone else"))
    moved = encrypted_stream.WrappedKey(recording_id(DEVICE, 8), HEADER.wrapped.to, HEADER.wrapped.wrap)
    with pytest.raises(SenderFault, match="打不开"):
        unwrap_key(moved, ARCHIVE)
    again = wrap_key(DATA_KEY, RECORDING, ARCHIVE.public_key())
    assert again.wrap != HEADER.wrapped.wrap  # an ephemeral key for every recording


@example(len(HEADER.encode()))
@example(len(HEADER.encode()) + 100)
@given(st.integers(0, len(WHOLE)))
@settings(deadline=None, max_examples=150)
def test_a_cut_anywhere_leaves_every_whole_chunk(cut: int) -> None:
    begin = len(HEADER.encode()) + SLOT_BYTES
    data = WHOLE[:cut]
    if cut < len(HEADER.encode()):
        with pytest.raises(SenderFault):
            opened(data)
        return
    segment = opened(data)
    got, plain = plain_of(segment), plain_of(opened(WHOLE))
    whole, at = 0, begin
    for size in SIZES:
        room = max(0, min(cut - at, record_bytes(size)))
        whole += size if room == record_bytes(size) else max(0, room - HEAD_BYTES) // (CHUNK_BYTES + 16) * CHUNK_BYTES
        at += record_bytes(size)
    assert len(got) == whole
    if cut >= begin:
        assert got == plain[:whole]
    assert segment.finished == (cut == len(WHOLE))
    ends = {begin + sum(record_bytes(size) for size in SIZES[:count]) for count in range(len(SIZES) + 1)}
    assert bool(segment.damage) == (cut not in ends | {len(WHOLE)})


BLOCK = 4096


def _bits() -> Iterator[int]:
    begin = len(HEADER.encode())
    yield from range(0, begin, 11)
    yield from range(begin, begin + SLOT_BYTES, 3989)
    at = begin + SLOT_BYTES
    for size in (*SIZES, 0):
        yield from range(at, at + HEAD_BYTES)  # every byte of every head
        yield from range(at + HEAD_BYTES, at + record_bytes(size), 39_989)
        yield at + record_bytes(size) - 1
        at += record_bytes(size)


@pytest.mark.parametrize("bit", [0, 7])
def test_every_flipped_bit_is_found_and_the_rest_stays_readable(bit: int) -> None:
    plain, begin = plain_of(opened(WHOLE)), len(HEADER.encode())
    for at in _bits():
        data = bytearray(WHOLE)
        data[at] ^= 1 << bit
        if at < begin:
            assert _header_noticed(bytes(data)), at
            continue
        segment = opened(bytes(data))
        got = plain_of(segment)
        assert segment.damage, at
        assert len(got) == len(plain)
        places = [(damage.offset, damage.offset + damage.size) for damage in segment.damage]
        assert any(first <= at < last for first, last in places), (at, segment.damage)
        wrong = sum(got[at : at + BLOCK] != plain[at : at + BLOCK] for at in range(0, len(plain), BLOCK))
        assert (wrong - 1) * BLOCK <= max(CHUNK_BYTES, RESERVED_BYTES)


def _header_noticed(data: bytes) -> bool:
    try:
        header, _ = encrypted_stream.parse_header(data)
        key = unwrap_key(header.wrapped, ARCHIVE)
        segment = open_encrypted(Source.of_bytes(data), key)
        plain_of(segment)
        return bool(segment.damage)
    except SenderFault:
        return True


def test_a_lost_sector_costs_one_record_only() -> None:
    begin = len(HEADER.encode()) + SLOT_BYTES
    third = begin + sum(record_bytes(size) for size in SIZES[:2])
    data = WHOLE[: third - 100] + bytes(512) + WHOLE[third + 412 :]
    segment, plain = opened(data), plain_of(opened(WHOLE))
    got = plain_of(segment)
    assert len(got) == len(plain)
    assert got[sum(SIZES[:3]) :] == plain[sum(SIZES[:3]) :]
    assert {damage.kind for damage in segment.damage} == {"head", "chunk"}


def test_records_cannot_be_swapped_repeated_or_taken_from_another_file() -> None:
    begin, size = len(HEADER.encode()) + SLOT_BYTES, record_bytes(1000)
    data = encrypted(pieces(1000, 1000, 1000), box=BOX)
    first, second = data[begin : begin + size], data[begin + size : begin + 2 * size]
    swapped = data[:begin] + second + first + data[begin + 2 * size :]
    other = Header(HEADER.wrapped, b"another salt 16b")
    foreign = StreamWriter(StreamKey(DATA_KEY, other), other)
    foreign.opening()
    replaced = data[:begin] + foreign.append(pieces(1000)[0]) + data[begin + size :]
    for forged in (swapped, replaced):
        segment = opened(forged)
        plain_of(segment)
        assert segment.damage


def test_final_record_cannot_be_moved_forward() -> None:
    begin = len(HEADER.encode()) + SLOT_BYTES
    cut = WHOLE[: begin + record_bytes(SIZES[0])] + WHOLE[-record_bytes(0) :]
    segment = opened(cut)
    assert not segment.finished
    assert segment.damage


@pytest.mark.parametrize("filler", [b"\0", b"\xa5", b"\xff", b"\xa5\0\0\0"])
def test_hostile_tail_costs_bounded_work(filler: bytes) -> None:
    data = WHOLE[: -record_bytes(0)] + filler * (6_000_000 // len(filler))
    segment = opened(data)
    assert segment.size >= sum(SIZES)
    assert segment.damage


def test_no_key_and_nonce_ever_serve_two_plaintexts() -> None:
    """Random lives of a segment: appends, cuts, recoveries, seals made again with other manifests."""
    used: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}

    for seed in range(120):
        for key, nonce, plain, bound in _life(random.Random(seed), seed.to_bytes(16)):
            before = used.setdefault((key, nonce), (plain, bound))
            assert before == (plain, bound), "one key and nonce for two plaintexts"
    assert len(used) > 500


Use = tuple[bytes, bytes, bytes, bytes]  # key, nonce, plaintext, what is authenticated beside it


class Noted:
    """A cipher that notes every use and passes it on."""

    def __init__(self, key: bytes, uses: list[Use]) -> None:
        self._key, self._uses, self._cipher = key, uses, ChaCha20Poly1305(key)

    def encrypt(self, nonce: bytes, plain: bytes, bound: bytes | None, /) -> bytes:
        self._uses.append((self._key, nonce, plain, bound or b""))
        return self._cipher.encrypt(nonce, plain, bound)

    def decrypt(self, nonce: bytes, data: bytes, bound: bytes | None, /) -> bytes:
        return self._cipher.decrypt(nonce, data, bound)


def _life(chance: random.Random, salt: bytes) -> list[Use]:
    header = Header(HEADER.wrapped, salt)
    uses: list[Use] = []
    key = StreamKey(DATA_KEY, header, lambda derived: Noted(derived, uses))
    writer = StreamWriter(key, header)
    data = writer.opening()
    for _ in range(chance.randrange(1, 8)):
        data += writer.append(chance.randbytes(chance.randrange(1, 150_000)))
    for _ in range(chance.randrange(1, 4)):  # each time: a power cut somewhere in the last steps, then recovery
        data = data[: max(len(header.encode()) + SLOT_BYTES, len(data) - chance.choice((0, 1, 20, 5000)))]
        segment = open_encrypted(Source.of_bytes(data), DATA_KEY)
        keep = chance.choice([0, *(record.plain for record in segment.records)])
        at = segment.boundary(keep)
        slot = key.lock_slot(28, chance.randbytes(RESERVED_BYTES))
        begin = len(header.encode())
        data = data[:begin] + slot + data[begin + SLOT_BYTES : at] + final_record(key, at)
    return uses


def test_seal_made_again_has_another_key() -> None:
    key = StreamKey(DATA_KEY, HEADER)
    assert key.lock_slot(28, BOX) == key.lock_slot(28, BOX)
    first, second = key.lock_slot(28, BOX), key.lock_slot(28, flipped(BOX, 5))
    same = sum(a == b for a, b in zip(first[32:], second[32:], strict=True))
    assert same < len(first) // 64  # 1/256 by chance; a repeated keystream would leave all but one byte equal


def test_overhead_at_the_default_fragment_is_below_three_in_ten_thousand() -> None:
    """6.5 Mbit/s in fragments of half a second, ten minutes, with everything: the slot alone takes 16 KiB."""
    fragment = 6_500_000 // 8 // 2
    fixed = len(HEADER.encode()) + SLOT_BYTES + record_bytes(0)
    whole = 1200 * fragment
    assert (1200 * record_bytes(fragment) + fixed - whole) / whole < 0.0003
    assert 2 * fragment < encrypted_walk.SEARCH_BYTES


def test_header_that_names_another_key_and_opens_with_this_one_was_changed() -> None:
    """Any bit of the key id: the stretch is told, the rest is read; it is not somebody else's file."""
    whole = plain_of(opened(WHOLE))
    assert list(decrypted_segment("segment-0001.mp4", Source.of_bytes(WHOLE), ARCHIVE).besides()) == []
    at = WHOLE.index(key_id_of(ARCHIVE.public_key()).encode())
    for place in range(at, at + 64):
        found = decrypted_segment("segment-0001.mp4", Source.of_bytes(flipped(WHOLE, place)), ARCHIVE)
        assert found.source.size == 0 or found.source.read_at(0, found.source.size) == whole
        assert Verdict.ALTERED in {finding.verdict for finding in found.besides()}


def test_photo_that_names_another_key_and_opens_with_this_one_was_changed() -> None:
    data = encrypt_photo(b"picture" * 900, ARCHIVE.public_key())
    for place in range(8, 40):
        with pytest.raises(SenderFault):
            decrypt_photo(flipped(data, place), ARCHIVE)
    with pytest.raises(OperatorFault):
        decrypt_photo(encrypt_photo(b"picture", private_key("other").public_key()), ARCHIVE)


@pytest.mark.parametrize("length", [1, 4096])
def test_endless_small_records_cost_bounded_work_and_one_finding(length: int) -> None:
    record = encode_head(length) + bytes(length + 16)
    found = opened(encrypted(pieces(3000), finish=False) + record * (4_000_000 // len(record)))
    assert len(found.records) < 100
    plain_of(found)
    assert len(found.damage) <= 2


def test_neighbouring_damage_is_one_stretch() -> None:
    data = encrypted(pieces(*[9000] * 6))
    begin = len(HEADER.encode()) + SLOT_BYTES
    for number in (1, 2, 3):
        data = flipped(data, begin + number * record_bytes(9000) + 100)
    found = opened(data)
    plain_of(found)
    assert len([it for it in found.damage if it.kind == "chunk"]) == 1
