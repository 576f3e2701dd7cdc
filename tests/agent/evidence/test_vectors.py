"""The bytes of a segment do not change unnoticed: fixed keys, times and media must give the committed files again.

`tests/vectors/evidence_segment.mp4` is a sealed segment of two fragments (its media is no real video), and
`evidence_segment.json` its parts before the seal; `evidence_<profile>.mp4` is the same segment in the other dialects of
live signatures. Signatures are deterministic here (RFC 6979), so that every byte can
be compared; on a device they are not. When a change of format is meant, copy the files named in the failure over the
old ones, and say so in the change.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from agent.evidence import journal
from agent.evidence.bmff import Source, encode_box, walk
from agent.evidence.journal import FragmentMoment, JournalEvent, Reason, parse_entry
from agent.evidence.recovery import examine
from agent.evidence.report import Verdict
from agent.evidence.segment import Closing, SegmentEmitter, SessionKey
from agent.evidence.sidecars import journal_lines
from agent.evidence.verify import SegmentFile, verify_recording
from agent.evidence.vsi_profiles import DEFAULT_VSI, VSI_PROFILES, VsiProfile
from agent.wire.signing import KeySigner, raw_from_der
from tests.agent.evidence.bench import NOW, Authority, Bench, patched, private_key

VECTORS = Path(__file__).parents[2] / "vectors"
NAMES = ("evidence_segment.mp4", "evidence_segment.json")
DIALECTS = {f"evidence_{name.replace('.', '_')}.mp4": profile for name, profile in VSI_PROFILES.items()}
DIALECTS.pop("evidence_c2pa-2_4.mp4")  # the default, which is `NAMES`
INIT = encode_box(b"ftyp", b"iso5\0\0\2\0iso5iso6mp41") + encode_box(b"moov", b"not a real index")


class Deterministic(KeySigner):
    """Signs the same content with the same bytes."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, chain: tuple[bytes, ...] = ()) -> None:
        super().__init__(key, chain)
        self._own = key

    def sign(self, data: bytes) -> bytes:
        return raw_from_der(self._own.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))


def _media(number: int) -> bytes:
    return encode_box(b"moof", b"index %d" % number) + encode_box(b"mdat", b"media %d" % number * 10)


def _made(authority: Authority, profile: VsiProfile = DEFAULT_VSI) -> dict[str, bytes]:
    device = authority.signer()
    session = SessionKey(private_key("session"), profile)
    session.signer = Deterministic(private_key("session"))
    bench = Bench(Deterministic(private_key("leaf REC-0001"), device.chain), session=session)
    emitter = SegmentEmitter(bench.origin(), bench.signer, session)
    opening = emitter.opening(INIT)
    marker = JournalEvent(journal.MARKER, bench.now, None, "表明身份")
    fragments = [
        emitter.fragment(_media(number), FragmentMoment(bench.now, 500, bench.now, (marker,) * (number - 1)))
        for number in (1, 2)
    ]
    live = opening + b"".join(fragment.data for fragment in fragments)
    patch = emitter.seal(Closing(bench.now, Reason.STOPPED))
    parts = {
        "opening_sha256": hashlib.sha256(opening).hexdigest(),
        "fragments": [fragment.data.hex() for fragment in fragments],
        "heads": [fragment.head for fragment in fragments],
        "journal.jsonl": journal_lines(fragment.record for fragment in fragments).decode(),
    }
    return {
        NAMES[0]: patched(live, patch.offset, patch.data),
        NAMES[1]: json.dumps(parts, indent=1, ensure_ascii=False).encode() + b"\n",
    }


def test_committed_vectors_are_made_again_byte_for_byte(authority: Authority, tmp_path: Path) -> None:
    made = _made(authority)
    for name, profile in DIALECTS.items():
        made[name] = _made(authority, profile)[NAMES[0]]
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    changed = [name for name in made if not (VECTORS / name).is_file() or (VECTORS / name).read_bytes() != made[name]]
    assert not changed, f"{changed} differ; the new ones are in {tmp_path}"


@pytest.mark.parametrize("name", [NAMES[0], *DIALECTS])
def test_committed_segment_still_verifies(authority: Authority, name: str) -> None:
    data = (VECTORS / name).read_bytes()
    report = verify_recording([SegmentFile(name, Source.of_bytes(data))], [authority.root], NOW)
    assert (report.verdict, report.fragments) == (Verdict.COMPLETE, 2)


def test_committed_journal_entries_read_as_written(authority: Authority) -> None:
    parts = json.loads((VECTORS / NAMES[1]).read_text(encoding="utf-8"))
    data = (VECTORS / NAMES[0]).read_bytes()
    records = examine(Source.of_bytes(data)).fragments
    assert [record.head for record in records] == parts["heads"]
    fragment = Source.of_bytes(bytes.fromhex(parts["fragments"][1]))
    box = next(box for box in walk(fragment) if box.kind == b"uuid")
    entry = parse_entry(journal.entry_bytes(box.raw()))
    assert entry == records[1].entry
    assert entry.moment.events[0].note == "表明身份"
    assert replace(entry, sequence=3).encode() != entry.encode()
