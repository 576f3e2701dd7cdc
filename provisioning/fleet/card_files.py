"""What stands on a card's boot partition, for each way in which Raspberry Pi OS customises its first start (pure).

    systemd         firstrun.sh, named in cmdline.txt: Bookworm, and the first Trixie images
    cloudinit       user-data, meta-data, network-config
    cloudinit-rpi   the same with Raspberry Pi's own section: Trixie today

Written in the wrong one, nothing is applied and nothing says so: the card itself is asked which one it is for. All
three do nothing but name the device, join its network and run `liuhen/install.sh`. `rpi-preseed` is a prototype and is
not written.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from agent.errors import OperatorFault

FOLDER = "liuhen"
BOOT = "/boot/firmware"  # where Bookworm and Trixie mount the boot partition
CARD, ROOT, ISSUING, INSTALL = (
    f"{FOLDER}/card.dsse",
    f"{FOLDER}/root.pem",
    f"{FOLDER}/issuing.pem",
    f"{FOLDER}/install.sh",
)
CMDLINE, FIRSTRUN, USER, META, NETWORK = "cmdline.txt", "firstrun.sh", "user-data", "meta-data", "network-config"
MARK = "# liuhen "  # begins a line of every file of ours that switches something on
RUN = f"systemd.run={BOOT}/{FIRSTRUN} systemd.run_success_action=reboot systemd.unit=kernel-command-line.target"
COUNTRY_PATTERN = re.compile(r"[A-Z]{2}")  # ISO 3166-1, as the regulatory database names countries
MAX_SSID = 32  # IEEE 802.11, bytes
PSK_ROUNDS = 4096  # IEEE 802.11i: the pre-shared key of a passphrase


class Format(StrEnum):
    """The ways of customisation, as Raspberry Pi Imager's `init_format` names them."""

    SYSTEMD = "systemd"
    CLOUDINIT = "cloudinit"
    CLOUDINIT_RPI = "cloudinit-rpi"


SYSTEMS = {"bookworm": Format.SYSTEMD, "trixie": Format.CLOUDINIT_RPI}


@dataclass(frozen=True)
class Wifi:
    """A network to join: its name, the 64 hex characters of its pre-shared key, the country whose channels apply."""

    ssid: str
    psk: str
    country: str = "CN"


@dataclass(frozen=True)
class CardOrder:
    """A card to be written. `bundle` is the sealed card bundle; `wheels` the offline installation, by file name, empty
    where the image already holds the programs."""

    device: str
    bundle: bytes
    root: bytes
    issuing: bytes
    install: bytes
    wifi: Wifi | None = None

    @property
    def host_name(self) -> str:
        """What the computer calls itself."""
        return self.device.lower()


def joined_wifi(ssid: str, passphrase: str, country: str = "CN") -> Wifi:
    """A network by name and passphrase; only the key made of it travels. Raises `OperatorFault`."""
    if not 1 <= len(ssid.encode()) <= MAX_SSID or not ssid.isprintable():
        raise OperatorFault("无线网络名称须为 1 至 32 字节的可见文字。请改正 --wifi-file。")
    if not 8 <= len(passphrase) <= 63 or not passphrase.isascii() or not passphrase.isprintable():
        raise OperatorFault("无线网络密码须为 8 至 63 个可见的 ASCII 字符。请改正 --wifi-file。")
    if not COUNTRY_PATTERN.fullmatch(country):
        raise OperatorFault("无线网络所在国家须为两个大写字母，如 CN。请改正 --wifi-file。")
    psk = hashlib.pbkdf2_hmac("sha1", passphrase.encode(), ssid.encode(), PSK_ROUNDS, 32)
    return Wifi(ssid, psk.hex(), country)


def chosen_format(system: str, names: Iterable[str]) -> Format:
    """The format that a card with these names on its boot partition applies. `system` is `auto`, a key of `SYSTEMS` or
    a format; raises `OperatorFault` when the card is for another one, or no boot partition at all."""
    there = set(names)
    if CMDLINE not in there and USER not in there:
        raise OperatorFault(
            "卡上没有 cmdline.txt，也没有 user-data，不像 Raspberry Pi OS 的启动分区。请先把系统映像写到卡上。"
        )
    cloud = USER in there or META in there
    if system == "auto":
        return Format.CLOUDINIT_RPI if cloud else Format.SYSTEMD
    try:
        wanted = SYSTEMS.get(system) or Format(system)
    except ValueError as error:
        raise OperatorFault(f"不认识 --os {system[:20]}，可用 auto、bookworm、trixie、{'、'.join(Format)}。") from error
    if (wanted is not Format.SYSTEMD) != cloud:
        found = "cloud-init（Trixie）" if cloud else "firstrun.sh（Bookworm）"
        raise OperatorFault(f"卡上的系统用 {found}，与 --os {system} 不符，写了也不会生效。请去掉 --os 或换卡。")
    return wanted


def payload(order: CardOrder) -> dict[str, bytes]:
    """The files that do nothing by themselves."""
    return {ROOT: order.root, ISSUING: order.issuing, INSTALL: order.install, CARD: order.bundle}


def switch(order: CardOrder, form: Format, found: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that switch the first start on, written last: `found` is what the card has of them. Raises
    `OperatorFault` when somebody else's customisation stands there."""
    if form is Format.SYSTEMD:
        return _systemd(order, found)
    _refuse_foreign_cloud(found)
    files = {META: _meta(order), NETWORK: _network(order.wifi) if order.wifi else found.get(NETWORK, b"")}
    return {**{name: content for name, content in files.items() if content}, USER: _user(order, form)}


def _systemd(order: CardOrder, found: Mapping[str, bytes]) -> dict[str, bytes]:
    line = found.get(CMDLINE, b"").decode("ascii", "replace").strip()
    ours = MARK.encode() in found.get(FIRSTRUN, b"")
    if not ours and ("systemd.run=" in line or FIRSTRUN in found):
        raise OperatorFault("卡上已有别的首次启动设置（firstrun.sh），未作改动。请用未经定制的系统映像重写此卡。")
    words = [word for word in line.split() if word not in RUN.split()]
    return {FIRSTRUN: _firstrun(order), CMDLINE: " ".join([*words, RUN]).encode() + b"\n"}


def _firstrun(order: CardOrder) -> bytes:
    lines = [
        "#!/bin/sh",
        f"{MARK}{order.device}",
        "set +e",
        f"echo {order.host_name} > /etc/hostname",
        f"sed -i 's/^127\\.0\\.1\\.1.*/127.0.1.1\\t{order.host_name}/' /etc/hosts",
        *([] if order.wifi is None else _network_manager(order.wifi)),
        f"LIUHEN_START=no sh {BOOT}/{INSTALL} || exit 1",
        f"sed -i 's| systemd\\.run[^ ]*||g; s| systemd\\.unit=kernel-command-line\\.target||' {BOOT}/{CMDLINE}",
        f"rm -f {BOOT}/{FIRSTRUN}",
        "exit 0",
    ]
    return ("\n".join(lines) + "\n").encode()


def _network_manager(wifi: Wifi) -> list[str]:
    place = "/etc/NetworkManager/system-connections/liuhen.nmconnection"
    ssid = ";".join(str(byte) for byte in wifi.ssid.encode()) + ";"  # a keyfile takes bytes, and then nothing is quoted
    return [
        f"[ -x /usr/bin/raspi-config ] && raspi-config nonint do_wifi_country {wifi.country}",
        f"install -m 0600 /dev/null {place}",
        f"cat > {place} <<'END'",
        "[connection]\nid=liuhen\ntype=wifi\n[wifi]\nmode=infrastructure",
        f"ssid={ssid}",
        f"[wifi-security]\nkey-mgmt=wpa-psk\npsk={wifi.psk}\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=auto",
        "END",
    ]


def _user(order: CardOrder, form: Format) -> bytes:
    lines = ["#cloud-config", f"{MARK}{order.device}", f"hostname: {order.host_name}", "manage_etc_hosts: true"]
    if form is Format.CLOUDINIT_RPI:
        lines += ["rpi:", "  interfaces:", "    serial:", "      console: false", "      hardware: true"]
    lines += ["runcmd:", f"- [ sh, {BOOT}/{INSTALL} ]"]
    return ("\n".join(lines) + "\n").encode()


def _meta(order: CardOrder) -> bytes:
    # Another card is another instance: cloud-init does its work once for each.
    card = hashlib.sha256(order.bundle).hexdigest()[:12]
    return f"instance-id: liuhen-{order.host_name}-{card}\nlocal-hostname: {order.host_name}\n".encode()


def _network(wifi: Wifi) -> bytes:
    name = json.dumps(wifi.ssid, ensure_ascii=False)  # a JSON string is a YAML one
    lines = ["network:", "  version: 2", "  wifis:", "    wlan0:", "      dhcp4: true"]
    lines += [f'      regulatory-domain: "{wifi.country}"', "      access-points:", f"        {name}:"]
    lines += [f'          password: "{wifi.psk}"', "      optional: true"]
    return ("\n".join(lines) + "\n").encode()


def _refuse_foreign_cloud(found: Mapping[str, bytes]) -> None:
    for name in (USER, NETWORK):
        text = found.get(name, b"").decode("utf-8", "replace")
        said = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if said and MARK not in found.get(USER, b"").decode("utf-8", "replace"):
            raise OperatorFault(f"卡上的 {name} 已有别的设置，未作改动。请用未经定制的系统映像重写此卡。")
