"""Revocation from one end to the other: register, list, access rules, a running broker, inventory."""

from datetime import datetime
from pathlib import Path

from agent.errors import OperatorFault
from agent.wire.identifiers import DEVICE_PATTERN
from provisioning.authority.authority import Authority
from provisioning.center import shut_out as broker
from provisioning.center.broker_config import CONFIG_FILE
from provisioning.center.broker_folder import force_files
from provisioning.center.canary import Door
from provisioning.center.shut_out import BrokerSite
from provisioning.fleet.inventory import Inventory
from provisioning.fleet.states import LEGAL, State
from provisioning.fleet.tokens import void


def broker_site(folder: Path, host: str, port: int, reload_command: str = "") -> BrokerSite:
    """The Mosquitto that runs from `folder` on this computer; raises `OperatorFault` when it is no such folder."""
    if not (folder / CONFIG_FILE).is_file():
        raise OperatorFault(f"{folder} 不是 Mosquitto 的目录。请先运行 liuhen-provision broker-config --out {folder}。")
    reload = broker.command_reload(reload_command) if reload_command else broker.pid_reload(folder)
    return BrokerSite(folder, Door("127.0.0.1", port, host, folder / "root.pem"), reload)


def put_in_force(site: BrokerSite, authority: Authority, now: datetime) -> None:
    """Have the broker follow the register as it is now, and see that it does; faults as `shut_out.put_in_force`."""
    broker.put_in_force(site, force_files(authority, site.folder, now), authority, now)


def shut_out(authority: Authority, subject: str, reason: str, site: BrokerSite | None, now: datetime) -> int:
    """Revoke `subject` everywhere; with `site` its session is dead and mute when this returns. Returns the version of
    the trust list. Done again it changes nothing and looks again. Raises `SenderFault` (exit code 3) when the broker
    does not do as it is told; the register has it then as revoked all the same."""
    version = authority.revoke(subject, reason, now).version
    _mark(authority, subject, reason, now)
    if site is not None:
        put_in_force(site, authority, now)
        if DEVICE_PATTERN.fullmatch(subject):
            broker.silence(site, authority, subject, now)
    return version


def _mark(authority: Authority, subject: str, reason: str, now: datetime) -> None:
    with authority.sit() as desk:
        inventory = Inventory(desk.records, authority.by)
        held = inventory.find(subject)
        if held is not None and State.REVOKED in LEGAL[held.state]:
            with desk.records.transaction():
                void(inventory, subject, "revoked", now)
                inventory.move(subject, State.REVOKED, reason, now)
