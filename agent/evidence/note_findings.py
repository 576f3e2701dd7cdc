"""Whether the notes beside a recording are genuine, unbroken, and of this very recording."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509

from agent.errors import SenderFault
from agent.evidence.certificates import trust_chain
from agent.evidence.places import Examined, wall_text
from agent.evidence.report import COMPLETENESS, INTEGRITY, TRUST, Finding, Place, Verdict
from agent.evidence.revocation import leaf_key, revocation_findings
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import DeviceId, Digest, RecordingId
from agent.wire.notes import MAX_NOTES, OpenedNote, RecordingNote, note_digest, note_name, open_note
from agent.wire.trust import TrustList

NOTES = "notes"
_NOTE = "note"


@dataclass(frozen=True)
class JudgedNotes:
    """The notes that may be believed, in order, and what is wrong with the others."""

    notes: tuple[RecordingNote, ...]
    findings: tuple[Finding, ...]


def judge_notes(
    files: Mapping[str, bytes],
    segments: Sequence[Examined],
    roots: Sequence[x509.Certificate],
    trust: TrustList | None,
    *,
    intact: bool,
) -> JudgedNotes:
    """Judge the files of `notes/` by name. A note that was altered, that speaks of other bytes, or whose key `trust`
    says was revoked when it was written, is told and explains nothing; one that is gone shows where a later one
    remains; what goes beyond `MAX_NOTES` is told and not read. `intact` says that the segments themselves showed
    nothing: only then must a note's head be theirs."""
    origins = [segment.found.origin for segment in segments if segment.found.origin is not None]
    if not origins:
        return JudgedNotes((), ())
    head = segments[-1].found.head if intact else None
    notes: list[RecordingNote] = []
    findings: list[Finding] = []
    previous = str(GENESIS)
    if len(files) > MAX_NOTES:
        why = f"补充说明多于 {MAX_NOTES} 份，设备从不写这么多；自此份起未检验，请逐份核对来源。"
        findings.append(_finding(Verdict.ALTERED, INTEGRITY, sorted(files)[MAX_NOTES], why))
    for expected, name in enumerate(sorted(files)[:MAX_NOTES], start=1):
        try:
            opened = open_note(files[name])
            note = _of_this(opened.note, origins[0].recording, head)
        except SenderFault as fault:
            findings.append(_finding(Verdict.ALTERED, INTEGRITY, name, str(fault)))
        else:
            if name != note_name(expected) or note.number != expected or note.previous != previous:
                findings.append(_finding(Verdict.MISSING, COMPLETENESS, name, "之前的补充说明缺失或被换。"))
            told = list(_trust(name, opened, origins[0].device, roots, trust))
            findings += told
            if all(finding.verdict is Verdict.COMPLETE for finding in told):
                notes.append(note)
        previous = note_digest(files[name])
    return JudgedNotes(tuple(notes), tuple(findings))


def note_lines(notes: Sequence[RecordingNote]) -> list[str]:
    """The notes in Chinese, for the report."""
    return [
        f"补充说明 {note.number}（{note.author}，{wall_text(note.written)} 北京时间，第 {note.first} 至 {note.last} "
        f"片段）：{note.text}"
        for note in notes
    ]


def _of_this(note: RecordingNote, recording: RecordingId, head: Digest | None) -> RecordingNote:
    if note.recording != recording:
        raise SenderFault(f"属于另一次录制 {note.recording}。")
    if head is not None and note.head != head:
        raise SenderFault("说的是另一份内容（链头不符）。")
    return note


def _trust(
    name: str, opened: OpenedNote, device: DeviceId, roots: Sequence[x509.Certificate], trust: TrustList | None
) -> Iterator[Finding]:
    doubt = _doubt(opened, device, roots)
    if doubt:
        yield _finding(Verdict.UNTRUSTED, TRUST, name, doubt)
    elif trust is not None:
        place, key = f"{NOTES}/{name}", leaf_key(opened.chain)
        yield from revocation_findings(place, key, opened.note.written, None, trust)


def _doubt(opened: OpenedNote, device: DeviceId, roots: Sequence[x509.Certificate]) -> str:
    """Why the signer of a genuine note is not to be trusted, in Chinese; empty when he is."""
    try:
        chain = trust_chain(opened.chain, roots)
    except SenderFault as fault:
        return str(fault)
    if not chain.subject == opened.note.device == device:
        return f"由 {chain.subject[:40]} 签名，不是录制的设备。"
    return "" if chain.covers(opened.note.written) else "自报的签名时间不在证书有效期内。"


def _finding(verdict: Verdict, layer: str, name: str, why: str) -> Finding:
    place = Place(f"{NOTES}/{name}", _NOTE)
    return Finding(verdict, layer, f"{place.file}：{why}", place)
