"""A time-stamp put into a sealed segment or photo afterwards (RFC 3161 in C2PA 2.4 section 15.8, "sigTst2"), in place.

The token stands in the unprotected header of the manifest's COSE signature and takes its room from the padding beside
it. So the file keeps its length, the signature and every hash of C2PA stay as they were, and the change can be undone:
`unstamped` gives back the very box that the device wrote. That is the rule for `SHA256SUMS`: it speaks of the files as
the device sealed them, and it is compared with the file *without* its token. Nothing else may differ.

    by hand: (head -c $at F; cat F.unstamped; tail -c +$((at+16385)) F) | sha256sum     $at: length of the ftyp box

What is stamped is the device's signature ("CounterSignature" of RFC 9338 section 3.3), so a token proves that the
signature, and all that it covers, existed at that time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.errors import SenderFault
from agent.evidence import bmff, cbor, cose, jumbf, manifest
from agent.evidence.bmff import Source

HEADER, PAD = "sigTst2", "pad"
STORE_AT = bmff.HEADER + bmff.USER_TYPE + len(manifest.PREAMBLE)  # where the store begins in a segment's manifest box
MAX_TOKEN_BYTES = 8 * 1024  # ours; a token with two certificates is below 3 KiB


@dataclass(frozen=True)
class Witnessed:
    """A token that was verified: when its authority saw the signature, and the authority's name."""

    at: datetime
    authority: str


class UnknownAuthority(SenderFault):
    """A token that is sound in itself, but of a time-stamping authority whose root was not given."""


TokenReader = Callable[[bytes, bytes], Witnessed]
"""(token, message) to what it proves about the message; raises `UnknownAuthority`, or `SenderFault` when the token is
malformed, cut, changed, or about something else."""


def to_be_stamped(signed: cose.Sign1) -> bytes:
    """The bytes that a token's imprint is the hash of."""
    return cbor.encode(["CounterSignature", signed.protected_bytes, b"", cbor.encode(signed.signature)])


def token_of(signed: cose.Sign1, encoded: bytes) -> bytes | None:
    """The token in a manifest's signature, None without one; `encoded` are the bytes of the signature. Raises
    `SenderFault` when anything but the token and zeros stands in what `stamped` may change."""
    if HEADER not in signed.unprotected:
        return None
    tokens = signed.unprotected[HEADER]
    try:
        [entry] = tokens["tstTokens"]
        token = entry["val"]
    except (KeyError, TypeError, ValueError) as error:
        raise SenderFault("时间戳的结构不对，已拒绝。") from error
    if not isinstance(token, bytes) or _filled(signed, token, len(encoded)) != encoded:
        raise SenderFault("时间戳旁边藏有别的内容，已拒绝。")
    return token


def signature_in(store: bytes) -> tuple[cose.Sign1, bytes]:
    """The COSE signature at the end of a manifest store of ours, parsed and as bytes; raises `SenderFault`."""
    found = jumbf.parse_superbox(store)
    if len(found.children) != 1:
        raise SenderFault("凭证库结构不对，已拒绝。")
    encoded = found.children[0].child(jumbf.SIGNATURE, manifest.SIGNATURE_LABEL).only_content()
    if not store.endswith(encoded):
        raise SenderFault("凭证的签名不在其末尾，已拒绝。")
    return cose.parse(encoded), encoded


def stamped_store(store: bytes, token: bytes) -> bytes:
    """The manifest store `store` with `token` in it; raises `SenderFault` when it holds one already, or has no room."""
    signed, encoded = signature_in(store)
    if HEADER in signed.unprotected:
        raise SenderFault("已有时间戳，不再加盖，无须再做。")
    return store[: -len(encoded)] + _filled(signed, token, len(encoded))


def unstamped_store(store: bytes) -> bytes:
    """The manifest store as the device wrote it, whether or not a token was put into it."""
    signed, encoded = signature_in(store)
    if token_of(signed, encoded) is None:
        return store
    return store[: -len(encoded)] + _filled(signed, None, len(encoded))


def stamped(box: bytes, token: bytes) -> bytes:
    """As `stamped_store`, for the manifest box of a segment."""
    return box[:STORE_AT] + stamped_store(box[STORE_AT:], token)


def unstamped(box: bytes) -> bytes:
    """As `unstamped_store`, for the manifest box of a segment."""
    return box[:STORE_AT] + unstamped_store(box[STORE_AT:])


def as_sealed(source: Source, manifest_at: int) -> Source:
    """The segment as the device sealed it: `source` without the token in the manifest box at `manifest_at`."""
    box = unstamped(source.read_at(manifest_at, manifest.RESERVED_BYTES))
    end = manifest_at + len(box)

    def pieces(offset: int, length: int) -> Iterator[bytes]:
        stop = min(offset + length, source.size)
        if offset < manifest_at:
            yield source.read_at(offset, min(stop, manifest_at) - offset)
        if offset < end and stop > manifest_at:
            yield box[max(offset - manifest_at, 0) : stop - manifest_at]
        if stop > end:
            begin = max(offset, end)
            yield source.read_at(begin, stop - begin)

    return Source(source.size, lambda offset, length: b"".join(pieces(offset, length)))


def _filled(signed: cose.Sign1, token: bytes | None, size: int) -> bytes:
    """The signature with `token` and as much padding as makes it `size` bytes; raises `SenderFault` without room."""
    extra: dict[str, Any] = {} if token is None else {HEADER: {"tstTokens": [{"val": token}]}}

    def encoded(padding: int) -> bytes:
        header = {**extra, PAD: bytes(padding)}
        return cose.encode(signed.protected_bytes, header, signed.payload, signed.signature)

    padding = manifest.LEAST_PADDING + size - len(encoded(manifest.LEAST_PADDING))
    if padding < manifest.LEAST_PADDING or (token is not None and len(token) > MAX_TOKEN_BYTES):
        raise SenderFault("时间戳太大，凭证中放不下。请让时间戳服务少附证书（只附其签名证书）。")
    return encoded(padding)
