"""`make audit`: what is in the product, and whether any of it should not be. Each check passes, fails, or says why it
could not be run; a check that was not run is not a pass.

    known holes   pip-audit: every pinned version against the advisories of PyPI
    secrets       detect-secrets: every file of the repository, keys and tokens of known forms
    sbom          cyclonedx: .cache/audit/sbom.cdx.json, every pinned package that is installed, with its licence
    wheel         built twice, from two folders at two times: the same bytes

The tools live in .cache/audit/venv (`requirements.txt`). Ends with 1 when a check failed, 77 when one was not run.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE, CACHE = Path(__file__).parent, ROOT / ".cache" / "audit"
TOOLS = CACHE / "venv" / "bin"
PATIENCE_S = 600.0
# Random-looking text is no sign of a secret where hashes, keys of tests and coded pictures stand everywhere.
TOO_EAGER = ("Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector")
NOT_RUN = 77


class Verdict(Enum):
    """What came of a check."""

    PASS = "pass"
    FAIL = "FAIL"
    NOT_RUN = "NOT RUN"


@dataclass(frozen=True)
class Found:
    """A verdict and what it rests on."""

    verdict: Verdict
    text: str


def known_holes() -> Found:
    """Advisories about the pinned versions."""
    words = ("-r", ROOT / "constraints.txt", "--no-deps", "--disable-pip", "--format", "json")
    done = _run(TOOLS / "pip-audit", *words)
    try:
        return judged_holes(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError):
        return Found(Verdict.NOT_RUN, f"pip-audit gave no answer: {done.stderr.strip().splitlines()[-1:]}")


def judged_holes(dependencies: list[dict[str, object]]) -> Found:
    """What pip-audit's list says: a package that nobody could look up counts as not looked at."""
    holes = [f"{it['name']} {it.get('version')}" for it in dependencies if it.get("vulns")]
    skipped = [it["name"] for it in dependencies if "skip_reason" in it]
    if holes:
        return Found(Verdict.FAIL, "known holes in " + ", ".join(holes))
    if skipped or not dependencies:
        return Found(Verdict.NOT_RUN, f"{len(skipped)} of {len(dependencies)} packages could not be looked up")
    return Found(Verdict.PASS, f"{len(dependencies)} packages, no known hole")


def secrets() -> Found:
    """Keys and tokens of known forms in what is committed."""
    files = _run("git", "ls-files").stdout.splitlines()
    eager = [word for name in TOO_EAGER for word in ("--disable-plugin", name)]
    done = _run(TOOLS / "detect-secrets", "scan", *eager, *files)
    if done.returncode:
        return Found(Verdict.NOT_RUN, done.stderr.strip()[-200:])
    found = json.loads(done.stdout)["results"]
    places = [f"{file}:{it['line_number']} {it['type']}" for file, each in found.items() for it in each]
    return Found(Verdict.FAIL, "; ".join(places)) if places else Found(Verdict.PASS, f"{len(files)} files, none")


def sbom() -> Found:
    """The bill of materials of the environment that the tests run in."""
    place = CACHE / "sbom.cdx.json"
    words = ("environment", "--output-reproducible", "--pyproject", ROOT / "pyproject.toml", "-o", place)
    done = _run(TOOLS / "cyclonedx-py", *words, sys.executable)
    if done.returncode:
        return Found(Verdict.NOT_RUN, done.stderr.strip()[-200:])
    listed = {_plain(it["name"]): it.get("version") for it in json.loads(place.read_text())["components"]}
    wrong = [f"{name} {listed[name]}, not {version}" for name, version in pins().items()
             if listed.get(name, version) != version]  # fmt: skip
    text = f"{len(listed)} packages in {place.relative_to(ROOT)}"
    return Found(Verdict.FAIL, "; ".join(wrong)) if wrong else Found(Verdict.PASS, text)


def wheel() -> Found:
    """Two builds of the same source."""
    with tempfile.TemporaryDirectory() as folder:
        sums = {hashlib.sha256(built(Path(folder, name)).read_bytes()).hexdigest() for name in ("one", "another")}
    if len(sums) > 1:
        return Found(Verdict.FAIL, "two builds of the same source differ")
    return Found(Verdict.PASS, f"sha256 {sums.pop()}")


def built(folder: Path) -> Path:
    """The wheel of this source, built in a copy of it below `folder`, whose files are of another time."""
    copy = folder / "source"
    copy.mkdir(parents=True)
    for name in _run("git", "ls-files").stdout.splitlines():
        if (ROOT / name).is_file():
            place = copy / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((ROOT / name).read_bytes())
            os.utime(place, (len(str(folder)), len(str(folder))))
            place.chmod((ROOT / name).stat().st_mode)
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, where=copy, check=True)
    return next(folder.glob("*.whl"))


def pins() -> dict[str, str]:
    """Names and versions in `constraints.txt`."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(" ")[0].partition("==") for line in lines if "==" in line and not line.startswith("#"))
    return {_plain(name): version for name, _, version in pairs}


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _run(*words: object, where: Path = ROOT, check: bool = False) -> subprocess.CompletedProcess[str]:
    command = list(map(str, words))
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=check, cwd=where)


CHECKS: dict[str, Callable[[], Found]] = {"known holes": known_holes, "secrets": secrets, "sbom": sbom, "wheel": wheel}


def judged(check: Callable[[], Found]) -> Found:
    """What comes of a check; one whose tool is not there or does not answer was not run."""
    try:
        return check()
    except subprocess.CalledProcessError as fault:
        return Found(Verdict.FAIL, f"{fault}: {(fault.stderr or '').strip()[-200:]}")
    except (OSError, subprocess.SubprocessError) as fault:
        return Found(Verdict.NOT_RUN, f"{fault}; make audit installs what it needs")


def main(arguments: list[str]) -> int:
    """Run every check and say what came of it."""
    form = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(prog="make audit", description=__doc__, formatter_class=form).parse_args(arguments)
    verdicts = []
    for name, check in CHECKS.items():
        found = judged(check)
        verdicts.append(found.verdict)
        sys.stdout.write(f"{found.verdict.value:8} {name:12} {found.text}\n")
        sys.stdout.flush()
    return 1 if Verdict.FAIL in verdicts else NOT_RUN if Verdict.NOT_RUN in verdicts else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
