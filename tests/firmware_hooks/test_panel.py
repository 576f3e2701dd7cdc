"""Lamps, pulses and notices: what flashes goes on, what sounds does so once, and what is missing stops nothing."""

import shutil
import subprocess
import wave
from io import BytesIO
from pathlib import Path

import pytest

from firmware_hooks.frames import Colour, Pattern, Pulse
from firmware_hooks.gpio_panel import BoardLost, GpioPanel, Pins, simulated_board
from firmware_hooks.patterns import LAMPS, LIGHTS, MILLISECOND_NS, PULSES, Playing
from firmware_hooks.sounder import RATE, AlsaSounder, NoSound, tone

PINS = Pins(17, 27, 5, 6, 13, 19)


def timeline(playing: Playing, until_ms: int) -> list[tuple[int, bool]]:
    """When it changes, by asking only at the moments that it names."""
    now_ns, found = 0, []
    while now_ns is not None and now_ns < until_ms * MILLISECOND_NS:
        on, change_ns = playing.level(now_ns)
        found.append((now_ns // MILLISECOND_NS, on))
        assert change_ns is None or change_ns > now_ns
        now_ns = change_ns
    return found


def test_lamp_flashes_for_ever_and_a_steady_one_never_wakes_anybody():
    assert timeline(Playing(LIGHTS[Pattern.STEADY], 0, endless=True), 10_000) == [(0, True)]
    assert timeline(Playing(LIGHTS[Pattern.SLOW], 0, endless=True), 3500) == [
        (0, True),
        (1000, False),
        (2000, True),
        (3000, False),
    ]


def test_buzzer_sounds_once_and_is_silent_afterwards():
    assert timeline(Playing(PULSES[Pulse.TWICE], 0), 10_000) == [(0, True), (120, False), (240, True), (360, False)]
    assert timeline(Playing(PULSES[Pulse.NONE], 0), 10_000) == [(0, False)]


def test_every_pattern_pulse_and_colour_can_be_shown():
    assert (set(LIGHTS), set(PULSES), set(LAMPS)) == (set(Pattern), set(Pulse), set(Colour))
    assert len(set(LIGHTS.values())) == len(Pattern)
    assert len(set(LAMPS.values())) == len(Colour)


def test_button_slide_and_lamps_are_on_their_pins():
    board, edges = simulated_board(held=27), []  # the slide stands on mute already
    panel = GpioPanel(PINS, board)
    panel.open(lambda down: edges.append(("button", down)), lambda down: edges.append(("mute", down)))
    board.pin(17).drive_low()
    board.pin(17).drive_high()
    board.pin(27).drive_high()
    panel.set("red", on=True)
    panel.set("vibration", on=True)
    assert edges == [("mute", True), ("button", True), ("button", False), ("mute", False)]
    assert [board.pin(number).state for number in (5, 6, 13, 19)] == [True, False, False, True]
    panel.close()
    assert [board.pin(number).function for number in (5, 6, 13, 19)] == ["input"] * 4


def test_board_without_some_parts_is_used_as_far_as_it_goes():
    board = simulated_board()
    panel = GpioPanel(Pins(red=5), board)
    panel.open(lambda _: None, lambda _: None)
    panel.set("green", on=True)
    panel.set("red", on=True)
    assert board.pin(5).state
    panel.close()


def test_pins_that_somebody_else_has_are_a_lost_board_and_all_are_free_again():
    board = simulated_board()
    first, second = GpioPanel(Pins(red=5), board), GpioPanel(Pins(button=17, red=5), board)
    first.open(lambda _: None, lambda _: None)
    with pytest.raises(BoardLost, match="GPIO"):
        second.open(lambda _: None, lambda _: None)
    first.close()
    second.open(lambda _: None, lambda _: None)
    second.close()


def test_beep_is_a_sound_file_that_beeps_only_where_it_should():
    with wave.open(BytesIO(tone(((True, 100), (False, 100)))), "rb") as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, RATE)
        loud, silent = sound.readframes(RATE // 10), sound.readframes(RATE // 10)
    assert max(loud) > 0
    assert set(silent) == {0}
    longest = max(sum(length for _, length in cycle) for cycle in PULSES.values())
    assert longest * RATE * 2 // 1000 + 100 < 65_536  # fits a pipe: nobody waits for the loudspeaker


def player(folder: Path, words: str) -> str:
    program = folder / "aplay"
    program.write_text(f"#!/bin/sh\n{words}\n")
    program.chmod(0o755)
    return str(program)


def played(sounder: AlsaSounder) -> None:
    sounder._playing.wait(60)


def test_notice_is_spoken_where_its_words_were_recorded_and_beeped_elsewhere(tmp_path):
    heard, voices = tmp_path / "heard", tmp_path / "voices"
    voices.mkdir()
    (voices / "recording-began.wav").write_bytes(tone(((True, 50),)))
    sounder = AlsaSounder("hw:1", voices, player(tmp_path, f'echo "$@" >> {heard}; cat | wc -c >> {heard}'))
    sounder.play("recording-began", PULSES[Pulse.SHORT])
    played(sounder)
    sounder.play("photo-taken", PULSES[Pulse.SHORT])
    played(sounder)
    sounder.play("nothing", PULSES[Pulse.NONE])
    assert heard.read_text().split("\n")[:4] == [
        f"-q -D hw:1 {voices}/recording-began.wav",
        "0",
        "-q -D hw:1",
        str(len(tone(PULSES[Pulse.SHORT]))),
    ]


def test_loudspeaker_that_fails_or_is_missing_is_told_and_the_one_that_hangs_is_broken_off(tmp_path):
    with pytest.raises(NoSound, match="no-such-program"):
        AlsaSounder("default", program="no-such-program").play("x", PULSES[Pulse.SHORT])
    failing = AlsaSounder("default", program=player(tmp_path, "exit 1"))
    failing.play("x", PULSES[Pulse.SHORT])
    played(failing)
    with pytest.raises(NoSound, match="exit code 1"):
        failing.play("x", PULSES[Pulse.SHORT])
    failing.close()
    hanging = AlsaSounder("default", program=player(tmp_path, "exec sleep 100"))
    hanging.play("x", PULSES[Pulse.SHORT])
    hanging.play("x", PULSES[Pulse.SHORT])
    hanging.close()


class Unkillable:
    """A player in the uninterruptible sleep of a driver that never answers."""

    def poll(self) -> None:
        return None

    def kill(self) -> None:
        return None

    def wait(self, seconds: float) -> int:
        raise subprocess.TimeoutExpired("aplay", seconds)


def test_loudspeaker_deaf_to_sigterm_or_never_ending_costs_notices_and_not_the_thread(tmp_path):
    deaf = AlsaSounder("default", program=player(tmp_path, "kill -STOP $$"))
    deaf.play("x", PULSES[Pulse.SHORT])
    deaf.play("x", PULSES[Pulse.SHORT])
    deaf.close()
    stuck = AlsaSounder("default", program=player(tmp_path, "exit 0"))
    stuck._playing = Unkillable()
    for _ in range(2):  # and no second player is put beside it
        with pytest.raises(NoSound, match="cannot be ended"):
            stuck.play("x", PULSES[Pulse.SHORT])
    stuck.close()


def test_player_that_ends_before_it_has_its_sound_is_told_by_its_exit_code(tmp_path):
    program = player(tmp_path, "exec 0<&-; exit 3")
    for _ in range(5):
        sounder = AlsaSounder("default", program=program)
        sounder.play("x", ((True, 10_000),))  # more than a pipe holds: the pipe breaks while it is written
        played(sounder)
        with pytest.raises(NoSound, match="exit code 3"):
            sounder.play("x", PULSES[Pulse.SHORT])
        sounder.close()


@pytest.mark.skipif(shutil.which("aplay") is None, reason="aplay (alsa-utils) is not installed")
def test_real_aplay_plays_the_beep():
    sounder = AlsaSounder("null")
    sounder.play("x", PULSES[Pulse.SHORT])
    played(sounder)
    sounder.play("x", PULSES[Pulse.SHORT])  # raises if the one before had failed
    sounder.close()
