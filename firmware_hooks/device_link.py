"""A serial line: opened, read, and opened again after it was unplugged. The only import of pyserial."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

import serial

from firmware_hooks.frames import Frame, FrameReader

BAUD = 115_200  # ours; the MCU's firmware is set to the same
READ_BYTES = 256
GARBAGE_PAUSE_S = 0.02  # ours: behind a whole buffer that says nothing; 256 bytes in it are more than `BAUD` can carry
WRITE_TIMEOUT_S = 0.5  # ours; nobody may wait longer for a device that takes nothing

Told = TypeVar("Told")


class Reader(Protocol[Told]):
    """Makes something of a line's bytes: `agent`-free and without IO, one for each kind of device."""

    def feed(self, data: bytes) -> list[Told]:
        """What `data` completes, in order; never raises."""

    def quiet(self) -> list[Told]:
        """The line fell silent: what stood behind an unfinished beginning."""


class LineLost(OSError):
    """The serial device is missing, was unplugged or may not be used; `str()` is the system's own words."""


class SerialLink(Generic[Told]):
    """One serial line. Use it as a context, or call `close`. Nothing is opened before `open`. One thread uses it."""

    def __init__(
        self,
        device: str,
        make_reader: Callable[[], Reader[Told]],
        baud: int,
        read_timeout_s: float = 0.2,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._device, self._make_reader, self._baud, self._timeout = device, make_reader, baud, read_timeout_s
        self._line: serial.Serial | None = None
        self._pause = pause
        self._reader = make_reader()

    def open(self) -> None:
        """Open the line; what an earlier opening left half read is forgotten. Raises `LineLost`."""
        self._reader = self._make_reader()
        try:
            self._line = serial.Serial(
                self._device, self._baud, timeout=self._timeout, write_timeout=WRITE_TIMEOUT_S, exclusive=True
            )
        except (serial.SerialException, OSError, ValueError) as error:
            raise LineLost(f"{self._device}: {error}") from error

    def read(self) -> list[Told]:
        """What arrived within the read timeout, perhaps nothing; raises `LineLost`."""
        line = self._open_line()
        try:
            data = line.read(max(1, min(READ_BYTES, line.in_waiting)))
            told = self._reader.feed(data) if data else self._reader.quiet()
        except (serial.SerialException, OSError, TypeError) as error:  # TypeError: pyserial over a descriptor gone
            self.close()
            raise LineLost(f"{self._device}: {error}") from error
        if not told and len(data) >= READ_BYTES:
            self._pause(GARBAGE_PAUSE_S)  # a line that floods us with noise gets no whole processor
        return told

    def write(self, data: bytes) -> bool:
        """Send `data`; returns whether the device took it in time. Raises `LineLost`."""
        try:
            self._open_line().write(data)
        except serial.SerialTimeoutException:
            return False
        except (serial.SerialException, OSError, TypeError) as error:
            raise LineLost(f"{self._device}: {error}") from error
        return True

    def close(self) -> None:
        """Let the line go."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _open_line(self) -> serial.Serial:
        line = self._line
        if line is None:
            raise LineLost(f"{self._device}: not open")
        return line

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class DeviceLink(SerialLink[Frame]):
    """The serial line to the MCU."""

    def __init__(self, device: str, read_timeout_s: float = 0.2) -> None:
        super().__init__(device, FrameReader, BAUD, read_timeout_s)
