"""What a kiosk's screen leaves in `outgoing/` for the agent to send: one small canonical JSON file per fact.

    {"id": "…", "kind": "window-state", "data": {…}}

The agent stores each as an event of its chain, under the fact's own id, and removes the file when that is durable.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.device_events import EventType

FACT_ID = re.compile(r"[0-9a-z-]{8,80}")
MAX_FACT_BYTES = 8 * 1024  # ours: half an event; a complaint of 500 characters has some 2.5 KiB
OUTGOING, FACT_SUFFIX = "outgoing", ".json"


class FactKind(StrEnum):
    """What a hall can tell of."""

    COMPLAINT = "complaint"
    """sealed (base64, for the centre's key alone), filed (a timestamp)"""
    WINDOW_STATE = "window-state"
    """window, state, certificate (of who said so), cover (certificate of who stands in, empty), since"""
    DISPLAY_HEAD = "display-head"
    """seq, head (SHA-256), at, state: how far the log of what was shown has come"""


EVENTS = {
    FactKind.COMPLAINT: EventType.COMPLAINT_FILED,
    FactKind.WINDOW_STATE: EventType.WINDOW_STATE_CHANGED,
    FactKind.DISPLAY_HEAD: EventType.DISPLAY_HEAD_ADVANCED,
}
FIELDS = {
    FactKind.COMPLAINT: ("filed", "sealed"),
    FactKind.WINDOW_STATE: ("certificate", "cover", "since", "state", "window"),
    FactKind.DISPLAY_HEAD: ("at", "head", "seq", "state"),
}


@dataclass(frozen=True)
class HallFact:
    """`data` has exactly the fields of its kind; nothing in it is personal in the clear."""

    fact: str
    kind: FactKind
    data: Mapping[str, Any]

    def encode(self) -> bytes:
        """The content of the file."""
        return canonical.encode({"data": dict(self.data), "id": self.fact, "kind": self.kind.value})


def parse_fact(content: bytes) -> HallFact:
    """The fact in a file; raises `SenderFault`."""
    if len(content) > MAX_FACT_BYTES:
        raise SenderFault("待上报文件过大，未处理。")
    fields = Fields("待上报文件", canonical.decode(content))
    fact, kind, data = fields.text("id"), fields.text("kind"), fields.object("data")
    if not FACT_ID.fullmatch(fact) or kind not in FactKind.__members__.values():
        raise SenderFault("待上报文件的编号或种类不合规定，未处理。")
    if tuple(sorted(data)) != FIELDS[FactKind(kind)]:
        raise SenderFault(f"待上报文件（{kind}）的各项不合规定，未处理。")
    return HallFact(fact, FactKind(kind), data)
