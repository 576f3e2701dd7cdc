"""What the centre's tables hold, as rows of plain values (pure); `store.py` puts them there."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from agent.wire.canonical import timestamp
from agent.wire.identifiers import DeviceId
from agent.wire.status import DeviceStatus
from provisioning.center.intake import EMPTY_CHAIN, Alarm, Decision, Link, Loss

Row = dict[str, Any]


def head_row(device: DeviceId, now: datetime) -> Row:
    """The row of a device that is heard of for the first time."""
    return {
        "device": device,
        "upto": 0,
        "hash": EMPTY_CHAIN.digest,
        "gaps": 0,
        "received_at": timestamp(now),
        "receipts": 0,
        "receipted": 0,
    }


def moved_head(device: DeviceId, decision: Decision, now: datetime) -> Row:
    """Where a device's chain ends after a decision."""
    head = decision.head
    at = timestamp(now)
    return {"of": device, "end": head.upto, "digest": head.digest, "at": at, "opened": int(decision.gap_opened)}


def link_rows(device: DeviceId, links: Iterable[Link], now: datetime) -> list[Row]:
    """One row for each event as it was sent."""
    return [
        {
            "device": device,
            "devseq": link.event.devseq,
            "prev": link.event.prev,
            "hash": link.digest,
            "event_id": _text(link.event.event_id, 200),
            "type": link.event.type.value,
            "body": link.body,
            "received_at": timestamp(now),
        }
        for link in links
    ]


def loss_rows(device: DeviceId, losses: Iterable[Loss], now: datetime) -> list[Row]:
    """One row for each declared gap."""
    return [
        {
            "device": device,
            "declared_by": loss.declared_by,
            "first": loss.first,
            "last": loss.last,
            "kept": len(loss.kept),
            "hash": loss.digest,
            "declared_at": timestamp(now),
        }
        for loss in losses
    ]


def alarm_key(device: str, alarm: Alarm) -> Row:
    """What makes an alarm the same once more."""
    return {"device": device, "kind": alarm.kind.value, "devseq": alarm.devseq, "hash": alarm.digest}


def alarm_detail(alarm: Alarm) -> str:
    """What is told of an alarm."""
    return _text(alarm.detail, 400)


def alarm_row(device: str, alarm: Alarm, now: datetime) -> Row:
    """An alarm that is new."""
    told = {"times": 1, "detail": alarm_detail(alarm), "first_at": timestamp(now), "last_at": timestamp(now)}
    return alarm_key(device, alarm) | told


def status_values(status: DeviceStatus, now: datetime) -> Row:
    """What is kept of a device's state."""
    return {
        "online": status.online,
        "session": status.session,
        "waiting": status.waiting,
        "version": _text(status.version, 40),
        "seen_at": timestamp(now),
    }


def _text(text: str, most: int) -> str:
    """What every engine takes: PostgreSQL has no NUL, which JSON can spell."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:most]
