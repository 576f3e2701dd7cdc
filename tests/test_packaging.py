"""What is built is what the house says: four packages with their papers, six commands, nothing else."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.audit import __main__ as audit
from tests.audit.__main__ import Verdict, built, judged_holes

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.xdist_group("packaging")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(place)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(place.glob("liuhen-*.whl"))


def test_the_wheel_holds_the_four_packages_and_their_files(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"agent", "kiosk", "firmware_hooks", "provisioning"}
    for package in tops:
        assert f"{package}/py.typed" in names
    tracked = subprocess.run(["git", "ls-files", *tops], cwd=ROOT, check=True, capture_output=True, text=True)
    assert set(tracked.stdout.split()) <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_is_the_same_bytes_wherever_and_whenever_it_is_built(tmp_path: Path) -> None:
    assert built(tmp_path / "one").read_bytes() == built(tmp_path / "another").read_bytes()


def test_a_package_that_nobody_could_look_up_is_not_said_to_be_sound() -> None:
    sound: dict[str, object] = {"name": "a", "version": "1", "vulns": []}
    assert judged_holes([sound]).verdict is Verdict.PASS
    assert judged_holes([sound, {"name": "b", "skip_reason": "not found"}]).verdict is Verdict.NOT_RUN
    assert judged_holes([]).verdict is Verdict.NOT_RUN
    assert (
        judged_holes([sound, {**sound, "vulns": [{"id": "CVE"}]}, {"name": "b", "skip_reason": ""}]).verdict
        is Verdict.FAIL
    )


def test_an_audit_whose_tools_are_not_there_was_not_run_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "TOOLS", tmp_path)
    monkeypatch.setattr(audit, "CHECKS", {"known holes": audit.known_holes, "secrets": audit.secrets})
    assert audit.main([]) == audit.NOT_RUN
    assert capsys.readouterr().out.count("NOT RUN") == 2


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_part_of_a_day_is_not_written_over_the_page_of_a_whole_one() -> None:
    for hours, place in (("24", "tests/faults"), ("4", ".cache/soak")):
        words = ["make", "--dry-run", "test-soak-day", f"SOAK_HOURS={hours}"]
        told = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        assert f"SOAK_HOURS={hours} SOAK_OUT={place} " in told


@pytest.mark.parametrize("script", sorted(PROJECT["scripts"]))
def test_every_command_explains_itself_and_leaves_quietly(script: str) -> None:
    path = Path(sys.executable).with_name(script)
    if not path.exists():
        pytest.skip("the package is not installed beside this Python: make test installs it")
    shown = subprocess.run([path, "--help"], check=True, capture_output=True, text=True)
    assert "Usage" in shown.stdout
    wrong = subprocess.run([path, "--no-such-option"], check=False, capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr


def test_everything_installed_is_pinned_once_and_exactly() -> None:
    lines = [
        line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n") if line[:1] not in ("#", "")
    ]
    names = [line.partition("==")[0].lower().replace("_", "-") for line in lines]
    assert all("==" in line and "/" not in line for line in lines)
    assert len(names) == len(set(names))
    wanted = [
        *PROJECT["dependencies"],
        *(need for extra in PROJECT["optional-dependencies"].values() for need in extra),
    ]
    asked = {need.partition(">=")[0].lower() for need in wanted if not need.startswith("liuhen[")}
    assert asked <= set(names)


def test_tests_that_share_a_fixture_stay_on_one_worker(request: pytest.FixtureRequest) -> None:
    """Bites with pytest 9.2 and xdist 3.8: the group is lost without a word, and every worker makes what it shares."""
    if not request.config.getoption("loadgroup", False):
        pytest.skip("not run with --dist loadgroup")
    assert request.node.nodeid.endswith("@packaging")
