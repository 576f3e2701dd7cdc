"""Updates: what is forged, altered or older is refused; what does not work is taken back; a power cut leaves one or the
other release in use, whole."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.clock import system_clock
from agent.config import AgentConfig, read_config
from agent.errors import EnvironmentFault, SenderFault
from agent.update import MAX_BOOTS, Installer, PipInstaller, Taken, settle, settle_at_boot, update
from agent.wire.envelope import seal
from agent.wire.identifiers import Digest
from agent.wire.life_documents import UPDATE_TYPE, Update
from tests.agent.test_firstboot import PowerCut, PowerCutError, boot, written
from tests.support.enrolment_desk import EnrolmentDesk
from tests.support.keys import TestAuthority


class SimulatedInstaller:
    """Copies the bundle; a release whose VERSION is in `broken` or `stillborn` does not work or does not run."""

    def __init__(self, place: Path, broken: str = "", stillborn: str = "") -> None:
        self.place, self.broken, self.stillborn = place, broken, stillborn
        self.running = ""

    def install(self, bundle: Path, release: Path) -> None:
        shutil.copytree(bundle, release)

    def works(self, release: Path) -> bool:
        return release.name != self.broken and (release / "VERSION").read_text() == release.name

    def restart(self) -> bool:
        self.running = (self.place / "current").readlink().name
        return self.running != self.stillborn


class Dying(SimulatedInstaller):
    """The power goes when it restarts the agent."""

    def restart(self) -> bool:
        raise PowerCutError


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority()


@pytest.fixture(scope="module")
def config(authority: TestAuthority, tmp_path_factory: pytest.TempPathFactory) -> AgentConfig:
    folder, desk = tmp_path_factory.mktemp("device"), EnrolmentDesk(authority)
    boot(written(folder / "card", desk.card()), folder / "it", desk)
    return read_config(folder / "it" / "agent.toml")


def bundle(authority: TestAuthority, folder: Path, version: str, serial: int, *more: str) -> Path:
    folder.mkdir()
    for name in ("VERSION", *more):
        (folder / name).write_text(version)
    files = {name: Digest(hashlib.sha256(version.encode()).hexdigest()) for name in ("VERSION", *more)}
    release = Update(version, serial, datetime.now(UTC), files)
    (folder / "update.dsse").write_bytes(seal(UPDATE_TYPE, release.encode(), [authority.issuing.signer]))
    return folder


def take(config: AgentConfig, folder: Path, installer: Installer, place: Path) -> Taken:
    return update(config, folder, place, system_clock(), installer)


def cut_in_trial(config: AgentConfig, folder: Path, place: Path) -> None:
    """The power goes while the release in `folder` is under trial."""
    with pytest.raises(PowerCutError):
        take(config, folder, Dying(place), place)


@pytest.fixture
def place(config: AgentConfig, authority: TestAuthority, tmp_path: Path) -> Path:
    """Where release 1 is in use."""
    folder = tmp_path / "opt"
    folder.mkdir()
    assert take(config, bundle(authority, tmp_path / "b1", "1.0", 1), SimulatedInstaller(folder), folder).new
    return folder


def in_use(place: Path) -> str:
    return (place / "current" / "VERSION").read_text()


def test_a_new_release_is_tried_and_taken(
    config: AgentConfig, authority: TestAuthority, place: Path, tmp_path: Path
) -> None:
    installer = SimulatedInstaller(place)
    done = take(config, bundle(authority, tmp_path / "b2", "2.0", 2), installer, place)
    assert (done.version, done.new, in_use(place), installer.running) == ("2.0", True, "2.0", "2.0")
    assert not (place / "trial").exists()
    assert not take(config, tmp_path / "b2", installer, place).new


def test_a_release_that_does_not_start_is_taken_back(
    config: AgentConfig, authority: TestAuthority, place: Path, tmp_path: Path
) -> None:
    installer = SimulatedInstaller(place, stillborn="2.0")
    done = take(config, bundle(authority, tmp_path / "b2", "2.0", 2), installer, place)
    assert (done.version, done.new, in_use(place), installer.running) == ("1.0", False, "1.0", "1.0")
    broken = SimulatedInstaller(place, broken="3.0")
    with pytest.raises(EnvironmentFault, match="试运行不通过"):
        take(config, bundle(authority, tmp_path / "b3", "3.0", 3), broken, place)
    assert in_use(place) == "1.0"
    assert not (place / "releases" / "3.0").exists()


def test_threat_usb_attack_a_forged_altered_or_older_release_is_refused(
    config: AgentConfig, authority: TestAuthority, place: Path, tmp_path: Path
) -> None:
    installer = SimulatedInstaller(place)
    forged = bundle(TestAuthority(), tmp_path / "forged", "9.0", 9)
    altered = bundle(authority, tmp_path / "altered", "9.0", 9)
    (altered / "VERSION").write_text("9.1")
    linked = bundle(authority, tmp_path / "linked", "9.0", 9)
    (linked / "VERSION").unlink()
    (linked / "VERSION").symlink_to(altered / "VERSION")
    take(config, bundle(authority, tmp_path / "b5", "5.0", 5), installer, place)
    older = bundle(authority, tmp_path / "older", "4.0", 4)
    unsigned = bundle(authority, tmp_path / "unsigned", "9.0", 9)
    (unsigned / "update.dsse").unlink()
    for folder in (forged, altered, linked, older, unsigned):
        with pytest.raises(SenderFault, match="已拒绝"):
            take(config, folder, installer, place)
    assert in_use(place) == "5.0"


def test_threat_usb_attack_a_release_older_than_what_the_card_installed_is_refused(
    config: AgentConfig, authority: TestAuthority, tmp_path: Path
) -> None:
    place = tmp_path / "opt"
    carded = place / "releases" / "0.10.1"
    carded.mkdir(parents=True)
    (carded / "VERSION").write_text("0.10.1")
    (place / "current").symlink_to("releases/0.10.1")
    installer = SimulatedInstaller(place)
    with pytest.raises(SenderFault, match="旧"):
        take(config, bundle(authority, tmp_path / "older", "0.9.9", 7), installer, place)
    assert in_use(place) == "0.10.1"
    assert take(config, bundle(authority, tmp_path / "newer", "0.11.0", 1), installer, place).new


def test_a_first_release_that_does_not_start_is_not_said_to_be_taken_back(
    config: AgentConfig, authority: TestAuthority, tmp_path: Path
) -> None:
    place = tmp_path / "opt"
    place.mkdir()
    done = take(config, bundle(authority, tmp_path / "b1", "1.0", 1), SimulatedInstaller(place, stillborn="1.0"), place)
    assert (done.new, done.failed, done.version) == (False, True, "1.0")
    assert "没有可换回" in done.why
    again = take(config, tmp_path / "b1", SimulatedInstaller(place, stillborn="1.0"), place)
    assert (again.new, again.failed) == (False, True)
    assert not take(config, tmp_path / "b1", SimulatedInstaller(place), place).failed
    assert not (place / "trial").exists()


def test_power_lost_anywhere_leaves_a_whole_release_in_use(
    config: AgentConfig, authority: TestAuthority, place: Path, tmp_path: Path
) -> None:
    b2 = bundle(authority, tmp_path / "b2", "2.0", 2)
    for at in range(1, 40):
        copy = tmp_path / f"opt-{at}"
        shutil.copytree(place, copy, symlinks=True)
        installer = SimulatedInstaller(copy)
        try:
            with PowerCut(at):
                take(config, b2, installer, copy)
        except PowerCutError:
            assert in_use(copy) in ("1.0", "2.0")
            settle(copy, installer)
            assert not (copy / "trial").exists()
            take(config, b2, installer, copy)
            assert in_use(copy) == "2.0"
            continue
        break
    assert at > 5


def test_power_lost_in_a_trial_of_what_does_not_start_goes_back(
    config: AgentConfig, authority: TestAuthority, place: Path, tmp_path: Path
) -> None:
    cut_in_trial(config, bundle(authority, tmp_path / "b2", "2.0", 2), place)
    assert in_use(place) == "2.0"
    assert settle(place, SimulatedInstaller(place, stillborn="2.0")) == Taken(
        "1.0", new=False, why="新版不能启动，已换回原来的版本", failed=True
    )
    assert in_use(place) == "1.0"
    assert settle(place, SimulatedInstaller(place)) is None


def test_a_release_under_trial_that_never_became_ready_is_taken_back_after_some_boots(
    config: AgentConfig, authority: TestAuthority, place: Path, tmp_path: Path
) -> None:
    """At a boot nothing runs yet that could be asked; what becomes ready ends the trial by itself."""

    cut_in_trial(config, bundle(authority, tmp_path / "b2", "2.0", 2), place)
    started = [settle_at_boot(place, Dying(place)) for _ in range(MAX_BOOTS + 1)]
    assert [it is not None and (it.version, it.new) for it in started] == [*[("2.0", True)] * MAX_BOOTS, ("1.0", False)]
    assert (in_use(place), settle_at_boot(place, Dying(place))) == ("1.0", None)


def test_a_release_under_trial_that_cannot_even_be_asked_is_taken_back_at_the_next_boot(
    config: AgentConfig, authority: TestAuthority, place: Path, tmp_path: Path
) -> None:
    cut_in_trial(config, bundle(authority, tmp_path / "b2", "2.0", 2), place)
    found = settle_at_boot(place, Dying(place, broken="2.0"))
    assert (found is not None and found.version, in_use(place)) == ("1.0", "1.0")


def test_a_repaired_bundle_of_the_same_version_is_what_runs(
    config: AgentConfig, authority: TestAuthority, place: Path, tmp_path: Path
) -> None:
    assert not take(
        config, bundle(authority, tmp_path / "b2", "2.0", 2), SimulatedInstaller(place, "", "2.0"), place
    ).new
    repaired = bundle(authority, tmp_path / "b3", "2.0", 3, "fix.txt")
    assert take(config, repaired, SimulatedInstaller(place), place).new
    assert (place / "current" / "fix.txt").exists()
    assert (place / "current" / "update.dsse").read_bytes() == (repaired / "update.dsse").read_bytes()
    other = bundle(authority, tmp_path / "b4", "2.0", 4, "more.txt")
    with pytest.raises(SenderFault, match="同名而内容不同"):
        take(config, other, SimulatedInstaller(place), place)


def test_files_that_change_on_the_medium_after_they_were_compared_are_not_installed(
    config: AgentConfig, authority: TestAuthority, place: Path, tmp_path: Path
) -> None:
    folder = bundle(authority, tmp_path / "b2", "2.0", 2)

    class Swapped(SimulatedInstaller):
        def install(self, bundle: Path, release: Path) -> None:
            (folder / "VERSION").write_text("evil")
            (folder / "evil.whl").write_text("evil")
            super().install(bundle, release)

    assert take(config, folder, Swapped(place), place).new
    assert (in_use(place), (place / "current" / "evil.whl").exists()) == ("2.0", False)
    assert not (place / ".bundle").exists()


def tiny_wheel(folder: Path, more: Mapping[str, Path] | None = None) -> Path:
    """A wheel named as ours is whose program only says yes; `more` are files of the disk, by their name in it."""
    import zipfile

    path = folder / "liuhen-9.9-py3-none-any.whl"
    files = {
        "tiny_liuhen.py": "def main():\n    return 0\n",
        "liuhen-9.9.dist-info/METADATA": "Metadata-Version: 2.1\nName: liuhen\nVersion: 9.9\n",
        "liuhen-9.9.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "liuhen-9.9.dist-info/entry_points.txt": "[console_scripts]\nliuhen-agent = tiny_liuhen:main\n",
    }
    files |= {name: place.read_text(encoding="utf-8") for name, place in (more or {}).items()}
    if more:
        files["firmware_hooks/__init__.py"] = ""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        record = "".join(f"{name},,\n" for name in files) + "liuhen-9.9.dist-info/RECORD,,\n"
        archive.writestr("liuhen-9.9.dist-info/RECORD", record)
    return path


@pytest.mark.faults  # makes virtual environments: 17 s
def test_pip_installs_by_hash_alone_and_refuses_another_wheel(tmp_path: Path) -> None:
    from provisioning.fleet.wheelhouse import finish

    wheel = tiny_wheel(tmp_path)
    assert [it.version for it in finish(tmp_path)] == ["9.9"]
    installer = PipInstaller(tmp_path / "agent.toml")
    installer.install(tmp_path, tmp_path / "releases" / "9.9")
    assert installer.works(tmp_path / "releases" / "9.9")
    subprocess.run([sys.executable, "-c", "import sys; open(sys.argv[1], 'ab').write(b'x')", wheel], check=True)
    with pytest.raises(EnvironmentFault, match="安装失败"):
        installer.install(tmp_path, tmp_path / "releases" / "other")
    assert not installer.works(tmp_path / "releases" / "nothing")
