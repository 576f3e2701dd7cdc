"""What `liuhen-verify` is given: paths, roots, trust lists, accounts; read here, judged in `agent.evidence`.

A path is a segment file, the folder of one recording or of one collected file, or a folder of those (as
`state/recordings` and `state/collected` on a device).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from agent.adapters.background_hash import background_hashing
from agent.adapters.freed_memory import keep_freed_memory
from agent.adapters.one_open_file import OneOpenFile, open_regular
from agent.collected_files import collected_folder, read_collected
from agent.errors import OperatorFault, SenderFault
from agent.evidence.account import newest_trust, open_accounts
from agent.evidence.account_chain import UnsoundAccount
from agent.evidence.bmff import CHUNK_BYTES
from agent.evidence.collected_report import verify_collected
from agent.evidence.device_chain import ChainLink, chain_link, device_report
from agent.evidence.encrypted_photo import MAX_ENCRYPTED_BYTES, decrypt_photo
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.export_report import CERTIFICATE_NAME, MAX_CERTIFICATE_BYTES, verify_export
from agent.evidence.grounds import Grounds
from agent.evidence.how_to_sums import UNSTAMPED
from agent.evidence.photo import MAX_PHOTO_BYTES
from agent.evidence.photo_report import damaged_photo, digest_as_taken, verify_photo
from agent.evidence.photo_shelf import photo_shelf_report
from agent.evidence.places import Examined
from agent.evidence.report import Report, Verdict, worst
from agent.evidence.sidecars import SUMS_NAME
from agent.evidence.time_stamps import TokenReader, Witnessed
from agent.evidence.verify import examine_files, judge
from agent.folder_names import is_trace, names_in
from agent.recording_folder import content_of, needed_key, open_segments, read_sidecars, reading, segment_paths
from agent.wire.envelope import MAX_TRUST_LIST_BYTES
from agent.wire.identifiers import COLLECTED_PATTERN, RECORDING_PATTERN, DeviceId, Digest
from agent.wire.signing import load_pem_certificates
from agent.wire.trust import TrustList

PIECES_BYTES = 8 << 20  # ours; what waits to be hashed comes and goes in pieces of some 400 KB

EXCERPTS = "excerpt-*.mp4"
PHOTOS = (".jpg", ".jpeg", ".jpg" + SUFFIX)
FOREIGN = "带有 C2PA 凭证，但不是本系统设备的录像（如导出的遮挡片段）。请用 C2PA 软件检验；导出的请检验整个文件夹。"
BESIDES_TOLD = 20  # ours; names in one line
MAX_PEM_BYTES = 2**20  # ours; a bundle of a hundred certificates has a tenth of it
MAX_LINE_BYTES = 6 * 1024 * 1024  # ours; a trust list may have 4 MiB


@dataclass(frozen=True)
class Judged:
    """A path and the report on it. `segments` are the files it was made from, empty for a folder of recordings;
    `unread` says in Chinese what else there could not be read, so that the report knows nothing of it; `partly`: some
    of that are segments; `photo` is the SHA-256 of a photo as it was taken."""

    path: Path
    report: Report
    segments: tuple[Examined, ...]
    unread: tuple[str, ...] = ()
    partly: bool = False
    photo: Digest | None = None


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
        if not path.is_dir() or segment_paths(path):
            return [path]
        if is_export(path):
            return sorted(path.glob(EXCERPTS))
        found = [place for place in path.iterdir() if place.is_dir() and _is_part(place.name)]
        return sorted(found) or _photos_alone(path) or [path]


def _photos_alone(path: Path) -> list[Path]:
    """The photos in a folder that is not a recording whose segments are gone, nor a collected file."""
    if _is_part(path.name) or (path / SUMS_NAME).exists() or collected_folder(path) is not None:
        return []
    return sorted(it for it in path.iterdir() if it.name.lower().endswith(PHOTOS))


def besides_photos(path: Path, places: Sequence[Path]) -> list[str]:
    """One Chinese line about what lies in the folder `path` beside the photos `places` and is none; raises
    `OperatorFault`."""
    if not is_photo_shelf(path, places):
        return []
    with reading(path):
        known = {name for place in places for name in (place.name, place.name + UNSTAMPED)}
        others = sorted({*names_in(path).files} - known)
    told = "、".join(others[:BESIDES_TOLD])
    return [f"{path} 中有不是照片的文件，未检验：{told}。请逐个检验或移出。"] if others else []


def _is_photo(path: Path) -> bool:
    return path.name.lower().endswith(PHOTOS)


def size_of(path: Path) -> int:
    """How many bytes of segments `judge_path` will read there; raises `OperatorFault`."""
    with reading(path):
        files = path.iterdir() if path.is_dir() and collected_folder(path) is not None else segment_paths(path)
        return sum(it.stat().st_size for it in files if it.exists())  # a link into nothing is told when it is read


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
    keep_freed_memory(PIECES_BYTES)
    with ExitStack() as stack, reading(path):
        desk = stack.enter_context(OneOpenFile())
        unread: list[str] = []
        files, left = open_segments(segment_paths(path), desk, basis.archive, unread)
        segments = examine_files(files, progress, stack.enter_context(background_hashing()))
        for it in segments:
            if why := it.found.unsupported or (FOREIGN if it.found.foreign and not path.is_dir() else ""):
                unread.append(f"{path}：{why}")
                left.append(it.file.name)
        segments = [it for it in segments if it.file.name not in left]
        if left and not segments:
            raise OperatorFault(unread[0])
        sidecars = read_sidecars(path, desk, basis.archive, unread, left) if path.is_dir() else None
        report = judge(segments, basis.roots, basis.now, sidecars, basis.grounds)
        judged = Judged(path, report, tuple(segments), tuple(unread), partly=bool(left))
        if inspect is not None:
            inspect(judged)
    return judged


def _judge_photo(path: Path, basis: Basis) -> Judged:
    with reading(path), open_regular(path) as stream:
        data = stream.read(MAX_ENCRYPTED_BYTES if path.suffix == SUFFIX else MAX_PHOTO_BYTES)
    name = path.name.removesuffix(SUFFIX)
    try:
        photo = decrypt_photo(data, needed_key(path, basis.archive)) if path.suffix == SUFFIX else data
    except SenderFault as fault:
        return Judged(path, damaged_photo(name, str(fault)), ())
    report = verify_photo(name, photo, basis.roots, basis.now, basis.grounds)
    return Judged(path, report, (), photo=digest_as_taken(photo))


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
        certificate = content_of(place, MAX_CERTIFICATE_BYTES + 1) or b""
        report = verify_export(certificate, files, basis.grounds.trust, basis.now, found.traces)
    return Judged(place, report, ())


def _sum(path: Path) -> Digest:
    whole = hashlib.sha256()
    with reading(path), open_regular(path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            whole.update(chunk)
    return Digest(whole.hexdigest())


@dataclass(frozen=True)
class Placed:
    """A recording that was judged, in the `folder` of recordings where it lies."""

    folder: Path
    link: ChainLink
    report: Report


def is_shelf(path: Path, places: Sequence[Path]) -> bool:
    """Whether `path`, of which `places` are the parts, is a folder of recordings: what is not there is missing then."""
    return list(places) != [path] and any(RECORDING_PATTERN.fullmatch(place.name) for place in places)


def judge_devices(shelves: Sequence[Path], recordings: Sequence[Placed], basis: Basis) -> list[Judged]:
    """One report for each device whose recordings stand in any of the folders `shelves`, or, as the centre tells,
    should; all folders together. Raises `OperatorFault`."""
    devices: dict[DeviceId, list[Placed]] = {}
    for placed in recordings:
        devices.setdefault(placed.link.device, []).append(placed)
    if shelves:  # a device that the centre tells of and that nothing here is from: all of its recordings are missing
        told = [device for device, account in basis.grounds.accounts.items() if account.receiver is not None]
        devices = {**{device: [] for device in told}, **devices}
    besides = [name for path in shelves for name in _besides(path)]
    found = []
    for device, own in sorted(devices.items()):
        links, reports = [it.link for it in own], [it.report for it in own]
        report = device_report(links, reports, basis.grounds.accounts.get(device), besides)
        found.append(Judged(own[0].folder if own else shelves[0], report, ()))
    return found


def judge_photo_shelf(path: Path, photos: Sequence[Judged], unread: int, basis: Basis) -> list[Judged]:
    """One report for each device that, as the centre tells, took photos by themselves, on the folder `path` of them."""
    there, found = {it.photo for it in photos if it.photo is not None}, []
    for device, account in sorted(basis.grounds.accounts.items()):
        if any(photo.recording is None for photo in account.photos):
            own = [it.report for it in photos if it.report.device == device]
            found.append(Judged(path, photo_shelf_report(there, unread, own, account), ()))
    return found


def is_photo_shelf(path: Path, places: Sequence[Path]) -> bool:
    """Whether `path` is a folder of photos, which `places` are."""
    return list(places) != [path] and bool(places) and all(_is_photo(it) and it.parent == path for it in places)


def _besides(path: Path) -> list[str]:
    with reading(path):
        return [it.name for it in path.iterdir() if not (_is_part(it.name) and it.is_dir()) and not is_trace(it)]


def exit_code(verdicts: Sequence[Verdict], unread: Sequence[str]) -> int:
    """The code of the worst of `verdicts`; what was `unread` stands between an unexplained gap and missing."""
    verdict = worst(verdicts)
    hides = bool(unread) and verdict.severity < Verdict.MISSING.severity
    return OperatorFault.exit_code if hides else verdict.exit_code


def link_of(judged: Judged) -> ChainLink | None:
    """What the chain of the device needs of a recording that was judged."""
    return chain_link(judged.segments, partly=judged.partly)


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
    if not opened.devices:
        raise OperatorFault(f"{names} 中没有任何设备的凭据。请向中心重新导出（liuhen-center export）。")
    return Basis(roots, Grounds(opened.trust, opened.devices, stamps), now)


def _certificates(path: Path, instead: str) -> list[x509.Certificate]:
    content = _bounded(path, MAX_PEM_BYTES)
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
    sealed = [_bounded(path, MAX_TRUST_LIST_BYTES) for path in paths]
    try:
        return newest_trust(sealed, roots)
    except SenderFault as fault:
        raise OperatorFault(f"{'、'.join(map(str, paths))}：{fault}请检查 --trust 与 --roots 是否同属一区。") from fault


def _bounded(path: Path, most: int) -> bytes:
    with reading(path), open_regular(path) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise OperatorFault(f"{path} 过大，不是这里要的文件。请检查路径。")
    return content


@dataclass(frozen=True)
class _Lines:
    """The lines of files, read anew each time: an account is too large to be held."""

    paths: Sequence[Path]

    def __iter__(self) -> Iterator[bytes]:
        for path in self.paths:
            with reading(path), open_regular(path) as stream:
                while line := stream.readline(MAX_LINE_BYTES):
                    if len(line) == MAX_LINE_BYTES:
                        raise OperatorFault(f"{path} 中有一行过长，不是中心导出的凭据。请检查路径。")
                    yield line
