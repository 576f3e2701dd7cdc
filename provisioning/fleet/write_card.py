"""Writing a card: what does nothing first, what switches it on last, and all of it read back. A card that could not be
finished is as it was before, also one that carried a device's files already."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from agent.errors import EnvironmentFault, LiuhenFault, OperatorFault
from provisioning.fleet import card_files
from provisioning.fleet.card_files import CardOrder, Format, chosen_format
from provisioning.fleet.card_target import CardTarget

MAX_WIFI_FILE = 4096
WHEELS = f"{card_files.FOLDER}/wheels"


@dataclass(frozen=True)
class Written:
    """What is on the card now, by name, in `form`."""

    form: Format
    files: tuple[str, ...]


def write_card(
    target: CardTarget, order: CardOrder, system: str = "auto", wheelhouse: Mapping[str, bytes] | None = None
) -> Written:
    """Write `order` and read it back; the same order again gives the same bytes. Raises `OperatorFault` for a card that
    is no Raspberry Pi OS or is another's, `EnvironmentFault` for one that is full, protected or does not keep what it
    was told; then it is as it was before, or the fault says that it is not."""
    names = target.names()
    form = chosen_format(system, names)
    found = {name: target.read(name) for name in sorted(names & _SWITCHES)}
    plain = card_files.payload(order) | {f"{WHEELS}/{name}": it for name, it in (wheelhouse or {}).items()}
    switch = card_files.switch(order, form, found)
    before = found | target.files(card_files.FOLDER)
    try:
        target.write(plain)
        _same(target, plain)
        target.write(switch)
        _same(target, switch)
    except LiuhenFault as fault:
        _undo(target, before, fault)
        raise
    return Written(form, tuple(sorted({**plain, **switch})))


def install_script() -> bytes:
    """`install.sh` as cards carry it."""
    return resources.files("provisioning.fleet").joinpath("card/install.sh").read_bytes()


def read_wheelhouse(folder: Path) -> dict[str, bytes]:
    """The files of an offline installation made by `wheelhouse`; raises `OperatorFault` when it is not one."""
    if not (folder / "requirements.txt").is_file():
        raise OperatorFault(f"{folder} 不是离线安装目录。请先运行 liuhen-provision wheelhouse {folder}。")
    return {place.name: place.read_bytes() for place in sorted(folder.iterdir()) if place.is_file()}


def read_wifi(path: Path) -> card_files.Wifi:
    """A network from a file of two or three lines: name, passphrase, country; raises `OperatorFault`."""
    try:
        lines = path.read_text(encoding="utf-8")[:MAX_WIFI_FILE].splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorFault(f"无法读取 {path}。请写一个两行的文本：第一行网络名称，第二行密码。") from error
    if not 2 <= len(lines) <= 3:
        raise OperatorFault(f"{path} 应有两行（网络名称、密码），可加第三行国家代号。请改正。")
    return card_files.joined_wifi(*lines)


_SWITCHES = {card_files.CMDLINE, card_files.FIRSTRUN, card_files.USER, card_files.META, card_files.NETWORK}


def _same(target: CardTarget, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        if target.read(name) != content:
            raise EnvironmentFault(f"卡上的 {name} 读回来与写入的不同，卡可能已坏。请换一张卡重写。")


def _undo(target: CardTarget, before: Mapping[str, bytes], fault: LiuhenFault) -> None:
    try:
        target.remove(card_files.FOLDER)  # makes room first
        target.write(before)
    except LiuhenFault as again:
        raise EnvironmentFault(f"写卡失败（{fault}），也不能恢复原状。请重写系统映像，或换一张卡。") from again
