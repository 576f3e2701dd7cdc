"""Recordings that the centre has, verified for their cases. Reading gigabytes takes a while, so what was found is kept
under the sizes and times of the very files and the device's revocations; when either changes, they are read again."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256

from agent import durable
from agent.duty.case_assembly import SeenRecording
from agent.duty.case_facts import GapFact, RecordingFact, Span
from agent.errors import SenderFault
from agent.evidence.interruptions import judged_interruptions
from agent.evidence.note_findings import judge_notes
from agent.evidence.places import Examined
from agent.evidence.verify import examine_files, judge
from agent.wire import canonical
from agent.wire.identifiers import Digest, RecordingId, digest, parse_recording_id, recording_device
from provisioning.authority.authority import read_file
from provisioning.center.grounds import CentreGrounds
from provisioning.center.recording_files import Archive, needs_key, open_segment, open_sidecars, segment_paths

FORMAT = 4  # raised when what is kept, or how it is judged, changes
HEX = 64  # digits of a head
MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seen_recordings(
    folder: Path,
    wanted: Iterable[RecordingId],
    kept: Path,
    grounds: CentreGrounds,
    now: datetime,
    archive: Archive = None,
) -> Mapping[RecordingId, SeenRecording]:
    """Those of `wanted` that lie in `folder` with a readable manifest; `kept` is where findings are kept. Encrypted
    ones are read with the key `archive`; without it, those that were read before."""
    found = {}
    for name in wanted:
        place = folder / name
        if segment_paths(place):
            seen = _kept(place, kept / f"{name}.json", grounds, now, archive)
            if seen is not None:
                found[name] = seen
    return found


def kept_verdict(place: Path, kept: Path, grounds: CentreGrounds) -> str:
    """What was found when the recording in `place` was last read, as long as no file of it was touched and its
    device's keys stand as they stood; else empty."""
    file = kept / f"{place.name}.json"
    document = json.loads(read_file(file)) if file.exists() else {}
    same = document.get("identity") == _identity(place, grounds) if document else False
    return str(document["verdict"]) if same else ""


def _kept(place: Path, file: Path, grounds: CentreGrounds, now: datetime, archive: Archive) -> SeenRecording | None:
    identity = _identity(place, grounds)
    if file.exists():
        document = json.loads(read_file(file))
        if document.get("identity") == identity:
            return _parse(document)
    if needs_key(place) and archive is None:
        return None
    seen = verify_for_case(place, grounds, now, archive)
    if seen is not None:
        durable.make_directory(file.parent)
        document = {"identity": identity, **_plain(seen)}
        durable.write_bytes(file, json.dumps(document, separators=(",", ":")).encode(), durable.SHARED)
    return seen


def _identity(place: Path, grounds: CentreGrounds) -> str:
    whole = hashlib.sha256(b"%d" % FORMAT + grounds.root.fingerprint(SHA256()))
    whole.update(grounds.revocations(recording_device(parse_recording_id(place.name))))
    for path in sorted(it for it in place.rglob("*") if it.is_file()):
        found = path.stat()
        whole.update(f"{path.relative_to(place)} {found.st_size} {found.st_mtime_ns} {found.st_ino}\n".encode())
    return whole.hexdigest()


def verify_for_case(
    place: Path, grounds: CentreGrounds, now: datetime, archive: Archive = None
) -> SeenRecording | None:
    """Verify the recording in folder `place` whole; None when nothing signed could be read or it is another one."""
    held, roots = grounds.of(recording_device(parse_recording_id(place.name))), [grounds.root]
    with ExitStack() as stack:
        segments = examine_files([open_segment(path, archive, stack) for path in segment_paths(place)])
        beside = open_sidecars(place, archive, stack)
        report = judge(segments, roots, now, beside, held)
        if report.recording != place.name:
            return None
        readable = sorted((it for it in segments if it.number is not None), key=lambda it: it.number or 0)
        notes = judge_notes(beside.notes, readable, roots, held.trust, intact=True).notes
        return _seen(report.verdict.value, readable, notes)


def _seen(verdict: str, segments: list[Examined], notes: Any) -> SeenRecording:
    records = [record for segment in segments for record in segment.found.fragments]
    moments = {record.entry.sequence: record.entry.moment.captured.wall for record in records}
    origin = segments[0].found.origin
    recording = parse_recording_id(str(origin and origin.recording))
    begins = min(moments.values(), default=EPOCH)
    last = records[-1].entry.moment if records else None
    ends = begins if last is None else last.captured.wall + MILLISECOND * last.duration_ms
    size = sum(segment.found.size for segment in segments)
    head = segments[-1].found.head
    fact = RecordingFact(recording, recording_device(recording), verdict, begins, ends, len(records), size, head, {})
    gaps = tuple(
        GapFact(_gap_span(recording, gap.sequence, gap.at.wall, moments), gap.reason or "", explained, words)
        for gap, explained, words in judged_interruptions(segments, notes)
    )
    heads = {record.entry.sequence: record.head for record in records}
    return SeenRecording(fact, gaps, moments, heads)


def _gap_span(recording: RecordingId, sequence: int, at: datetime, moments: Mapping[int, datetime]) -> Span:
    """From the interruption to the first fragment after it."""
    return Span(recording, max(1, sequence), max(1, sequence), at, max(at, moments.get(sequence + 1, at)))


def _plain(seen: SeenRecording) -> dict[str, Any]:
    fact = seen.fact
    return {
        "begins": canonical.timestamp(fact.begins),
        "ends": canonical.timestamp(fact.ends),
        "fragments": fact.fragments,
        "gaps": [[_span_json(gap.span), gap.reason, gap.explained, gap.words] for gap in seen.gaps],
        "head": fact.head,
        # One text: a recording of two hours has 14,400 of them.
        "heads": "".join(seen.heads.values()),
        "moments": [[number, (at - EPOCH) // MILLISECOND] for number, at in seen.moments.items()],
        "recording": fact.recording,
        "size": fact.size,
        "verdict": fact.verdict,
    }


def _span_json(span: Span) -> list[Any]:
    return [span.first, span.last, canonical.timestamp(span.begins), canonical.timestamp(span.ends)]


def _parse(document: Mapping[str, Any]) -> SeenRecording:
    fields = canonical.Fields("核验结果", dict(document))
    recording = parse_recording_id(fields.text("recording"))
    times = fields.moment("begins"), fields.moment("ends")
    fact = RecordingFact(
        recording, recording_device(recording), fields.text("verdict"), *times,
        fields.integer("fragments"), fields.integer("size"), document["head"], {},
    )  # fmt: skip
    gaps = tuple(_gap(recording, entry) for entry in fields.array("gaps"))
    moments = {int(number): EPOCH + MILLISECOND * int(at) for number, at in fields.array("moments")}
    return SeenRecording(fact, gaps, moments, _heads(fields.text("heads"), moments))


def _gap(recording: RecordingId, entry: list[Any]) -> GapFact:
    return GapFact(_span(recording, entry[0]), str(entry[1]), bool(entry[2]), str(entry[3]))


def _heads(text: str, moments: Mapping[int, datetime]) -> dict[int, Digest]:
    """The heads in the order of the moments: both are of the same fragments."""
    return {number: digest(text[at * HEX : (at + 1) * HEX]) for at, number in enumerate(moments)}


def _span(recording: RecordingId, entry: list[Any]) -> Span:
    first, last, begins, ends = entry
    if not (isinstance(first, int) and isinstance(last, int)):
        raise SenderFault("核验结果无法读取。请删除后重新核验。")
    return Span(recording, first, last, canonical.parse_timestamp(begins), canonical.parse_timestamp(ends))
