"""The simulator's command: never green without having played, and a night that was broken off goes on."""

import json
from collections import Counter

import pytest

from tests.simulator import __main__ as command
from tests.simulator.__main__ import Played, main


@pytest.mark.parametrize(
    "words", [["--seeds", "5:5"], ["--seeds", "9:3"], ["--seeds", "many"], ["--minutes", "-1"], ["--minutes", "nan"]]
)
def test_a_run_that_would_play_nothing_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert words[-1] in capsys.readouterr().err


def test_a_night_that_is_broken_off_says_what_was_played_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def play(seed: int, *_: object) -> Played:
        if seed == 12:
            raise KeyboardInterrupt
        return Played(seed, 0.5, 10, 7, Counter(theft=1), "it broke" if seed == 11 else "")

    monkeypatch.setattr(command, "play", play)
    assert main(["--seeds", "10:20", "--json"]) == 130
    said = capsys.readouterr()
    assert "--seed 11 --log" in said.err
    assert "--seeds 12:20" in said.err
    told = json.loads(said.out)
    assert (told["seeds"], told["events"], told["device_minutes"], told["failed"]) == (2, 14, 60, [11])
    assert main(["--seeds", "10:12"]) == 1
    assert main(["--seed", "10"]) == 0
