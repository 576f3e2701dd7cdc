"""Messages across a serial cable, for the device and for the bench (ground floor). The only import of pyserial in this
package. Time-outs follow from the speed of the line, for a fixed one is shorter than a block at 9600 baud."""

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

import serial

from agent.errors import EnvironmentFault
from agent.wire.cable import BLOCK_BYTES, OVERHEAD, Assembly, Frame, FrameFinder, Kind, frames_of

BITS_A_BYTE = 10  # 8N1: start, eight, stop
SLACK_S = 0.15  # ours: what the other side may take to answer, beside the time on the wire
TRIES = 25  # ours: a block that fails that often in a row is no noise
BAUDS = (9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600)
READ_BYTES = 4096
CONFIRM_S = 30.0  # ours: what a slow card takes to keep a few files


class Line(Protocol):
    """A serial line that is open."""

    baud: int

    def read(self, timeout_s: float) -> bytes:
        """What arrives within `timeout_s`, perhaps nothing. Raises `EnvironmentFault` for a cable that was pulled."""

    def write(self, data: bytes) -> None:
        """Send `data`; raises `EnvironmentFault` likewise."""


class SerialLine:
    """A serial device; use it as a context. Nothing is opened before that."""

    def __init__(self, device: str, baud: int) -> None:
        self._device, self.baud = device, baud
        self._port: serial.Serial | None = None

    def read(self, timeout_s: float) -> bytes:
        """As the protocol."""
        port = self._open()
        try:
            port.timeout = timeout_s
            return bytes(port.read(max(1, min(READ_BYTES, port.in_waiting))))
        except (serial.SerialException, OSError, TypeError) as error:
            raise _pulled(self._device, error) from error

    def write(self, data: bytes) -> None:
        """As the protocol."""
        try:
            self._open().write(data)
        except (serial.SerialException, OSError, TypeError) as error:
            raise _pulled(self._device, error) from error

    def _open(self) -> serial.Serial:
        if self._port is None:
            raise RuntimeError("used outside its context")
        return self._port

    def __enter__(self) -> Self:
        patience = 4 * block_s(self.baud)
        try:
            self._port = serial.Serial(self._device, self.baud, write_timeout=patience, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            number = getattr(error, "errno", None)
            why = os.strerror(number) if isinstance(number, int) else error
            raise EnvironmentFault(f"打不开串口 {self._device}（{why}）。请检查线缆、设备名与权限。") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()


def block_s(baud: int) -> float:
    """What a block and its acknowledgement may take at `baud`."""
    return (BLOCK_BYTES + 2 * OVERHEAD) * BITS_A_BYTE / baud * 1.5 + SLACK_S


def send(line: Line, message: bytes, tries: int = TRIES, monotonic: Callable[[], float] = time.monotonic) -> int:
    """Send `message`; returns how many blocks had to be sent again. Raises `EnvironmentFault` when nobody takes it."""
    finder, again = FrameFinder(), 0
    for frame in frames_of(message):
        for tried in range(tries):
            line.write(frame.encode())
            if _acknowledged(line, finder, frame.number, monotonic):
                again += tried
                break
        else:
            raise EnvironmentFault("线缆另一端没有应答。请检查两端是否插好、波特率是否一致，然后重试。")
    return again


def receive(line: Line, patience_s: float, limit: int, monotonic: Callable[[], float] = time.monotonic) -> bytes:
    """The next whole message. `patience_s` is how long nothing may come; raises `EnvironmentFault` after that, or
    `SenderFault` for a message over `limit` bytes."""
    finder, assembly = FrameFinder(), Assembly(limit)
    last = monotonic()
    while monotonic() - last < patience_s:
        for frame in _heard(line, finder):
            answer = assembly.take(frame)
            if answer is not None:
                last = monotonic()
                line.write(answer.encode())
            whole = assembly.message()
            if whole is not None:
                return whole
    raise EnvironmentFault("线缆上等不到消息。请检查两端是否插好、对端是否在运行，然后重试。")


def _heard(line: Line, finder: FrameFinder) -> list[Frame]:
    data = line.read(block_s(line.baud) / 4)
    return finder.feed(data) if data else finder.quiet()


def _acknowledged(line: Line, finder: FrameFinder, number: int, monotonic: Callable[[], float]) -> bool:
    until = monotonic() + block_s(line.baud)
    while (left := until - monotonic()) > 0:
        data = line.read(left)
        for frame in finder.feed(data):
            # Whoever begins a message of his own has ours: his last acknowledgement was lost.
            if frame == Frame(Kind.ACKNOWLEDGED, number) or frame.kind is Kind.HEAD:
                return True
    return False


DONE = b"done"  # the device has everything on its disk
DONE_TRIES = 3  # ours: nobody depends on it


def ask(line: Line, request: bytes, patience_s: float, limit: int) -> bytes:
    """The device's side: the reply to `request`, at most `limit` bytes."""
    send(line, request)
    return receive(line, patience_s, limit)


def confirm(line: Line) -> bool:
    """The device's last word; returns whether the bench has heard it."""
    try:
        send(line, DONE, DONE_TRIES)
    except EnvironmentFault:
        return False
    return True


def serve(line: Line, desk: Callable[[bytes], bytes], patience_s: float, limit: int) -> bool:
    """The bench's side: wait for one request, give `desk`'s reply; returns whether the device has confirmed it."""
    send(line, desk(receive(line, patience_s, limit)))
    try:
        return receive(line, CONFIRM_S, len(DONE)) == DONE
    except EnvironmentFault:
        return False


def _pulled(device: str, error: object) -> EnvironmentFault:
    return EnvironmentFault(f"串口 {device} 断开了（{error}）。请重新插好线缆后再试，已做的不会丢。")
