"""What stands beside a film, and what was put into it later, do not change their bytes unnoticed either.

`tests/vectors/evidence_segment.mp4` (see `test_vectors`) with its sums and their signature, a note, a photo, both as
they lie encrypted on a device, and the segment with a time-stamp in it. What has chance in it (an encapsulated key, the
token of a foreign authority) was made once (`python -m tests.agent.evidence.test_vectors_beside FOLDER`) and must be
read for ever; all else must be made again to the byte.
"""

import hashlib
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from agent.adapters.time_stamp_tokens import token_reader
from agent.evidence import jpeg, time_stamps
from agent.evidence.bmff import Source
from agent.evidence.encrypted_photo import decrypt_photo, encrypt_photo
from agent.evidence.encrypted_reading import open_with_archive_key, read_header
from agent.evidence.encrypted_stream import Header, StreamKey, StreamWriter, final_record, unwrap_key, wrap_key
from agent.evidence.grounds import Grounds
from agent.evidence.manifest import RESERVED_BYTES
from agent.evidence.manifest_reading import read_manifest
from agent.evidence.photo import sign_photo
from agent.evidence.photo_report import verify_photo
from agent.evidence.reasons import Cause
from agent.evidence.recovery import examine
from agent.evidence.report import Status, Verdict
from agent.evidence.sidecars import journal_lines, sha256sums, sign_sums
from agent.evidence.verify import SegmentFile, Sidecars, verify_recording
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest, recording_id
from agent.wire.notes import RecordingNote, note_name, open_note, seal_note
from tests.agent.evidence.bench import DEVICE, NOW, Authority, private_key
from tests.agent.evidence.photos import statement
from tests.agent.evidence.test_explanations import AUTHOR
from tests.agent.evidence.test_photo import c2pa_says, encypher_says
from tests.agent.evidence.test_vectors import Deterministic

VECTORS = Path(__file__).parents[2] / "vectors"
FILM, PHOTO = "evidence_segment.mp4", "evidence_photo.jpg"
SUMS, SIGNATURE, NOTE = "evidence_SHA256SUMS", "evidence_SHA256SUMS.p7s", "evidence_note.dsse"
ONCE = (f"{FILM}.enc", f"{PHOTO}.enc", "evidence_stamped.mp4", "evidence_tsa_root.pem")
RECORDING = recording_id(DEVICE, 1)
APPENDS = (28, RESERVED_BYTES, 500)  # bytes; the rest of the film is one append more
BOX_AT = 28  # behind ftyp
SALT = bytes(range(16))


def vector(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


def box_of(film: bytes) -> bytes:
    return film[BOX_AT : BOX_AT + RESERVED_BYTES]


def note(film: bytes) -> RecordingNote:
    records = examine(Source.of_bytes(film)).fragments
    text, written = "存储卡松动，已重新插好。", NOW + timedelta(days=1)
    cause = Cause.EQUIPMENT_FAILURE.value
    return RecordingNote(RECORDING, 1, 1, 2, cause, text, AUTHOR, DEVICE, written, records[-1].head, GENESIS)


def made(authority: Authority, film: bytes, bare: bytes) -> dict[str, bytes]:
    """What has no chance in it, from the committed film and the picture without a manifest."""
    signer = Deterministic(private_key("leaf REC-0001"), authority.signer().chain)
    journal = journal_lines(examine(Source.of_bytes(film)).fragments)
    files = {"segment-0001.mp4": film, "journal.jsonl": journal}
    sums = sha256sums({name: Digest(hashlib.sha256(data).hexdigest()) for name, data in files.items()})
    return {
        SUMS: sums,
        SIGNATURE: sign_sums(sums, signer),
        NOTE: seal_note(note(film), signer),
        PHOTO: sign_photo(bare, statement(), signer),
    }


def encrypted(film: bytes, header: Header, data_key: bytes) -> bytes:
    """The film as a device with `data_key` writes it at rest, sealed."""
    key, box = StreamKey(data_key, header), box_of(film)
    writer = StreamWriter(key, header)
    data, offset = writer.opening(), 0
    begin = len(header.encode())
    for size in (*APPENDS, len(film) - sum(APPENDS)):
        data += writer.append(film[offset : offset + size])
        offset += size
    slot = key.lock_slot(BOX_AT, box)
    return data[:begin] + slot + data[begin + len(slot) :] + final_record(key, writer.size)


def make_once(folder: Path, film: bytes, photo: bytes) -> None:
    """The vectors with chance in them: for a change of format that is meant."""
    from provisioning.center.time_stamping import Authority as Stamper
    from provisioning.center.time_stamping import stamp_segment
    from tests.support.tsa import make_tsa

    archive = private_key("archive").public_key()
    data_key = hashlib.sha256(b"data key of the vector").digest()
    (folder / ONCE[0]).write_bytes(encrypted(film, Header(wrap_key(data_key, RECORDING, archive), SALT), data_key))
    (folder / ONCE[1]).write_bytes(encrypt_photo(photo, archive))
    (folder / ONCE[2]).write_bytes(film)
    tsa = make_tsa(folder / "tsa")
    stamp_segment(folder / ONCE[2], Stamper(tsa.answer, [tsa.root]))
    (folder / ONCE[3]).write_bytes(tsa.root_pem)


def test_committed_files_beside_a_film_are_made_again_byte_for_byte(authority: Authority, tmp_path: Path) -> None:
    old = vector(PHOTO)
    placed = jpeg.find_store(old)
    new = made(authority, vector(FILM), old[: placed.offset] + old[placed.offset + placed.size :])
    for name, data in new.items():
        (tmp_path / name).write_bytes(data)
    changed = [name for name, data in new.items() if vector(name) != data]
    assert not changed, f"{changed} differ; the new ones are in {tmp_path}"


def test_committed_sums_and_note_are_read_and_believed(authority: Authority) -> None:
    film = vector(FILM)
    journal = journal_lines(examine(Source.of_bytes(film)).fragments)
    beside = Sidecars(journal, vector(SUMS), vector(SIGNATURE), {note_name(1): vector(NOTE)})
    report = verify_recording([SegmentFile("segment-0001.mp4", Source.of_bytes(film))], [authority.root], NOW, beside)
    assert report.verdict is Verdict.COMPLETE, report.as_json()
    assert open_note(vector(NOTE)).note == note(film)


def test_committed_photo_is_believed_and_comes_out_of_its_encrypted_file(authority: Authority) -> None:
    assert verify_photo(PHOTO, vector(PHOTO), [authority.root], NOW).verdict is Verdict.COMPLETE
    assert c2pa_says(vector(PHOTO), authority.root_pem) == "Trusted"
    assert encypher_says(vector(PHOTO), authority.root_pem)
    assert decrypt_photo(vector(f"{PHOTO}.enc"), private_key("archive")) == vector(PHOTO)


def test_committed_film_at_rest_is_read_and_made_again(authority: Authority) -> None:
    data, archive = vector(f"{FILM}.enc"), private_key("archive")
    opened = open_with_archive_key(Source.of_bytes(data), archive)
    assert b"".join(opened.plain.chunks(0, opened.size)) == vector(FILM)
    assert (opened.finished, opened.sealed_slot, opened.damage) == (True, True, [])
    header, _ = read_header(Source.of_bytes(data))
    assert encrypted(vector(FILM), header, unwrap_key(header.wrapped, archive)) == data


@pytest.mark.parametrize("known", [True, False])
def test_committed_time_stamp_is_read_and_taken_out_again(authority: Authority, known: bool) -> None:
    root, film = x509.load_pem_x509_certificate(vector(ONCE[3])), vector(ONCE[2])
    stamps = token_reader([root] if known else [])
    files = [SegmentFile("s.mp4", Source.of_bytes(film))]
    report = verify_recording(files, [authority.root], NOW, grounds=Grounds(stamps=stamps))
    assert (report.verdict, report.time.status is Status.PASSED) == (Verdict.COMPLETE, known)
    sealed = time_stamps.as_sealed(Source.of_bytes(film), BOX_AT)
    assert b"".join(sealed.chunks(0, sealed.size)) == vector(FILM)
    token = read_manifest(box_of(film)).token
    assert token is not None
    assert time_stamps.stamped(box_of(vector(FILM)), token) == box_of(film)


if __name__ == "__main__":
    (Path(sys.argv[1]) / "tsa").mkdir(parents=True)
    make_once(Path(sys.argv[1]), vector(FILM), vector(PHOTO))
