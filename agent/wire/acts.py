"""Acts of people in the office (送审、审核意见、决定、冻结……): each signed by the one who acts, each chained to the one
before, so that nobody can later add, change or leave out one in the middle.

A chain belongs to one `subject` (a task, a recording) in one `ledger`. What an act means and whether it is allowed then
is decided in `agent.duty`; here is only whose act it is and where it stands.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.device_events import GENESIS
from agent.wire.envelope import open_archived, seal
from agent.wire.identifiers import Digest, District, digest, district, label
from agent.wire.signing import Signer
from agent.wire.trust import Role, TrustList

ACT_TYPE = "application/vnd.liuhen.act+json"
MAX_ACTS = 999  # ours; three digits of the file's name, and no review has a tenth of it


@dataclass(frozen=True)
class Act:
    """Act `number` (from 1) about `subject`; `by` is the staff number of the signer, `at` as the centre's clock had
    it, `previous` the SHA-256 of the envelope before (GENESIS for number 1), `body` JSON without personal data."""

    district: District
    ledger: str
    subject: str
    number: int
    kind: str
    by: str
    at: datetime
    previous: Digest
    body: Mapping[str, Any]

    def encode(self) -> bytes:
        """Canonical payload."""
        return canonical.encode(
            {
                "at": canonical.timestamp(self.at),
                "body": dict(self.body),
                "by": self.by,
                "district": self.district,
                "kind": self.kind,
                "ledger": self.ledger,
                "number": self.number,
                "previous": self.previous,
                "subject": self.subject,
            }
        )


@dataclass(frozen=True)
class SignedAct:
    """An act whose signature was verified, the role of the key that signed it, and what the next act names."""

    act: Act
    role: Role
    digest: Digest


def act_name(number: int) -> str:
    """The file of an act in its folder: `001.dsse`."""
    return f"{number:03d}.dsse"


def act_digest(envelope: bytes) -> Digest:
    """What the act after it carries as `previous`."""
    return Digest(hashlib.sha256(envelope).hexdigest())


def seal_act(act: Act, signer: Signer) -> bytes:
    """The envelope to be kept."""
    return seal(ACT_TYPE, act.encode(), [signer])


def open_act(envelope: bytes, trust: TrustList, before: SignedAct | None) -> SignedAct:
    """The act that follows `before` (None: the first): one signature, of the person it names, whose certificate was
    good then, later than the one before and naming it. Raises `SenderFault`."""
    opened = open_archived(envelope, ACT_TYPE, trust)
    act = parse_act(opened.payload)
    if len(opened.signers) != 1 or opened.signers[0].subject != act.by:
        raise SenderFault(f"第 {act.number} 项记录不是由 {act.by} 一人签名，已拒绝。", "signature")
    signer = opened.signers[0].valid_at(act.at)
    if (act.number, act.previous) != _place_after(before):
        raise SenderFault(f"第 {act.number} 项记录与前一项衔接不上：有增删或改动，已拒绝。", "chain")
    if before is not None and (act.ledger, act.subject) != (before.act.ledger, before.act.subject):
        raise SenderFault(f"第 {act.number} 项记录属于另一件事，已拒绝。", "chain")
    if act.district != trust.district or (before is not None and act.at < before.act.at):
        raise SenderFault(f"第 {act.number} 项记录的区域不对，或早于前一项，已拒绝。", "chain")
    return SignedAct(act, signer.role, act_digest(envelope))


def open_acts(envelopes: Iterable[bytes], trust: TrustList) -> tuple[SignedAct, ...]:
    """A whole chain, from its first act; raises `SenderFault` at the first that does not fit."""
    acts: list[SignedAct] = []
    for envelope in envelopes:
        acts.append(open_act(envelope, trust, acts[-1] if acts else None))
    return tuple(acts)


def _place_after(before: SignedAct | None) -> tuple[int, Digest]:
    return (1, GENESIS) if before is None else (before.act.number + 1, before.digest)


def next_act(
    before: SignedAct | None,
    place: District,
    ledger: str,
    subject: str,
    kind: str,
    by: str,
    at: datetime,
    body: Mapping[str, Any],
) -> Act:
    """The act that may follow `before`."""
    number, previous = _place_after(before)
    return Act(place, ledger, subject, number, kind, by, at, previous, body)


def parse_act(payload: bytes) -> Act:
    """The inverse of `Act.encode`; raises `SenderFault`."""
    fields = Fields("办理记录", canonical.decode(payload))
    return Act(
        district(fields.text("district")),
        label(fields.text("ledger")),
        fields.text("subject"),
        fields.integer("number", 1),
        label(fields.text("kind")),
        fields.text("by"),
        fields.moment("at"),
        digest(fields.text("previous")),
        fields.object("body"),
    )
