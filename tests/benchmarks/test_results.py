"""The page of figures tells what was measured and nothing else: a missed target as missed, an old figure with its day,
another machine's not at all."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks import kept
from tests.benchmarks.machine import machine, programs
from tests.benchmarks.results import page, plots
from tests.benchmarks.targets import margin

IDENTITY: dict[str, Any] = {"machine": machine(), "quick": False, "programs": programs(), "source": "now"}
GROUPS = {"Signing": ["seal", "cpu"], "Growth": ["growth"], "Never": ["storm"]}


def row(figure: str, ours: str, target: str, met: bool | None, **more: Any) -> dict[str, Any]:
    return {"figure": figure, "ours": ours, "target": target, "met": met, "peer": "-", "ratio": None, "note": "",
            "point": None, **more}  # fmt: skip


def figure(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    around = {"at": "2026-11-20 08:00Z", "commit": "abc", "load": [0.1, 1.2], "took_s": 60.0}
    return {"rows": list(rows), **around, **IDENTITY, **more}


def point(size: float, memory: float) -> dict[str, Any]:
    costs = {"memory, MB": memory}
    told = {"work": "events waiting", "size": size, "costs": costs}
    return row(f"{size} waiting", "-", "-", None, point=told)


def figures(**more: Any) -> kept.Figures:
    return {
        "seal": figure(
            row("seal of 500 MB", "7.0 ms", "<= 50 ms", True, peer="c2pa sign 4200 ms", ratio=600.0), **more
        ),
        "cpu": figure(row("CPU s a second", "0.155 (0.92x)", "<= 0.85x", False, ratio=0.5)),
        "growth": figure(point(1000, 50.0), point(10, 49.0)),
    }


def text(told: kept.Figures) -> str:
    return page(told, GROUPS, "now", {"c2pa-python": "0.38.1"})


def test_a_missed_figure_is_shown_as_missed_and_counted() -> None:
    shown = text(figures())
    assert "| CPU s a second | <= 0.85x | 0.155 (0.92x) | **missed** |" in shown
    assert "| seal of 500 MB | <= 50 ms | 7.0 ms | met | c2pa sign 4200 ms | 600 |" in shown
    assert "**1 of 2 targets met.**\nMissed: CPU s a second." in shown


def test_what_was_not_measured_is_named() -> None:
    assert "Not in these results: storm." in text(figures())
    assert "Nothing has been measured yet." in text({})


def test_a_figure_of_other_programs_is_dated_and_called_earlier() -> None:
    shown = text(figures(source="before", commit="old", at="2026-10-01 09:30Z"))
    (seal,) = [line for line in shown.splitlines() if line.startswith("| seal")]
    assert "2026-10-01 09:30Z, old, **earlier**" in seal
    assert shown.count("**earlier**") == 1


def test_numbers_of_two_machines_never_stand_on_one_page() -> None:
    other = {**IDENTITY["machine"], "cores": 64}
    with pytest.raises(kept.Foreign, match="different machines"):
        text(figures(machine=other))
    with pytest.raises(kept.Foreign, match="different machines or sizes"):
        text(figures(quick=True))


def test_the_file_of_another_machine_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "bench.json"
    kept.write(place, figures(machine={**IDENTITY["machine"], "processor": "another"}))
    before = place.read_bytes()
    with pytest.raises(kept.Foreign, match=r"seal of .*another.*--out"):
        kept.read(place, IDENTITY)
    assert place.read_bytes() == before


@pytest.mark.parametrize(
    "damaged", ["", "{", "[]", '{"figures": {"seal": {}}}', '{"machine": {}, "figures": {"a": 1}}']
)
def test_a_damaged_or_older_file_is_refused_with_what_to_do(tmp_path: Path, damaged: str) -> None:
    place = tmp_path / "bench.json"
    place.write_text(damaged)
    with pytest.raises(kept.Foreign, match="--fresh"):
        kept.read(place, IDENTITY)


def test_a_figure_of_other_programs_or_another_python_is_measured_again() -> None:
    assert kept.holds(figure(), IDENTITY)
    assert not kept.holds(figure(source="before"), IDENTITY)
    assert not kept.holds(figure(programs={**programs(), "python": "3.0"}), IDENTITY)


def test_no_number_stands_in_the_page_but_those_of_the_figures() -> None:
    assert re.findall(r"[0-9]", text({})) == []
    assert "7.0 ms" in text(figures()) + plots(figures())["targets"]
    changed = figures()
    changed["seal"]["rows"][0]["ours"] = "8.5 ms"
    shown = text(changed) + plots(changed)["targets"]
    assert ("8.5 ms" in shown, "7.0 ms" in shown) == (True, False)


def test_the_plots_that_the_page_shows_are_those_that_are_made() -> None:
    named = re.findall(r"\(plots/([\w-]+)\.svg\)", text(figures()))
    drawn = plots(figures())
    assert sorted(named) == sorted(drawn) == ["growth-events-waiting", "peers", "targets"]
    assert "#b33a3a" in drawn["targets"]  # the missed one
    assert drawn["growth-events-waiting"].count("<circle") == 2


@pytest.mark.parametrize(
    ("ours", "target", "met", "factor"),
    [
        ("7.0 ms", "<= 50 ms", True, 7.14),
        ("14,921", "<= 16 384", True, 1.10),
        ("3,857 /s, 0.67x raw SQLite", ">= 0.8x", False, 0.84),
        ("0.155 (0.92x)", "<= 0.85x", False, 0.92),
        ("0 of 1950 lost, p95 59 ms", "0 lost, <= 150 ms", True, 2.54),
        ("49 %", ">= 45 %", True, 1.09),
        ("7 083 /s", ">= 5,000 /s", True, 1.42),
        ("all of them", "works", True, None),
        ("40 leaks", ">= 30 cases, 0 leaks", False, None),  # the first number is not of the target
        ("60 ms", "<= 50 ms", True, None),  # words and verdict differ: not drawn
        ("60 ms", "<= 50 ms", None, None),
    ],
)
def test_how_far_a_figure_is_from_its_target(ours: str, target: str, met: bool | None, factor: float | None) -> None:
    found = margin(row("it", ours, target, met))
    assert found == (None if factor is None else pytest.approx(factor, abs=0.01))


def test_a_run_of_one_figure_does_not_take_the_others_from_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, seal = tmp_path / "RESULTS.md", figure(row("seal of 500 MB", "7.0 ms", "<= 50 ms", True, ratio=2.0))
    bench.write_page(place, {"seal": seal, "verify": figure(row("verify", "49 %", ">= 45 %", True))}, "now")
    before = place.read_bytes()
    for fewer in ({"seal": seal}, {}):
        bench.write_page(place, fewer, "now")
        assert place.read_bytes() == before
        assert "--page" in capsys.readouterr().err


def test_a_plot_that_no_row_of_the_page_stands_for_goes_with_the_row(tmp_path: Path) -> None:
    place, plot = tmp_path / "RESULTS.md", tmp_path / "plots" / "peers.svg"
    foreign = plot.with_name("district.svg")
    bench.write_page(place, {"seal": figure(row("seal", "7.0 ms", "<= 50 ms", True, ratio=2.0))}, "now")
    foreign.write_text("not ours", encoding="utf-8")
    assert plot.exists()
    bench.write_page(place, {"seal": figure(row("seal", "7.0 ms", "<= 50 ms", True))}, "now")
    assert (plot.exists(), foreign.exists()) == (False, True)


def test_no_words_of_a_plot_are_cut_off_at_its_edge_and_its_axis_is_named() -> None:
    long = row("CPU s a second", "0.105 (0.97x, 0.79x)", "<= 1.15x FFmpeg, <= 0.85x GStreamer, both in one run", True)
    drawn = plots({"cpu": figure(long)})["targets"]
    (width,) = re.findall(r'viewBox="0 0 (\d+)', drawn)
    (begin,) = re.findall(r'<text x="(\d+)" y="\d+">0\.105', drawn)
    assert int(begin) + 6 * len(f"{long['ours']} ({long['target']})") <= int(width)
    assert {"0.1x", "1x", "10x"} <= set(re.findall(r">([\d.]+x)<", drawn))


def test_a_peer_that_did_not_run_beside_ours_says_so() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(bench.__file__).parent.glob("*.py"))
    told = re.findall(r'"((?:Anthias|ONVIF) [^"]*)"', sources)
    assert len(told) == 5
    assert [text for text in told if "EARLIER" not in text and "not run here" not in text] == []
