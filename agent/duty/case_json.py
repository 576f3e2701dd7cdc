"""The facts of a case as canonical JSON: what is written, hashed, signed and handed on."""

import dataclasses
import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from agent.duty.case_facts import CaseFacts
from agent.wire import canonical
from agent.wire.identifiers import Digest


def case_json(facts: CaseFacts) -> dict[str, Any]:
    """Every field by its name; moments in UTC, words as they stand. What is missing is listed as `missing`."""
    found = _plain(facts)
    if not facts.early:  # a case without one has the digest that opinions from before there were any are about
        found.pop("early")
    return {**found, "missing": list(facts.missing)}


def encode_case(facts: CaseFacts) -> bytes:
    """The canonical bytes."""
    return canonical.encode(case_json(facts))


def case_digest(facts: CaseFacts) -> Digest:
    """The SHA-256 of the canonical bytes: what an opinion is about and what a decision rests on."""
    return Digest(hashlib.sha256(encode_case(facts)).hexdigest())


def _plain(value: Any) -> Any:
    match value:
        case StrEnum():
            return value.value
        case datetime():
            return canonical.timestamp(value)
        case tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value
