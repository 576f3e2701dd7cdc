"""Putting RFC 3161 time-stamps into sealed recordings and photos at the centre or a depot, in place; never on a device.

    segment-0001.mp4.unstamped   the 16 384 bytes that the device wrote where the stamped manifest stands now
    segment-0001.mp4.stamping    while it is written: the manifest with its token
    photo-….jpg.unstamped        the APP11 segment of a photo likewise; the photo itself is replaced in one step
    SHA256SUMS.p7s.tsr           a time-stamp of the sums' signature, for `openssl ts -verify`

`SHA256SUMS` stays as the device signed it and speaks of the files without their tokens (`agent.evidence.time_stamps`).
The box that is overwritten is kept first, and the one that is written, so an interruption loses nothing: where what
stands on the disk can be nothing but a cut between these two, the next run puts the first back and goes on.
The only file of this package that knows rfc3161-client.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, VerificationError, VerifierBuilder
from rfc3161_client import decode_timestamp_response as decoded

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.evidence import bmff, der, manifest, time_stamps
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.how_to_sums import UNSTAMPED
from agent.evidence.manifest_reading import Manifest, read_manifest
from agent.evidence.photo import MAX_PHOTO_BYTES, manifest_as_taken, open_photo, stamped_photo
from agent.evidence.sidecars import PHOTOS, SIGNATURE_NAME
from agent.evidence.token_form import token_path
from provisioning.authority.authority import read_file

RESPONSE, DRAFT = ".tsr", ".stamping"
MAX_RESPONSE_BYTES = 64 * 1024  # ours; a response with three certificates is below 6 KiB

Ask = Callable[[bytes], bytes]
"""A DER TimeStampReq to a DER TimeStampResp; raises `EnvironmentFault` when the authority cannot be reached."""


@dataclass(frozen=True)
class Authority:
    """A time-stamping authority: how it is asked, and the certificates under which its answer must verify."""

    ask: Ask
    roots: Sequence[x509.Certificate]

    def stamp(self, message: bytes) -> tuple[bytes, datetime]:
        """The response about `message`, verified, and its time; raises `SenderFault` or `EnvironmentFault`."""
        request = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
        answer = self.ask(request.as_bytes())
        if len(answer) > MAX_RESPONSE_BYTES:
            raise SenderFault("时间戳服务的回答过大，已拒绝。请检查 --tsa 是否写对。")
        try:
            answer = in_order(answer)
            response = decoded(answer)
            verifier = VerifierBuilder(roots=list(self.roots), nonce=request.nonce).build()
            verifier.verify_message(response, message)
        except (ValueError, VerificationError) as error:
            text = f"时间戳服务的回答没有通过核验（{str(error)[:100]}），未作改动。请核对 --tsa 与 --tsa-root。"
            raise SenderFault(text) from error
        token_path(response.time_stamp_token())  # what a verifier would refuse is not put in
        return answer, response.tst_info.gen_time


def in_order(answer: bytes) -> bytes:
    """The response `answer` with the certificates of its token sorted as DER asks (X.690 section 11.6): openssl writes
    the signer's first, and readers that are strict refuse that. They stand outside everything that is signed. What has
    no token, or is none of these shapes, comes back as it is, for the decoder to judge."""
    try:
        status, token = der.children(der.only(answer, der.SEQUENCE))
        kind, wrapped = der.children(der.only(token, der.SEQUENCE))
        parts = list(der.children(der.only(der.only(wrapped, der.CONTEXT_0), der.SEQUENCE)))
        parts[3] = der.element(der.CONTEXT_0, *sorted(der.children(der.only(parts[3], der.CONTEXT_0))))
    except (ValueError, IndexError):
        return answer
    signed = der.element(der.CONTEXT_0, der.element(der.SEQUENCE, *parts))
    return der.element(der.SEQUENCE, status, der.element(der.SEQUENCE, kind, signed))


@dataclass(frozen=True)
class Outcome:
    """What was done to one file: `at` is the time of the new stamp, None where there was one already."""

    file: Path
    at: datetime | None


def stamp_recording(folder: Path, authority: Authority) -> list[Outcome]:
    """Stamp every segment and photo of the recording in `folder` and the signature of its sums, or the photos of a
    folder of those, as far as they are not stamped yet.

    Raises `OperatorFault` when there is nothing to stamp or a segment is not sealed, `SenderFault` when the authority's
    answer does not verify, `EnvironmentFault` when it cannot be asked or the disk fails; what was done stays done.
    """
    segments = sorted(folder.glob("segment-*.mp4"))
    photos = sorted(folder.glob(PHOTOS))
    if not segments and not photos:
        encrypted = "，只有未解密的。请先运行 liuhen-center decrypt。"
        ending = encrypted if any(folder.glob("*" + SUFFIX)) else "。请指明录制文件夹。"
        raise OperatorFault(f"{folder} 中没有分段文件 segment-*.mp4 或照片 {PHOTOS}{ending}")
    done = [Outcome(segment, stamp_segment(segment, authority)) for segment in segments]
    done += [Outcome(photo, stamp_photo(photo, authority)) for photo in photos]
    signature = folder / SIGNATURE_NAME
    beside = signature.with_name(signature.name + RESPONSE)
    if signature.exists() and not beside.exists():
        with durable.read_errors(signature):
            message = signature.read_bytes()
        answer, at = authority.stamp(message)
        durable.write_bytes(beside, answer)
        done.append(Outcome(signature, at))
    return done


def stamp_segment(segment: Path, authority: Authority) -> datetime | None:
    """Put a token into the sealed `segment`; None when it bears one already. Faults as `stamp_recording`."""
    kept, draft = (segment.with_name(segment.name + suffix) for suffix in (UNSTAMPED, DRAFT))
    offset = _manifest_offset(segment)
    found, box = _read(segment, offset, kept, draft)
    if found.token is not None:
        if draft.exists():
            durable.remove(draft)
        return None
    if found.seal is None:
        raise OperatorFault(f"{segment} 尚未封存，不能加盖时间戳。请先在设备上恢复，或由中心确认后再试。")
    answer, at = authority.stamp(found.countersigned)
    with_token = time_stamps.stamped(box, decoded(answer).time_stamp_token())
    read_manifest(with_token)  # what is written must read back
    durable.write_bytes(kept, box)
    durable.write_bytes(draft, with_token)
    durable.overwrite(segment, offset, with_token)
    durable.remove(draft)
    return at


def stamp_photo(place: Path, authority: Authority) -> datetime | None:
    """Put a token into the photo at `place`; None when it bears one already. Faults as `stamp_recording`."""
    with durable.read_errors(place), place.open("rb") as file:
        data = file.read(MAX_PHOTO_BYTES + 1)
    try:
        found = open_photo(data)
    except SenderFault as fault:
        raise SenderFault(f"{place}：{fault}文件原样未动，请保留原件并交技术人员核查。") from fault
    if found.token is not None:
        return None
    answer, at = authority.stamp(found.countersigned)
    with_token = stamped_photo(data, decoded(answer).time_stamp_token())
    open_photo(with_token)  # what is written must read back
    durable.write_bytes(place.with_name(place.name + UNSTAMPED), manifest_as_taken(with_token) or b"")
    durable.write_bytes(place, with_token)
    return at


def _read(segment: Path, offset: int, kept: Path, draft: Path) -> tuple[Manifest, bytes]:
    with durable.read_errors(segment), segment.open("rb") as file:
        file.seek(offset)
        box = file.read(manifest.RESERVED_BYTES)
    try:
        return read_manifest(box), box
    except SenderFault as fault:
        whole = _before_the_cut(box, kept, draft)
        if whole is None:
            raise SenderFault(f"{segment}：{fault}文件原样未动，请保留原件并交技术人员核查。") from fault
    found = read_manifest(whole)
    durable.overwrite(segment, offset, whole)  # an earlier run was cut off while it wrote
    return found, whole


def _before_the_cut(box: bytes, kept: Path, draft: Path) -> bytes | None:
    """The box that stood there before a run of ours was cut off while it wrote the one in `draft` over it; None when
    that cannot be all that happened: no other damage is made good on the word of a file that lies beside it."""
    try:
        old, new = read_file(kept), read_file(draft)
        if not len(old) == len(new) == len(box) or time_stamps.unstamped(new) != old:
            return None
    except (OperatorFault, SenderFault):
        return None
    return old if all(it in (a, b) for it, a, b in zip(box, old, new, strict=True)) else None


def _manifest_offset(segment: Path) -> int:
    with durable.read_errors(segment), segment.open("rb") as file:
        head, size = file.read(bmff.MAX_LOADED_BYTES), segment.stat().st_size
    try:
        return bmff.box_at(bmff.Source(size, lambda at, length: head[at : at + length]), 0).end
    except SenderFault as fault:
        raise SenderFault(f"{segment} 不是录像文件：{fault}") from fault


def refused(error: str) -> EnvironmentFault:
    """The authority could not be asked."""
    return EnvironmentFault(f"时间戳服务没有回答：{error[:120]}。请检查网络与 --tsa、--tsa-command 后重试。")
