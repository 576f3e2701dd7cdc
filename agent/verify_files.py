"""What `liuhen-verify` is given: paths, roots, trust lists, accounts; read here, judged in `agent.evidence`.

A path is a segment file, the folder of one recording or of one collected file, or a folder of those (as
`state/recordings` and `state/collected` on a device).
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from agent.adapters.background_hash import background_hashing, keep_freed_memory
from agent.adapters.one_open_file import OneOpenFile, open_regular
from agent.collected_files import collected_folder, read_collected
from agent.errors import OperatorFault, SenderFault
from agent.evidence.account import newest_trust, open_accounts
from agent.evidence.account_chain import UnsoundAccount
from agent.evidence.bmff import CHUNK_BYTES, Source
from agent.evidence.collected_report import verify_collected
from agent.evidence.device_chain import ChainLink, chain_link, device_report
from agent.evidence.encrypted_photo import MAX_ENCRYPTED_BYTES, decrypt_photo, decrypted_photo
from agent.evidence.encrypted_reading import decrypted_segment
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.export_report import CERTIFICATE_NAME, MAX_CERTIFICATE_BYTES, verify_export
from agent.evidence.note_findings import NOTES
from agent.evidence.photo import MAX_PHOTO_BYTES
from agent.evidence.photo_report import damaged_photo, verify_photo
from agent.evidence.places import Examined
from agent.evidence.report import Report
from agent.evidence.sidecars import JOURNAL_NAME, MAX_SUMS, SIGNATURE_NAME, SUMS_NAME
from agent.evidence.sidecars import PHOTOS as PHOTO_FILES
from agent.evidence.time_stamps import TokenReader, Witnessed
from agent.evidence.verify import Grounds, SegmentFile, Sidecars, examine_files, judge
from agent.folder_names import is_trace, names_in
from agent.wire.identifiers import COLLECTED_PATTERN, RECORDING_PATTERN, DeviceId, Digest
from agent.wire.notes import MAX_NOTES
from agent.wire.signing import load_pem_certificates
from agent.wire.trust import TrustList

SEGMENTS, EXCERPTS = "segment-*.mp4", "excerpt-*.mp4"
PHOTOS = (".jpg", ".jpeg", ".jpg" + SUFFIX)
MAX_SIDECAR_BYTES = 1024 * 1024  # ours; a list of 4096 files is below half of it
MAX_LINE_BYTES = 6 * 1024 * 1024  # ours; a trust list may have 4 MiB


@dataclass(frozen=True)
class Judged:
    """A path and the report on it. `segments` are the files it was made from, empty for a folder of recordings."""

    path: Path
    report: Report
    segments: tuple[Examined, ...]


Inspect = Callable[[Judged], None]


@dataclass(frozen=True)
class Basis:
    """What a verification stands on beside the files themselves."""

    roots: tuple[x509.Certificate, ...]
    grounds: Grounds
    now: datetime
    archive: ec.EllipticCurvePrivateKey | None = None


def parts_of(path: Path) -> list[Path]:
    """The recordings in `path` when it is a folder of recordings, by name; the photos when it is one of photos;
    otherwise `path` itself.

    Raises `OperatorFault` when it is not there or cannot be read.
    """
    with reading(path):
        if not path.exists():
            raise OperatorFault(f"找不到 {path}，请检查路径。")
        if not path.is_dir() or _segments(path):
            return [path]
        if is_export(path):
            return sorted(path.glob(EXCERPTS))
        found = [place for place in path.iterdir() if place.is_dir() and _is_part(place.name)]
        return sorted(found) or _photos_alone(path) or [path]


def _photos_alone(path: Path) -> list[Path]:
    """The photos in a folder that is not a recording whose segments are gone, nor a collected file."""
    if _is_part(path.name) or (path / SUMS_NAME).exists() or collected_folder(path) is not None:
        return []
    return sorted(it for it in path.iterdir() if it.name.lower().endswith(PHOTOS) and it.is_file())


def size_of(path: Path) -> int:
    """How many bytes of segments `judge_path` will read there; raises `OperatorFault`."""
    with reading(path):
        files = path.iterdir() if path.is_dir() and collected_folder(path) is not None else _segments(path)
        return sum(name.stat().st_size for name in files)


def judge_path(path: Path, basis: Basis, progress: Callable[[int], None], inspect: Inspect | None = None) -> Judged:
    """Verify one file, photo or recording's folder; `inspect` sees the outcome while the files are still open. Raises
    `OperatorFault` when something cannot be read."""
    item = collected_folder(path)
    if item is not None:
        return _judge_collected(item, basis)
    with reading(path):
        is_photo = path.name.lower().endswith(PHOTOS) and not path.is_dir()
    if is_photo:
        return _judge_photo(path, basis)
    keep_freed_memory()
    with ExitStack() as stack, reading(path):
        desk = stack.enter_context(OneOpenFile())
        files = [_segment(name, desk, basis.archive) for name in _segments(path)]
        sidecars = _sidecars(path, desk, basis.archive) if path.is_dir() else None
        segments = examine_files(files, progress, stack.enter_context(background_hashing()))
        for it in segments:
            if it.found.unsupported:
                raise OperatorFault(f"{path}：{it.found.unsupported}")
        judged = Judged(path, judge(segments, basis.roots, basis.now, sidecars, basis.grounds), tuple(segments))
        if inspect is not None:
            inspect(judged)
    return judged


def _judge_photo(path: Path, basis: Basis) -> Judged:
    with reading(path), open_regular(path) as stream:
        data = stream.read(MAX_ENCRYPTED_BYTES if path.suffix == SUFFIX else MAX_PHOTO_BYTES)
    name = path.name.removesuffix(SUFFIX)
    try:
        photo = decrypt_photo(data, _archive(path, basis.archive)) if path.suffix == SUFFIX else data
    except SenderFault as fault:
        return Judged(path, damaged_photo(name, str(fault)), ())
    return Judged(path, verify_photo(name, photo, basis.roots, basis.now, basis.grounds.trust), ())


def _judge_collected(folder: Path, basis: Basis) -> Judged:
    with OneOpenFile() as desk, reading(folder):
        files = read_collected(folder, desk)
        return Judged(folder, verify_collected(files, basis.roots, basis.now, basis.grounds.trust), ())


def _is_part(name: str) -> bool:
    return bool(RECORDING_PATTERN.fullmatch(name) or COLLECTED_PATTERN.fullmatch(name))


def is_export(path: Path) -> bool:
    """Whether `path` is the folder of an export, which its certificate is about."""
    return path.is_dir() and (path / CERTIFICATE_NAME).is_file()


def judge_export(path: Path, basis: Basis) -> Judged:
    """The certificate in the folder `path` of an export, held against the files there. Raises `OperatorFault` when the
    folder or the certificate cannot be read."""
    place = path / CERTIFICATE_NAME
    with reading(path):
        found = names_in(path)
        files = {name: partial(_sum, path / name) for name in found.files}
        certificate = _content(place, MAX_CERTIFICATE_BYTES + 1) or b""
        report = verify_export(certificate, files, basis.grounds.trust, basis.now, found.traces)
    return Judged(place, report, ())


def _sum(path: Path) -> Digest:
    whole = hashlib.sha256()
    with reading(path), open_regular(path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            whole.update(chunk)
    return Digest(whole.hexdigest())


def judge_devices(path: Path, recordings: Sequence[tuple[ChainLink | None, Report]], basis: Basis) -> list[Judged]:
    """One report for each device whose recordings stand in the folder `path`; raises `OperatorFault`."""
    devices: dict[DeviceId, list[tuple[ChainLink, Report]]] = {}
    for link, report in recordings:
        if link is not None:
            devices.setdefault(link.device, []).append((link, report))
    with reading(path):
        besides = [it.name for it in path.iterdir() if not (_is_part(it.name) and it.is_dir()) and not is_trace(it)]
    found = []
    for device, entries in sorted(devices.items()):
        links, reports = [link for link, _ in entries], [report for _, report in entries]
        report = device_report(links, reports, basis.grounds.accounts.get(device), besides)
        found.append(Judged(path, report, ()))
    return found


def link_of(judged: Judged) -> ChainLink | None:
    """What the chain of the device needs of a recording that was judged."""
    return chain_link(judged.segments)


def read_basis(
    paths: Sequence[Path],
    trusts: Sequence[Path],
    accounts: Sequence[Path],
    now: datetime,
    tsa_roots: Sequence[Path] = (),
) -> Basis:
    """Roots from PEM files, the newest of the trust lists, the accounts, and the roots of time-stamping authorities;
    raises `OperatorFault` for any file that cannot be read or is not what it must be, `UnsoundAccount` for an account
    whose receipts do not hold."""
    roots = tuple(certificate for path in paths for certificate in _certificates(path, "--roots 指定本区的 root.pem"))
    stamps = _token_reader(
        [it for path in tsa_roots for it in _certificates(path, "--tsa-root 指定时间戳服务的根证书")]
    )
    trust = _trust(trusts, roots)
    if not accounts:
        return Basis(roots, Grounds(trust, stamps=stamps), now)
    names = "、".join(map(str, accounts))
    try:
        opened = open_accounts(_Lines(accounts), roots, trust)
    except UnsoundAccount as fault:
        raise UnsoundAccount(f"{names}：{fault}", fault.verdict) from fault
    except SenderFault as fault:
        raise OperatorFault(f"{names}：{fault}") from fault
    return Basis(roots, Grounds(opened.trust, opened.devices, stamps), now)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the disk's errors about `path` into an `OperatorFault`: what cannot be read cannot be judged."""
    try:
        yield
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror or error}。请检查路径、权限与存储卡后重试。") from error


def _segments(path: Path) -> list[Path]:
    return sorted([*path.glob(SEGMENTS), *path.glob(SEGMENTS + SUFFIX)]) if path.is_dir() else [path]


def _segment(path: Path, desk: OneOpenFile, archive: ec.EllipticCurvePrivateKey | None) -> SegmentFile:
    if path.suffix != SUFFIX:
        return SegmentFile(path.name, desk.source(path))
    return decrypted_segment(path.name.removesuffix(SUFFIX), desk.source(path), _archive(path, archive))


def _archive(path: Path, archive: ec.EllipticCurvePrivateKey | None) -> ec.EllipticCurvePrivateKey:
    if archive is None:
        raise OperatorFault(f"{path} 是加密的。请用 --key 指明中心的存档私钥。")
    return archive


def _sidecars(folder: Path, desk: OneOpenFile, archive: ec.EllipticCurvePrivateKey | None) -> Sidecars:
    journal = folder / JOURNAL_NAME
    opened = desk.source(journal) if journal.exists() else None
    notes = {place.name: _content(place) or b"" for place in sorted((folder / NOTES).glob("*.dsse"))[: MAX_NOTES + 1]}
    places = [it for it in (*folder.glob(PHOTO_FILES), *folder.glob(PHOTO_FILES + SUFFIX)) if it.exists()]
    photos = {it.name: _photo(it, desk, archive) for it in sorted(places)[: 2 * MAX_SUMS]}
    inside = opened is None and any(folder.glob(SEGMENTS + SUFFIX))
    sums, signature, found = _content(folder / SUMS_NAME), _content(folder / SIGNATURE_NAME), names_in(folder)
    return Sidecars(opened, sums, signature, notes, photos, inside, found.files, found.traces)


def _photo(path: Path, desk: OneOpenFile, archive: ec.EllipticCurvePrivateKey | None) -> Source:
    source = desk.source(path)
    return source if path.suffix != SUFFIX else decrypted_photo(source, _archive(path, archive))


def _content(path: Path, limit: int = MAX_SIDECAR_BYTES) -> bytes | None:
    if not os.path.lexists(path):  # a link into nothing is not "nothing there"
        return None
    with open_regular(path) as stream:
        return stream.read(limit)


def _certificates(path: Path, instead: str) -> list[x509.Certificate]:
    with reading(path):
        content = path.read_bytes()
    try:
        return load_pem_certificates(content)
    except SenderFault as error:
        raise OperatorFault(f"{path} 不是 PEM 证书，请用 {instead}。") from error


def _token_reader(roots: Sequence[x509.Certificate]) -> TokenReader:
    def read(token: bytes, message: bytes) -> Witnessed:
        from agent.adapters.time_stamp_tokens import token_reader  # loaded for recordings that bear a time-stamp

        return token_reader(roots)(token, message)

    return read


def _trust(paths: Sequence[Path], roots: Sequence[x509.Certificate]) -> TrustList | None:
    sealed = []
    for path in paths:
        with reading(path):
            sealed.append(path.read_bytes())
    try:
        return newest_trust(sealed, roots)
    except SenderFault as fault:
        raise OperatorFault(f"{'、'.join(map(str, paths))}：{fault}请检查 --trust 与 --roots 是否同属一区。") from fault


@dataclass(frozen=True)
class _Lines:
    """The lines of files, read anew each time: an account is too large to be held."""

    paths: Sequence[Path]

    def __iter__(self) -> Iterator[bytes]:
        for path in self.paths:
            with reading(path), path.open("rb") as stream:
                while line := stream.readline(MAX_LINE_BYTES):
                    yield line
