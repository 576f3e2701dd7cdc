"""JSON Schemas (2020-12) of what crosses a device's edge, made from the wire's own types, patterns and limits (pure).

The type of a field gives its form; where a document spells a field otherwise, or knows more about it, stands beside.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

from agent.wire import (
    commands,
    content,
    device_events,
    disclosures,
    envelope,
    identifiers,
    receipts,
    recording_receipts,
    status,
    tree_head,
    witness,
)
from agent.wire.canonical import MAX_INTEGER, TIMESTAMP_PATTERN
from agent.wire.identifiers import DeviceId, Digest, District, KeyId, RecordingId

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def text(pattern: re.Pattern[str]) -> Schema:
    """A string that is all of `pattern`."""
    return {"type": "string", "pattern": f"^(?:{pattern.pattern})$"}


def number(minimum: int = 0, maximum: int = MAX_INTEGER) -> Schema:
    """An integer of canonical JSON."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


LABEL = text(identifiers.LABEL_PATTERN)
SCALARS: Mapping[Any, Schema] = {
    DeviceId: text(identifiers.DEVICE_PATTERN),
    District: text(identifiers.DISTRICT_PATTERN),
    RecordingId: text(identifiers.RECORDING_PATTERN),
    Digest: text(identifiers.DIGEST_PATTERN),
    KeyId: text(identifiers.DIGEST_PATTERN),
    datetime: text(TIMESTAMP_PATTERN),
    str: {"type": "string"},
    int: number(),
    bool: {"type": "boolean"},
}


ATTACHMENT: Schema = {
    "bytes": number(1, content.MAX_ATTACHMENT_BYTES),
    "media_type": {"enum": sorted(content.MEDIA_TYPES.values())},
    "name": text(content.NAME_PATTERN),
    "sha256": SCALARS[Digest],
}
FILLED: Schema = {"type": "string", "pattern": r"\S"}
DAY: Schema = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
FILING: Schema = {
    "type": "object",
    "properties": {"authority": FILLED, "day": DAY, "number": FILLED},
    "required": ["authority", "day", "number"],
}
ATTACHMENTS: Schema = {
    "type": "array",
    "maxItems": content.MAX_ATTACHMENTS,
    "items": {"type": "object", "properties": ATTACHMENT, "required": sorted(ATTACHMENT)},
}


@dataclass(frozen=True)
class Document:
    """A payload: its schema's name, payload type and dataclass; `names` are fields spelled otherwise (empty: left out),
    `known` replaces or adds schemas of fields as spelled, `optional` may be missing."""

    name: str
    payload_type: str
    shape: type
    names: Mapping[str, str]
    known: Mapping[str, Schema]
    optional: frozenset[str] = frozenset()


SOURCE = f"^urn:liuhen:(?:{identifiers.DISTRICT_PATTERN.pattern}):(?:{identifiers.DEVICE_PATTERN.pattern})$"
WITNESS_NAME = f"^(?:{identifiers.LABEL_PATTERN.pattern}|{identifiers.DEVICE_PATTERN.pattern})$"
EVENT = Document(
    "event",
    device_events.EVENTS_TYPE,
    device_events.DeviceEvent,
    {"district": "", "device": "", "event_id": "id", "monotonic_ms": "monoms", "time_state": "timestate"},
    {
        "devseq": number(1),
        "datacontenttype": {"const": "application/json"},
        "specversion": {"const": "1.0"},
        "source": {"type": "string", "pattern": SOURCE},
    },
)
DOCUMENTS = (
    EVENT,
    Document("receipt", receipts.RECEIPT_TYPE, receipts.Receipt, {}, {"receiver": LABEL}, frozenset({"tree"})),
    Document(
        "recording-receipt",
        recording_receipts.RECORDING_RECEIPT_TYPE,
        recording_receipts.RecordingReceipt,
        {},
        {"receiver": LABEL},
    ),
    Document("tree-head", tree_head.TREE_HEAD_TYPE, tree_head.TreeHead, {}, {"log": LABEL}),
    Document("status", status.STATUS_TYPE, status.DeviceStatus, {}, {"session": number(1)}),
    Document("receiver-status", status.RECEIVER_STATUS_TYPE, status.ReceiverStatus, {}, {"receiver": LABEL}),
    Document(
        "witness",
        witness.WITNESS_TYPE,
        witness.Witness,
        {},
        {"sequence": number(1), "witness": {"type": "string", "pattern": WITNESS_NAME}},
    ),
    Document(
        "command",
        commands.COMMAND_TYPE,
        commands.Command,
        {"command_id": "id"},
        {"id": LABEL, "counter": number(1, commands.MAX_COUNTER)},
    ),
    Document(
        "disclosure",
        disclosures.DISCLOSURE_TYPE,
        disclosures.Disclosure,
        {"disclosure_id": "id"},
        {"id": LABEL, "audience": LABEL, "version": number(1), "attachments": ATTACHMENTS, "filing": FILING},
        frozenset({"attachments", "filing"}),
    ),
)


def schemas() -> dict[str, Schema]:
    """Every schema by its name."""
    made = {document.name: _document(document) for document in DOCUMENTS}
    return {"envelope": _envelope(), "events": _events(), **made}


def _document(document: Document) -> Schema:
    hints = get_type_hints(document.shape)
    properties = {
        spelled: _form(hints[field.name])
        for field in fields(document.shape)
        if (spelled := document.names.get(field.name, field.name))
    }
    properties |= document.known
    return {
        "$schema": DIALECT,
        "$id": f"{document.name}.schema.json",
        "title": document.payload_type,
        "description": " ".join((document.shape.__doc__ or "").split()),
        **_object(properties, document.optional),
    }


def _object(properties: Mapping[str, Schema], optional: frozenset[str] = frozenset()) -> Schema:
    required = sorted(set(properties) - optional)
    return {"type": "object", "properties": dict(sorted(properties.items())), "required": required}


def _form(hint: Any) -> Schema:
    """The schema of a field's type."""
    if hint in SCALARS:
        return SCALARS[hint]
    members = [each for each in get_args(hint) if each is not type(None)]
    if type(None) in get_args(hint):
        inner = _form(members[0])
        return inner if is_dataclass(members[0]) else {"anyOf": [inner, {"type": "null"}]}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _form(members[0])}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"enum": [member.value for member in hint]}
    if isinstance(hint, type) and is_dataclass(hint):
        return _object(
            {field.name: _form(kind) for field in fields(hint) for kind in [get_type_hints(hint)[field.name]]}
        )
    return {"type": "object"}


def _envelope() -> Schema:
    base64 = {"type": "string", "contentEncoding": "base64", "pattern": "^[A-Za-z0-9+/]*={0,2}$"}
    signature = _object({"keyid": SCALARS[KeyId], "sig": base64})
    signatures = {"type": "array", "minItems": 1, "maxItems": envelope.MAX_SIGNATURES, "items": signature}
    return {
        "$schema": DIALECT,
        "$id": "envelope.schema.json",
        "title": "DSSE 1.0.2",
        "description": f"At most {envelope.MAX_ENVELOPE_BYTES} bytes. Verify first, then parse the payload.",
        **_object({"payload": base64, "payloadType": {"type": "string"}, "signatures": signatures}),
    }


def _events() -> Schema:
    return {
        "$schema": DIALECT,
        "$id": "events.schema.json",
        "title": device_events.EVENTS_TYPE,
        "description": f"At most {device_events.MAX_BATCH_BYTES} bytes of canonical JSON.",
        "type": "array",
        "minItems": 1,
        "maxItems": device_events.MAX_BATCH_EVENTS,
        "items": {"$ref": "event.schema.json"},
    }
