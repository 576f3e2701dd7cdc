"""Proofs out of a receiver's log as documents for anybody: that an event is in it, and that it only ever grew (pure).

Plain JSON, hex and the event's own bytes, so that a short script in any language can check them: tests/vectors/
check_inclusion.py and check_growth.py do it in 40 lines each. The tree head is a sealed envelope of the receiver.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.errors import SenderFault
from agent.evidence.merkle import leaf_hash, verify_consistency, verify_inclusion
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.device_events import DeviceEvent, parse_event
from agent.wire.envelope import open_archived
from agent.wire.identifiers import digest
from agent.wire.receipts import TreePoint
from agent.wire.tree_head import TREE_HEAD_TYPE, TreeHead, parse_tree_head
from agent.wire.trust import Role, TrustList

INCLUSION, CONSISTENCY = "liuhen.log.inclusion.v1", "liuhen.log.consistency.v1"
AGAIN = "请用 liuhen-center prove 或 prove-growth 重新生成。"
MAX_PROOF_BYTES = 1024 * 1024  # ours; an event of 16 KiB with a path of 40 hashes needs 25


@dataclass(frozen=True)
class ProvenEvent:
    """`event` stands at `position` (from 0) of the log with the head `head`, which its receiver signed."""

    event: DeviceEvent
    position: int
    head: TreeHead


def inclusion_document(body: bytes, position: int, path: Sequence[bytes], head: bytes) -> bytes:
    """The proof that the event `body` is leaf `position` of the tree of the sealed `head`."""
    facts = {"event": body.decode(), "position": position, "path": [step.hex() for step in path]}
    return _document(INCLUSION, facts, head)


def consistency_document(old: TreePoint, path: Sequence[bytes], head: bytes) -> bytes:
    """The proof that the tree of the sealed `head` begins with `old`."""
    facts = {"old_size": old.size, "old_root": old.root, "path": [step.hex() for step in path]}
    return _document(CONSISTENCY, facts, head)


def kind_of(data: bytes) -> str:
    """What a proof claims to be, `INCLUSION` or `CONSISTENCY`; raises `SenderFault` for anything else."""
    kind = _parsed(data).text("kind")
    if kind not in (INCLUSION, CONSISTENCY):
        raise SenderFault(f"不认识这种证明（{kind[:60]}），已拒绝。{AGAIN}")
    return kind


def open_inclusion(data: bytes, trust: TrustList) -> ProvenEvent:
    """What an inclusion proof proves; raises `SenderFault` unless a receiver signed its head and the path fits."""
    fields = _fields(data, INCLUSION)
    head, body = _head(fields, trust), fields.text("event").encode()
    position = fields.integer("position")
    _same_root(verify_inclusion(leaf_hash(body), position, head.size, _path(fields)), head)
    return ProvenEvent(parse_event(canonical.decode(body)), position, head)


def open_consistency(data: bytes, trust: TrustList) -> tuple[TreePoint, TreeHead]:
    """The older and the newer state of one log; raises `SenderFault` unless the newer grew out of the older."""
    fields = _fields(data, CONSISTENCY)
    head, old = _head(fields, trust), TreePoint(fields.integer("old_size", 1), digest(fields.text("old_root")))
    _same_root(verify_consistency(old.size, bytes.fromhex(old.root), head.size, _path(fields)), head)
    return old, head


def _document(kind: str, facts: dict[str, Any], head: bytes) -> bytes:
    whole = {"kind": kind, **facts, "head": json.loads(head)}
    return json.dumps(whole, ensure_ascii=False, indent=1).encode() + b"\n"


def _parsed(data: bytes) -> Fields:
    try:
        return Fields("日志证明", json.loads(data[:MAX_PROOF_BYTES].decode()))
    except (ValueError, RecursionError) as error:
        raise SenderFault(f"文件不是日志证明，已拒绝。{AGAIN}") from error


def _fields(data: bytes, kind: str) -> Fields:
    fields = _parsed(data)
    if fields.text("kind") != kind:
        raise SenderFault(f"证明的种类是 {fields.text('kind')[:60]}，此处只接受 {kind}。{AGAIN}")
    return fields


def _head(fields: Fields, trust: TrustList) -> TreeHead:
    opened = open_archived(json.dumps(fields.object("head")).encode(), TREE_HEAD_TYPE, trust)
    signer, head = opened.signer(Role.RECEIVER), parse_tree_head(opened.payload)
    signer.valid_at(head.at)
    if signer.subject != head.log:
        raise SenderFault(f"日志头属于 {head.log}，却由 {signer.subject} 签名，已拒绝。")
    return head


def _path(fields: Fields) -> list[bytes]:
    return [bytes.fromhex(digest(step)) for step in fields.array("path")]


def _same_root(found: bytes, head: TreeHead) -> None:
    if found.hex() != head.root:
        raise SenderFault("证明不成立：算出的根与签名的日志头不符。请保存此文件，并由中心重新出具后比对。")
