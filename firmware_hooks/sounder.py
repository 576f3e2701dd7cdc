"""Spoken or beeped notices through ALSA, by aplay of alsa-utils; spoken where a recording of the words is there."""

import contextlib
import io
import math
import subprocess
import wave
from array import array
from pathlib import Path

from firmware_hooks.patterns import Cycle

RATE, FREQUENCY, LOUDNESS = 16_000, 1_000, 12_000  # ours: Hz, Hz, of 32767
CLOSE_S = 1.0


class NoSound(OSError):
    """The notice cannot be heard; `str()` says why."""


class AlsaSounder:
    """Plays on the ALSA device `device` without waiting. `voices` is a folder of `{name}.wav`, None for none; a notice
    without a file there is beeped. `program` is aplay."""

    def __init__(self, device: str, voices: Path | None = None, program: str = "aplay") -> None:
        self._command = [program, "-q", "-D", device]
        self._voices = voices
        self._playing: subprocess.Popen[bytes] | None = None

    def play(self, name: str, cycle: Cycle) -> None:
        """Begin a notice; one that still sounds is broken off. Raises `NoSound` when this one cannot be played, or the
        one before could not, or does not end."""
        failed = self._end()
        voice = None if self._voices is None else self._voices / f"{name}.wav"
        spoken = voice is not None and voice.is_file()
        if not spoken and not cycle:
            return
        try:
            if spoken:
                self._playing = self._start([str(voice)], subprocess.DEVNULL)
            else:
                self._playing = self._start([], subprocess.PIPE)
                _feed(self._playing, tone(cycle))
        except OSError as error:
            raise NoSound(f"{self._command[0]}: {error}") from error
        if failed:
            raise NoSound(f"{' '.join(self._command)}: exit code {failed}")

    def close(self) -> None:
        """End what sounds; one that does not end is left to the kernel."""
        with contextlib.suppress(NoSound):
            self._end()

    def _start(self, words: list[str], stdin: int) -> subprocess.Popen[bytes]:
        command = [*self._command, *words]
        return subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _end(self) -> int:
        """The exit code of the notice before, 0 when it still sounded. Raises `NoSound` when it cannot be broken off:
        then no second one is begun beside it."""
        playing = self._playing
        if playing is None:
            return 0
        code = playing.poll()
        if code is None:
            playing.kill()  # one that hangs in its driver hears nothing less
            try:
                playing.wait(CLOSE_S)
            except subprocess.TimeoutExpired as error:
                raise NoSound(f"{' '.join(self._command)}: hangs and cannot be ended") from error
        self._playing = None
        return code or 0


def _feed(playing: subprocess.Popen[bytes], sound: bytes) -> None:
    """Hand over `sound`, shorter than a pipe's 64 KiB: never waits. A player that is gone tells by its exit code."""
    if playing.stdin is not None:
        with contextlib.suppress(BrokenPipeError), playing.stdin as pipe:
            pipe.write(sound)


def tone(cycle: Cycle) -> bytes:
    """A WAV file (mono, 16 bit) that beeps as `cycle` says; one second is 32 000 bytes."""
    samples = array("h")
    for on, length_ms in cycle:
        for number in range(RATE * length_ms // 1000):
            samples.append(round(LOUDNESS * math.sin(2 * math.pi * FREQUENCY * number / RATE)) if on else 0)
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes(samples.tobytes())
    return file.getvalue()
