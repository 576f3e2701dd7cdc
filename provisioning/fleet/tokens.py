"""One-time enrolment tokens: a card's bundle carries one, the authority takes it once, from one device on one hardware.

The authority keeps what the token comes to for that device and hardware (`card_bundle.bound_token`), never the token: a
copied card is worth nothing in another device. A token that was taken stays tied to the request it was taken with: the
device that lost the answer gets it again, anybody else nothing.
"""

import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from agent.errors import SenderFault
from agent.wire.canonical import parse_timestamp, timestamp
from agent.wire.card_bundle import TOKEN_BYTES, bound_token, token_name
from agent.wire.enrolment import REFUSED, EnrolmentRequest, Refusal, request_digest
from provisioning.fleet.inventory import Inventory

TOKEN_TTL = timedelta(days=7)  # reference: provisioning, section 5
REPLACED = "这张卡之后又写过一张，它已作废。请用最后写的那张，或用 write-card 重新写卡。"


def new_token() -> str:
    """A token (hex), worth nothing until it is granted."""
    return secrets.token_hex(TOKEN_BYTES)


def grant(inventory: Inventory, device: str, token: str, now: datetime, until: datetime) -> None:
    """From now on `token` counts for `device` and the hardware it is listed with; those before it are void."""
    with inventory.records.transaction():
        bound = bound_token(token, device, inventory.device(device).hardware)
        void(inventory, device, "replaced", now)
        row = {"name": token_name(bound), "device": device, "bound": bound, "made_at": timestamp(now)}
        inventory.records.insert("token", row | {"until": timestamp(until)})
        inventory.note("token-granted", device, {"name": token_name(bound), "until": timestamp(until)}, now)


def void(inventory: Inventory, device: str, why: str, now: datetime) -> None:
    """End every token of `device` that could still be used."""
    sql = "UPDATE token SET ended_at = ?, ended_why = ? WHERE device = ? AND ended_at IS NULL"
    inventory.records.rows(sql, timestamp(now), why, device)


def redeem(inventory: Inventory, request: EnrolmentRequest, data: bytes, now: datetime) -> bool:
    """Take the token that proves `request` (bytes: `data`); False when it was taken by this very request before: an
    answer got lost. Raises `SenderFault` with a code of `Refusal`."""
    return _take(inventory, request.device, lambda bound: _proves(request, bound), data, now)


def redeem_password(inventory: Inventory, device: str, password: str, data: bytes, now: datetime) -> bool:
    """The same for a client that shows the bound token itself (hex), as EST's password."""
    shown = password.encode()
    return _take(inventory, device, lambda bound: hmac.compare_digest(shown, bound.hex().encode()), data, now)


def _take(inventory: Inventory, device: str, proves: Callable[[bytes], bool], data: bytes, now: datetime) -> bool:
    rows = inventory.records.rows("SELECT * FROM token WHERE device = ? ORDER BY rowid DESC", device)
    row = next((row for row in rows if proves(row["bound"])), None)
    if row is None:
        raise refused(Refusal.TOKEN)
    if row["ended_at"] is not None:
        if row["ended_why"] == "used" and row["request"] == request_digest(data):
            return False
        raise SenderFault(REPLACED, Refusal.USED) if row["ended_why"] == "replaced" else refused(Refusal.USED)
    if now > parse_timestamp(row["until"]):
        raise refused(Refusal.EXPIRED)
    sql = "UPDATE token SET ended_at = ?, ended_why = 'used', request = ? WHERE name = ?"
    inventory.records.rows(sql, timestamp(now), request_digest(data), row["name"])
    facts = {"hardware": inventory.device(device).hardware, "name": row["name"]}
    inventory.note("token-used", device, facts, now)
    return True


def refused(code: Refusal) -> SenderFault:
    """The refusal with its own line."""
    return SenderFault(REFUSED[code], code)


def _proves(request: EnrolmentRequest, bound: bytes) -> bool:
    try:
        request.proven(bound)
    except SenderFault:
        return False
    return True
