"""The bench's audit: one row for each act, chained by hash (pure). Each row's body is the exact bytes that were hashed.

    hash(n) = SHA-256(hash(n-1) || body(n)),  hash(0) = 64 zeros

A chain shows an edited, deleted, inserted or reordered row by itself. That its end was cut shows against the head,
which is signed by the bench's audit key and kept with the rows; against somebody who holds that key too, only a head
that was carried away before helps (`audit head`, `audit verify --head`).
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.errors import OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.identifiers import Digest, digest
from agent.wire.instant import BEIJING

START = Digest("0" * 64)
HEAD_TYPE = "application/vnd.liuhen.audit-head+json"
FOUNDING = "authority-made"  # the act of an authority's first row
CLOCK_CHECKED = "clock-checked"  # somebody looked at the bench's clock and says that it is right
SLACK = timedelta(minutes=10)  # ours: two commands at once, a clock that was set a little
SILENCE = timedelta(days=90)  # ours: a bench that did nothing for longer has its clock looked at before it revokes
_SET_RIGHT = "请校准本机时钟；确认时钟无误（包括以前曾偏快）后，运行 liuhen-provision audit clock，再重来。"
MAX_NAMED = 5  # ours: how many findings one line tells


@dataclass(frozen=True)
class Act:
    """What somebody did: `by` whom, to which `subject`, with facts that hold no secret."""

    at: datetime
    by: str
    act: str
    subject: str
    facts: dict[str, Any]

    def body(self, number: int) -> str:
        """The canonical text of row `number`."""
        return canonical.encode(
            {
                "act": self.act,
                "at": canonical.timestamp(self.at),
                "by": self.by,
                "facts": self.facts,
                "number": number,
                "subject": self.subject,
            }
        ).decode()


@dataclass(frozen=True)
class Row:
    """A row as it is stored."""

    number: int
    hash: str
    body: str

    def act(self) -> Act:
        """What the row tells; raises `SenderFault` when it is not one of ours."""
        fields = Fields("审计记录", canonical.decode(self.body.encode()))
        return Act(
            fields.moment("at"), fields.text("by"), fields.text("act"), fields.text("subject"), fields.object("facts")
        )


@dataclass(frozen=True)
class Head:
    """What the chain comes to after `number` rows."""

    number: int = 0
    hash: Digest = START

    def encode(self) -> bytes:
        """Canonical payload, to be sealed by the audit key."""
        return canonical.encode({"hash": self.hash, "number": self.number})


def refuse_earlier(last: Act, at: datetime) -> None:
    """Raise `OperatorFault` when `at`, the bench's clock, is before what it last wrote: what is dated so stands for
    good."""
    if at < last.at - SLACK:
        raise OperatorFault(f"本机时钟 {_told(at)} 早于审计记录的最后一条（{_told(last.at)}），未作改动。{_SET_RIGHT}")


def refuse_after_silence(last: Act, at: datetime) -> None:
    """Raise `OperatorFault` when the bench's clock is so far after what it last wrote that it may be wrong."""
    if at > last.at + SILENCE:
        days = (at - last.at).days
        raise OperatorFault(f"本机时钟 {_told(at)} 距审计记录的最后一条已 {days} 天，可能偏快，未作改动。{_SET_RIGHT}")


def _told(moment: datetime) -> str:
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M}"


def parse_head(payload: bytes) -> Head:
    """The head in an opened envelope; raises `SenderFault`."""
    fields = Fields("审计链头", canonical.decode(payload))
    return Head(fields.integer("number"), digest(fields.text("hash")))


def next_row(head: Head, act: Act) -> Row:
    """The row that follows on `head`."""
    number = head.number + 1
    body = act.body(number)
    return Row(number, _hash(head.hash, body), body)


def verify_audit(rows: Iterable[Row], *heads: Head) -> Head:
    """The head of `rows`, which must be those numbered 1, 2, 3 ... that all of `heads` stand for.

    Raises `SenderFault` (code `audit`) naming the rows that were edited, deleted, inserted, reordered or cut off.
    """
    kept = tuple(rows)
    found = [*_broken(kept), *_against(kept, heads)]
    if found:
        more = f"，另有 {len(found) - MAX_NAMED} 处" if len(found) > MAX_NAMED else ""
        text = "；".join(dict.fromkeys(found[:MAX_NAMED]))
        raise SenderFault(f"审计记录不完整：{text}{more}。请停止使用该机构目录，封存后从备份比对。", "audit")
    return head_of(kept[-1]) if kept else Head()


def head_of(row: Row) -> Head:
    """The head after `row`."""
    return Head(row.number, digest(row.hash))


def _broken(rows: tuple[Row, ...]) -> Iterator[str]:
    before = Row(0, START, "")
    for row in rows:
        if row.number > before.number + 1:
            yield f"{_span(before.number + 1, row.number - 1)}已被删除"
        told = _told_number(row)
        if told != row.number:
            yield f"第 {row.number} 条被改动" if told is None else f"第 {row.number} 条与第 {told} 条被调换"
        elif row.number == before.number + 1 and row.hash != _hash(before.hash, row.body):
            yield (
                f"第 {row.number} 条被改动"
                if before.number == 0 or _own(before, rows)
                else f"第 {row.number} 条之前断开"
            )
        before = row


def _own(before: Row, rows: tuple[Row, ...]) -> bool:
    """Whether the row before follows on the one before that: then the break is in the later row."""
    earlier = next((row for row in rows if row.number == before.number - 1), Row(0, START, ""))
    return before.hash == _hash(earlier.hash, before.body)


def _against(rows: tuple[Row, ...], heads: Iterable[Head]) -> Iterator[str]:
    by_number = {row.number: row for row in rows}
    last = rows[-1].number if rows else 0
    for head in heads:
        if head.number > last:
            yield f"{_span(last + 1, head.number)}已被截去"
        elif head.number and head.number in by_number and by_number[head.number].hash != head.hash:
            yield f"第 {head.number} 条起与已签署的链头不符，记录曾被整体重写"


def _told_number(row: Row) -> int | None:
    try:
        return Fields("审计记录", canonical.decode(row.body.encode(errors="replace"))).integer("number")
    except SenderFault:
        return None


def _span(first: int, last: int) -> str:
    return f"第 {first} 条" if first == last else f"第 {first} 至 {last} 条"


def _hash(before: str, body: str) -> str:
    return hashlib.sha256(before.encode() + body.encode(errors="replace")).hexdigest()
