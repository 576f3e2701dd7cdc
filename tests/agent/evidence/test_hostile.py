"""Files made to break the reader: it answers with a verdict, in bounded time and memory, and never says complete."""

import tracemalloc
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import SenderFault
from agent.evidence import bmff, cbor, cms, cose, jumbf, manifest, segment, vsi
from agent.evidence.bmff import BrokenBox, Source, encode_box, encode_user_box
from agent.evidence.manifest_reading import read_manifest
from agent.evidence.places import SegmentFile
from agent.evidence.recovery import examine
from agent.evidence.report import Verdict
from agent.evidence.session import SESSION_KEYS_LABEL
from agent.evidence.statements import RECORDING_LABEL
from agent.evidence.verify import Sidecars, verify_recording
from tests.agent.evidence.bench import NOW, Bench, make_authority

AUTHORITY = make_authority()
BENCH = Bench(AUTHORITY.signer())
SEALED = BENCH.sealed()
LIVE = Bench(AUTHORITY.signer()).live()[1]
MAX_MEMORY = 60 * 1024 * 1024
BAD = {Verdict.UNTRUSTED, Verdict.ALTERED, Verdict.MISSING, Verdict.UNEXPLAINED_GAP}


def _fragments(data: bytes) -> int:
    return len(examine(Source.of_bytes(data)).fragments)


def _verdict(data: bytes) -> Verdict:
    files = [SegmentFile("segment-0001.mp4", Source.of_bytes(data))]
    return verify_recording(files, [AUTHORITY.root], NOW, Sidecars()).verdict


HOSTILE = {
    "nothing": b"",
    "one byte": b"\0",
    "random": bytes(range(256)) * 100,
    "zeros": bytes(1 << 20),
    "huge size": b"\xff\xff\xff\xffftyp" + bytes(100),
    "size 0": b"\0\0\0\0ftyp" + bytes(100),
    "64-bit size beyond the end": b"\0\0\0\1ftyp\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(100),
    "64-bit size too small": b"\0\0\0\1ftyp\0\0\0\0\0\0\0\1" + bytes(100),
    "half a 64-bit size": b"\0\0\0\1ftyp\0\0",
    "size 7": b"\0\0\0\7ftyp" + bytes(100),
    "a million empty boxes": b"\0\0\0\x08free" * 1_000_000,
    "fragment starts without end": (vsi.STYP + b"\0\0\1\0emsg" + bytes(4) + vsi.SCHEME) * 10_000,
    "C2PA box of nothing": SEALED[:28] + encode_user_box(bmff.C2PA_BOX, bytes(16384 - 24)) + SEALED[16412:],
    "head only": SEALED[:17000],
    "fragment starts in a real file": SEALED + (vsi.STYP + b"\0\0\1\0emsg" + bytes(4) + vsi.SCHEME) * 10_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_gets_a_bad_verdict_in_bounded_memory(name: str) -> None:
    tracemalloc.start()
    try:
        assert _verdict(HOSTILE[name]) in BAD
        assert tracemalloc.get_traced_memory()[1] < MAX_MEMORY
    finally:
        tracemalloc.stop()


@settings(max_examples=150)
@given(st.binary(max_size=3000))
def test_random_bytes_never_break_the_reader(data: bytes) -> None:
    assert _verdict(data) in BAD
    assert _verdict(SEALED[:28] + data) in BAD
    assert _verdict(SEALED + data + b"!") in BAD


@settings(max_examples=150)
@given(st.sampled_from([SEALED, LIVE]), st.data())
def test_mutated_bytes_are_never_complete(original: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(original) - 1))
    new = data.draw(st.binary(min_size=1, max_size=40))
    cut = data.draw(st.integers(0, 40))
    mutated = original[:at] + new + original[at + cut :]
    if mutated != original:
        # The live file, never sealed, is bad as it stands: there the mutation itself has to cost something.
        assert _verdict(mutated) in BAD
        assert _verdict(mutated) is not _verdict(original) or _fragments(mutated) < _fragments(original)


@pytest.mark.parametrize(
    "bomb",
    [
        b"",
        b"\x81" * 20_000,
        b"\x9b" + b"\xff" * 8,
        b"\xbb" + b"\xff" * 8,
        b"\x5b" + b"\x7f" + b"\xff" * 7,
        b"\x9f" * 1000,
        b"\x9a\x00\xff\xff\xff" + b"\0" * 10_000,
        b"\xd8\x1c\x81\xd8\x1d\x00",
        b"\xc2\x58\x40" + b"\xff" * 64,
        b"\xfb" + bytes(8),
        b"\0\0",
        b"\xf7",
        b"\xa1\x81",
        bytes(cbor.MAX_BYTES + 1),
    ],
    ids=["empty", "deep", "endless array", "endless map", "endless bytes", "indefinite", "many items", "shared",
         "bignum", "float", "two items", "undefined", "half a map", "too long"],
)  # fmt: skip
def test_cbor_bomb_is_refused(bomb: bytes) -> None:
    with pytest.raises(SenderFault):
        cbor.decode(bomb)


@given(st.binary(max_size=200))
def test_random_cbor_is_refused_or_read_the_same_again(data: bytes) -> None:
    try:
        value = cbor.decode(data)
    except SenderFault:
        return
    assert cbor2.loads(cbor.encode(value)) == value


def test_jumbf_nested_too_deep_is_refused() -> None:
    inner = jumbf.encode_superbox(jumbf.MANIFEST, "x")
    for _ in range(jumbf.MAX_DEPTH):
        inner = jumbf.encode_superbox(jumbf.MANIFEST, "x", inner)
    with pytest.raises(SenderFault, match="凭证"):
        jumbf.parse_superbox(inner)


def test_jumbf_with_too_many_boxes_is_refused() -> None:
    crowd = [jumbf.encode_superbox(jumbf.MANIFEST, "x")] * (jumbf.MAX_CONTENTS + 1)
    with pytest.raises(SenderFault, match="凭证"):
        jumbf.parse_superbox(jumbf.encode_superbox(jumbf.STORE, "c2pa", *crowd))


@given(st.binary(max_size=300))
def test_random_jumbf_and_cms_are_refused(data: bytes) -> None:
    for read in (jumbf.parse_superbox, lambda found: cms.open_detached(found, b"")):
        with pytest.raises(SenderFault):
            read(data)


def test_source_that_shrinks_while_read_is_a_broken_box() -> None:
    half = encode_box(b"mdat", bytes(992))[:500]
    box = bmff.box_at(Source(1000, lambda offset, length: half[offset : offset + length]), 0)
    with pytest.raises(BrokenBox):
        list(box.chunks())


def test_anything_hidden_in_the_padding_is_found() -> None:
    at = SEALED.find(bytes(2000)) + 500
    assert _verdict(SEALED[:at] + b"hidden" + SEALED[at + 6 :]) is Verdict.ALTERED


OPENING_LABELS = (manifest.ACTIONS_LABEL, RECORDING_LABEL, SESSION_KEYS_LABEL)


def _signed_with(flat_hash: Any) -> bytes:
    """A segment whose manifest is properly signed, but for what it says the hash of its media is."""
    at = SEALED.index(b"uuid") - 4
    found = read_manifest(SEALED[at : at + manifest.RESERVED_BYTES])
    kept = tuple(manifest.Assertion(label, found.assertions[label]) for label in OPENING_LABELS)
    assert found.seal is not None
    patch = segment.sealing_patch(found.opening.origin, kept, found.seal, flat_hash, AUTHORITY.signer(), at)
    return SEALED[:at] + patch.data + SEALED[at + len(patch.data) :]


@pytest.mark.parametrize("value", ["x", 2**33, 2**63 - 1, ["a"], None, -1, b"short"], ids=repr)
def test_signed_media_hash_of_another_type_is_refused_and_not_converted(value: Any) -> None:
    tracemalloc.start()
    try:
        assert _verdict(_signed_with(value)) in BAD
        assert tracemalloc.get_traced_memory()[1] < MAX_MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("value", [[], [1], "x", 5, {1: 2, -1: 1, 3: -7, -2: [1] * 32, -3: [1] * 32}], ids=repr)
def test_session_key_of_another_shape_is_refused(value: Any) -> None:
    with pytest.raises(SenderFault):
        cose.parse_key(value)
