"""A signed photo: an ordinary C2PA JPEG with our own statement in it, and the way back.

The manifest is bound to the picture by `c2pa.hash.data` (C2PA 2.4 section 9.2.3): SHA-256 of every byte of the file but
those of the manifest's own segment. Foreign software verifies it like any C2PA photo.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.errors import SenderFault
from agent.evidence import cbor, jpeg, manifest, time_stamps
from agent.evidence.journal import MAX_NUMBER, encode_instant, parse_instant
from agent.evidence.manifest import Assertion
from agent.evidence.manifest_reading import read_store
from agent.evidence.position import Position, encode_position, parse_position
from agent.evidence.statements import CONTEXT_SYNTHETIC, CONTEXT_VERSION, MAX_CONTEXT_BYTES, ContextValue, source_file
from agent.wire.identifiers import DeviceId, Digest, RecordingId, device_id, digest, parse_recording_id
from agent.wire.instant import Instant
from agent.wire.signing import CertifiedSigner

PHOTO_LABEL = "cn.liuhen.photo"
HASH_LABEL = "c2pa.hash.data"
STORE_BYTES = 12 * 1024  # ours; certificates, statement and room for a later time-stamp
MAX_PHOTO_BYTES = 64 * 2**20  # ours


@dataclass(frozen=True)
class PhotoPlace:
    """Where in a recording a photo was taken: the fragment being filled, and the recording's head before it."""

    recording: RecordingId
    sequence: int
    head: Digest


@dataclass(frozen=True)
class PhotoStatement:
    """What the device says of a photo. `pressed` is the button, `captured` the picture; `place` is None outside a
    recording, `position` where nobody measured; of `context`, `synthetic` and `version` are read here, the rest is only
    signed."""

    device: DeviceId
    unit: str
    pressed: Instant
    captured: Instant
    signed: Instant
    place: PhotoPlace | None
    context: Mapping[str, ContextValue]
    position: Position | None = None

    @property
    def synthetic(self) -> bool:
        """Whether the picture was computed, not captured."""
        return self.context.get(CONTEXT_SYNTHETIC) is True

    def encode(self) -> bytes:
        """The CBOR of `cn.liuhen.photo`; raises `ValueError` when the context is too large."""
        context, place = dict(self.context), self.place
        if len(cbor.encode(context)) > MAX_CONTEXT_BYTES:
            raise ValueError("the context of a photo is too large")
        return cbor.encode(
            {
                "device": self.device,
                "unit": self.unit,
                "pressed": encode_instant(self.pressed),
                "captured": encode_instant(self.captured),
                "signed": encode_instant(self.signed),
                "place": None if place is None else [place.recording, place.sequence, bytes.fromhex(place.head)],
                "context": context,
                "position": encode_position(self.position),
            }
        )


@dataclass(frozen=True)
class Photo:
    """A photo whose manifest was verified and belongs to exactly these bytes; `chain` is yet to be trusted. `token` is
    a time-stamp that was put in afterwards, about `countersigned`; it is not verified here."""

    statement: PhotoStatement
    chain: tuple[bytes, ...]
    countersigned: bytes
    token: bytes | None


class AlteredPhoto(SenderFault):
    """A manifest of ours stands in the file, but the file is not what was signed."""


def sign_photo(picture: bytes, statement: PhotoStatement, signer: CertifiedSigner) -> bytes:
    """`picture` (a JPEG without a manifest) with its manifest; signs once. Raises `ValueError` for another format."""
    offset, size = jpeg.place_of(picture), jpeg.segment_size(STORE_BYTES)
    hashed = {
        "exclusions": [{"start": offset, "length": size}],
        "alg": "sha256",
        "hash": hashlib.sha256(picture).digest(),
        "name": "jumbf manifest",
        "pad": b"",
    }
    assertions = (
        manifest.actions(statement.synthetic, from_file=bool(source_file(statement.context))),
        Assertion(PHOTO_LABEL, statement.encode()),
    )
    label, instance = manifest.manifest_names(b"photo", *(entry.content for entry in assertions))
    version = str(statement.context.get(CONTEXT_VERSION, "0"))
    draft = manifest.Draft(label, instance, f"{statement.device} photo", version, assertions)
    store = manifest.build_store(draft, Assertion(HASH_LABEL, cbor.encode(hashed)), signer, STORE_BYTES)
    return picture[:offset] + jpeg.encode_segment(store) + picture[offset:]


def open_photo(data: bytes) -> Photo:
    """The photo in `data`; raises `SenderFault` when it has no manifest of ours, `AlteredPhoto` when it has one that
    does not verify or belongs to other bytes."""
    placed = jpeg.find_store(data)
    try:
        stored = read_store(placed.store)
        statement = parse_statement(stored.assertions[PHOTO_LABEL])
        hashed = cbor.decode_map(stored.assertions[HASH_LABEL])
    except (SenderFault, KeyError) as fault:
        raise AlteredPhoto("照片的签名凭证被改动或残缺，无法读取。") from fault
    rest = data[: placed.offset] + data[placed.offset + placed.size :]
    exclusions = [{"start": placed.offset, "length": placed.size}]
    if hashed.get("exclusions") != exclusions or hashed.get("alg") != "sha256":
        raise AlteredPhoto("照片签名所覆盖的范围不合规定。")
    if hashed.get("hash") != hashlib.sha256(rest).digest():
        raise AlteredPhoto("照片内容与签名时不一致，已被改动。")
    return Photo(statement, stored.chain, stored.countersigned, stored.token)


def stamped_photo(data: bytes, token: bytes) -> bytes:
    """The photo `data` with `token` in its manifest, of the same length; raises `SenderFault` when it has no manifest
    of ours, bears a token already, or has no room."""
    placed = jpeg.find_store(data)
    return _with_store(data, placed, time_stamps.stamped_store(placed.store, token))


def as_taken(data: bytes) -> bytes:
    """The file as the device wrote it: the photo `data` without a token that was put in later. What is no photo of ours
    comes back as it is: no device listed it."""
    try:
        placed = jpeg.find_store(data)
        return _with_store(data, placed, time_stamps.unstamped_store(placed.store))
    except SenderFault:
        return data


def parse_statement(data: bytes) -> PhotoStatement:
    """The statement in the CBOR of `cn.liuhen.photo`; raises `SenderFault` when malformed."""
    fields = cbor.decode_map(data)
    try:
        return PhotoStatement(
            device_id(fields["device"]),
            str(fields["unit"]),
            parse_instant(fields["pressed"]),
            parse_instant(fields["captured"]),
            parse_instant(fields["signed"]),
            _place(fields["place"]),
            dict(fields["context"]),
            parse_position(fields.get("position")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SenderFault("照片凭证中的说明无法读取，已拒绝。") from error


def manifest_as_taken(data: bytes) -> bytes | None:
    """The segment with the manifest as the device wrote it, where a token was put into that of the photo `data` later;
    None where none was, or the photo is not ours."""
    taken = as_taken(data)
    if taken == data:
        return None
    placed = jpeg.find_store(taken)
    return taken[placed.offset : placed.offset + placed.size]


def _with_store(data: bytes, placed: jpeg.Placed, store: bytes) -> bytes:
    if store == placed.store:
        return data
    return data[: placed.offset] + jpeg.encode_segment(store) + data[placed.offset + placed.size :]


def _place(value: Any) -> PhotoPlace | None:
    if value is None:
        return None
    recording, sequence, head = value
    if not isinstance(sequence, int) or not 1 <= sequence <= MAX_NUMBER:
        raise ValueError("not a sequence number")
    return PhotoPlace(parse_recording_id(recording), sequence, digest(head.hex()))
