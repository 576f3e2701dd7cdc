"""The benchmarks still run, keep what they have measured, and measure again when the sources change."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks.figures import Bench, Row

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


def test_a_run_that_is_broken_off_keeps_what_is_finished_and_goes_on_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[str] = []

    def finished(_: Bench) -> list[Row]:
        measured.append("finished")
        return [Row("finished", "1 s", "<= 2 s", True)]

    def broken_off(_: Bench) -> list[Row]:
        if measured == ["finished"]:
            measured.append("broken off")
            raise KeyboardInterrupt
        return [Row("the other", "1 s", "<= 2 s", True)]

    out = tmp_path / "bench.json"
    monkeypatch.setattr(bench, "FIGURES", {"finished": finished, "broken_off": broken_off})
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", "--out", str(out), "--folder", str(tmp_path)])
    assert bench.main() == 130
    assert f"kept in {out}" in capsys.readouterr().err
    assert bench.main() == 0
    assert measured == ["finished", "broken off"]
    assert set(json.loads(out.read_text(encoding="utf-8"))["figures"]) == {"finished", "broken_off"}
