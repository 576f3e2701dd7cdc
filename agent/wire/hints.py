"""An urgent copy of one event, ahead of those that wait. It moves nothing: the event itself follows in the chain."""

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.device_events import DeviceEvent, parse_event

HINT_TYPE = "application/vnd.liuhen.hint+json"


def encode_hint(body: bytes) -> bytes:
    """Canonical payload from an event's body as stored."""
    return b'{"event":' + body + b',"hint":true}'


def parse_hint(payload: bytes) -> DeviceEvent:
    """The event in an opened envelope's payload; raises `SenderFault` when malformed."""
    fields = Fields("急报", canonical.decode(payload))
    if not fields.boolean("hint"):
        raise SenderFault("急报没有标明是急报，已拒绝。")
    return parse_event(fields.object("event"))
