"""What the device key states about a segment: its origin when it opens, and its end when it is sealed.

Both are assertions of our own in the C2PA manifest: `cn.liuhen.recording` and `cn.liuhen.seal`, CBOR maps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from agent.errors import SenderFault
from agent.evidence import cbor
from agent.evidence.journal import (
    MAX_NUMBER,
    JournalEvent,
    Reason,
    encode_event,
    encode_instant,
    overflow_event,
    parse_event,
    parse_instant,
)
from agent.wire.identifiers import DeviceId, Digest, RecordingId, device_id, digest, parse_recording_id
from agent.wire.instant import Instant
from agent.wire.signing import RAW_SIGNATURE_BYTES

RECORDING_LABEL, SEAL_LABEL = "cn.liuhen.recording", "cn.liuhen.seal"
MAX_CONTEXT_BYTES = 2048  # ours; the whole manifest has 16 KiB
MAX_SEALED_GAPS = 16  # ours, likewise; more are counted, and stand in the journal
CONTEXT_SYNTHETIC, CONTEXT_VERSION, CONTEXT_SOUND = "synthetic", "version", "sound"
CONTEXT_SOURCE, FILE_SOURCE = "source", "file:"
CLOCK_STATEMENT = "wall-clock times are the device's own; see each moment's time state and error bound"

ContextValue = str | int | bool
_Kind = TypeVar("_Kind")


def source_file(context: Mapping[str, ContextValue]) -> str:
    """The name of the file that a signed `source` tells of; empty when it tells of none."""
    source = str(context.get(CONTEXT_SOURCE, ""))
    return source.removeprefix(FILE_SOURCE) if source.startswith(FILE_SOURCE) else ""


@dataclass(frozen=True)
class SegmentOrigin:
    """Where a segment comes from. `segment` counts from 1; `first_sequence` is the number its first fragment bears in
    the recording; `prior_head` is the head at the end of the segment before (GENESIS for segment 1);
    `previous_recording` is the head of the recording before on this device (GENESIS for the first). Of `context`,
    `synthetic` (bool: no camera saw this), `sound` (bool: there is a sound track) and `version` (of the software) are
    read here, the rest is only signed."""

    recording: RecordingId
    segment: int
    device: DeviceId
    unit: str
    opened: Instant
    previous_recording: Digest
    first_sequence: int
    prior_head: Digest
    context: Mapping[str, ContextValue]

    @property
    def synthetic(self) -> bool:
        """Whether the pictures were computed, not captured."""
        return self.context.get(CONTEXT_SYNTHETIC) is True

    @property
    def source_file(self) -> str:
        """The name of the file that the pictures were read from; empty when it was none."""
        return source_file(self.context)

    @property
    def has_sound(self) -> bool:
        """Whether there is a sound track; a recording that does not say is of a time when all had one."""
        return self.context.get(CONTEXT_SOUND) is not False

    @property
    def version(self) -> str:
        """The version of the recording software."""
        return str(self.context.get(CONTEXT_VERSION, "0"))


@dataclass(frozen=True)
class Opening:
    """An origin with the SHA-256 of the segment's `ftyp` and `moov` boxes."""

    origin: SegmentOrigin
    ftyp: Digest
    moov: Digest

    def encode(self) -> bytes:
        """The CBOR of `cn.liuhen.recording`; raises `ValueError` when the context is too large."""
        origin = self.origin
        context = dict(origin.context)
        if len(cbor.encode(context)) > MAX_CONTEXT_BYTES:
            raise ValueError("the context of a segment is too large")
        return cbor.encode(
            {
                "recording": origin.recording,
                "segment": origin.segment,
                "device": origin.device,
                "unit": origin.unit,
                "opened": encode_instant(origin.opened),
                "previous_recording": bytes.fromhex(origin.previous_recording),
                "first_sequence": origin.first_sequence,
                "prior_head": bytes.fromhex(origin.prior_head),
                "context": context,
                "ftyp": bytes.fromhex(self.ftyp),
                "moov": bytes.fromhex(self.moov),
            }
        )


@dataclass(frozen=True)
class Closing:
    """Why and when a segment ends. `gaps` are events that no fragment could carry any more."""

    at: Instant
    reason: Reason
    recovered: bool = False
    discarded_bytes: int = 0
    gaps: tuple[JournalEvent, ...] = ()

    @property
    def listed(self) -> tuple[JournalEvent, ...]:
        """`gaps` as they find room in a seal."""
        if len(self.gaps) <= MAX_SEALED_GAPS:
            return self.gaps
        kept, rest = self.gaps[: MAX_SEALED_GAPS - 1], self.gaps[MAX_SEALED_GAPS - 1 :]
        return (*kept, overflow_event(rest[0], len(rest)))


@dataclass(frozen=True)
class Seal:
    """The content of `cn.liuhen.seal`. `size` is the length of the sealed file; `live_manifest` the label of the
    manifest that stood there while recording; `damage` the stretches (offset, length) kept although they do not
    verify; `first_captured` and `last_captured` are None for a segment without fragments. `gap_count`, as
    read, is how many events no fragment carried: more than `closing.gaps` where they did not all find room.
    `opening_signature` is the device's 64 bytes under that live manifest: with them it can be built again, for an
    excerpt (`agent.evidence.clip`); empty in files of older software."""

    closing: Closing
    live_manifest: str
    fragments: int
    head: Digest
    size: int
    first_captured: Instant | None
    last_captured: Instant | None
    damage: tuple[tuple[int, int], ...] = ()
    gap_count: int = 0
    opening_signature: bytes = b""

    def encode(self) -> bytes:
        """The CBOR of `cn.liuhen.seal`."""
        closing = self.closing
        return cbor.encode(
            {
                "at": encode_instant(closing.at),
                "reason": closing.reason.value,
                "recovered": closing.recovered,
                "discarded_bytes": closing.discarded_bytes,
                "gaps": [encode_event(event) for event in closing.listed],
                "gap_count": len(closing.gaps),
                "live_manifest": self.live_manifest,
                "fragments": self.fragments,
                "head": bytes.fromhex(self.head),
                "size": self.size,
                "first_captured": _optional(self.first_captured),
                "last_captured": _optional(self.last_captured),
                "damage": [list(stretch) for stretch in self.damage[:MAX_SEALED_GAPS]],
                "damage_count": len(self.damage),
                "clock": CLOCK_STATEMENT,
                "opening_signature": self.opening_signature,
            }
        )


def parse_opening(data: bytes) -> Opening:
    """The opening in the CBOR of `cn.liuhen.recording`; raises `SenderFault` when malformed."""
    fields = cbor.decode_map(data)
    try:
        origin = SegmentOrigin(
            parse_recording_id(fields["recording"]),
            _count(fields["segment"], 1),
            device_id(fields["device"]),
            str(fields["unit"]),
            parse_instant(fields["opened"]),
            digest(fields["previous_recording"].hex()),
            _count(fields["first_sequence"], 1),
            digest(fields["prior_head"].hex()),
            _a(dict, fields["context"]),
        )
        return Opening(origin, digest(fields["ftyp"].hex()), digest(fields["moov"].hex()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SenderFault("凭证中的录制来源无法读取，已拒绝。") from error


def parse_seal(data: bytes) -> Seal:
    """The seal in the CBOR of `cn.liuhen.seal`; raises `SenderFault` when malformed."""
    fields = cbor.decode_map(data)
    try:
        closing = Closing(
            parse_instant(fields["at"]),
            Reason(fields["reason"]),
            fields["recovered"] is True,
            _count(fields["discarded_bytes"], 0),
            tuple(parse_event(event) for event in _a(list, fields["gaps"])),
        )
        return Seal(
            closing,
            _a(str, fields["live_manifest"]),
            _count(fields["fragments"], 0),
            digest(fields["head"].hex()),
            _count(fields["size"], 0),
            _optional_instant(fields["first_captured"]),
            _optional_instant(fields["last_captured"]),
            tuple((_count(offset, 0), _count(length, 0)) for offset, length in _a(list, fields["damage"])),
            _count(fields["gap_count"], 0),
            bytes(fields.get("opening_signature", b"")[:RAW_SIGNATURE_BYTES]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise SenderFault("凭证中的封存声明无法读取，已拒绝。") from error


def _count(value: Any, minimum: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= MAX_NUMBER:
        raise ValueError("not a count")
    return value


def _a(kind: type[_Kind], value: Any) -> _Kind:
    if not isinstance(value, kind):
        raise TypeError("not of its kind")
    return value


def _optional(moment: Instant | None) -> list[Any] | None:
    return None if moment is None else encode_instant(moment)


def _optional_instant(value: Any) -> Instant | None:
    return None if value is None else parse_instant(value)
