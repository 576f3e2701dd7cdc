"""Power cuts and bit rot in a segment that was never sealed."""

import random

import pytest

from agent.errors import SenderFault
from agent.evidence.bmff import Source
from agent.evidence.recovery import Examination, examine, seal_recovered
from agent.evidence.segment import SessionKey
from agent.wire.signing import KeySigner
from tests.agent.evidence.bench import Authority, Bench, flipped, patched, private_key
from tests.agent.evidence.foreign import c2pa_state, encypher_accepts

CUTS = 42


def _examined(data: bytes) -> Examination:
    return examine(Source.of_bytes(data))


def _sealed_again(data: bytes, bench: Bench) -> bytes:
    found = _examined(data)
    patch = seal_recovered(found, bench.signer, bench.now)
    return patched(data[: found.intact_bytes], patch.offset, patch.data)


def _cut(data: bytes, at: int, kind: int, chance: random.Random) -> bytes:
    """The tail lost, or full of zeros, or full of what stood on the disk before."""
    lost = len(data) - at
    return data[:at] + (b"", bytes(lost), chance.randbytes(lost))[kind]


@pytest.mark.parametrize("number", range(CUTS))
def test_power_cut_loses_no_complete_fragment(authority: Authority, bench: Bench, number: int) -> None:
    chance = random.Random(number)
    _, data = bench.live()
    at = chance.randrange(bench.records[0].offset, len(data))
    cut = _cut(data, at, number % 3, chance)
    found = _examined(cut)
    complete = [record for record in bench.records if record.offset + record.size <= at]
    assert list(found.fragments) == complete
    assert found.damage == ()
    assert found.intact_bytes == (complete[-1].offset + complete[-1].size if complete else bench.records[0].offset)
    assert c2pa_state(_sealed_again(cut, bench), authority.root_pem) == "Trusted"


def test_recovered_file_says_so_and_what_it_lost(authority: Authority, bench: Bench) -> None:
    _, data = bench.live()
    again = _examined(_sealed_again(data[:-500], bench))
    assert again.manifest is not None
    seal = again.manifest.seal
    assert seal is not None
    assert (seal.closing.recovered, seal.closing.reason) == (True, "device-restart")
    assert seal.closing.discarded_bytes == bench.records[-1].size - 500
    assert seal.fragments == len(bench.records) - 1
    assert again.whole_hash == again.manifest.flat_hash


def test_interior_damage_is_kept_and_flagged_never_trimmed(authority: Authority, bench: Bench) -> None:
    _, data = bench.live()
    hit = bench.records[2]
    damaged = flipped(data, hit.media_offset + hit.media_size - 5)
    found = _examined(damaged)
    assert [record.entry.sequence for record in found.fragments] == [1, 2, 4, 5, 6]
    assert [(place.offset, place.size, place.kind) for place in found.damage] == [(hit.offset, hit.size, "mdat")]
    assert (found.intact_bytes, found.torn_bytes) == (len(data), 0)
    sealed = _sealed_again(damaged, bench)
    assert len(sealed) == len(data)
    assert c2pa_state(sealed, authority.root_pem) == "Trusted"
    assert encypher_accepts(sealed, authority.root_pem)
    again = _examined(sealed).manifest
    assert again is not None
    assert again.seal is not None
    assert again.seal.damage == ((hit.offset, hit.size),)


@pytest.mark.parametrize("place", range(0, 700, 31))
def test_damage_anywhere_in_a_fragment_does_not_hide_the_next_one(bench: Bench, place: int) -> None:
    _, data = bench.live()
    hit = bench.records[1]
    found = _examined(flipped(data, hit.offset + place))
    assert [record.entry.sequence for record in found.fragments] == [1, 3, 4, 5, 6]
    assert [(damage.offset, damage.size) for damage in found.damage] == [(hit.offset, hit.size)]


def test_recovery_done_twice_ends_in_the_same_state(bench: Bench) -> None:
    _, data = bench.live()
    cut = data[:-100]
    found = _examined(cut)
    trimmed = _examined(cut[: found.intact_bytes])
    assert trimmed.fragments == found.fragments
    assert trimmed.torn_bytes == 0
    assert trimmed.head == found.head
    sealed = _examined(_sealed_again(cut, bench))
    assert sealed.sealed
    with pytest.raises(SenderFault, match="已经封存"):
        seal_recovered(sealed, bench.signer, bench.now)


def test_device_does_not_seal_what_another_began(authority: Authority, bench: Bench) -> None:
    _, data = bench.live()
    other = KeySigner(private_key("another device"), authority.signer("REC-0002").chain)
    with pytest.raises(SenderFault, match="不是由本机密钥"):
        seal_recovered(_examined(data), other, bench.now)


def test_nothing_and_less_than_a_head_are_examined_without_an_error(bench: Bench) -> None:
    _, data = bench.live()
    for cut in (b"", data[:10], data[:5000], data[: bench.records[0].offset - 1], bytes(50_000)):
        found = _examined(cut)
        assert found.manifest is None
        assert found.fragments == ()
        with pytest.raises(SenderFault, match="原样保留"):
            seal_recovered(found, bench.signer, bench.now)


def test_fragment_of_another_recording_is_not_taken_in(authority: Authority, bench: Bench) -> None:
    _, data = bench.live()
    foreign = Bench(authority.signer(), session=SessionKey(private_key("other session")), number=2)
    _, other = foreign.live()
    record, own = foreign.records[3], bench.records[3]
    spliced = data[: own.offset] + other[record.offset : record.offset + record.size] + data[own.offset + own.size :]
    assert [entry.entry.sequence for entry in _examined(spliced).fragments] == [1, 2, 3, 5, 6]


def test_fragment_of_another_segment_of_the_same_recording_is_not_taken_in(bench: Bench) -> None:
    _, first = bench.live()
    early = list(bench.records)
    bench.records.clear()
    _, second = bench.live()
    late, own = bench.records[2], early[2]
    spliced = first[: own.offset] + second[late.offset : late.offset + late.size] + first[own.offset + own.size :]
    assert [entry.entry.sequence for entry in _examined(spliced).fragments] == [1, 2, 4, 5, 6]
