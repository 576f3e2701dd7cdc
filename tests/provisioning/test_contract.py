"""The contract for anyone's centre says what the code does: files current, golden messages valid, schema and parser of
one mind about what is malformed."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import agent.wire
from agent.errors import SenderFault
from agent.wire import (
    canonical,
    commands,
    device_events,
    disclosures,
    receipts,
    recording_receipts,
    status,
    topics,
    tree_head,
    witness,
)
from agent.wire.identifiers import DeviceId, District
from provisioning.contract.asyncapi import asyncapi, channels, documents
from provisioning.contract.schemas import schemas
from tests.support.signers import NOW, holder

FOLDER = Path(agent.wire.__file__).with_name("contract")
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "wire.json").read_text(encoding="utf-8"))
SCHEMAS = schemas()
REGISTRY = Registry().with_resources(
    [(schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()]  # type: ignore[arg-type]
)
COMMAND = commands.Command(
    District("xinghe"),
    DeviceId("REC-0001"),
    "task-1",
    7,
    commands.CommandKind.ASSIGN_TASK,
    NOW,
    NOW,
    NOW,
    {"task": "示例"},
)
GOLDEN = {
    "event": VECTORS["payloads"]["events"][0],
    "receipt": VECTORS["payloads"]["receipt_with_tree"],
    "recording-receipt": VECTORS["payloads"]["recording_receipt"],
    "tree-head": VECTORS["payloads"]["tree_head"],
    "status": VECTORS["payloads"]["status"],
    "receiver-status": status.ReceiverStatus("receiver-1", True, 3, NOW).encode().decode(),
    "witness": VECTORS["payloads"]["witness"],
    "command": COMMAND.encode().decode(),
    "disclosure": VECTORS["payloads"]["disclosure_with_files"],
}
PARSERS: dict[str, Callable[[bytes], object]] = {
    "event": lambda data: device_events.parse_event(canonical.decode(data)),
    "receipt": receipts.parse_receipt,
    "recording-receipt": recording_receipts.parse_recording_receipt,
    "tree-head": tree_head.parse_tree_head,
    "status": status.parse_status,
    "witness": witness.parse_witness,
    "command": commands.parse_command,
    "disclosure": disclosures.parse_disclosure,
}
UNREAD = {"datacontenttype", "specversion"}  # of a CloudEvent: written for others, our readers do not ask
WRONG: tuple[Any, ...] = (None, -1, 0, True, "", "示例 1", "REC-1", [], {}, "a" * 64, "2026-11-22T10:06:14Z")


def valid(name: str, value: Any) -> bool:
    return bool(Draft202012Validator(SCHEMAS[name], registry=REGISTRY).is_valid(value))


def bent(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every document with one field missing or of another kind."""
    for name in value:
        for wrong in WRONG:
            yield {**value, name: wrong}
        yield {key: each for key, each in value.items() if key != name}


def test_files_are_those_that_the_types_make() -> None:
    written = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert written == documents(), "run: liuhen-center contract"


def test_schemas_are_schemas() -> None:
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_message_is_valid_and_has_every_field_of_its_schema(name: str) -> None:
    value = json.loads(GOLDEN[name])
    assert valid(name, value)
    assert set(value) == set(SCHEMAS[name]["properties"])


def test_golden_receipt_without_a_log_batch_and_envelope_are_valid() -> None:
    assert valid("disclosure", json.loads(VECTORS["payloads"]["disclosure"]))
    assert valid("receipt", json.loads(VECTORS["payloads"]["receipt"]))
    events = [json.loads(event) for event in VECTORS["payloads"]["events"]]
    assert valid("events", events)
    assert not valid("events", [])
    assert not valid("events", events * 26)
    envelope = json.loads(VECTORS["envelope"]["sealed"])
    assert valid("envelope", envelope)
    assert not valid("envelope", envelope | {"signatures": []})


@pytest.mark.parametrize("name", PARSERS)
def test_schema_and_parser_agree_about_what_is_malformed(name: str) -> None:
    value = json.loads(GOLDEN[name])
    refused = 0
    for document in bent({key: each for key, each in value.items() if key not in UNREAD}):
        document |= {key: value[key] for key in UNREAD & set(value)}
        accepted = valid(name, document)
        assert accepted == parsed(name, document), document
        refused += not accepted
    assert refused > len(value) * 3


def parsed(name: str, document: dict[str, Any]) -> bool:
    try:
        PARSERS[name](canonical.encode(document))
    except SenderFault:
        return False
    return True


def test_every_address_is_a_topic_that_the_wire_parses() -> None:
    filled = {
        "{district}": "xinghe",
        "{kind}": "rec",
        "{device}": "REC-0001",
        "{receiver}": "receiver-1",
        "{id}": "a-1",
    }
    filled |= {"{audience}": "all", "{disclosure}": "notice"}
    for channel in channels():
        topic = re.sub(r"\{\w+\}", lambda match: filled[match[0]], channel.address)
        if channel.name == "disclosures":
            assert topics.parse_publication_topic(topic)
        elif channel.name in ("events", "state", "receipts"):
            assert topics.parse_device_topic(topic).device == "REC-0001"
        assert set(asyncapi()["channels"][channel.name]["parameters"]) == set(re.findall(r"\{(\w+)\}", channel.address))


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi()
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        if not reference.startswith("#/"):
            assert reference in documents(), reference
            continue
        found: Any = document
        for step in reference[2:].split("/"):
            found = found[step]


def test_a_key_that_is_no_key_is_refused_by_the_envelope_s_schema() -> None:
    key = holder("golden", next(iter(agent.wire.trust.Role)), 5).credential.key_id
    assert valid("envelope", {"payload": "", "payloadType": "x", "signatures": [{"keyid": key, "sig": "AA=="}]})
    assert not valid("envelope", {"payload": "", "payloadType": "x", "signatures": [{"keyid": key[:-1], "sig": ""}]})
