"""Why recordings break off: the codes that are signed, and the one table of which of them a person has to explain.

Two kinds of codes. A `Reason` is what the device knows by itself and signs at once. A `Cause` is a person's statement
in the words of the rules (reference REC-10); it comes with a press, a spoken explanation or a written note.
"""

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """Why capture ended or broke off, as far as a device can know: the code that is signed.

    Under the causes of the rules: CAMERA_LOST, SOUND_LOST, ENCODER_STALLED, FRAMES_DROPPED, PICTURE_FROZEN and
    DEVICE_RESTART are 设备故障 (a restart may also be 电量不足), STORAGE_FAILED is 设备故障 or 存储空间不足,
    CLOCK_JUMPED and SHUTDOWN 其他. LOW_BATTERY, OVERHEATED and STORAGE_FULL (电量不足, 设备故障, 存储空间不足) are the
    device's own end of a recording, after alarms and with the figures in its health trail. PAUSED and MUTED are an
    officer's act and need his cause. STOPPED (the button) and CONTINUED (the next segment follows) are no interruption.
    """

    STOPPED = "stopped"
    CONTINUED = "continued"
    SHUTDOWN = "shutdown"
    DEVICE_RESTART = "device-restart"
    CAMERA_LOST = "camera-lost"
    ENCODER_STALLED = "encoder-stalled"
    STORAGE_FAILED = "storage-failed"
    CLOCK_JUMPED = "clock-jumped"
    FRAMES_DROPPED = "frames-dropped"
    PAUSED = "paused"
    MUTED = "muted"
    SOUND_LOST = "sound-lost"
    PICTURE_FROZEN = "picture-frozen"
    LOW_BATTERY = "low-battery"
    OVERHEATED = "overheated"
    STORAGE_FULL = "storage-full"


class Explained(StrEnum):
    """What turns an interruption with that reason from unexplained into explained."""

    NO_INTERRUPTION = "no-interruption"
    BY_DEVICE = "by-device"
    """The device's own signed account is enough."""
    BY_PERSON = "by-person"
    """A spoken explanation that follows it, or a signed note, is asked for as well."""


EXPLANATION: Mapping[Reason, Explained] = {
    Reason.STOPPED: Explained.NO_INTERRUPTION,
    Reason.CONTINUED: Explained.NO_INTERRUPTION,
    Reason.SHUTDOWN: Explained.BY_DEVICE,
    Reason.DEVICE_RESTART: Explained.BY_DEVICE,
    Reason.FRAMES_DROPPED: Explained.BY_DEVICE,
    Reason.CLOCK_JUMPED: Explained.BY_DEVICE,
    Reason.CAMERA_LOST: Explained.BY_PERSON,
    Reason.ENCODER_STALLED: Explained.BY_PERSON,
    Reason.STORAGE_FAILED: Explained.BY_PERSON,
    Reason.PAUSED: Explained.BY_PERSON,
    Reason.MUTED: Explained.BY_PERSON,
    Reason.SOUND_LOST: Explained.BY_PERSON,
    Reason.PICTURE_FROZEN: Explained.BY_DEVICE,
    Reason.LOW_BATTERY: Explained.BY_DEVICE,
    Reason.OVERHEATED: Explained.BY_DEVICE,
    Reason.STORAGE_FULL: Explained.BY_PERSON,
}
"""The one table. REC-10 asks for a statement on resuming and a written explanation wherever an officer was there to see
that nothing is recorded; a restart, a dropped frame or a frozen picture may pass unnoticed, so the device's account has
to do."""

RECORDING_GOES_ON = frozenset({Reason.MUTED, Reason.SOUND_LOST, Reason.PICTURE_FROZEN, Reason.CLOCK_JUMPED})
"""With these fragments are still made: they account for no hole between two fragments."""


class Cause(StrEnum):
    """A person's reason for an interruption, in the words of the rules (reference REC-10)."""

    EQUIPMENT_FAILURE = "equipment-failure"
    EQUIPMENT_DAMAGE = "equipment-damage"
    BAD_WEATHER = "bad-weather"
    LOW_BATTERY = "low-battery"
    STORAGE_SHORT = "storage-short"
    PLACE_CHANGED = "place-changed"
    SECRECY = "secrecy"
    EMERGENCY = "emergency"
    OTHER = "other"

    @property
    def chinese(self) -> str:
        """The words of the rules."""
        return _CAUSES[self]


_CAUSES = {
    Cause.EQUIPMENT_FAILURE: "设备故障",
    Cause.EQUIPMENT_DAMAGE: "设备损坏",
    Cause.BAD_WEATHER: "天气恶劣",
    Cause.LOW_BATTERY: "电量不足",
    Cause.STORAGE_SHORT: "存储空间不足",
    Cause.PLACE_CHANGED: "检查场所变化",
    Cause.SECRECY: "涉密/商业秘密/个人隐私",
    Cause.EMERGENCY: "情况紧急",
    Cause.OTHER: "其他",
}


OWN = "｜"  # between a code of the department's and its words
MAX_CAUSE = 60  # characters of its words, ours: code and words fit a note of the journal


def own_cause(code: str, words: str) -> str:
    """What is signed for a reason of the department's list: its code with its words, or the code alone where the rules
    have the same one."""
    if code in set(Cause) and Cause(code).chinese == words:
        return code
    return f"{code}{OWN}{words[:MAX_CAUSE]}"


def cause_words(cause: str) -> str:
    """A signed cause in Chinese: the words that came with it, those of the rules, or the text itself."""
    code, _, words = cause.partition(OWN)
    return words or (Cause(code).chinese if code in set(Cause) else cause)
