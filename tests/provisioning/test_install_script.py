"""`install.sh`, as a card runs it: into an image's root, where nothing is started."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from provisioning.fleet.wheelhouse import finish
from provisioning.fleet.write_card import install_script
from tests.agent.test_update import tiny_wheel
from tests.provisioning.district import REPOSITORY

HOOKS = REPOSITORY / "firmware_hooks"
ENABLED = {
    "multi-user.target.wants": {
        "liuhen-firstboot.service",
        "liuhen-agent.service",
        "liuhen-page.service",
        "liuhen-kiosk.service",
    },
    "graphical.target.wants": {"liuhen-screen.service"},
    "timers.target.wants": {"liuhen-renew.timer"},
}


def install(card: Path, root: Path) -> "subprocess.CompletedProcess[str]":
    (card / "install.sh").write_bytes(install_script())
    surroundings = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(REPOSITORY)}
    command = ["sh", str(card / "install.sh"), str(card), str(root)]
    return subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=300)


def tree(folder: Path) -> dict[str, str]:
    return {
        str(place.relative_to(folder)): str(place.readlink()) if place.is_symlink() else place.read_text("utf-8")
        for place in folder.rglob("*")
        if place.is_symlink() or place.is_file()
    }


def enabled(root: Path, target: str) -> set[str]:
    place = root / "etc" / "systemd" / "system" / target
    return {unit.name for unit in place.iterdir()} if place.is_dir() else set()


@pytest.mark.skipif(shutil.which("systemctl") is None, reason="systemctl is not installed")
def test_an_image_that_has_the_programs_starts_them_at_its_first_boot_and_again_changes_nothing(tmp_path: Path) -> None:
    card, root = tmp_path / "card", tmp_path / "root"
    card.mkdir()
    release = root / "opt" / "liuhen" / "releases" / "installed"
    (release / "bin").mkdir(parents=True)
    (release / "bin" / "python").symlink_to(sys.executable)
    (release / "complete").touch()
    for _ in range(2):
        done = install(card, root)
        assert done.returncode == 0, done.stderr
        (card / "applied.txt").unlink()
        found = tree(root)
    assert (root / "opt" / "liuhen" / "current").readlink() == Path("releases/installed")
    assert (root / "opt" / "liuhen" / "bin").readlink() == Path("current/bin")
    for target, units in ENABLED.items():
        assert units <= enabled(root, target), target
    assert install(card, root).returncode == 0
    assert tree(root) == found


@pytest.mark.faults  # makes virtual environments: 15 s
def test_wheels_of_a_card_are_installed_by_their_hash_or_not_at_all(tmp_path: Path) -> None:
    card, root = tmp_path / "card", tmp_path / "root"
    wheels = card / "wheels"
    wheels.mkdir(parents=True)
    wheel = tiny_wheel(wheels, {f"firmware_hooks/{place.relative_to(HOOKS)}": place for place in hooks()})
    finish(wheels)
    whole = wheel.read_bytes()
    wheel.write_bytes(whole + b"x")
    refused = install(card, root)
    assert refused.returncode != 0
    assert "hash" in refused.stderr.lower()
    assert not (root / "opt" / "liuhen" / "current").exists()
    assert not (card / "applied.txt").exists()
    wheel.write_bytes(whole)
    done = install(card, root)
    assert done.returncode == 0, done.stderr
    assert (root / "opt" / "liuhen" / "current").readlink() == Path("releases/9.9")
    assert "9.9" in (card / "applied.txt").read_text(encoding="utf-8")
    assert subprocess.run([root / "opt" / "liuhen" / "bin" / "liuhen-agent"], check=True).returncode == 0


def hooks() -> list[Path]:
    """What `place.sh` places."""
    found = [HOOKS / "place.sh", HOOKS / "README.md"]
    for folder in ("systemd", "udev", "chromium"):
        found += sorted(place for place in (HOOKS / folder).iterdir() if place.is_file())
    return found
