"""Taking somebody out at a running broker, and being sure of it.

    register -> list signed -> list read again -> files replaced -> broker reloads -> canaries -> the live session

A broker lets the revoked go on with a session that lives, and lets them in again when its list cannot be read; so the
files are put in place only after they were judged, and what counts afterwards is what the broker does: the revoked
canary must be refused, the good one let in, and the subject's own session is taken over and its message refused. If
not, the files of before are put back. A broker that does not run is left the new files: it must not start with those of
before. The register and the trust list stand in any case: what the subject signs is
refused from that moment, whatever a broker does.
"""

import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent import durable
from agent.errors import EnvironmentFault, LiuhenFault, OperatorFault, SenderFault
from agent.wire.identifiers import DEVICE_PATTERN, DeviceId
from agent.wire.signing import load_pem_certificates
from agent.wire.topics import EVENTS, device_topic
from provisioning.authority import cert_book, certificates, keys
from provisioning.authority.audit_chain import Act
from provisioning.authority.authority import Authority, read_file
from provisioning.authority.certificates import Bearer, Profile
from provisioning.authority.revocation_list import verify_list
from provisioning.authority.session import ISSUING
from provisioning.center.broker_config import ACCESS_FILE, CRL_FILE, PID_FILE
from provisioning.center.canary import NOT_AUTHORIZED, REFUSED, Door, Identity, is_let_in, is_there, publish_answer

CANARY_GOOD, CANARY_REVOKED = "canary-good", "canary-revoked"
IN_FORCE = "liuhen/in-force/"  # below it the topic that only the rules now in the folder let the good canary write to
RELOAD_S = 10.0  # ours: 5 000 users and 10 000 entries took 0.2 s (reference: provisioning, section 2)
POLL_S = 0.02
COMMAND_S = 30.0
Reload = Callable[[], None]


@dataclass(frozen=True)
class BrokerSite:
    """A broker that runs from `folder` and is reached at `door`."""

    folder: Path
    door: Door
    reload: Reload
    patience_s: float = RELOAD_S

    def canary(self, name: str) -> Identity:
        """One of the two canaries that `broker-config` keeps in the folder."""
        return Identity(name, self.folder / f"{name}.pem", self.folder / f"{name}.key")


def pid_reload(folder: Path) -> Reload:
    """Tell the Mosquitto that runs from `folder` to read its files again (SIGHUP), by the number in its pid file."""

    def reload() -> None:
        try:
            number = int((folder / PID_FILE).read_text(encoding="ascii"))
            os.kill(number, signal.SIGHUP)
        except (OSError, ValueError) as error:
            raise EnvironmentFault(
                f"无法让消息服务器重读配置（{error}）。请确认它由 {folder} 启动，或用 --reload-command 指明命令。"
            ) from error

    return reload


def command_reload(text: str) -> Reload:
    """Tell it by a command of the system, such as `systemctl reload mosquitto`; no shell is involved."""

    def reload() -> None:
        try:
            subprocess.run(shlex.split(text), check=True, capture_output=True, timeout=COMMAND_S)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise EnvironmentFault(f"重读命令失败（{error}）。请检查 --reload-command 后重试。") from error

    return reload


def put_in_force(site: BrokerSite, files: Mapping[str, bytes], authority: Authority, now: datetime) -> None:
    """Replace the access rules and the revocation list (`files`, by name), have the broker reload, and look.

    Raises `SenderFault` (code `crl`) before anything is touched when the list is unfit, and (code `broker`) after the
    files of before were put back when the broker does not do what they say, or when there is no broker: then the new
    files stay.
    """
    _judge(site, files[CRL_FILE], authority, now)
    runs = is_there(site.door)
    before = {name: read_file(site.folder / name) for name in files if (site.folder / name).exists()}
    try:
        for name, content in files.items():
            durable.write_bytes(site.folder / name, content)
        if runs:
            site.reload()
            _wait(site, lambda: canaries(site) and _has_read(site, files), "金丝雀证书的准入结果不对，或没有重读")
    except LiuhenFault as fault:
        for name, content in before.items():
            durable.write_bytes(site.folder / name, content)
        _reload_again(site)
        raise SenderFault(
            f"消息服务器未按新规则行事，已恢复原来的文件：{fault}请检查后再运行一次。", "broker"
        ) from fault
    if not runs:
        where = f"{site.door.host}:{site.door.port}"
        raise SenderFault(f"消息服务器 {where} 没有运行：新规则已写好，启动即生效。请启动后再运行一次核对。", "broker")


def canaries(site: BrokerSite) -> bool:
    """Whether the good canary is let in and the revoked one is not."""
    return is_let_in(site.door, site.canary(CANARY_GOOD)) and not is_let_in(site.door, site.canary(CANARY_REVOKED))


def _has_read(site: BrokerSite, files: Mapping[str, bytes]) -> bool:
    """Whether the broker goes by these files: before it has read them, canaries only show what was before."""
    found = re.search(rf"^topic write ({IN_FORCE}\S+)$", files[ACCESS_FILE].decode(), re.MULTILINE)
    try:
        return found is not None and publish_answer(site.door, site.canary(CANARY_GOOD), found[1]) < REFUSED
    except EnvironmentFault:
        return False  # it was let in a moment ago: the broker reads just now, or has read what shuts everybody out


def silence(site: BrokerSite, authority: Authority, device: str, now: datetime) -> None:
    """End the live session of a device whose access rules deny it everything, and see that they do.

    For that the authority makes a certificate in its name that lives in memory and on no list of good ones, takes the
    session over (same common name, so the same client id), and publishes as the device would: the broker must refuse.
    Raises `SenderFault` (code `broker`) when it does not.
    """
    topic = device_topic(authority.register(entries=False).district, DeviceId(device), EVENTS)
    with _taker(authority, device, now) as identity:
        _wait(site, lambda: publish_answer(site.door, identity, topic) == NOT_AUTHORIZED, f"{device} 仍可发布")
    with authority.sit() as desk:
        desk.records.audit(Act(now, authority.by, "session-silenced", device, {}))


@contextmanager
def _taker(authority: Authority, device: str, now: datetime) -> Iterator[Identity]:
    if not DEVICE_PATTERN.fullmatch(device):
        raise OperatorFault(f"{device} 不是设备编号。")
    key = keys.new_key()
    with authority.sit() as desk:
        bearer = Bearer(device, "session-taker", desk.name)
        leaf = certificates.leaf_certificate(key.public_key(), bearer, Profile.SESSION_TAKER, desk.issuer, now)
        chain = certificates.chain_pem(leaf, desk.issuer.certificate)
        facts = {"serial": f"{leaf.serial_number:x}", "minutes": int(Profile.SESSION_TAKER.lifetime.seconds / 60)}
        desk.records.audit(Act(now, authority.by, "session-taker-issued", device, facts))
    with tempfile.TemporaryDirectory(prefix="liuhen-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:  # noqa: PTH112, S108
        place = Path(folder)
        durable.write_bytes(place / "key", keys.private_pem(key), durable.PRIVATE)
        durable.write_bytes(place / "pem", chain)
        yield Identity(device, place / "pem", place / "key")


def _judge(site: BrokerSite, crl: bytes, authority: Authority, now: datetime) -> None:
    issuing = load_pem_certificates(read_file(authority.folder / ISSUING))[0]
    good, revoked = (
        load_pem_certificates(read_file(site.canary(name).certificate))[0].serial_number
        for name in (CANARY_GOOD, CANARY_REVOKED)
    )
    with authority.sit() as desk:
        serials = cert_book.revoked_serials(desk.records, now)
    verify_list(crl, issuing, now, [revoked, *serials], [good])


def _wait(site: BrokerSite, check: Callable[[], bool], what: str) -> None:
    """Until `check` holds: a broker that reads its files just now, or shows an old certificate, is asked again."""
    until = time.monotonic() + site.patience_s
    while True:
        late = time.monotonic() > until
        try:
            if check():
                return
        except EnvironmentFault:
            if late:
                raise
        if late:
            raise SenderFault(f"{what}（等了 {site.patience_s:.0f} 秒）。", "broker")
        time.sleep(POLL_S)


def _reload_again(site: BrokerSite) -> None:
    try:
        site.reload()
    except EnvironmentFault:
        return  # the reload itself is what failed; that is being told
