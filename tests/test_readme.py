"""What the README shows is there: files on the two walks, verbs of the commands, exit codes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.evidence.report import Verdict

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGES = ("agent", "kiosk", "firmware_hooks", "provisioning")
FILES = [str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.*")]


def test_every_file_it_names_exists() -> None:
    named = set(re.findall(r"`([\w/]+\.(?:py|js|md))`", README)) | set(re.findall(r"\]\(([\w/.]+)\)", README))
    assert len(named) > 40
    there = {name for name in named if (ROOT / name).exists() or any(file.endswith(f"/{name}") for file in FILES)}
    assert named - there == set()


def test_verdicts_and_exit_codes_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| `([a-z-]+)` (\S+) \|", README, re.MULTILINE)
    assert [(int(code), word, chinese) for code, word, chinese in rows] == sorted(
        (verdict.exit_code, verdict.value, verdict.chinese) for verdict in Verdict
    )


@pytest.mark.parametrize("row", re.findall(r"`(liuhen-\w+) ([a-z][a-z, -]+)`", README))
def test_every_verb_it_names_is_a_verb(row: tuple[str, str]) -> None:
    script = Path(sys.executable).with_name(row[0])
    if not script.exists():
        pytest.skip("the package is not installed beside this Python: make test installs it")
    for verb in row[1].split(", "):
        shown = subprocess.run([script, *verb.split(), "--help"], check=False, capture_output=True, text=True)
        assert shown.returncode == 0, (row[0], verb)
