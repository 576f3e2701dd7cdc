"""What the centre tells a person about each device (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.wire.trust import TrustList
from provisioning.center.intake import EMPTY_CHAIN

SOON_DAYS = 30  # ours: a certificate is renewed in its last month


@dataclass(frozen=True)
class DeviceSummary:
    """One device at the centre. `received` events are stored; the last of the chain is number `upto` with the hash
    `head`, and without declared losses they are as many as its number. `parked` wait behind a gap, `gaps` is how often
    one opened, `losses` how many the device declared; `alarms` counts distinct ones; `receipts` reached the broker, the
    last of them up to `receipted`; `last_seen` is RFC 3339 or None; `version` its programs' or ""."""

    device: str
    received: int
    upto: int
    head: str
    parked: int
    gaps: int
    losses: int
    alarms: int
    receipts: int
    receipted: int
    online: bool
    last_seen: str | None
    version: str = ""


def device_summary(
    device: str,
    head: Mapping[str, Any] | None,
    status: Mapping[str, Any] | None,
    counts: Mapping[str, Mapping[str, int]],
) -> DeviceSummary:
    """The summary of a device from its rows in `head` and `status` (None: no row) and its row counts by table."""
    seen = [row[name] for row, name in ((head, "received_at"), (status, "seen_at")) if row is not None]
    row = head or {}
    return DeviceSummary(
        device,
        counts["event"].get(device, 0),
        row.get("upto", 0),
        row.get("hash", EMPTY_CHAIN.digest),
        counts["parked"].get(device, 0),
        row.get("gaps", 0),
        counts["loss"].get(device, 0),
        counts["alarm"].get(device, 0),
        row.get("receipts", 0),
        row.get("receipted", 0),
        bool(status is not None and status["online"]),
        max(seen, default=None),
        "" if status is None else str(status["version"] or ""),
    )


def certificate_days(trust: TrustList, now: datetime) -> dict[str, int]:
    """Days that each device's newest certificate still holds; a revoked one does not."""
    days: dict[str, int] = {}
    for credential in trust.credentials.values():
        if credential.role.value in ("recorder", "kiosk") and credential.revoked_at is None:
            left = (credential.certificate.not_valid_after_utc - now).days
            days[credential.subject] = max(left, days.get(credential.subject, left))
    return days
