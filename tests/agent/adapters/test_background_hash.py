"""The hash on another thread: the same digests as hashlib's, whatever the pieces; a signed lie about media is found."""

import hashlib
import random
import threading
from dataclasses import replace

import pytest

from agent.adapters.background_hash import MAX_WAITING_BYTES, BackgroundHash, background_hashing
from agent.errors import OperatorFault
from agent.evidence.bmff import Source
from agent.evidence.recovery import examine
from tests.agent.evidence.attacks import recordings
from tests.agent.evidence.bench import Bench, flipped, make_authority, patched

AUTHORITY = make_authority()


def test_digest_is_that_of_hashlib_at_every_point_and_in_every_copy():
    chance = random.Random(7)
    with background_hashing() as new_hash:
        ours, plain, twins = new_hash(), hashlib.sha256(), []
        for _ in range(200):
            piece = chance.randbytes(chance.choice((0, 1, 8, 700, 40_000)))
            ours.update(piece)
            plain.update(piece)
            if chance.random() < 0.2:
                twins.append((ours.copy(), plain.copy()))
            if chance.random() < 0.1:
                assert ours.digest() == plain.digest()
        assert all(twin.digest() == of_plain.digest() for twin, of_plain in twins)


class _NoRoom(BackgroundHash):
    """A copy that the memory has no room for."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "_hash" and hasattr(self, "_hash"):
            raise MemoryError
        super().__setattr__(name, value)


def test_full_memory_ends_the_verification_instead_of_stopping_it_for_ever():
    with background_hashing() as new_hash:
        ours = new_hash()
        ours.update(bytes(40_000))
        ours._later.append(_NoRoom(ours._crew, ours))
        with pytest.raises(OperatorFault, match="内存不足"):
            ours.digest()


def test_examination_is_the_same_with_the_work_elsewhere():
    bench = Bench(AUTHORITY.signer())
    sealed = bench.sealed()
    for data in (sealed, flipped(sealed, bench.records[2].media_offset + 900), sealed[:-100], sealed + b"more"):
        alone = examine(Source.of_bytes(data))
        with background_hashing() as new_hash:
            helped = examine(Source.of_bytes(data), new_hash=new_hash)
        same = [replace(found, damage=(), tail=()) for found in (alone, helped)]
        assert same[0] == same[1]
        places = [[(it.offset, it.size, it.kind) for it in (*found.damage, *found.tail)] for found in (alone, helped)]
        assert places[0] == places[1]


def test_signed_journal_entry_that_lies_about_its_media_is_damage():
    """The session key signs both, so only the comparison of the two shows it; by hand dd and sha256sum would."""
    found = examine(Source.of_bytes(recordings()["signed lie about media"]["segment-0001.mp4"]))
    assert [damage.kind for damage in found.damage] == ["journal"]
    assert [record.entry.sequence for record in found.fragments] == [1, 2, 3, 4, 5]


def test_copies_of_copies_used_in_any_order_keep_their_own_bytes():
    """A copy that is asked before, after and instead of the hash that it was copied from, with every thread at work."""
    chance = random.Random(11)
    with background_hashing() as new_hash:
        pairs = [(new_hash(), hashlib.sha256())]
        for _ in range(600):
            ours, plain = chance.choice(pairs)
            piece = chance.randbytes(chance.choice((3, 900, 70_000)))
            ours.update(piece)
            plain.update(piece)
            if chance.random() < 0.2:
                pairs.append((ours.copy(), plain.copy()))
        chance.shuffle(pairs)
        assert all(ours.digest() == plain.digest() for ours, plain in pairs)


def _copies_in_a_row(seed: int) -> None:
    chance = random.Random(seed)
    with background_hashing() as new_hash:
        row = [(new_hash(), hashlib.sha256())]
        for number in range(40):
            for one in row[-1]:
                one.update(bytes([number]) * (20_000 + 280_000 * (seed * number % 2)))
            row.append((row[-1][0].copy(), row[-1][1].copy()))
            if number % 4 == 0:
                ours, plain = chance.choice(row)
                assert ours.digest() == plain.digest()
        chance.shuffle(row)
        assert all(ours.digest() == plain.digest() for ours, plain in row)


def test_who_waits_for_a_copy_never_takes_on_what_waits_for_him():
    """A thread in the midst of a hash that took on a copy of it would wait for itself, for ever."""
    whole = threading.Thread(target=lambda: [_copies_in_a_row(seed) for seed in range(1, 12)], daemon=True)
    whole.start()
    whole.join(60)
    assert not whole.is_alive()


def test_more_bytes_than_may_wait_are_hashed_by_who_hands_them_over():
    """Memory stays bounded however slow the threads are."""
    piece = bytes(MAX_WAITING_BYTES // 8)
    with background_hashing() as new_hash:
        hashes = [new_hash() for _ in range(4)]
        for _ in range(6):
            for one in hashes:
                one.update(piece)
        wanted = hashlib.sha256(piece * 6).digest()
        assert [one.digest() for one in hashes] == [wanted] * 4


def test_change_in_place_makes_the_file_be_read_again_and_finds_what_hides_behind_it():
    """The size of a changed fragment is a guess until its hash is compared: the fragment that begins inside the size it
    claims is found all the same."""
    bench = Bench(AUTHORITY.signer())
    _, data = bench.live()
    hit, behind = bench.records[1], bench.records[2]
    mdat = data.index(b"mdat", hit.media_offset) - 4
    swallowed = patched(data, mdat, (behind.offset + behind.size - mdat).to_bytes(4))
    for changed in (swallowed, flipped(data, mdat + 40)):
        with background_hashing() as new_hash:
            found = examine(Source.of_bytes(changed), new_hash=new_hash)
        assert [record.entry.sequence for record in found.fragments] == [1, 3, 4, 5, 6]
        assert [(it.offset, it.size) for it in found.damage] == [(hit.offset, hit.size)]


def test_a_thousand_damaged_places_copy_a_copy_a_thousand_times_and_are_hashed_all_the_same():
    plain = hashlib.sha256(bytes(20_000))
    with background_hashing() as new_hash:
        kept = new_hash()
        kept.update(bytes(20_000))
        for _ in range(1000):
            kept, left = kept.copy(), kept
            left.update(b"damaged")
            kept.update(b"next")
            plain.update(b"next")
        assert kept.digest() == plain.digest()
