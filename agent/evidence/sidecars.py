"""The files beside the segments, for checking by hand: `journal.jsonl`, `SHA256SUMS`, `SHA256SUMS.p7s`.

sha256sum -c SHA256SUMS
openssl cms -verify -binary -inform DER -in SHA256SUMS.p7s -content SHA256SUMS -CAfile root.pem -purpose any
tail -c +$((offset+1)) segment-0001.mp4 | head -c $length | sha256sum      # any one line of journal.jsonl
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from agent.errors import SenderFault
from agent.evidence import cms
from agent.evidence.journal import JournalEvent, JournalRecord
from agent.evidence.position import Position, position_json
from agent.wire import canonical
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest
from agent.wire.instant import Instant
from agent.wire.signing import CertifiedSigner

JOURNAL_NAME, SUMS_NAME, SIGNATURE_NAME = "journal.jsonl", "SHA256SUMS", "SHA256SUMS.p7s"
PHOTOS = "photo-*.jpg"  # photos taken during the recording, beside its segments
MAX_SUMS = 4096  # ours; a day in segments of ten minutes has 144
MAX_JOURNAL_BYTES = 1 << 30  # ours; a day of half-second fragments at 1 KiB a line is 170 MiB
_SUM_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._-]{0,127})")


def segment_name(segment: int) -> str:
    """The file of a segment: `segment-0001.mp4`."""
    return f"segment-{segment:04d}.mp4"


def journal_lines(records: Iterable[JournalRecord]) -> bytes:
    """`journal.jsonl`: a canonical JSON object per fragment, chained by `previous_line`, the SHA-256 of the line before
    without its line feed. `offset` and `length` are moof and mdat in `file`, which hash to `sha256`."""
    return b"".join(iterate_journal_lines(records))


def iterate_journal_lines(records: Iterable[JournalRecord]) -> Iterator[bytes]:
    """As `journal_lines`, one line at a time with its line feed."""
    before = str(GENESIS)
    for record in records:
        line = journal_line(record, before)
        before = hashlib.sha256(line).hexdigest()
        yield line + b"\n"


def journal_line(record: JournalRecord, before: str) -> bytes:
    """One line without its line feed; `before` is the SHA-256 of the line before."""
    return canonical.encode(_line(record, before))


def sha256sums(digests: Mapping[str, Digest]) -> bytes:
    """`SHA256SUMS` in the form of sha256sum(1), names in order; raises `ValueError` for any but a plain name."""
    lines = [f"{digest}  {name}" for name, digest in sorted(digests.items())]
    if not all(_SUM_LINE.fullmatch(line) for line in lines):
        raise ValueError("a file name or digest does not fit SHA256SUMS")
    return "".join(line + "\n" for line in lines).encode()


def parse_sums(data: bytes) -> dict[str, Digest]:
    """The digests by file name; raises `SenderFault` unless every line has the form that `sha256sums` writes, and when
    a name has two digests. A line that stands there twice says nothing else than once."""
    try:
        lines = data.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise SenderFault("SHA256SUMS 不是文本，已拒绝。") from error
    found = [match for line in lines[: MAX_SUMS + 1] if (match := _SUM_LINE.fullmatch(line))]
    sums = {match[2]: Digest(match[1]) for match in found}
    if not sums or not len(found) == len(lines) <= MAX_SUMS or len({match[0] for match in found}) != len(sums):
        raise SenderFault("SHA256SUMS 的格式不对，已拒绝。")
    return sums


def sign_sums(sums: bytes, signer: CertifiedSigner) -> bytes:
    """`SHA256SUMS.p7s`: a detached CMS signature in DER."""
    return cms.sign_detached(sums, signer)


def _line(record: JournalRecord, before: str) -> dict[str, object]:
    entry = record.entry
    return {
        "captured": _instant(entry.moment.captured),
        "duration_ms": entry.moment.duration_ms,
        "events": [_event(event) for event in entry.moment.events],
        "file": segment_name(entry.segment),
        "head": record.head,
        "length": record.media_size,
        "offset": record.media_offset,
        **_position(entry.moment.position),
        "previous": entry.previous,
        "previous_line": before,
        "recording": entry.recording,
        "segment": entry.segment,
        "sequence": entry.sequence,
        "sha256": entry.media,
        "signed": _instant(entry.moment.signed),
    }


def _position(position: Position | None) -> dict[str, object]:
    """Left out where nobody measured, so that recordings of devices without a receiver read as before."""
    return {} if position is None else {"position": position_json(position)}


def _event(event: JournalEvent) -> dict[str, object]:
    reason = None if event.reason is None else event.reason.value
    told: dict[str, object] = {"at": _instant(event.at), "kind": event.kind, "note": event.note, "reason": reason}
    return told if event.span is None else {**told, "fragments": list(event.span)}


def _instant(moment: Instant) -> dict[str, object]:
    return {
        "boot": moment.boot,
        "error_ms": moment.error_ms,
        "monotonic_ms": moment.monotonic_ns // 1_000_000,
        "state": moment.state.value,
        "wall": canonical.timestamp(moment.wall),
    }
