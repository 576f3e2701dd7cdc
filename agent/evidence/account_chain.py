"""The chain of a device's events in an account: walked back from the newest receipt to the first event, or to an older
receipt at which the account begins (`liuhen-center export --since`).

Such a receipt is an anchor: the centre signed that the device's chain up to it hashes to its head, and the first event
in the account must join there. What lay before rests on the centre's word and is not in the account.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from agent.errors import SenderFault
from agent.evidence.report import Verdict
from agent.wire.device_events import GENESIS, DamagedRun, DeviceEvent, declared_damage, declared_loss
from agent.wire.identifiers import Digest
from agent.wire.receipts import Receipt

Point = tuple[int, Digest]
"""An event's number and hash."""


class UnsoundAccount(SenderFault):
    """An account whose receipts do not hold: `verdict` says what whoever relied on it must be told, `untrusted` for a
    receipt that no trusted centre signed, `altered` for one that its events do not join."""

    def __init__(self, text: str, verdict: Verdict) -> None:
        super().__init__(text)
        self.verdict = verdict


class Link(NamedTuple):
    """An event of the chain; `event` is None where it tells nothing of recordings or of a loss."""

    number: int
    prev: Digest
    event: DeviceEvent | None


@dataclass(frozen=True)
class Chain:
    """The events up to the newest receipt in order, each with its hash; `anchor` is the receipt before the first of
    them, None where that is the device's first event."""

    links: tuple[tuple[Digest, Link], ...]
    anchor: Receipt | None


def chain_of(links: Mapping[Digest, Link], receipts: Iterable[Receipt], others: Iterable[Receipt]) -> Chain:
    """The chain that the newest of a device's `receipts` names; `others` are those of other devices in the same
    account. Raises `SenderFault` where events are missing, `UnsoundAccount` where a receipt stands in their place that
    does not belong there."""
    ordered = sorted(receipts, key=lambda it: it.upto)
    last, anchors = ordered[-1], {(it.upto, it.head): it for it in ordered[:-1] if 0 < it.upto < ordered[-1].upto}
    found: list[tuple[Digest, Link]] = []
    anchor, kept, damaged = None, 0, _damaged(links)
    number, head = last.upto, last.head
    while number > 0:
        if (number, head) in anchors:  # the oldest one that joins counts, unless event 1 is here as well
            anchor, kept = anchors[number, head], len(found)
        link, run = links.get(head), damaged.get((number, head))
        if link is not None and link.number == number:
            found.append((head, link))
            number, head = _before(links, anchors, link)
        elif link is None and run is not None:
            number, head = run.first - 1, run.prev
        else:
            break
    if (number, head) == (0, GENESIS):
        anchor, kept = None, len(found)
    elif anchor is None or number <= 0:
        raise _broken(last, number, ordered, others)
    chain = Chain(tuple(found[:kept][::-1]), anchor)
    _agreed(chain, ordered)
    return chain


def _before(links: Mapping[Digest, Link], anchors: Iterable[Point], link: Link) -> Point:
    """The event before `link`. Before one with which the device lost its memory: the last that the centre had."""
    if link.event is None or declared_loss(link.event) is None:
        return link.number - 1, link.prev
    known = [(other.number, digest) for digest, other in links.items() if other.number < link.number]
    return max([*known, *(point for point in anchors if point[0] < link.number)], default=(0, GENESIS))


def _damaged(links: Mapping[Digest, Link]) -> Mapping[Point, DamagedRun]:
    """The runs that the device declared damaged, by the number and hash of their last event."""
    declared = (declared_damage(link.event) for link in links.values() if link.event is not None)
    return {(run.last, run.digest): run for run in declared if run is not None}


def _agreed(chain: Chain, receipts: Iterable[Receipt]) -> None:
    numbers = {link.number: digest for digest, link in chain.links}
    first = 0 if chain.anchor is None else chain.anchor.upto
    for receipt in receipts:
        head = chain.anchor.head if chain.anchor and receipt.upto == first else numbers.get(receipt.upto, GENESIS)
        if receipt.upto >= first and head != receipt.head:
            text = f"{receipt.device} 的回执互相矛盾（第 {receipt.upto} 号事件），请向中心核对。"
            raise UnsoundAccount(text, Verdict.ALTERED)


def _broken(last: Receipt, number: int, receipts: Iterable[Receipt], others: Iterable[Receipt]) -> SenderFault:
    device, again = last.device, "请向中心重新导出。"
    if number <= 0:
        return SenderFault(f"{device} 的事件链没有从头开始，导出不完整；{again}")
    if number < last.upto and any(it.upto == number for it in receipts):
        text = f"{device} 的事件接不上作为起点的回执（第 {number} 号事件），凭据被换过；{again}"
        return UnsoundAccount(text, Verdict.ALTERED)
    foreign = next((it.device for it in others if it.upto == number), None)
    if foreign is not None:
        text = f"作为起点的回执属于 {foreign}，不是 {device} 的（第 {number} 号事件），凭据被换过；{again}"
        return UnsoundAccount(text, Verdict.ALTERED)
    return SenderFault(f"{device} 的事件链缺第 {number} 号事件，导出不完整；{again}")
