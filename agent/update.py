"""A new release of the software on a device: signed by the authority, put beside the one that runs, tried, and only
then taken; the one before stays and is taken back when the new one does not start.

    /opt/liuhen/releases/{version}/   a virtual environment; `complete` and `update.dsse` when it is whole
    /opt/liuhen/current               link to the release in use; /opt/liuhen/bin is a link through it
    /opt/liuhen/trial                 names the release before, from the swap until the new one is known to work;
                                      a second line counts the boots since
    /opt/liuhen/.bundle               the files of a bundle, copied here and compared while it is installed

A kill or a power cut leaves either release in use, whole. A trial that was left open is decided by `settle`; at a boot,
by whether the agent becomes ready: `liuhen-agent.service` ends the trial then, and `settle_at_boot` goes back when it
did not in so many boots.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent import durable
from agent.accepted import authorities_of
from agent.clock import Clock
from agent.config import AgentConfig
from agent.errors import EnvironmentFault, LiuhenFault, SenderFault
from agent.stick import read_plain
from agent.wire.authority_seal import open_by_authority
from agent.wire.envelope import MAX_ENVELOPE_BYTES, parse_envelope
from agent.wire.life_documents import UPDATE_TYPE, Update, parse_update

SIGNED, COMPLETE, TRIAL, CURRENT, RELEASES = "update.dsse", "complete", "trial", "current", "releases"
REQUIREMENTS = "requirements.txt"
MAX_FILE = 256 * 2**20  # ours; PyAV is some 40 MB
BUNDLE, SERVICE = ".bundle", "liuhen-agent"
MAX_BOOTS = 2  # ours; so many boots has a release under trial to become ready
INSTALL_S, START_S = 1800.0, 120.0  # ours: a slow card; a start with recovery


class Installer(Protocol):
    """Puts a release in place and tells whether it works."""

    def install(self, bundle: Path, release: Path) -> None:
        """Install from `bundle` alone, without a network; raises `EnvironmentFault`."""

    def works(self, release: Path) -> bool:
        """Whether its programs start and read this device's configuration."""

    def restart(self) -> bool:
        """Restart the services on the current release; whether they run."""


@dataclass(frozen=True)
class Taken:
    """What came of an update: the release in use now, whether that is the new one, whether the new one `failed`."""

    version: str
    new: bool
    why: str = ""
    failed: bool = False


def update(config: AgentConfig, bundle: Path, place: Path, clock: Clock, installer: Installer) -> Taken:
    """Take the release in `bundle` into use in `place`. Raises `SenderFault` for a bundle that is forged, altered,
    older or another one under the version in use, `EnvironmentFault` when it cannot be installed: then nothing
    has changed."""
    decided = settle(place, installer)
    wanted, sealed = signed_list(config, bundle, clock)
    held = _held(place)
    if held is not None and wanted.serial < held.serial:
        raise SenderFault(f"更新包（第 {wanted.serial} 号）比现在的（第 {held.serial} 号）旧，已拒绝。", "older")
    release, current = place / RELEASES / wanted.version, _current(place)
    if held is None and current is not None and _numbers(wanted.version) < _numbers(current.name):
        raise SenderFault(f"更新包 {wanted.version} 比装机的 {current.name} 旧，已拒绝。", "older")
    if current == release:
        if held is not None and held.files != wanted.files:
            raise SenderFault(
                f"更新包与正在使用的 {wanted.version} 同名而内容不同，已拒绝。请用新的版本号制作。", "same"
            )
        stuck = decided if (place / TRIAL).exists() else None
        return stuck or Taken(wanted.version, new=False, why="已是这一版")
    if not (release / COMPLETE).exists() or read_plain(release, SIGNED, MAX_ENVELOPE_BYTES) != sealed:
        _install(_fetched(bundle, wanted, place / BUNDLE), release, sealed, installer)
        _remove(place / BUNDLE)
    if not installer.works(release):
        _remove(release)
        raise EnvironmentFault(f"新版 {wanted.version} 试运行不通过，没有改动。请联系提供者。")
    return _tried(place, release, installer)


def settle(place: Path, installer: Installer) -> Taken | None:
    """Decide a trial that an interruption left open; None when there is none."""
    if not (place / TRIAL).exists():
        return None
    return _decided(place, installer)


def settle_at_boot(place: Path, installer: Installer) -> Taken | None:
    """The same before the services start: the new release gets `MAX_BOOTS` boots to become ready."""
    if not (place / TRIAL).exists():
        return None
    release, (before, boots) = _current(place), _trial(place)
    if release is not None and release.name != before and boots < MAX_BOOTS and installer.works(release):
        durable.write_bytes(place / TRIAL, f"{before}\n{boots + 1}".encode())
        return Taken(release.name, new=True, why="试运行中，启动成功后确认")
    return _back(place, before)


def signed_list(config: AgentConfig, bundle: Path, clock: Clock) -> tuple[Update, bytes]:
    """The list of a bundle's files, and its bytes as the authority signed them; raises `SenderFault`."""
    sealed = read_plain(bundle, SIGNED, MAX_ENVELOPE_BYTES)
    if sealed is None:
        raise SenderFault(f"{bundle} 中没有 {SIGNED}，已拒绝。请使用机构签发的更新包。")
    root, issuing = authorities_of(config)
    wanted = parse_update(open_by_authority(sealed, UPDATE_TYPE, issuing, root, clock.read().wall))
    return wanted, sealed


def _fetched(bundle: Path, wanted: Update, into: Path) -> Path:
    """The files of `wanted` and no others, copied from the medium, which may change under our hands; each as listed.
    Raises `SenderFault`."""
    if into.exists():
        _remove(into)
    durable.make_directory(into)
    for name, digest in wanted.files.items():
        content = read_plain(bundle, name, MAX_FILE)
        if content is None or hashlib.sha256(content).hexdigest() != digest:
            _remove(into)
            raise SenderFault(f"更新包中的 {name} 缺失或被改动，已拒绝。请重新取得更新包。", "altered")
        durable.write_bytes(into / name, content)
    return into


class PipInstaller:
    """Virtual environments and pip, offline and by hash; systemd for the services."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def install(self, bundle: Path, release: Path) -> None:
        """As the protocol; picamera2 and libcamera stay those of the system."""
        _run([sys.executable, "-m", "venv", "--system-site-packages", str(release)])
        pip = [str(release / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--no-index", "--find-links", str(bundle), "--require-hashes", "-r", str(bundle / REQUIREMENTS)])

    def works(self, release: Path) -> bool:
        """As the protocol."""
        command = [str(release / "bin" / "liuhen-agent"), "config", "--config", str(self._config), "--json"]
        try:
            return subprocess.run(command, capture_output=True, timeout=START_S, check=False).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False

    def restart(self) -> bool:
        """As the protocol: `Type=notify` makes systemctl wait until the agent says that it is ready."""
        try:
            _run(["systemctl", "daemon-reload"])
            _run(["systemctl", "restart", SERVICE])
            _run(["systemctl", "is-active", "--quiet", SERVICE])
        except EnvironmentFault:
            return False
        return True


def _install(bundle: Path, release: Path, sealed: bytes, installer: Installer) -> None:
    if release.exists():
        _remove(release)  # what an interruption left half made
    durable.make_directory(release.parent, 0o755)
    try:
        installer.install(bundle, release)
    except LiuhenFault:
        shutil.rmtree(release, ignore_errors=True)
        raise
    durable.write_bytes(release / SIGNED, sealed)
    durable.sync_tree(release)  # pip syncs nothing, and the release before it is not gone back to once this one ran
    durable.write_bytes(release / COMPLETE, b"")


def _remove(release: Path) -> None:
    with durable.disk_errors(release):
        shutil.rmtree(release)


def _tried(place: Path, release: Path, installer: Installer) -> Taken:
    before = _current(place)
    durable.write_bytes(place / TRIAL, (before.name if before else "").encode())
    _swap(place, release)
    return _decided(place, installer)


def _decided(place: Path, installer: Installer) -> Taken:
    release, (before, _) = _current(place), _trial(place)
    if release is not None and release.name != before and installer.works(release) and installer.restart():
        durable.remove(place / TRIAL)
        return Taken(release.name, new=True)
    found = _back(place, before)
    if before:
        installer.restart()
    return found


def _trial(place: Path) -> tuple[str, int]:
    """The release before the one under trial, and how often this device was started since."""
    before, _, boots = (place / TRIAL).read_text(encoding="utf-8").partition("\n")
    return before, int(boots) if boots.isdecimal() else 0


def _back(place: Path, before: str) -> Taken:
    """Where none was in use before, the trial stays open: the same command, or a start, decides it again."""
    if before:
        _swap(place, place / RELEASES / before)
        durable.remove(place / TRIAL)
        return Taken(before, new=False, why="新版不能启动，已换回原来的版本", failed=True)
    stuck, told = (
        _current(place),
        "新版没有启动成功，此前没有可换回的版本。请看 journalctl -u liuhen-agent，或换一个更新包",
    )
    return Taken(stuck.name if stuck else "", new=False, why=told, failed=True)


def _swap(place: Path, release: Path) -> None:
    draft = place / f".{CURRENT}.new"
    with durable.disk_errors(place):
        draft.unlink(missing_ok=True)
        draft.symlink_to(Path(RELEASES) / release.name)
        draft.replace(place / CURRENT)
    durable.sync_directory(place)


def _current(place: Path) -> Path | None:
    link = place / CURRENT
    return place / RELEASES / link.readlink().name if link.is_symlink() else None


def _numbers(version: str) -> tuple[int, ...]:
    """What versions are compared by where a card installed one: only signed bundles have serial numbers."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _held(place: Path) -> Update | None:
    release = _current(place)
    sealed = read_plain(release, SIGNED, MAX_ENVELOPE_BYTES) if release is not None and release.is_dir() else None
    return None if sealed is None else parse_update(parse_envelope(sealed).payload)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, timeout=INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault(f"不能运行 {Path(command[0]).name}（{type(error).__name__}），没有改动。") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["?"]
        raise EnvironmentFault(f"安装失败（{said[0][:160]}），没有改动。请检查更新包与存储空间。")
