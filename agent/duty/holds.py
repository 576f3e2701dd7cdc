"""How long a recording stays, and what keeps it longer (保存期限与冻结): signed, chained acts about one recording.

The class comes from the recording list, as the recording's task was told it; an act that files or deletes says which
that is (`listed`). Whoever files it otherwise can only make it stay longer: a shorter time than the list's or the last
one takes effect when a second person has approved it (a wrong tag once had evidence deleted: domain.md section 3). A
hold (冻结) keeps it whatever its class, until it is lifted. A deletion is an act itself, signed before the files go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from agent.duty.retention import Retention, longest, parse_retention, shortens
from agent.errors import SenderFault
from agent.wire.acts import SignedAct
from agent.wire.canonical import Fields
from agent.wire.identifiers import RecordingId
from agent.wire.trust import Role

LEDGER = "retention"
SHORTEST = timedelta(days=183)  # reference REC-22: six months at least


class Deed(StrEnum):
    """What is done about a recording's time; the value is the act's kind."""

    CLASSIFY = "classify"
    APPROVE = "approve-shorter"
    HOLD = "hold"
    LIFT = "lift"
    DELETE = "delete"


ROLES: Mapping[Deed, frozenset[Role]] = {
    Deed.CLASSIFY: frozenset({Role.HANDLER, Role.RECEIVER}),
    Deed.APPROVE: frozenset({Role.LEADER}),
    Deed.HOLD: frozenset({Role.COMMANDER}),
    Deed.LIFT: frozenset({Role.COMMANDER}),
    Deed.DELETE: frozenset({Role.RECEIVER}),
}
"""Who signs what. The centre's receiver deletes a recording when its time is over."""
ROLE_WORDS = {Role.HANDLER: "承办人", Role.LEADER: "负责人", Role.COMMANDER: "签发人", Role.RECEIVER: "中心"}
DEED_WORDS: Mapping[Deed, str] = {
    Deed.CLASSIFY: "归类",
    Deed.APPROVE: "批准缩短",
    Deed.HOLD: "冻结",
    Deed.LIFT: "解除冻结",
    Deed.DELETE: "删除",
}


@dataclass(frozen=True)
class Proposal:
    """A shorter term that waits for its approval, and who proposed it."""

    term: Retention
    by: str


@dataclass(frozen=True)
class Keeping:
    """How `recording` is kept after `acts`: `listed` is the class that the list gave it, None where none is known,
    `term` what somebody filed, `approved` whether two did; `holds` by name with their reasons; `deleted` when."""

    recording: RecordingId
    listed: Retention | None = None
    term: Retention | None = None
    approved: bool = False
    proposal: Proposal | None = None
    holds: Mapping[str, str] = field(default_factory=dict)
    deleted: datetime | None = None
    acts: tuple[SignedAct, ...] = ()

    @property
    def last(self) -> SignedAct | None:
        """The act that the next one follows."""
        return self.acts[-1] if self.acts else None

    @property
    def in_force(self) -> Retention | None:
        """The class that counts: what two people agreed on, else the longer of what was filed and what is listed."""
        return self.term if self.approved else longest(it for it in (self.listed, self.term) if it is not None)

    def due(self, ended: datetime) -> datetime | None:
        """When a recording that ended then may go, None for never: for ever, with a case file, or of no class."""
        due = None if self.in_force is None else self.in_force.ends(ended)
        return None if due is None else max(due, ended + SHORTEST)


def keep(recording: RecordingId, acts: Iterable[SignedAct]) -> Keeping:
    """The state that these acts make; raises `SenderFault` at the first that was not allowed."""
    keeping = Keeping(recording)
    for act in acts:
        keeping = step(keeping, act)
    return keeping


def step(keeping: Keeping, signed: SignedAct) -> Keeping:
    """`keeping` after one more act; raises `SenderFault`, one Chinese line with the next step."""
    act, deed = signed.act, _deed(signed)
    if act.ledger != LEDGER or act.subject != keeping.recording:
        raise SenderFault(f"这项记录属于 {act.subject}，不属于 {keeping.recording}，已拒绝。", "subject")
    if signed.role not in ROLES[deed]:
        may = "或".join(ROLE_WORDS[role] for role in sorted(ROLES[deed]))
        raise SenderFault(f"{DEED_WORDS[deed]}须由{may}签名，已拒绝。请由其办理。", "role")
    if keeping.deleted is not None:
        raise SenderFault(f"{keeping.recording} 已按期限删除，不能再办理。", "deleted")
    fields = Fields("保存记录", act.body)
    if fields.has("listed") and fields.text("listed"):
        keeping = with_listed(keeping, parse_retention(fields.text("listed")))
    match deed:
        case Deed.CLASSIFY:
            after = _classified(keeping, _term(fields), act.by)
        case Deed.APPROVE:
            after = _approved(keeping, _term(fields), act.by)
        case Deed.HOLD | Deed.LIFT:
            after = _held(keeping, deed, fields)
        case Deed.DELETE:
            after = _deleted(keeping, fields.moment("ended"), act.at)
    return replace(after, acts=(*keeping.acts, signed))


def with_listed(keeping: Keeping, listed: Retention | None) -> Keeping:
    """`keeping` where the list is known to say `listed`; of two words of it the longer counts."""
    return replace(keeping, listed=longest(it for it in (keeping.listed, listed) if it is not None))


def _classified(keeping: Keeping, term: Retention, by: str) -> Keeping:
    if keeping.in_force is not None and shortens(keeping.in_force, term):
        return replace(keeping, proposal=Proposal(term, by))
    return replace(keeping, term=term, approved=False, proposal=None)


def _approved(keeping: Keeping, term: Retention, by: str) -> Keeping:
    proposal = keeping.proposal
    if proposal is None or proposal.term != term:
        raise SenderFault("没有等待批准的这项缩短，已拒绝。请先由承办人提出。", "no-proposal")
    if proposal.by == by:
        raise SenderFault(f"{by} 不能批准自己提出的缩短，请由另一人批准。", "person")
    return replace(keeping, term=term, approved=True, proposal=None)


def _held(keeping: Keeping, deed: Deed, fields: Fields) -> Keeping:
    name, reason = fields.text("hold"), fields.text("reason").strip()
    if not reason:
        raise SenderFault("请写明冻结或解除冻结的理由。", "text")
    if deed is Deed.HOLD and name in keeping.holds:  # one lift would lift both
        raise SenderFault(
            f"已有名为 {name[:40]} 的冻结（{keeping.holds[name][:40]}），请另取名称，如加案号。", "hold-name"
        )
    if deed is Deed.HOLD:
        return replace(keeping, holds={**keeping.holds, name: reason})
    if name not in keeping.holds:
        raise SenderFault(f"没有名为 {name[:40]} 的冻结，请核对名称。", "no-hold")
    return replace(keeping, holds={key: words for key, words in keeping.holds.items() if key != name})


def _deleted(keeping: Keeping, ended: datetime, at: datetime) -> Keeping:
    if keeping.holds:
        raise SenderFault(
            f"{keeping.recording} 已被冻结（{'、'.join(keeping.holds)}），不能删除。请由冻结人先解除。", "held"
        )
    due = keeping.due(ended)
    if due is None or at <= due:
        until = "永久保存、随案卷保存或尚未归类" if due is None else f"须保存到 {due:%Y-%m-%d}"
        raise SenderFault(f"{keeping.recording} {until}，不能删除。请先归类，或到期后再办。", "too-early")
    return replace(keeping, deleted=at)


def _term(fields: Fields) -> Retention:
    return parse_retention(fields.text("term"))


def _deed(signed: SignedAct) -> Deed:
    try:
        return Deed(signed.act.kind)
    except ValueError as error:
        raise SenderFault(f"办理事项“{signed.act.kind[:40]}”未知，已拒绝。", "kind") from error
