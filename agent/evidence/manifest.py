"""The C2PA manifest (C2PA 2.4 sections 10 to 13): built to fill its reserved box exactly, and read back verified.

`cn.liuhen.recording` and, once sealed, `cn.liuhen.seal` stand beside the standard assertions. The box is padded inside
the COSE unprotected header ("pad"), so that nothing but the manifest store is in it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agent.evidence import bmff, cbor, cose, jumbf
from agent.evidence.flat_hash import EXCLUSIONS
from agent.wire.signing import CertifiedSigner

RESERVED_BYTES = 16 * 1024  # DESIGN section 4
GENERATOR = "Liuhen"
CLAIM_LABEL, SIGNATURE_LABEL, ASSERTIONS_LABEL = "c2pa.claim.v2", "c2pa.signature", "c2pa.assertions"
ACTIONS_LABEL, HASH_LABEL = "c2pa.actions.v2", "c2pa.hash.bmff.v3"
STORE_LABEL = "c2pa"
PURPOSE = b"manifest\0"  # C2PA 2.4 appendix A.5.1
PREAMBLE = bytes(4) + PURPOSE + bytes(8)  # version and flags, purpose, offset to a Merkle box (none)
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
CAPTURED, COMPUTED = SOURCE_TYPES + "digitalCapture", SOURCE_TYPES + "algorithmicMedia"
FROM_FILE = SOURCE_TYPES + "composite"  # says that it may hold anything: nobody knows how a file's film came to be
LEAST_PADDING = 256  # so that the padding's CBOR length always takes three bytes


@dataclass(frozen=True)
class Assertion:
    """A label and the CBOR bytes under it."""

    label: str
    content: bytes


@dataclass(frozen=True)
class Draft:
    """What a manifest is made of, but for its BMFF hash; `label` and `instance` from `manifest_names`."""

    label: str
    instance: str
    title: str
    version: str
    assertions: tuple[Assertion, ...]


def manifest_names(*parts: bytes) -> tuple[str, str]:
    """A manifest's label and instance id, drawn from `parts`, which must be unlike those of any other manifest."""
    seed = hashlib.sha256(b"".join(len(part).to_bytes(4) + part for part in parts)).digest()
    label, instance = UUID(bytes=seed[:16], version=4), UUID(bytes=seed[16:], version=4)
    return f"urn:c2pa:{label}", f"xmp:iid:{instance}"


def actions(synthetic: bool, from_file: bool = False) -> Assertion:
    """How the pictures came to be: captured by a camera, computed, or read from a file."""
    source = COMPUTED if synthetic else FROM_FILE if from_file else CAPTURED
    content = {"actions": [{"action": "c2pa.created", "digitalSourceType": source}]}
    return Assertion(ACTIONS_LABEL, cbor.encode(content))


def build_manifest_box(draft: Draft, flat_hash: bytes, signer: CertifiedSigner) -> bytes:
    """The C2PA `uuid` box of exactly `RESERVED_BYTES`; signs once. Raises `ValueError` when the draft is too large."""
    hashed = {"exclusions": EXCLUSIONS, "alg": "sha256", "hash": flat_hash, "name": "jumbf manifest"}
    size = RESERVED_BYTES - bmff.HEADER - bmff.USER_TYPE - len(PREAMBLE)
    store = build_store(draft, Assertion(HASH_LABEL, cbor.encode(hashed)), signer, size)
    return bmff.encode_user_box(bmff.C2PA_BOX, PREAMBLE, store)


def build_store(draft: Draft, hashed: Assertion, signer: CertifiedSigner, size: int) -> bytes:
    """The manifest store of exactly `size` bytes; `hashed` is the assertion that binds it to the media. Signs once.
    Raises `ValueError` when the draft is too large."""
    claim, assertion_store = _claim(draft, hashed)
    protected = cose.protected_header({cose.X5CHAIN: _chain(signer.chain)})
    signature = signer.sign(cose.to_be_signed(protected, claim))

    def store(padding: int) -> bytes:
        sealed = cose.encode(protected, {"pad": bytes(padding)}, None, signature)
        return _store(draft.label, assertion_store, claim, sealed)

    padding = LEAST_PADDING + size - len(store(LEAST_PADDING))
    if padding < LEAST_PADDING:
        raise ValueError("the manifest does not fit its reserved box")
    return store(padding)


def _claim(draft: Draft, hashed: Assertion) -> tuple[bytes, bytes]:
    assertions = (*draft.assertions, hashed)
    boxes = [jumbf.encode_cbor_superbox(jumbf.CBOR, entry.label, entry.content) for entry in assertions]
    claim = {
        "instanceID": draft.instance,
        "claim_generator_info": {"name": GENERATOR, "version": draft.version},
        "signature": signature_url(draft.label),
        "created_assertions": _references(assertions, boxes),
        "dc:title": draft.title,
        "alg": "sha256",
    }
    return cbor.encode(claim), jumbf.encode_superbox(jumbf.ASSERTIONS, ASSERTIONS_LABEL, *boxes)


def reference_to(assertion: Assertion) -> Mapping[str, Any]:
    """A hashed URI (C2PA 2.4 section 8.4.2), by which something in a manifest refers to an assertion of its own."""
    return _reference(assertion, jumbf.encode_cbor_superbox(jumbf.CBOR, assertion.label, assertion.content))


def _references(assertions: Sequence[Assertion], boxes: Sequence[bytes]) -> list[Mapping[str, Any]]:
    return [_reference(entry, box) for entry, box in zip(assertions, boxes, strict=True)]


def _reference(assertion: Assertion, box: bytes) -> Mapping[str, Any]:
    return {"url": assertion_url(assertion.label), "hash": hashlib.sha256(box[bmff.HEADER :]).digest()}


def assertion_url(label: str) -> str:
    """How a claim refers to an assertion of its own manifest."""
    return f"self#jumbf={ASSERTIONS_LABEL}/{label}"


def signature_url(label: str) -> str:
    """How the claim of manifest `label` refers to its signature."""
    return f"self#jumbf=/{STORE_LABEL}/{label}/{SIGNATURE_LABEL}"


def _store(label: str, assertion_store: bytes, claim: bytes, sealed: bytes) -> bytes:
    manifest = jumbf.encode_superbox(
        jumbf.MANIFEST,
        label,
        assertion_store,
        jumbf.encode_cbor_superbox(jumbf.CLAIM, CLAIM_LABEL, claim),
        jumbf.encode_cbor_superbox(jumbf.SIGNATURE, SIGNATURE_LABEL, sealed),
    )
    return jumbf.encode_superbox(jumbf.STORE, STORE_LABEL, manifest)


def _chain(chain: tuple[bytes, ...]) -> bytes | list[bytes]:
    return chain[0] if len(chain) == 1 else list(chain)
