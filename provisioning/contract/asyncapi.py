"""The AsyncAPI 3.0 document of a district's broker, seen from the centre: what it receives and what it sends (pure)."""

import json
from dataclasses import dataclass
from typing import Any

from agent.wire import identifiers, topics
from agent.wire.identifiers import DeviceId, DeviceKind, District
from provisioning.contract.schemas import DOCUMENTS, schemas

VERSION = "1.0.0"
QOS = 1
PLACE, DEVICE = "{district}", "{device}"
PARAMETERS = {
    "district": {"description": f"{identifiers.DISTRICT_PATTERN.pattern}"},
    "kind": {"description": "recorder or kiosk", "enum": [kind.value for kind in DeviceKind]},
    "device": {"description": f"{identifiers.DEVICE_PATTERN.pattern}; certificate CN and MQTT client id"},
    "receiver": {"description": f"{identifiers.LABEL_PATTERN.pattern}"},
    "id": {"description": f"{identifiers.LABEL_PATTERN.pattern}"},
    "audience": {"description": "all, a hall or a kiosk's label"},
    "disclosure": {"description": "a kind of disclosure"},
}


@dataclass(frozen=True)
class Channel:
    """A topic with the message on it, and `more` kinds that come there too; `sent` by the centre, or received by it."""

    name: str
    address: str
    message: str
    sent: bool
    retained: bool = False
    more: tuple[str, ...] = ()

    @property
    def messages(self) -> tuple[str, ...]:
        """Every kind."""
        return (self.message, *self.more)


def channels() -> tuple[Channel, ...]:
    """Every channel of a centre."""
    return (
        Channel("events", _device(topics.EVENTS), "events", sent=False),
        Channel("state", _device(topics.STATE), "status", sent=False, retained=True),
        Channel("receipts", _device(topics.RECEIPT), "receipt", sent=True, more=("recording-receipt",)),
        Channel("commands", _device(f"{topics.COMMAND}/{{id}}"), "command", sent=True),
        Channel(
            "receiverState",
            topics.receiver_state_topic(District(PLACE), "{receiver}"),
            "receiver-status",
            sent=True,
            retained=True,
        ),
        Channel(
            "disclosures",
            topics.publication_topic(District(PLACE), "{audience}", "{disclosure}", "{id}"),
            "disclosure",
            sent=True,
            retained=True,
        ),
    )


def documents() -> dict[str, bytes]:
    """Every file of the contract by its name."""
    files = {f"{name}.schema.json": _written(schema) for name, schema in schemas().items()}
    return {"asyncapi.json": _written(asyncapi()), **files}


def asyncapi() -> dict[str, Any]:
    """The document; its schemas are the files beside it."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Liuhen: device and centre",
            "version": VERSION,
            "description": "Every message is a DSSE envelope; the payload named here is what it holds, base64, signed. "
            "A PUBACK is not a receipt. agent/wire/README.md is the specification, "
            "`liuhen-center conformance` its test.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/vnd.dsse.envelope.v1+json",
        "servers": {
            "district": {
                "host": "{host}:8883",
                "protocol": "secure-mqtt",
                "protocolVersion": "5",
                "description": "MQTT 3.1.1 is a stated fallback",
                "variables": {"host": {"description": "the district's broker"}},
                "security": [{"type": "X509", "description": "mutual TLS; the CN is the client id"}],
            }
        },
        "channels": {channel.name: _channel(channel) for channel in channels()},
        "operations": {
            f"{'send' if channel.sent else 'receive'}{channel.name[0].upper()}{channel.name[1:]}": _operation(channel)
            for channel in channels()
        },
        "components": {"messages": {name: _message(name) for channel in channels() for name in channel.messages}},
    }


def _device(channel: str) -> str:
    """A device's topic with the wire's own levels, and names in place of a device's."""
    made = topics.device_topic(District(PLACE), DeviceId("REC-0000"), channel)
    return made.replace("/rec/REC-0000/", f"/{{kind}}/{DEVICE}/")


def _channel(channel: Channel) -> dict[str, Any]:
    names = [level[1:-1] for level in channel.address.split("/") if level.startswith("{")]
    return {
        "address": channel.address,
        "parameters": {name: PARAMETERS[name] for name in names},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in channel.messages},
    }


def _operation(channel: Channel) -> dict[str, Any]:
    return {
        "action": "send" if channel.sent else "receive",
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{name}"} for name in channel.messages],
        "bindings": {"mqtt": {"qos": QOS, "retain": channel.retained, "bindingVersion": "0.2.0"}},
    }


def _message(name: str) -> dict[str, Any]:
    of = "event" if name == "events" else name
    payload_type = next(document.payload_type for document in DOCUMENTS if document.name == of)
    return {
        "name": name,
        "contentType": "application/vnd.dsse.envelope.v1+json",
        "payload": {"$ref": "envelope.schema.json"},
        "x-payload-type": payload_type,
        "x-payload": {"$ref": f"{name}.schema.json"},
    }


def _written(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=False).encode() + b"\n"
