"""Handing a recording, or a part of it, to somebody outside: everything needed to check it lies in the same folder.

whole:   every segment and sidecar as it is
exact:   whole fragments of a stretch of time, under the device's own signatures
masked:  that stretch coded again with parts covered, as a C2PA child of the original, signed by the centre

The folder is made hidden, then the line in the ledger, then the folder gets its name: no export without its line.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from agent import durable
from agent.duty.papers import BESIDE as PAPERS
from agent.errors import OperatorFault, SenderFault
from agent.evidence import clip, gm_sums, how_to, how_to_signed, how_to_sums, manifest, sidecars, time_stamps
from agent.evidence.bmff import CHUNK_BYTES, Source
from agent.evidence.export_report import CERTIFICATE_NAME, MAX_CERTIFICATE_BYTES, PAGE_NAME
from agent.evidence.grounds import Grounds
from agent.evidence.how_to import Step
from agent.evidence.note_findings import NOTES
from agent.evidence.photo import manifest_as_taken
from agent.evidence.places import SegmentFile
from agent.evidence.recovery import Examination, examine
from agent.evidence.report import Report
from agent.evidence.sidecar_findings import Sidecars
from agent.evidence.verify import verify_recording
from agent.key_files import read_signer
from agent.wire import canonical
from agent.wire.identifiers import DeviceId, Digest
from agent.wire.notes import MAX_NOTES
from agent.wire.signing import KeySigner, load_pem_certificates
from provisioning.authority.authority import read_file
from provisioning.center.c2pa_child import sign_child
from provisioning.center.config import CenterConfig
from provisioning.center.export_certificate import ExportCertificate, Kind, Responsibility, Taken, seal_certificate
from provisioning.center.export_folder import check_plain, draft_beside
from provisioning.center.export_ledger import LEDGER_NAME, add_line
from provisioning.center.export_page import certificate_page
from provisioning.center.grounds import open_grounds
from provisioning.center.how_to_masked import how_to_masked
from provisioning.center.masked_clip import Mask, write_masked
from provisioning.center.time_stamping import RESPONSE

ALONE = Path(how_to.__file__).parent / "standalone" / how_to.ALONE_NAME
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SEGMENT_NAME = re.compile(r"segment-[0-9]{4,}\.mp4")  # others could carry words for a shell into HOW-TO-VERIFY.txt
SIDECAR_NAMES = (sidecars.JOURNAL_NAME, sidecars.SUMS_NAME, sidecars.SIGNATURE_NAME)
STAMP_NAME = sidecars.SIGNATURE_NAME + RESPONSE


@dataclass(frozen=True)
class Wish:
    """What is asked for: the stretch of time (device's clock; None: open), what to cover, and who answers for it."""

    responsibility: Responsibility
    begin: datetime | None = None
    end: datetime | None = None
    masks: tuple[Mask, ...] = ()
    mute: bool = False

    @property
    def kind(self) -> Kind:
        """Which of the three exports this is."""
        if self.masks or self.mute:
            return Kind.MASKED
        return Kind.WHOLE if self.begin is None and self.end is None else Kind.EXACT

    @property
    def changes(self) -> tuple[str, ...]:
        """In words, for the certificate."""
        return (*(mask.words for mask in self.masks), *(("去除声音 sound removed",) if self.mute else ()))


@dataclass(frozen=True)
class Office:
    """Who exports: the centre's name, its signer, the district's root, the ledger, and how it judges."""

    centre: str
    signer: KeySigner
    root: x509.Certificate
    ledger: Path
    grounds: Callable[[DeviceId], Grounds]


@dataclass(frozen=True)
class _Segment:
    path: Path
    file: SegmentFile
    found: Examination


def export_recording(recording: Path, target: Path, wish: Wish, office: Office, now: datetime) -> ExportCertificate:
    """Export the recording in folder `recording` into the new folder `target`; returns its certificate.

    Raises `OperatorFault` when there is nothing to export or `target` exists, `SenderFault` when the recording cannot
    be read or the stretch is damaged, `EnvironmentFault` when the disk or a codec refuses. Nothing is left behind then.
    """
    if target.exists():
        raise OperatorFault(f"{target} 已存在，请用 --out 指定一个新文件夹。")
    check_plain(recording)
    durable.make_directory(target.absolute().parent)
    with draft_beside(target) as draft, ExitStack() as stack:
        segments = [_segment(path, stack) for path in sorted(recording.glob("segment-*.mp4"))]
        if odd := [it.path.name for it in segments if not SEGMENT_NAME.fullmatch(it.path.name)]:
            raise OperatorFault(f"{odd[0]!r} 不是设备写出的分段名，未导出。请移出后重试，并查明来历。")
        if not segments:
            raise OperatorFault(f"{recording} 中没有录像分段。请检查路径；加密的录像先用 liuhen-center decrypt 解密。")
        report = _report(recording, segments, office, now)
        taken = _take(segments, recording, draft, wish, office)
        certificate = _certificate(report, segments, taken, draft, wish, office, now)
        envelope = seal_certificate(certificate, office.signer)
        if len(envelope) > MAX_CERTIFICATE_BYTES:
            raise OperatorFault(f"{recording} 的文件太多，一份导出证明列不下。请用 --from 与 --to 分时段导出。")
        durable.write_bytes(draft / CERTIFICATE_NAME, envelope)
        fields = {"certificate": hashlib.sha256(envelope).hexdigest(), **canonical.decode_object(certificate.encode())}
        line = add_line(office.ledger, fields)
        page = certificate_page(certificate, fields["certificate"], line, office.signer.key_id)
        durable.write_bytes(draft / PAGE_NAME, page.encode())
        durable.move(draft, target)
    return certificate


def open_office(config: CenterConfig) -> Office:
    """The office of a centre's configuration; raises `OperatorFault` when a file is missing or does not match."""
    signer = read_signer(config.key, config.chain)
    try:
        root = load_pem_certificates(read_file(config.root))[0]
    except SenderFault as error:
        raise OperatorFault(f"根证书 {config.root} 无法读取，请从机构目录重新复制 root.pem。") from error
    return Office(config.receiver, signer, root, config.folder / LEDGER_NAME, open_grounds(config).of)


def _take(segments: list[_Segment], recording: Path, draft: Path, wish: Wish, office: Office) -> tuple[Taken, ...]:
    durable.write_bytes(draft / how_to.ROOT_NAME, office.root.public_bytes(Encoding.PEM))
    if wish.kind is Kind.WHOLE:
        return tuple(_whole(segments, recording, draft, office))
    begin, end = wish.begin or EARLIEST, wish.end or LATEST
    chosen = [it for it in segments if any(clip.touches(record, begin, end) for record in it.found.fragments)]
    if not chosen:
        raise OperatorFault("该录制在所给的时间内没有片段，请核对 --from 与 --to（北京时间）。")
    cut = [_exact(it, draft, begin, end) for it in chosen]
    if wish.kind is Kind.EXACT:
        durable.write_bytes(draft / how_to.ALONE_NAME, ALONE.read_bytes())
        for taken in cut:
            _explain(draft / taken.file, taken, office)
        return tuple(cut)
    masked = tuple(_masked(taken, of, draft, wish, office) for taken, of in zip(cut, chosen, strict=True))
    sources = {it.path.name: _digest(it.path) for it in chosen}
    sums = {it.file: _digest(draft / it.file) for it in masked}
    page = how_to_masked(masked, sources, sums, office.root, office.signer.chain[0])
    durable.write_bytes(draft / how_to.HOW_TO_NAME, page.encode())
    return masked


def _whole(segments: list[_Segment], recording: Path, draft: Path, office: Office) -> Iterator[Taken]:
    beside = {name: _content(recording / name) for name in (*SIDECAR_NAMES, STAMP_NAME, *gm_sums.NAMES)}
    stamped = [_keep_sealed(it, draft) for it in segments if it.found.manifest and it.found.manifest.token]
    for segment in segments:
        source = segment.file.source
        durable.write_stream(draft / segment.path.name, source.chunks(0, source.size))
        yield Taken(segment.path.name, segment.path.name, None)
    for name, content in beside.items():
        if content is not None:
            durable.write_bytes(draft / name, content)
    papers = sorted(place for place in (recording / PAPERS).glob("*") if place.is_file() and not place.is_symlink())
    for place in (*_notes(recording), *papers):
        durable.make_directory((draft / place.relative_to(recording)).parent)
        durable.write_bytes(draft / place.relative_to(recording), read_file(place))
    photos = [kept for place in sorted(recording.glob(sidecars.PHOTOS)) if (kept := _photo(place, draft))]
    durable.write_bytes(draft / how_to.ALONE_NAME, ALONE.read_bytes())
    gm_key = None if beside[gm_sums.SM3SUMS_NAME] is None else _gm_key(segments[0])
    steps = how_to_sums.sums_steps(len(stamped), len(photos), gm_key, _listed(recording, beside[gm_sums.SM3SUMS_NAME]))
    readable = [it for it in segments if it.found.fragments] or segments
    shown, by_hand = readable[0], None
    if beside[sidecars.SIGNATURE_NAME] is None and shown.found.fragments:
        shown = readable[-1]
        by_hand = _rows(how_to_signed.ROWS_NAME, readable, draft)
    page = how_to.how_to_verify(shown.file, shown.found, office.root, beside, sums=steps, by_hand=by_hand)
    durable.write_bytes(draft / how_to.HOW_TO_NAME, page.encode())


def _rows(name: str, segments: Sequence[_Segment], draft: Path) -> list[Step]:
    """The steps that follow the signatures to every fragment, with the file that they read."""
    rows = how_to_signed.rows_of(name, [(it.file, it.found) for it in segments])
    durable.write_bytes(draft / rows.name, rows.content)
    return list(how_to_signed.signed_steps(segments[-1].file, segments[-1].found, rows))


def _listed(recording: Path, sums: bytes | None) -> int:
    """How many of the files in a list of SM3 sums lie in the recording; 0 without a list."""
    names = gm_sums.listed_names(sums or b"")
    return sum((recording / name).is_file() for name in names)


def _gm_key(segment: _Segment) -> str | None:
    origin = segment.found.origin
    key = None if origin is None else origin.context.get(gm_sums.KEY_LABEL)
    return None if key is None else str(key)


def _keep_sealed(segment: _Segment, draft: Path) -> Path:
    """The manifest box as the device sealed it, beside a segment that was time-stamped later: for checks by hand."""
    box = segment.file.source.read_at(segment.found.manifest_at, manifest.RESERVED_BYTES)
    return durable.write_bytes(draft / (segment.path.name + how_to_sums.UNSTAMPED), time_stamps.unstamped(box))


def _photo(photo: Path, draft: Path) -> Path | None:
    """Copies a photo; beside one that bears a time-stamp, as it was when it was signed (None where there is none)."""
    content = read_file(photo)
    durable.write_bytes(draft / photo.name, content)
    kept = manifest_as_taken(content)
    return None if kept is None else durable.write_bytes(draft / (photo.name + how_to_sums.UNSTAMPED), kept)


def _exact(segment: _Segment, draft: Path, begin: datetime, end: datetime) -> Taken:
    source = segment.file.source
    found = clip.cut(source, segment.found, begin, end)
    name = f"excerpt-{segment.path.stem}-{found.excerpt.first}-{found.excerpt.last}.mp4"
    durable.write_stream(draft / name, (found.head, *source.chunks(found.offset, found.size)))
    return Taken(name, segment.path.name, found.excerpt)


def _explain(path: Path, taken: Taken, office: Office) -> None:
    with ExitStack() as stack:
        cut = _segment(path, stack)
        by_hand = _rows(f"{path.stem}.{how_to_signed.ROWS_NAME}", [cut], path.parent)
        page = how_to.how_to_verify(cut.file, cut.found, office.root, {}, taken.excerpt, by_hand=by_hand)
    durable.write_bytes(path.with_suffix(f".{how_to.HOW_TO_NAME}"), page.encode())


def _masked(taken: Taken, segment: _Segment, draft: Path, wish: Wish, office: Office) -> Taken:
    """The exact cut is only the raw material: it shows what is to be covered, and does not leave the house."""
    if not segment.found.sealed or taken.excerpt is None:
        raise SenderFault(f"{segment.path.name} 尚未封存，不能作为遮挡片段的原件。请先在原设备上恢复封存。")
    exact, coded = draft / taken.file, draft / ".coded.mp4"
    target = draft / taken.file.replace("excerpt-", "masked-")
    write_masked(exact, coded, wish.masks, mute=wish.mute)
    excerpt = taken.excerpt
    facts = {"recording": excerpt.recording, "segment": excerpt.segment, "first": excerpt.first, "last": excerpt.last,
             "source_sha256": _digest(segment.path)}  # fmt: skip
    sign_child(coded, segment.path, target, office.signer, wish.changes, facts)
    for left in (exact, coded):
        durable.remove(left)
    durable.write_stream(target, _pieces(target))
    return Taken(target.name, taken.source, excerpt)


def _certificate(
    report: Report,
    segments: list[_Segment],
    taken: tuple[Taken, ...],
    draft: Path,
    wish: Wish,
    office: Office,
    now: datetime,
) -> ExportCertificate:
    return ExportCertificate(
        str(report.recording),
        str(report.device),
        report.unit,
        wish.kind,
        taken,
        {it.path.name: _digest(it.path) for it in segments if it.path.name in {entry.source for entry in taken}},
        {str(path.relative_to(draft)): _digest(path) for path in sorted(draft.rglob("*")) if path.is_file()},
        report.verdict.value,
        wish.changes if wish.kind is Kind.MASKED else (),
        wish.responsibility,
        now,
        office.centre,
    )


def _report(recording: Path, segments: list[_Segment], office: Office, now: datetime) -> Report:
    journal, sums, signature = (_content(recording / name) for name in SIDECAR_NAMES)
    notes = {path.name: read_file(path) for path in _notes(recording)}
    photos = {path.name: Source.of_bytes(read_file(path)) for path in sorted(recording.glob(sidecars.PHOTOS))}
    beside = Sidecars(journal, sums, signature, notes, photos)
    device = next((it.found.origin.device for it in segments if it.found.origin is not None), None)
    held = Grounds() if device is None else office.grounds(device)
    report = verify_recording([it.file for it in segments], [office.root], now, beside, grounds=held)
    if report.recording is None:
        raise SenderFault(f"{recording.name} 中没有可读的签名凭证，不能导出为录制。请原样保留并交技术人员核查。")
    return report


def _notes(recording: Path) -> list[Path]:
    return sorted((recording / NOTES).glob("*.dsse"))[: MAX_NOTES + 1]  # one too many is told


def _segment(path: Path, stack: ExitStack) -> _Segment:
    with durable.read_errors(path):
        descriptor = stack.enter_context(path.open("rb")).fileno()
        size = os.fstat(descriptor).st_size

    def read(offset: int, length: int) -> bytes:
        with durable.read_errors(path):
            return os.pread(descriptor, length, offset)

    source = Source(size, read)
    return _Segment(path, SegmentFile(path.name, source), examine(source))


def _content(path: Path) -> bytes | None:
    with durable.read_errors(path):
        return path.read_bytes() if path.exists() else None


def _digest(path: Path) -> Digest:
    with durable.read_errors(path), path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").hexdigest())


def _pieces(path: Path) -> Iterator[bytes]:
    with durable.read_errors(path), path.open("rb") as file:
        yield from iter(lambda: file.read(CHUNK_BYTES), b"")
