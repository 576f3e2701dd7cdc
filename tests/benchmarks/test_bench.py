"""The benchmarks still run, keep what they have measured, and measure again when the sources change."""

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_finished_figures_are_kept_and_only_those_of_the_same_sources(tmp_path: Path) -> None:
    out, page = tmp_path / "bench.json", tmp_path / "page" / "RESULTS.md"
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--only", "overhead_half_s", "--out", str(out)]
    line = {"cwd": REPOSITORY, "capture_output": True, "text": True, "check": False, "timeout": 120}
    first = subprocess.run([*command, "--folder", str(tmp_path), "--page", str(page)], **line)
    assert first.returncode == 0, first.stderr
    assert "0.5 s fragments" in first.stdout
    kept = json.loads(out.read_text(encoding="utf-8"))["figures"]
    measured = kept["overhead_half_s"]
    assert float(measured["rows"][0]["ours"].split()[0]) < 0.25
    assert f"| {measured['rows'][0]['ours']} |" in page.read_text(encoding="utf-8")
    again = subprocess.run(command, **line)
    assert (again.returncode, again.stderr) == (0, "")

    earlier = {"seal": measured, "overhead_half_s": {**measured, "source": "other"}}
    out.write_text(json.dumps({"figures": earlier}), encoding="utf-8")
    assert "overhead_half_s" in subprocess.run([*command, "--folder", str(tmp_path)], **line).stderr
    now = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert (now["seal"], now["overhead_half_s"]["source"]) == (measured, measured["source"])

    foreign = {"seal": {**measured, "machine": {}}}
    out.write_text(json.dumps({"figures": foreign}), encoding="utf-8")
    refused = subprocess.run([*command, "--fresh"], **line)  # --fresh of one figure is no leave to drop the others
    assert (refused.returncode, "--out" in refused.stderr, "Traceback" in refused.stderr) == (2, True, False)
    assert json.loads(out.read_text(encoding="utf-8"))["figures"] == foreign
    assert sorted(place.name for place in tmp_path.iterdir()) == ["bench.json", "page"]
