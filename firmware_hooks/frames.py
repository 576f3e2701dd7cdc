"""Frames between the MCU and the computer, both ways: bytes in, frames out; garbage is counted and never an error.

    0xA5 0x5A | length (1 byte: of kind + payload) | kind (1 byte) | payload | CRC-16 (2 bytes, big-endian)

The checksum is CRC-16/XMODEM (polynomial 0x1021, initial value 0) over length, kind and payload. All numbers are
big-endian. A wrong frame costs one byte: the search for the next mark begins right behind it.
"""

import binascii
from dataclasses import dataclass
from enum import IntEnum

MARK = b"\xa5\x5a"
MAX_PAYLOAD = 32  # ours; the longest payload so far is 3 bytes
CAUSES = 9  # the reasons of the rules, see `Asked`
LISTED_CAUSES = range(16, 256)  # those of the department's own list, in its order
HEAD_BYTES, CRC_BYTES = 3, 2


class Kind(IntEnum):
    """What a frame tells."""

    BUTTON = 0x01
    BATTERY = 0x02
    TAMPER = 0x03
    DOCK = 0x04
    ACTION = 0x05
    SHOW = 0x81


class Action(IntEnum):
    """What a slide or another button of the recorder asks for."""

    MUTE = 1
    UNMUTE = 2
    PAUSE = 3
    RESUME = 4
    EXPLAIN = 5
    EXPLAINED = 6
    PHOTO = 7
    MARK = 8


class Press(IntEnum):
    """How the record button was pressed."""

    SHORT = 1
    LONG = 2
    DOUBLE = 3


@dataclass(frozen=True)
class Button:
    """The record button; `counter` rises by one with every press (modulo 256), so a repeated frame shows."""

    press: Press
    counter: int


@dataclass(frozen=True)
class Asked:
    """A slide or another button. `cause` is 0 for none or the number of a reason in the order of the rules (1 设备故障,
    2 设备损坏, 3 天气恶劣, 4 电量不足, 5 存储空间不足, 6 检查场所变化, 7 涉密/商业秘密/个人隐私, 8 情况紧急, 9 其他),
    from 16 on that of one of the department's list, in its order;
    `counter` is the one of `Button`: it rises by one with every press of anything."""

    action: Action
    cause: int
    counter: int


@dataclass(frozen=True)
class Battery:
    """Charge in percent and terminal voltage in millivolt."""

    percent: int
    millivolt: int


@dataclass(frozen=True)
class Tamper:
    """The casing was opened (True) or is closed again."""

    opened: bool


@dataclass(frozen=True)
class Dock:
    """The device was put into its docking station (True) or taken out."""

    docked: bool


class Colour(IntEnum):
    """What the recorder's lamp shows; GA/T 947 as reported: green on, yellow sound, red picture."""

    OFF = 0
    GREEN = 1
    YELLOW = 2
    RED = 3


class Pattern(IntEnum):
    """How the lamp shows it."""

    STEADY = 0
    SLOW = 1
    FAST = 2
    DOUBLE = 3


class Pulse(IntEnum):
    """What buzzer or vibration do once."""

    NONE = 0
    SHORT = 1
    TWICE = 2
    LONG = 3
    ALARM = 4


@dataclass(frozen=True)
class Show:
    """From the computer to the MCU: the lamp from now on, buzzer and vibration once."""

    colour: Colour
    pattern: Pattern
    buzzer: Pulse
    vibration: Pulse


Frame = Button | Asked | Battery | Tamper | Dock | Show


class FrameReader:
    """Feed it what the line delivers. `garbage` counts the bytes skipped; `unknown` the sound frames not understood."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self.garbage = 0
        self.unknown = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, in order. Never raises; holds at most one incomplete frame."""
        self._pending += data
        frames: list[Frame] = []
        while (body := self._next_body()) is not None:
            frame = parse_body(body)
            if frame is None:
                self.unknown += 1
            else:
                frames.append(frame)
        return frames

    def quiet(self) -> list[Frame]:
        """The line fell silent: what looks like the beginning of a frame is none. The frames that stood behind it."""
        frames: list[Frame] = []
        while self._pending:
            self._skip(1)
            frames += self.feed(b"")
        return frames

    def _next_body(self) -> bytes | None:
        """The next kind and payload whose checksum is right; None when more bytes are needed."""
        while True:
            self._skip_to_mark()
            if len(self._pending) < HEAD_BYTES:
                return None
            length = self._pending[2]
            if not 1 <= length <= 1 + MAX_PAYLOAD:
                self._skip(1)
                continue
            size = HEAD_BYTES + length + CRC_BYTES
            if len(self._pending) < size:
                return None
            frame = bytes(self._pending[:size])
            if checksum(frame[2:-CRC_BYTES]) == frame[-CRC_BYTES:]:
                del self._pending[:size]
                return frame[HEAD_BYTES:-CRC_BYTES]
            self._skip(1)

    def _skip_to_mark(self) -> None:
        at = self._pending.find(MARK)
        if at < 0:  # the last byte may be the first half of a mark
            at = len(self._pending) - self._pending.endswith(MARK[:1])
        self._skip(at)

    def _skip(self, count: int) -> None:
        self.garbage += count
        del self._pending[:count]


def parse_body(body: bytes) -> Frame | None:
    """The frame in a kind and its payload; None for a kind or a value this side does not know."""
    kind, payload = body[0], body[1:]
    if kind == Kind.BUTTON and len(payload) == 2 and payload[0] in Press.__members__.values():
        return Button(Press(payload[0]), payload[1])
    if (
        kind == Kind.ACTION
        and len(payload) == 3
        and payload[0] in Action.__members__.values()
        and _is_cause(payload[1])
    ):
        return Asked(Action(payload[0]), payload[1], payload[2])
    if kind == Kind.BATTERY and len(payload) == 3 and payload[0] <= 100:
        return Battery(payload[0], int.from_bytes(payload[1:]))
    if kind in {Kind.TAMPER, Kind.DOCK} and payload in {b"\0", b"\1"}:
        return Tamper(payload == b"\1") if kind == Kind.TAMPER else Dock(payload == b"\1")
    if kind == Kind.SHOW and len(payload) == 4:
        return _parse_show(payload)
    return None


def _is_cause(number: int) -> bool:
    return number <= CAUSES or number in LISTED_CAUSES


def _parse_show(payload: bytes) -> Show | None:
    try:
        return Show(Colour(payload[0]), Pattern(payload[1]), Pulse(payload[2]), Pulse(payload[3]))
    except ValueError:
        return None


def encode(frame: Frame) -> bytes:
    """The bytes of `frame`, as the MCU sends them."""
    match frame:
        case Button(press, counter):
            body = bytes((Kind.BUTTON, press, counter))
        case Asked(action, cause, counter):
            body = bytes((Kind.ACTION, action, cause, counter))
        case Battery(percent, millivolt):
            body = bytes((Kind.BATTERY, percent)) + millivolt.to_bytes(2)
        case Tamper(opened):
            body = bytes((Kind.TAMPER, opened))
        case Dock(docked):
            body = bytes((Kind.DOCK, docked))
        case Show(colour, pattern, buzzer, vibration):
            body = bytes((Kind.SHOW, colour, pattern, buzzer, vibration))
    checked = bytes((len(body),)) + body
    return MARK + checked + checksum(checked)


def checksum(data: bytes) -> bytes:
    """CRC-16/XMODEM of `data`, two bytes."""
    return binascii.crc_hqx(data, 0).to_bytes(2)
