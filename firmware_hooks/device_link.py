"""The serial line to the MCU: opened, read, and opened again after it was unplugged. The only import of pyserial."""

from types import TracebackType
from typing import Self

import serial

from firmware_hooks.frames import Frame, FrameReader

BAUD = 115_200  # ours; the MCU's firmware is set to the same
READ_BYTES = 256


class LineLost(OSError):
    """The serial device is missing, was unplugged or may not be used; `str()` is the system's own words."""


class DeviceLink:
    """One serial line. Use it as a context, or call `close`. Nothing is opened before `open`."""

    def __init__(self, device: str, read_timeout_s: float = 0.2) -> None:
        self._device, self._timeout = device, read_timeout_s
        self._line: serial.Serial | None = None
        self._reader = FrameReader()

    def open(self) -> None:
        """Open the line; what an earlier opening left half read is forgotten. Raises `LineLost`."""
        self._reader = FrameReader()
        try:
            self._line = serial.Serial(self._device, BAUD, timeout=self._timeout, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise LineLost(f"{self._device}: {error}") from error

    def read(self) -> list[Frame]:
        """The frames that arrived within the read timeout, perhaps none; raises `LineLost`."""
        if self._line is None:
            raise LineLost(f"{self._device}: not open")
        try:
            data = self._line.read(max(1, min(READ_BYTES, self._line.in_waiting)))
            return self._reader.feed(data) if data else self._reader.quiet()
        except (
            serial.SerialException,
            OSError,
            TypeError,
        ) as error:  # pyserial trips over a descriptor gone (TypeError)
            self.close()
            raise LineLost(f"{self._device}: {error}") from error

    def close(self) -> None:
        """Let the line go."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
