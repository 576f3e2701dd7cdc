"""Reading a manifest of ours: everything is verified against its own signature before anything is believed.

Whether the signing certificate is to be trusted is another question (`agent.evidence.certificates`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from agent.errors import SenderFault
from agent.evidence import bmff, cbor, cose, jumbf, manifest, time_stamps
from agent.evidence.flat_hash import EXCLUSIONS
from agent.evidence.journal import DIGEST_BYTES
from agent.evidence.session import SESSION_KEYS_LABEL, CertifiedSession, parse_session_keys
from agent.evidence.statements import RECORDING_LABEL, SEAL_LABEL, Opening, Seal, parse_opening, parse_seal
from agent.evidence.vsi_profiles import CONTEXT_VSI, vsi_profile
from agent.wire.signing import MAX_CHAIN, certificate_key, load_certificate

UNPROTECTED = frozenset({time_stamps.PAD, time_stamps.HEADER})  # C2PA 2.4 sections 13.2, 15.8: padding, later stamps


@dataclass(frozen=True)
class Stored:
    """The one manifest of a store, its signature and assertions verified. `signature` is r || s over the claim.
    `token` is a time-stamp that was put in afterwards, about `countersigned`; it is not verified here."""

    label: str
    chain: tuple[bytes, ...]
    assertions: Mapping[str, bytes]
    signature: bytes
    countersigned: bytes
    token: bytes | None


@dataclass(frozen=True)
class Manifest:
    """A manifest whose signature and assertions were verified. `chain` are its DER certificates, leaf first;
    `assertions` the CBOR bytes by label; `seal` is None while the segment is being recorded; the last three as in
    `Stored`."""

    label: str
    chain: tuple[bytes, ...]
    assertions: Mapping[str, bytes]
    flat_hash: bytes
    opening: Opening
    session: CertifiedSession
    seal: Seal | None
    signature: bytes = b""
    countersigned: bytes = b""
    token: bytes | None = None

    @property
    def leaf_key(self) -> ec.EllipticCurvePublicKey:
        """The key that signed; raises `SenderFault` for a certificate with another kind of key."""
        return _key(self.chain[0])


def read_manifest(box: bytes) -> Manifest:
    """The manifest in a C2PA `uuid` box; raises `SenderFault` unless it is whole and signed by its leaf certificate."""
    preamble = bmff.HEADER + bmff.USER_TYPE
    store_at = preamble + len(manifest.PREAMBLE)
    if len(box) != manifest.RESERVED_BYTES or box[preamble:store_at] != manifest.PREAMBLE:
        raise SenderFault("文件中没有本系统的签名凭证，已拒绝。")
    return _content(read_store(box[store_at:]))


def read_store(data: bytes) -> Stored:
    """The one manifest in a store; raises `SenderFault` unless it is whole and signed by its leaf certificate. What it
    is bound to is yet to be compared."""
    store = jumbf.parse_superbox(data)
    if (store.kind, store.label, len(store.children)) != (jumbf.STORE, manifest.STORE_LABEL, 1):
        raise SenderFault("凭证库结构不对，已拒绝。")
    return _verified(store.children[0])


def _verified(found: jumbf.Superbox) -> Stored:
    if found.kind != jumbf.MANIFEST or len(found.children) != 3 or found.content:
        raise SenderFault("签名凭证结构不对，已拒绝。")
    claim = found.child(jumbf.CLAIM, manifest.CLAIM_LABEL).only_content()
    encoded = found.child(jumbf.SIGNATURE, manifest.SIGNATURE_LABEL).only_content()
    signed = cose.parse(encoded)
    chain = _chain(signed)
    fields = cbor.decode_map(signed.verify(_key(chain[0]), claim))
    if fields.get("signature") != manifest.signature_url(found.label):
        raise SenderFault("签名凭证的声明与其标签不符，已拒绝。")
    assertions = _assertions(found.child(jumbf.ASSERTIONS, manifest.ASSERTIONS_LABEL), fields)
    token = time_stamps.token_of(signed, encoded)
    return Stored(found.label, chain, assertions, signed.signature, time_stamps.to_be_stamped(signed), token)


def _chain(signed: cose.Sign1) -> tuple[bytes, ...]:
    listed = signed.protected.get(cose.X5CHAIN)
    chain = tuple(listed) if isinstance(listed, list) else (listed,)
    if not 1 <= len(chain) <= MAX_CHAIN or not all(isinstance(entry, bytes) for entry in chain):
        raise SenderFault("签名凭证没有附带证书，已拒绝。")
    if signed.payload is not None or not UNPROTECTED.issuperset(signed.unprotected):
        raise SenderFault("签名凭证的签名结构不对，已拒绝。")
    padding = signed.unprotected.get(time_stamps.PAD, b"")
    if not isinstance(padding, bytes) or padding.strip(b"\0"):
        raise SenderFault("签名凭证的填充区藏有内容，已拒绝。")
    return chain


def _key(certificate: bytes) -> ec.EllipticCurvePublicKey:
    return certificate_key(load_certificate(certificate))


def _assertions(store: jumbf.Superbox, claim: Mapping[Any, Any]) -> dict[str, bytes]:
    references = claim.get("created_assertions")
    if not isinstance(references, list) or len(references) != len(store.children) or store.content:
        raise SenderFault("签名凭证的断言数目不符，已拒绝。")
    found: dict[str, bytes] = {}
    for reference, box in zip(references, store.children, strict=True):
        hashed = hashlib.sha256(box.inner).digest()
        if reference != {"url": manifest.assertion_url(box.label), "hash": hashed} or box.label in found:
            raise SenderFault(f"签名凭证中的断言 {box.label[:60]} 被改动，已拒绝。")
        found[box.label] = box.only_content()
        cbor.decode(found[box.label])  # also those that nobody here reads: other software would refuse them
    return found


def _content(stored: Stored) -> Manifest:
    assertions = stored.assertions
    try:
        hashed = cbor.decode_map(assertions[manifest.HASH_LABEL])
        opening = parse_opening(assertions[RECORDING_LABEL])
        profile = vsi_profile(opening.origin.context.get(CONTEXT_VSI))
        session = parse_session_keys(assertions[SESSION_KEYS_LABEL], stored.chain[0], profile)
    except KeyError as error:
        raise SenderFault(f"签名凭证缺少断言 {error}，已拒绝。") from error
    if hashed.get("exclusions") != EXCLUSIONS or hashed.get("alg") != "sha256":
        raise SenderFault("签名凭证的散列范围不合规定，已拒绝。")
    flat_hash = hashed.get("hash")
    if not isinstance(flat_hash, bytes) or len(flat_hash) != DIGEST_BYTES:
        raise SenderFault("签名凭证的媒体散列不合规定，已拒绝。")
    seal = parse_seal(assertions[SEAL_LABEL]) if SEAL_LABEL in assertions else None
    return Manifest(
        stored.label,
        stored.chain,
        assertions,
        flat_hash,
        opening,
        session,
        seal,
        stored.signature,
        stored.countersigned,
        stored.token,
    )
