"""Revocation from one end to the other: register, list, access rules, a running broker, inventory."""

from datetime import datetime
from pathlib import Path

from agent.errors import OperatorFault, SenderFault
from agent.wire.identifiers import DEVICE_PATTERN
from provisioning.authority import cert_book
from provisioning.authority.audit_chain import refuse_after_silence
from provisioning.authority.authority import Authority
from provisioning.authority.session import Sitting
from provisioning.center import shut_out as broker
from provisioning.center.broker_config import CONFIG_FILE
from provisioning.center.broker_folder import force_files, renew_identities
from provisioning.center.canary import Door
from provisioning.center.shut_out import BrokerSite
from provisioning.fleet.inventory import Inventory
from provisioning.fleet.states import LEGAL, State, taken_out
from provisioning.fleet.tokens import void


def broker_site(folder: Path, host: str, port: int, reload_command: str = "") -> BrokerSite:
    """The Mosquitto that runs from `folder` on this computer; raises `OperatorFault` when it is no such folder."""
    if not (folder / CONFIG_FILE).is_file():
        raise OperatorFault(f"{folder} 不是 Mosquitto 的目录。请先运行 liuhen-provision broker-config --out {folder}。")
    reload = broker.command_reload(reload_command) if reload_command else broker.pid_reload(folder)
    return BrokerSite(folder, Door("127.0.0.1", port, host, folder / "root.pem"), reload)


def put_in_force(site: BrokerSite, authority: Authority, now: datetime) -> None:
    """Have the broker follow the register as it is now, and see that it does; faults as `shut_out.put_in_force`. Its
    own certificates are renewed before that where they have to be."""
    renew_identities(authority, site.folder, now)
    broker.put_in_force(site, force_files(authority, site.folder, now), authority, now)


def shut_out(
    authority: Authority,
    subject: str,
    reason: str,
    site: BrokerSite | None,
    now: datetime,
    since: datetime | None = None,
) -> int:
    """Revoke `subject` everywhere as from `since` (None: `now`); with `site` its session is dead and mute when this
    returns. Returns the version of the trust list. A device that has not enrolled has no certificate: its card is void.
    Done again it changes nothing and looks again, but for another `since`. Raises `SenderFault` (exit code 3) when the
    broker does not do as it is told; the register has it then as revoked all the same. Raises `OperatorFault` when the
    bench's clock may be wrong."""
    with authority.sit() as desk, desk.records.transaction():
        if (last := desk.records.last_row()) is not None:
            refuse_after_silence(last.act(), now)
        certified = _revoked(desk, Inventory(desk.records, authority.by), subject, reason, now, since)
    if site is not None:
        try:
            put_in_force(site, authority, now)
            if certified and DEVICE_PATTERN.fullmatch(subject):
                broker.silence(site, authority, subject, now)
        except SenderFault as fault:
            raise SenderFault(f"{subject} 已在登记簿中吊销；但{fault}", fault.code) from fault
    return authority.trust().version


def _revoked(
    desk: Sitting, inventory: Inventory, subject: str, reason: str, now: datetime, since: datetime | None
) -> bool:
    """Whether `subject` ever had a certificate to be revoked."""
    held, certified = inventory.find(subject), cert_book.knows(desk.records, subject)
    if certified or held is None:
        cert_book.revoke(desk.records, subject, reason, now, inventory.by, since)
    state = State.REVOKED if held is None else taken_out(held.state, reason)
    if held is not None and state in LEGAL[held.state]:
        void(inventory, subject, "revoked", now)
        inventory.move(subject, state, reason, now)
    return certified
