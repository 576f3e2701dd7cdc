"""Excerpts keep the device's own signatures: foreign software verifies them, and nothing in them can be changed."""

from datetime import timedelta

import pytest

from agent.errors import OperatorFault, SenderFault
from agent.evidence.bmff import Source
from agent.evidence.clip import Clip, cut
from agent.evidence.recovery import examine, seal_recovered
from tests.agent.evidence.bench import NOW, Authority, Bench, flipped, make_authority, patched
from tests.agent.evidence.foreign import c2pa_state, encypher_stream
from tests.agent.evidence.handed_out import verify_excerpt

HALF = timedelta(milliseconds=500)


def _clip(data: bytes, first: float = 2, last: float = 4) -> tuple[Clip, bytes]:
    source = Source.of_bytes(data)
    clip = cut(source, examine(source), NOW + first * HALF, NOW + last * HALF)
    return clip, clip.head + data[clip.offset : clip.offset + clip.size]


def _states(bench: Bench) -> dict[str, bytes]:
    live = bench.live()[1]
    again = Bench(bench.signer)
    found = examine(Source.of_bytes(live[:-200]))
    patch = seal_recovered(found, bench.signer, bench.now)
    recovered = patched(live[: found.intact_bytes], patch.offset, patch.data)
    return {"live": live, "sealed": again.sealed(), "recovered": recovered}


@pytest.mark.parametrize("state", ["live", "sealed", "recovered"])
def test_excerpt_verifies_as_a_stream_joined_late(authority: Authority, bench: Bench, state: str) -> None:
    clip, data = _clip(_states(bench)[state])
    found = examine(Source.of_bytes(data))
    fragments = [data[it.offset : it.offset + it.size] for it in found.fragments]
    assert encypher_stream(clip.head, fragments, authority.root_pem, begins_late=True) == "valid"
    assert encypher_stream(clip.head, [fragments[1], fragments[0]], authority.root_pem, begins_late=True) == "invalid"
    assert c2pa_state(clip.head, authority.root_pem) == "Trusted"
    excerpt = verify_excerpt(Source.of_bytes(data), [authority.root])
    assert (excerpt.recording, excerpt.segment, excerpt.first, excerpt.last) == ("REC-0001-R000001", 1, 3, 4)
    assert (excerpt.begin, excerpt.end) == (NOW + 2 * HALF, NOW + 4 * HALF)
    assert excerpt == clip.excerpt


def test_opening_is_built_again_byte_for_byte(bench: Bench) -> None:
    emitter, live = bench.live()
    from agent.evidence.journal import Reason
    from agent.evidence.segment import Closing

    patch = emitter.seal(Closing(bench.now, Reason.STOPPED))
    clip, _ = _clip(patched(live, patch.offset, patch.data))
    assert clip.head == live[: bench.records[0].offset]


def test_cut_is_rounded_outwards_to_whole_fragments(bench: Bench) -> None:
    clip, _ = _clip(bench.sealed(), 2.5, 3.1)
    assert (clip.excerpt.first, clip.excerpt.last) == (3, 4)


def test_time_outside_the_segment_is_the_operators_fault(bench: Bench) -> None:
    with pytest.raises(OperatorFault, match="没有片段"):
        _clip(bench.sealed(), 100, 101)


def test_damage_inside_the_stretch_is_not_cut_around(bench: Bench) -> None:
    data = bench.sealed()
    with pytest.raises(SenderFault, match="被改或缺失"):
        _clip(flipped(data, bench.records[2].media_offset + 900), 1, 5)


@pytest.mark.parametrize("attack", ["bit", "middle removed", "tail cut", "appended", "stranger"])
def test_changed_excerpt_is_refused(authority: Authority, bench: Bench, attack: str) -> None:
    _, data = _clip(bench.sealed(), 1, 5)
    rows = examine(Source.of_bytes(data)).fragments
    changed = {
        "bit": flipped(data, len(data) - 5),
        "middle removed": data[: rows[1].offset] + data[rows[2].offset :],
        "tail cut": data[:-5],
        "appended": data + b"\0\0\0\x10free12345678",
        "stranger": data,
    }[attack]
    root = make_authority("beidou").root if attack == "stranger" else authority.root
    with pytest.raises(SenderFault):
        verify_excerpt(Source.of_bytes(changed), [root])
