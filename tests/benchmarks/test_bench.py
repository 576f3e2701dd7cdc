"""The benchmarks still run, keep what they have measured, and measure again when the sources change."""

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_finished_figures_are_kept_and_only_those_of_the_same_sources(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--only", "overhead_half_s", "--out", str(out)]
    line = {"cwd": REPOSITORY, "capture_output": True, "text": True, "check": False, "timeout": 120}
    first = subprocess.run([*command, "--folder", str(tmp_path)], **line)
    assert first.returncode == 0, first.stderr
    assert "0.5 s fragments" in first.stdout
    measured = json.loads(out.read_text(encoding="utf-8"))
    assert float(measured["figures"]["overhead_half_s"]["rows"][0]["ours"].split()[0]) < 0.25
    again = subprocess.run(command, **line)
    assert (again.returncode, again.stderr) == (0, "")
    out.write_text(json.dumps({**measured, "source": "other"}), encoding="utf-8")
    assert "overhead_half_s" in subprocess.run([*command, "--folder", str(tmp_path)], **line).stderr
    assert [place.name for place in tmp_path.iterdir()] == ["bench.json"]
