"""Material of another maker's recorder, as this device found it: a sidecar that says "collected", never "captured".

The maker's bytes stay untouched in a file of their own. Beside them stands a C2PA manifest store (`.c2pa`, C2PA 2.4
section 11.4, external manifests) with the action `c2pa.opened` of a parent ingredient that has no provenance of its
own, and our statement `cn.liuhen.collected`: from where, at, by. It is bound to an MP4 by `c2pa.hash.bmff.v3` and to
anything else by `c2pa.hash.data`; the statement holds the SHA-256 of every byte, which is what we verify.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from agent.errors import SenderFault
from agent.evidence import bmff, cbor, manifest
from agent.evidence.bmff import BrokenBox, Source
from agent.evidence.flat_hash import EXCLUSIONS, FlatHash, is_excluded
from agent.evidence.journal import encode_instant, parse_instant
from agent.evidence.manifest import Assertion
from agent.evidence.manifest_reading import read_store
from agent.wire import canonical
from agent.wire.identifiers import CollectedId, DeviceId, Digest, device_id, digest, parse_collected_id
from agent.wire.instant import Instant
from agent.wire.signing import CertifiedSigner

COLLECTED_LABEL, INGREDIENT_LABEL, DATA_HASH_LABEL = "cn.liuhen.collected", "c2pa.ingredient.v3", "c2pa.hash.data"
STORE_BYTES = 16 * 1024  # ours; certificates, a path of 4 KiB and room for a later time-stamp
MATERIAL, MANIFEST_NAME = "material", "material.c2pa"  # the file's stem in its folder, and the sidecar
MAX_PATH_BYTES = 4096  # PATH_MAX of Linux
MAX_SOURCE, MAX_PATTERN, MAX_TITLE = 80, 80, 512  # ours, in characters
MAX_SIZE = 2**53 - 1  # what JSON readers keep exact
OCTETS = "application/octet-stream"
FORMATS = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "avi": "video/x-msvideo",
    "jpg": "image/jpeg",
    "wav": "audio/wav",
}


class Structure(StrEnum):
    """What a look at the boxes of the material gave: `torn` has the beginning of an MP4 and not all of it, `not-looked`
    is no MP4, or one whose boxes cannot be followed to the end."""

    WHOLE = "whole"
    TORN = "torn"
    NOT_LOOKED = "not-looked"


@dataclass(frozen=True)
class CollectedStatement:
    """What the device says of one file. `source` is the configured label of where it came from, `path` its name there
    as bytes, `modified` what that file system claimed, `collected` when this device had read it whole."""

    item: CollectedId
    device: DeviceId
    unit: str
    source: str
    path: bytes
    modified: datetime
    size: int
    sha256: Digest
    structure: Structure
    collected: Instant
    version: str

    def encode(self) -> bytes:
        """The CBOR of `cn.liuhen.collected`."""
        return cbor.encode(
            {
                "item": self.item,
                "device": self.device,
                "unit": self.unit,
                "source": self.source,
                "path": self.path,
                "modified": canonical.timestamp(self.modified),
                "size": self.size,
                "sha256": bytes.fromhex(self.sha256),
                "structure": self.structure.value,
                "collected": encode_instant(self.collected),
                "version": self.version,
            }
        )


@dataclass(frozen=True)
class Look:
    """What the boxes of a file show; `flat_hash` is there when all of them could be followed."""

    structure: Structure
    flat_hash: bytes | None


@dataclass(frozen=True)
class Collected:
    """A sidecar whose manifest was verified; `chain` is yet to be trusted, the material yet to be compared."""

    statement: CollectedStatement
    chain: tuple[bytes, ...]


def look_at(material: Source) -> Look:
    """Follow the boxes of `material`; reads all of it when it is an MP4."""
    if material.read_at(4, 4) != b"ftyp":
        return Look(Structure.NOT_LOOKED, None)
    flat, kinds = FlatHash(), set()
    try:
        for box in bmff.walk(material):
            kinds.add(box.kind)
            if not is_excluded(box):
                flat.add(box.offset)
                for chunk in box.chunks():
                    flat.update(chunk)
    except BrokenBox as broken:
        return Look(Structure.TORN if broken.beyond else Structure.NOT_LOOKED, None)
    return Look(Structure.WHOLE if b"moov" in kinds else Structure.TORN, flat.digest())


def is_cut_short(material: Source) -> bool:
    """Whether `material` begins as an MP4 and ends before a box that it announces; reads the heads of boxes only."""
    if material.read_at(4, 4) != b"ftyp":
        return False
    try:
        for _ in bmff.walk(material):
            pass
    except BrokenBox as broken:
        return broken.beyond
    return False


def sign_collected(statement: CollectedStatement, look: Look, signer: CertifiedSigner) -> bytes:
    """The manifest store for the sidecar; signs once."""
    ingredient, stated = _ingredient(statement), Assertion(COLLECTED_LABEL, statement.encode())
    assertions = (_opened(ingredient), ingredient, stated)
    label, instance = manifest.manifest_names(b"collected", stated.content)
    title = f"{statement.item} collected"
    draft = manifest.Draft(label, instance, title, statement.version, assertions)
    return manifest.build_store(draft, _binding(statement, look), signer, STORE_BYTES)


def open_collected(store: bytes) -> Collected:
    """The sidecar in `store`; raises `SenderFault` unless it is whole, ours and signed by its leaf certificate."""
    stored = read_store(store)
    if COLLECTED_LABEL not in stored.assertions:
        raise SenderFault("凭证中没有采集说明，已拒绝。")
    return Collected(parse_statement(stored.assertions[COLLECTED_LABEL]), stored.chain)


def parse_statement(data: bytes) -> CollectedStatement:
    """The statement in the CBOR of `cn.liuhen.collected`; raises `SenderFault` when malformed."""
    fields = cbor.decode_map(data)
    try:
        size, path = _sized(fields["size"]), bytes(memoryview(fields["path"]))
        return CollectedStatement(
            parse_collected_id(fields["item"]),
            device_id(fields["device"]),
            str(fields["unit"]),
            str(fields["source"]),
            path,
            canonical.parse_timestamp(fields["modified"]),
            size,
            digest(fields["sha256"].hex()),
            Structure(fields["structure"]),
            parse_instant(fields["collected"]),
            str(fields["version"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SenderFault("采集说明无法读取，已拒绝。") from error


def readable(path: bytes) -> str:
    """A name from outside for people: on one line, nothing in it can steer a terminal or turn the reading direction."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def name_pattern(path: bytes) -> str:
    """The shape of a file's name without what it says: `DSJ-0042_张三.MP4` is `AAA-9999_字字.AA9`. A name may hold a
    person's, and this is for the centre."""
    name = path.rpartition(b"/")[2].decode("utf-8", "replace")
    return "".join(map(_shape, name))[:MAX_PATTERN]


def extension(path: bytes) -> str:
    """A harmless ending for our copy of the file: the known one of its name, else `bin`."""
    ending = path.rpartition(b".")[2].decode("ascii", "replace").lower()
    return ending if ending in FORMATS else "bin"


def _shape(letter: str) -> str:
    if not letter.isascii():
        return "字" if letter.isalpha() else "?"
    if letter.isalnum():
        return "9" if letter.isdigit() else "A" if letter.isupper() else "a"
    return letter if letter in "-_. ()" else "?"


def _sized(size: Any) -> int:
    if type(size) is not int or not 0 <= size <= MAX_SIZE:
        raise ValueError("not a size")
    return size


def _opened(ingredient: Assertion) -> Assertion:
    """C2PA 2.4 section 18.17: `c2pa.opened` of a parent. There is no source type: nobody here knows how it was made."""
    reference = manifest.reference_to(ingredient)
    return Assertion(
        manifest.ACTIONS_LABEL,
        cbor.encode({"actions": [{"action": "c2pa.opened", "parameters": {"ingredients": [reference]}}]}),
    )


def _ingredient(statement: CollectedStatement) -> Assertion:
    kind = FORMATS.get(extension(statement.path), OCTETS)
    content: Mapping[str, Any] = {"dc:title": _title(statement.path), "dc:format": kind, "relationship": "parentOf"}
    return Assertion(INGREDIENT_LABEL, cbor.encode(content))


def _title(path: bytes) -> str:
    """For the eye of foreign software; `readable` may make four characters of a byte, the exact path is our own."""
    return readable(path)[:MAX_TITLE]


def _binding(statement: CollectedStatement, look: Look) -> Assertion:
    if look.flat_hash is not None:
        hashed = {"exclusions": EXCLUSIONS, "alg": "sha256", "hash": look.flat_hash, "name": "collected material"}
        return Assertion(manifest.HASH_LABEL, cbor.encode(hashed))
    whole = bytes.fromhex(statement.sha256)
    content = {"alg": "sha256", "hash": whole, "name": "collected material", "pad": b""}
    return Assertion(DATA_HASH_LABEL, cbor.encode(content))


def sha256_of(material: Source) -> Digest:
    """SHA-256 of every byte."""
    whole = hashlib.sha256()
    for chunk in material.chunks(0, material.size):
        whole.update(chunk)
    return Digest(whole.hexdigest())
