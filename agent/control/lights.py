"""What lamp, buzzer and vibration of a recorder can do, in words for people. `signs.py` says when they do it."""

from dataclasses import dataclass
from enum import StrEnum


class Colour(StrEnum):
    """Of the lamp."""

    OFF = "灭"
    GREEN = "绿"
    YELLOW = "黄"
    RED = "红"


class Pattern(StrEnum):
    """How the lamp shows it: one second on and off, a fifth of a second, two flashes and a pause."""

    STEADY = "常亮"
    SLOW = "慢闪"
    FAST = "快闪"
    DOUBLE = "双闪"


class Pulse(StrEnum):
    """What buzzer or vibration do once."""

    NONE = "无"
    SHORT = "一短"
    TWICE = "两短"
    LONG = "一长"
    ALARM = "急促"


@dataclass(frozen=True)
class Light:
    """The lamp, until the next one."""

    colour: Colour
    pattern: Pattern = Pattern.STEADY


@dataclass(frozen=True)
class Cue:
    """What is heard and felt once. `name` is that of the spoken file, `words` what it says."""

    buzzer: Pulse = Pulse.NONE
    vibration: Pulse = Pulse.NONE
    name: str = ""
    words: str = ""


SILENT = Cue()
