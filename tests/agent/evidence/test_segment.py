"""A recording of ours in the hands of verifiers and players that none of us wrote."""

import itertools
from pathlib import Path

import pytest

from agent.evidence import bmff, manifest
from agent.evidence.bmff import Source, encode_box
from agent.evidence.journal import FragmentMoment, Reason
from agent.evidence.segment import Closing, SegmentEmitter
from tests.agent.evidence.bench import Authority, Bench, flipped, make_authority
from tests.agent.evidence.foreign import c2pa_manifest, c2pa_state, encypher_accepts, encypher_stream, run
from tests.support.media import FRAGMENT_MS

MAX_OVERHEAD = 700  # bytes per fragment
FRAMES = 30


@pytest.mark.parametrize("explicit", [False, True], ids=["default-trust-config", "explicit-trust-config"])
def test_sealed_file_is_trusted_by_c2pa_with_the_root_alone(authority: Authority, bench: Bench, explicit: bool) -> None:
    assert c2pa_state(bench.sealed(), authority.root_pem, explicit=explicit) == "Trusted"


def test_another_districts_root_is_not_enough(bench: Bench) -> None:
    data, other = bench.sealed(), make_authority("beidou").root_pem
    assert c2pa_state(data, other) == "Valid"
    assert not encypher_accepts(data, other)


def test_sealed_file_is_trusted_by_encypher(authority: Authority, bench: Bench) -> None:
    assert encypher_accepts(bench.sealed(), authority.root_pem)


def test_fragments_verify_before_the_seal(authority: Authority, bench: Bench) -> None:
    _, data = bench.live()
    init = data[: bench.records[0].offset]
    fragments = [data[record.offset : record.offset + record.size] for record in bench.records]
    assert encypher_stream(init, fragments, authority.root_pem) == "valid"
    assert encypher_stream(init, fragments[:2], authority.root_pem) == "valid"
    assert encypher_stream(init, [*fragments[:2], *fragments[3:]], authority.root_pem) == "invalid"
    swapped = [fragments[0], fragments[2], fragments[1], *fragments[3:]]
    assert encypher_stream(init, swapped, authority.root_pem) == "invalid"


def test_second_segment_verifies_live_and_sealed(authority: Authority, bench: Bench) -> None:
    bench.sealed()
    bench.records.clear()
    _, data = bench.live()
    init = data[: bench.records[0].offset]
    fragments = [data[record.offset : record.offset + record.size] for record in bench.records]
    assert bench.records[0].entry.sequence == len(fragments) + 1
    assert encypher_stream(init, fragments, authority.root_pem, begins_late=True) == "valid"
    assert c2pa_state(bench.sealed(), authority.root_pem) == "Trusted"


@pytest.mark.parametrize("kind", [b"mdat", b"moof", b"moov", b"uuid", b"emsg", b"styp"])
def test_one_flipped_bit_is_refused_by_both(authority: Authority, bench: Bench, kind: bytes) -> None:
    data = bench.sealed()
    boxes = [box for box in bmff.walk(Source.of_bytes(data)) if box.kind == kind]
    damaged = flipped(data, boxes[-1].end - 2)
    assert c2pa_state(damaged, authority.root_pem) in ("Invalid", "Refused")
    assert not encypher_accepts(damaged, authority.root_pem)


def test_appended_free_box_is_refused_by_both(authority: Authority, bench: Bench) -> None:
    data = bench.sealed() + encode_box(b"free", bytes(1 << 20))
    assert c2pa_state(data, authority.root_pem) == "Invalid"
    assert not encypher_accepts(data, authority.root_pem)


def test_truncated_sealed_file_is_refused_by_both(authority: Authority, bench: Bench) -> None:
    data = bench.sealed()
    for cut in (data[:-1000], data[: bench.records[-1].offset]):
        assert c2pa_state(cut, authority.root_pem) in ("Invalid", "Refused")
        assert not encypher_accepts(cut, authority.root_pem)


def test_sealed_file_decodes_without_a_complaint(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "segment-0001.mp4"
    path.write_bytes(bench.sealed())
    decoded = run("ffmpeg", "-v", "error", "-i", path, "-f", "null", "-")
    assert (decoded.returncode, decoded.stderr) == (0, "")
    counted = run("ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
                  "stream=nb_read_frames", "-of", "csv=p=0", path)  # fmt: skip
    assert int(counted.stdout) == FRAMES


def test_overhead_and_seal_stay_in_their_budget(bench: Bench) -> None:
    emitter, data = bench.live()
    assert all(record.size - record.media_size <= MAX_OVERHEAD for record in bench.records)
    patch = emitter.seal(Closing(bench.now, Reason.STOPPED))
    assert len(patch.data) == manifest.RESERVED_BYTES == 16384
    assert data[patch.offset + 4 : patch.offset + 8] == b"uuid"


def test_device_key_signs_twice_and_no_more(bench: Bench) -> None:
    counting = _CountingSigner(bench)
    bench.signer = counting  # type: ignore[assignment]
    bench.sealed()
    assert counting.signatures == 2


def test_computed_pictures_are_declared_computed(authority: Authority, bench: Bench) -> None:
    bench.synthetic = True
    actions = next(a for a in c2pa_manifest(bench.sealed())["assertions"] if a["label"] == "c2pa.actions.v2")  # type: ignore[index, attr-defined]
    assert actions["data"]["actions"][0]["digitalSourceType"].endswith("/algorithmicMedia")  # type: ignore[index]


def test_heads_chain_over_the_segments(bench: Bench) -> None:
    bench.sealed()
    bench.sealed()
    assert len(bench.records) == 12
    for before, after in itertools.pairwise(bench.records):
        assert after.entry.previous == before.head
        assert after.entry.sequence == before.entry.sequence + 1


def test_media_that_is_not_one_fragment_is_a_defect_of_the_caller(bench: Bench) -> None:
    emitter = SegmentEmitter(bench.origin(), bench.signer, bench.session)
    emitter.opening(bench.media.init)
    moment = FragmentMoment(bench.now, FRAGMENT_MS, bench.now)
    with pytest.raises(ValueError, match="expected"):
        emitter.fragment(bench.media.fragments[0] * 2, moment)


class _CountingSigner:
    """The device key with a counter, as a slow chip would be watched."""

    def __init__(self, bench: Bench) -> None:
        self._signer = bench.signer
        self.key_id, self.chain, self.signatures = bench.signer.key_id, bench.signer.chain, 0

    def sign(self, data: bytes) -> bytes:
        self.signatures += 1
        return self._signer.sign(data)
