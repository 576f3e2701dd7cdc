"""Names that cross the device's edge, each with the one pattern it must match."""

import re
from enum import StrEnum
from typing import NewType

from agent.errors import SenderFault

DeviceId = NewType("DeviceId", str)
"""`REC-0001` (recorder) or `KSK-0001` (kiosk); equals certificate CN, MQTT client id and the topic's device."""

RecordingId = NewType("RecordingId", str)
"""`REC-0001-R000001`: device and its own recording number, +1 each time and never reused."""

CollectedId = NewType("CollectedId", str)
"""`REC-0001-C000001`: device and the number of a file that it collected from another recorder, never reused."""

District = NewType("District", str)
"""Lower-case short name of a district as it stands in topics, such as `xinghe`."""

KeyId = NewType("KeyId", str)
"""Lower-case hex SHA-256 of a public key's DER SubjectPublicKeyInfo; 64 characters."""

Digest = NewType("Digest", str)
"""Lower-case hex SHA-256; 64 characters."""

DEVICE_PATTERN = re.compile(r"(REC|KSK)-[0-9]{4,6}")
RECORDING_PATTERN = re.compile(r"((?:REC|KSK)-[0-9]{4,6})-R([0-9]{6,9})")
COLLECTED_PATTERN = re.compile(r"((?:REC|KSK)-[0-9]{4,6})-C([0-9]{6,9})")
DISTRICT_PATTERN = re.compile(r"[a-z][a-z0-9-]{1,31}")
LABEL_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
DIGEST_PATTERN = re.compile(r"[0-9a-f]{64}")


class DeviceKind(StrEnum):
    """The third level of every device topic."""

    RECORDER = "rec"
    KIOSK = "ksk"


def device_id(text: str) -> DeviceId:
    """Return `text` as a device id; raises `SenderFault` unless it matches `^(REC|KSK)-[0-9]{4,6}$`."""
    return DeviceId(_matched(DEVICE_PATTERN, text, "设备编号", "REC-0001 或 KSK-0001"))


def device_kind(device: DeviceId) -> DeviceKind:
    """Whether the id names a recorder or a kiosk."""
    return DeviceKind.RECORDER if device.startswith("REC-") else DeviceKind.KIOSK


def recording_id(device: DeviceId, number: int) -> RecordingId:
    """The `number`-th (from 1) recording of `device`."""
    return parse_recording_id(f"{device}-R{number:06d}")


def parse_recording_id(text: str) -> RecordingId:
    """Return `text` as a recording id; raises `SenderFault` when it is not one."""
    return RecordingId(_matched(RECORDING_PATTERN, text, "录制编号", "REC-0001-R000001"))


def recording_device(recording: RecordingId) -> DeviceId:
    """The device that made `recording`."""
    return DeviceId(recording.rpartition("-R")[0])


def recording_number(recording: RecordingId) -> int:
    """The recording's own number on its device, from 1."""
    return int(recording.rpartition("-R")[2])


def collected_id(device: DeviceId, number: int) -> CollectedId:
    """The `number`-th (from 1) file that `device` collected."""
    return parse_collected_id(f"{device}-C{number:06d}")


def parse_collected_id(text: str) -> CollectedId:
    """Return `text` as the id of a collected file; raises `SenderFault` when it is not one."""
    return CollectedId(_matched(COLLECTED_PATTERN, text, "采集编号", "REC-0001-C000001"))


def collected_number(item: CollectedId) -> int:
    """The file's own number on the device that collected it, from 1."""
    return int(item.rpartition("-C")[2])


def district(text: str) -> District:
    """Return `text` as a district's short name; raises `SenderFault` when it is not one."""
    return District(_matched(DISTRICT_PATTERN, text, "区域代号", "xinghe"))


def label(text: str) -> str:
    """Return `text` as one topic level we coin ourselves (receiver, audience, disclosure id)."""
    return _matched(LABEL_PATTERN, text, "标识", "hall-1")


def digest(text: str) -> Digest:
    """Return `text` as a digest; raises `SenderFault` unless it is 64 lower-case hex characters."""
    return Digest(_matched(DIGEST_PATTERN, text, "摘要", "64 位小写十六进制"))


def key_id(text: str) -> KeyId:
    """Return `text` as a key id; raises `SenderFault` unless it is 64 lower-case hex characters."""
    return KeyId(_matched(DIGEST_PATTERN, text, "密钥标识", "64 位小写十六进制"))


def _matched(pattern: re.Pattern[str], text: str, noun: str, example: str) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise SenderFault(f"{noun}“{str(text)[:80]}”不合规定格式，应形如 {example}。")
    return text
