"""Listing a device: judged before it stands in the inventory, and corrected while no device has become it.

What a device cannot read would otherwise be found at its first boot, when its token is spent.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from agent.config import parse_config
from agent.errors import OperatorFault
from agent.wire.card_bundle import Site
from agent.wire.identifiers import District
from provisioning.authority import cert_book
from provisioning.authority.subjects import device_role
from provisioning.fleet.inventory import Device, Inventory, Planned, checked, relist
from provisioning.fleet.orders import agent_toml, kiosk_toml
from provisioning.fleet.site import device_order
from provisioning.fleet.states import CHINESE, State
from provisioning.fleet.tokens import void

TRIAL = Site("localhost", 8883, "localhost")
PLACE = District("trial")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OPEN = (State.PLANNED, State.BUNDLED)  # nobody has become this device yet


def judged(wanted: Planned, site: Site = TRIAL) -> Planned:
    """Return `wanted` when the inventory can hold it and the device will read the configuration that is made of it;
    raises `OperatorFault`."""
    checked(wanted)
    role, settings = device_role(wanted.device).value, wanted.settings or {}
    facts = (wanted.hardware, wanted.unit, wanted.model, "", settings, EPOCH, EPOCH, "", "")
    order = device_order(Device(wanted.device, role, State.PLANNED, *facts), site, None)
    parse_config(agent_toml(order, PLACE).decode(), Path())
    if order.kiosk is not None:
        kiosk_toml(order, order.kiosk, PLACE)
    return wanted


def list_device(inventory: Inventory, wanted: Planned, now: datetime, *, correct: bool = False) -> bool:
    """List a device, or add the serial number of one that was listed without; False when nothing changed. With
    `correct` what is listed otherwise is put right, and a card that was written for it is void.

    Raises `OperatorFault` for what the device could not read, and for a correction of a device that exists."""
    judged(wanted)
    with inventory.records.transaction():
        held = inventory.find(wanted.device)
        if held is not None and correct:
            return _corrected(inventory, held, wanted, now)
        bound = held is not None and bool(wanted.hardware) and not held.hardware
        if bound:
            inventory.bind(wanted.device, wanted.hardware, now)
        return inventory.plan(wanted, now) or bound


def _corrected(inventory: Inventory, held: Device, wanted: Planned, now: datetime) -> bool:
    if held.state not in OPEN or cert_book.holds_any(inventory.records, held.device):
        told = f"{held.device} 现为{CHINESE[held.state]}（{held.state}），已经入网或已结束，不能更正登记"
        raise OperatorFault(f"{told}。请先 revoke 或 decommission，再用新编号登记。")
    before = _facts(held)
    if not relist(inventory, wanted, now):
        return False
    void(inventory, held.device, "replaced", now)
    inventory.move(held.device, State.PLANNED, "更正登记", now)
    after = _facts(inventory.device(held.device))
    inventory.note("device-corrected", held.device, {"before": before, "after": after}, now)
    return True


def _facts(held: Device) -> Mapping[str, object]:
    return {"hardware": held.hardware, "unit": held.unit, "model": held.model, "settings": dict(held.settings)}
