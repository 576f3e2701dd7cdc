"""An offline installation: every wheel that a device needs, for its processor and Python, each pinned by its hash.

requirements.txt   name==version --hash=sha256:...   what `pip install --require-hashes` takes
VERSION            of our own wheel, the name of the release on a device
*.whl              and, once signed, update.dsse
"""

import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault
from agent.wire.identifiers import Digest
from agent.wire.life_documents import UPDATE_TYPE, Update
from provisioning.fleet.life import Bench

WHEEL_PATTERN = re.compile(r"(?P<name>[A-Za-z0-9_.]+)-(?P<version>[A-Za-z0-9_.!+]+)(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")
# Raspberry Pi OS Bookworm has glibc 2.36 and Python 3.11, Trixie glibc 2.41 and Python 3.13.
GLIBCS = ("manylinux_2_34", "manylinux_2_31", "manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
PLATFORMS = ("aarch64", "armv7l", "x86_64")
REQUIREMENTS, VERSION, SIGNED, OURS = "requirements.txt", "VERSION", "update.dsse", "liuhen"
DOWNLOAD_S = 3600.0


@dataclass(frozen=True)
class Wheel:
    """A wheel file's name, project and version."""

    file: str
    name: str
    version: str


def fetch(folder: Path, wheel: Path, constraints: Path, platform: str, python: str, extras: str = "") -> None:
    """Download into `folder` what `wheel` (our own) needs on `platform`; pinned by `constraints`. Needs the network, or
    pip's own configuration of an index. Raises `EnvironmentFault`."""
    if platform not in PLATFORMS:
        raise OperatorFault(f"不认识平台 {platform[:20]}，可用 {'、'.join(PLATFORMS)}。")
    durable.make_directory(folder)
    wanted = f"{wheel}[{extras}]" if extras else str(wheel)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(folder)]
    command += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python]
    command += [word for glibc in GLIBCS for word in ("--platform", f"{glibc}_{platform}")]
    command += ["--constraint", str(constraints), wanted]
    try:
        done = subprocess.run(command, capture_output=True, timeout=DOWNLOAD_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault(
            f"下载没有完成（{type(error).__name__}）。请检查网络后再运行，已下载的不会重下。"
        ) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["?"]
        raise EnvironmentFault(f"下载失败（{said[0][:200]}）。请检查网络与 --platform、--python 后再运行。")


def finish(folder: Path) -> tuple[Wheel, ...]:
    """Write `requirements.txt` with the hash of every wheel in `folder`, and `VERSION`; raises `OperatorFault` when our
    own wheel is not among them, or one is there twice."""
    wheels = tuple(read_wheel(place.name) for place in sorted(folder.glob("*.whl")))
    ours = [wheel for wheel in wheels if wheel.name == OURS]
    if len(ours) != 1:
        raise OperatorFault(f"{folder} 中应有且只有一个 {OURS} 的 wheel。请清空目录后重新运行 wheelhouse。")
    names = [wheel.name for wheel in wheels]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise OperatorFault(f"{folder} 中有两个 {twice[0]}。请清空目录后重新运行 wheelhouse。")
    lines = [f"{wheel.name}=={wheel.version} --hash=sha256:{_digest(folder / wheel.file)}" for wheel in wheels]
    durable.write_bytes(folder / REQUIREMENTS, ("\n".join(lines) + "\n").encode())
    durable.write_bytes(folder / VERSION, f"{ours[0].version}\n".encode())
    return wheels


def sign_update(at: Bench, folder: Path, serial: int, now: datetime) -> Update:
    """Seal a finished wheelhouse as release number `serial` (`update.dsse`); raises `OperatorFault` when it is not
    finished."""
    if not (folder / VERSION).is_file():
        raise OperatorFault(f"{folder} 不是离线安装目录。请先运行 liuhen-provision wheelhouse {folder}。")
    files = sorted(place for place in folder.iterdir() if place.is_file() and place.name != SIGNED)
    version = (folder / VERSION).read_text(encoding="utf-8").strip()
    release = Update(version, serial, now, {place.name: Digest(_digest(place)) for place in files})
    durable.write_bytes(folder / SIGNED, at.sealed(UPDATE_TYPE, release.encode()))
    at.inventory.note("update-signed", version, {"serial": serial, "files": len(files)}, now)
    return release


def read_wheel(file: str) -> Wheel:
    """A wheel's project and version from its name (PEP 427); raises `OperatorFault`."""
    found = WHEEL_PATTERN.fullmatch(file)
    if found is None:
        raise OperatorFault(f"{file[:80]} 不是 wheel 的文件名。请清空目录后重新运行 wheelhouse。")
    return Wheel(file, found["name"].replace("_", "-").lower(), found["version"])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
