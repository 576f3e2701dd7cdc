"""A serial cable without hardware: two pseudo-terminals with a wire between them that is as slow as its baud rate says,
spoils bytes when told to, and can be pulled. Never a default."""

import os
import random
import select
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from firmware_hooks.pseudo_terminal import PseudoTerminal

BITS_A_BYTE = 10
PIECE_BYTES = 64  # ours: how finely the wire is paced
TURN_S = 0.05


class SimulatedCable:
    """Open it as a context; `device` and `bench` are the serial devices of its two ends. `spoilt` is the share of
    pieces of 64 bytes, 0 to 1, in which one byte arrives as another. `baud` 0 is a wire without delay."""

    def __init__(
        self, baud: int, spoilt: float = 0.0, seed: int = 0, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._baud, self._spoilt, self._wait = baud, spoilt, wait
        self._chance = random.Random(seed)  # noqa: S311 - noise, not a secret
        self._ends = (PseudoTerminal(), PseudoTerminal())
        self._threads: list[threading.Thread] = []
        self._pulled = threading.Event()
        self.device = self.bench = ""
        self.pieces_spoilt = 0

    def pull(self) -> None:
        """Pull the cable out at both ends."""
        self._pulled.set()
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.unplug()

    def _carry(self, source: int, target: int) -> None:
        while not self._pulled.is_set():
            if not select.select([source], [], [], TURN_S)[0]:
                continue
            piece = os.read(source, PIECE_BYTES)
            if self._baud:
                self._wait(len(piece) * BITS_A_BYTE / self._baud)
            self._write(target, self._noisy(piece))

    def _write(self, target: int, piece: bytes) -> None:
        while piece and not self._pulled.is_set():
            if select.select([], [target], [], TURN_S)[1]:
                piece = piece[os.write(target, piece) :]

    def _noisy(self, piece: bytes) -> bytes:
        if self._chance.random() >= self._spoilt:
            return piece
        self.pieces_spoilt += 1
        at = self._chance.randrange(len(piece))
        return piece[:at] + bytes((piece[at] ^ (1 << self._chance.randrange(8)),)) + piece[at + 1 :]

    def __enter__(self) -> Self:
        first, second = (end.open() for end in self._ends)
        self.device, self.bench = first.device, second.device
        for one, other in ((first, second), (second, first)):
            carrier = threading.Thread(target=self._carry, args=(one.descriptor, other.descriptor), name="cable")
            carrier.start()
            self._threads.append(carrier)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pull()
