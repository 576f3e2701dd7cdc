"""Where a district's devices report, once for all of them: kept in the inventory, written into every card.

A device's own options (camera, hall, ...) are its `settings` in the inventory; `device_order` joins the two into what
its configuration is made of.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from agent.errors import OperatorFault
from agent.settings import KIOSK_LISTEN, PROTOCOLS
from agent.wire import canonical
from agent.wire.card_bundle import URL_PATTERN, Site
from provisioning.authority.certificates import LOOPBACK_NAMES
from provisioning.fleet.inventory import Device, Inventory
from provisioning.fleet.orders import BrokerAddress, DeviceOrder, KioskOrder

KIOSK_KEYS = frozenset({"hall", "audience", "complaint_phone", "listen"})
RECORDER_KEYS = frozenset({"camera", "mcu", "partner", "archive"})


def checked_site(site: Site) -> Site:
    """Return `site` when a card can carry it; raises `OperatorFault`."""
    if site.protocol not in PROTOCOLS:
        raise OperatorFault(f"协议“{site.protocol[:20]}”不支持，请用 5 或 3.1.1。")
    if site.enrol and not URL_PATTERN.fullmatch(site.enrol):
        raise OperatorFault(f"入网地址“{site.enrol[:80]}”应形如 https://enrol.example:8491/liuhen/enrol。请改正。")
    name = site.broker_name or (LOOPBACK_NAMES[0] if site.broker_host in LOOPBACK_NAMES else site.broker_host)
    return replace(site, broker_name=name)


def set_site(inventory: Inventory, site: Site, now: datetime) -> bool:
    """Keep `site` for every card from now on; False when it is the one there is."""
    text = canonical.encode(asdict(checked_site(site))).decode()
    with inventory.records.transaction():
        if [row["settings"] for row in inventory.records.rows("SELECT settings FROM site")] == [text]:
            return False
        inventory.records.rows("INSERT OR REPLACE INTO site (one, settings) VALUES (1, ?)", text)
        inventory.note("site-set", "site", asdict(site), now)
    return True


def read_site(inventory: Inventory) -> Site:
    """The site; raises `OperatorFault` when none was set."""
    rows = inventory.records.rows("SELECT settings FROM site")
    if not rows:
        raise OperatorFault("尚未设置站点。请先运行 liuhen-provision site --broker 主机:端口 --enrol https://...。")
    return Site(**canonical.decode_object(rows[0]["settings"].encode()))


def checked_settings(role: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """A device's own options without those that are empty; raises `OperatorFault` for one its kind does not have, and
    for a kiosk without hall, audience or telephone number."""
    given = {name: str(value) for name, value in settings.items() if value}
    known = KIOSK_KEYS if role == "kiosk" else RECORDER_KEYS
    if strange := sorted(set(given) - known):
        raise OperatorFault(f"{'窗口终端' if role == 'kiosk' else '记录仪'}没有选项 {strange[0]}。请改正。")
    if role == "kiosk" and (missing := sorted(KIOSK_KEYS - {"listen"} - set(given))):
        raise OperatorFault(f"窗口终端须写明 {'、'.join(missing)}。请补上。")
    return given


def device_order(device: Device, site: Site, archive: bytes | None) -> DeviceOrder:
    """What the configuration of `device` is made of; `archive` is the district's public archive key."""
    told = {name: str(value) for name, value in device.settings.items()}
    address = BrokerAddress(site.broker_host, site.broker_port, site.protocol, site.broker_name)
    renewal = "/".join(site.enrol.split("/")[:3])  # https://host:port
    if device.role == "kiosk":
        listen = told.get("listen", KIOSK_LISTEN)
        kiosk = KioskOrder(told["hall"], told["audience"], told["complaint_phone"], listen)
        return DeviceOrder(device.device, device.unit, address, kiosk=kiosk, renewal=renewal)
    clear = told.get("archive") == "none"
    camera, mcu, partner = (told.get(name, other) for name, other in (("camera", "auto"), ("mcu", ""), ("partner", "")))
    return DeviceOrder(
        device.device, device.unit, address, camera, mcu, None, partner, archive=archive, clear=clear, renewal=renewal
    )
