"""The wire's README and golden bytes say what the code does."""

import json
from dataclasses import replace
from pathlib import Path

import agent.wire
from agent.wire import (
    acts,
    commands,
    device_events,
    disclosures,
    envelope,
    hints,
    notes,
    receipts,
    recording_receipts,
    status,
    topics,
    tree_head,
    trust,
    witness,
)
from agent.wire.content import attach
from agent.wire.device_events import EventType
from agent.wire.disclosures import DisclosureKind
from agent.wire.identifiers import Digest, device_id, recording_id
from agent.wire.instant import TimeState
from tests.agent.wire.test_device_events import chain
from tests.agent.wire.test_documents import BOARD, RECEIPT, RECORDING_RECEIPT, STATUS, WITNESS
from tests.support.signers import NOW, holder

README = Path(agent.wire.__file__).with_name("README.md").read_text(encoding="utf-8")
FILED = disclosures.Filing("星法备〔示例〕1 号", "星河区司法局", "2026-11-20")
FILED_BOARD = replace(BOARD, attachments=(attach("photo-1.jpg", b"photo"),), filing=FILED)
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "wire.json").read_text(encoding="utf-8"))

NOTE = notes.RecordingNote(
    recording_id(device_id("REC-0001"), 1), 1, 3, 4, "secrecy", "现场出现商业秘密，静音后继续。", "示例-000001",
    device_id("REC-0001"), NOW, Digest("a" * 64), device_events.GENESIS,
)  # fmt: skip


def test_the_specification_names_everything_that_crosses_the_wire() -> None:
    types = [trust.TRUST_TYPE, device_events.EVENTS_TYPE, receipts.RECEIPT_TYPE, disclosures.DISCLOSURE_TYPE]
    types += [status.STATUS_TYPE, status.RECEIVER_STATUS_TYPE, witness.WITNESS_TYPE, notes.NOTE_TYPE]
    types += [
        recording_receipts.RECORDING_RECEIPT_TYPE,
        acts.ACT_TYPE,
        commands.COMMAND_TYPE,
        tree_head.TREE_HEAD_TYPE,
        hints.HINT_TYPE,
    ]
    channels = [f"/{channel}`" for channel in topics.DEVICE_CHANNELS]
    enums = [member.value for kind in (EventType, DisclosureKind, TimeState, trust.Role) for member in kind]
    for word in [*types, *channels, *enums]:
        assert word in README, word
    assert f"{envelope.MAX_ENVELOPE_BYTES // 1024} KiB and {envelope.MAX_SIGNATURES} signatures" in README


def test_golden_bytes_stay_as_they_are() -> None:
    made = {
        "events": [event.encode().decode() for event in chain(2)],
        "receipt": RECEIPT.encode().decode(),
        "receipt_with_tree": replace(RECEIPT, tree=receipts.TreePoint(9, Digest("ef" * 32))).encode().decode(),
        "recording_receipt": RECORDING_RECEIPT.encode().decode(),
        "tree_head": tree_head.TreeHead("receiver-1", 9, Digest("ef" * 32), NOW).encode().decode(),
        "status": STATUS.encode().decode(),
        "witness": WITNESS.encode().decode(),
        "disclosure": BOARD.encode().decode(),
        "disclosure_with_files": replace(BOARD, attachments=(attach("photo-1.jpg", b"photo"),), filing=FILED)
        .encode()
        .decode(),
        "note": NOTE.encode([b"leaf", b"issuing"]).decode(),
    }
    assert made == VECTORS["payloads"]


def test_the_golden_envelope_still_opens() -> None:
    key = holder("golden", trust.Role.RECEIVER, VECTORS["envelope"]["secret"])
    data = VECTORS["envelope"]["sealed"].encode()
    listed = trust.trust_list(BOARD.district, 1, NOW, [key.credential])
    assert envelope.open_envelope(data, receipts.RECEIPT_TYPE, listed, NOW).payload == RECEIPT.encode()
