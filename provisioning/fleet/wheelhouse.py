"""An offline installation: every wheel that a device needs, for its processor and Python, each pinned by its hash.

requirements.txt   name==version --hash=sha256:...   what `pip install --require-hashes` takes
VERSION            of our own wheel, the name of the release on a device
*.whl              and, once signed, update.dsse
"""

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault
from agent.settings import read_text
from agent.wire.identifiers import Digest
from agent.wire.life_documents import UPDATE_TYPE, Update
from provisioning.authority.authority import read_file
from provisioning.fleet.closure import Need, Target, needs, parse_pins, pinned
from provisioning.fleet.life import Bench

WHEEL_PATTERN = re.compile(r"(?P<name>[A-Za-z0-9_.]+)-(?P<version>[A-Za-z0-9_.!+]+)(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")
METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
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


def fetch(folder: Path, wheel: Path, constraints: Path, target: Target, extras: frozenset[str]) -> None:
    """Put `wheel` (our own) into `folder` and download what it needs on `target` with `extras`, each at its version in
    the file `constraints`. Needs the network, or pip's own configuration of an index. Raises `EnvironmentFault`."""
    if target.machine not in PLATFORMS:
        raise OperatorFault(f"不认识平台 {target.machine[:20]}，可用 {'、'.join(PLATFORMS)}。")
    if read_wheel(wheel.name).name != OURS:
        raise OperatorFault(f"{wheel.name[:80]} 不是本软件的 wheel。请用 --wheel 指明 dist 目录中的那一个。")
    pins = parse_pins(read_text(constraints, "请用 --constraints 指明本版的 constraints.txt。"))
    durable.make_directory(folder)
    durable.write_bytes(folder / wheel.name, read_file(wheel))
    seen: dict[str, frozenset[str]] = {}
    step = [(Need(OURS, extras), wheel.name)]
    while step:
        absent = {pinned(need.name, pins, by) for need, by in step if need.name not in seen and need.name != OURS}
        _download(folder, sorted(absent), target)
        step = [found for need, _ in step for found in _following(folder, need, seen, target)]


def _following(folder: Path, need: Need, seen: dict[str, frozenset[str]], target: Target) -> Iterator[tuple[Need, str]]:
    """What `need`, whose wheel is there, needs itself, unless that was looked at."""
    before = seen.get(need.name)
    if before is not None and need.extras <= before:
        return
    seen[need.name] = need.extras | (before or frozenset())
    for found in needs(_metadata(folder, need.name), seen[need.name], target):
        yield found, need.name


def _download(folder: Path, wanted: Sequence[str], target: Target) -> None:
    if not wanted:
        return
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(folder)]
    command += ["--no-deps", "--only-binary", ":all:", "--implementation", "cp", "--python-version", target.python]
    command += [word for glibc in GLIBCS for word in ("--platform", f"{glibc}_{target.machine}")]
    try:
        done = subprocess.run([*command, *wanted], capture_output=True, timeout=DOWNLOAD_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault(
            f"下载没有完成（{type(error).__name__}）。请检查网络后再运行，已下载的不会重下。"
        ) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["?"]
        step = "请检查网络；说没有合适的 wheel（No matching distribution）时，请换 --os、--platform 或少要 --extras。"
        raise EnvironmentFault(f"下载失败（{said[0][:200]}）。{step}")


def _metadata(folder: Path, name: str) -> str:
    """The METADATA of the wheel of a project (PEP 427)."""
    place = next((it for it in sorted(folder.glob("*.whl")) if read_wheel(it.name).name == name), None)
    if place is None:
        raise EnvironmentFault(f"{folder} 中没有 {name} 的 wheel。请清空目录后重新运行 wheelhouse。")
    try:
        with zipfile.ZipFile(place) as opened:
            inside = next(it for it in opened.namelist() if METADATA.fullmatch(it))
            return opened.read(inside).decode()
    except (OSError, zipfile.BadZipFile, StopIteration, UnicodeDecodeError) as error:
        raise OperatorFault(f"{place.name} 不是完好的 wheel。请删除后重新运行 wheelhouse。") from error


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
