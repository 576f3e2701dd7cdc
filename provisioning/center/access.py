"""Who may write and read which topics at the broker, once, for every engine (pure).

The subject is the certificate's common name, which the engine also makes the client id. The access list keeps devices
out of each other's subtrees; that an event is really the device's is decided by its signature, at the receiver.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.errors import OperatorFault, SenderFault
from agent.wire.identifiers import DEVICE_PATTERN, DeviceId, DeviceKind, District, device_id, device_kind
from agent.wire.topics import (
    CENTRAL,
    COMMAND,
    COMMAND_ANSWER,
    EVENTS,
    HINT,
    PUBLICATION,
    RECEIPT,
    ROOT,
    STATE,
    TWIN_DESIRED,
    TWIN_REPORTED,
    VERSION,
    device_topic,
)

DEVICE_WRITES = (EVENTS, HINT, STATE, TWIN_REPORTED, f"{COMMAND}/+/{COMMAND_ANSWER}")
DEVICE_READS = (RECEIPT, f"{COMMAND}/+", TWIN_DESIRED)


Pair = tuple[DeviceId, DeviceId]


@dataclass(frozen=True)
class AccessRules:
    """The rules of one district: its receivers, the subjects shut out, and the recorders of two officers who go
    together: each of a pair reads the other's events, to countersign its heads."""

    district: District
    receivers: tuple[str, ...]
    revoked: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()

    @property
    def base(self) -> str:
        """`gov/{district}/v1`."""
        return f"{ROOT}/{self.district}/{VERSION}"

    @property
    def common_reads(self) -> tuple[str, ...]:
        """What every device reads: the receivers' states and what is disclosed."""
        return f"{self.base}/{CENTRAL}/+/{STATE}", f"{self.base}/{PUBLICATION}/#"

    @property
    def receiver_writes(self) -> tuple[str, ...]:
        """What a receiver writes beside its own state."""
        to_devices = [f"{self.base}/+/+/{channel}" for channel in DEVICE_READS]
        return (*to_devices, f"{self.base}/{PUBLICATION}/#")

    def writable(self, subject: str) -> tuple[str, ...]:
        """Topic filters that `subject` may publish to."""
        if subject in self.revoked:
            return ()
        if subject in self.receivers:
            return (*self.receiver_writes, f"{self.base}/{CENTRAL}/{subject}/{STATE}")
        return self._own(subject, DEVICE_WRITES)

    def readable(self, subject: str) -> tuple[str, ...]:
        """Topic filters that `subject` may receive from."""
        if subject in self.revoked:
            return ()
        if subject in self.receivers:
            return (f"{ROOT}/{self.district}/#",)
        own = self._own(subject, DEVICE_READS)
        return (*own, *self.common_reads, *self.paired_reads(subject)) if own else ()

    def paired_reads(self, subject: str) -> tuple[str, ...]:
        """The events of those that `subject` goes together with."""
        partners = [other for pair in self.pairs for other in pair if subject in pair and other != subject]
        return tuple(device_topic(self.district, DeviceId(other), EVENTS) for other in partners)

    def _own(self, subject: str, channels: Iterable[str]) -> tuple[str, ...]:
        if not DEVICE_PATTERN.fullmatch(subject):
            return ()
        return tuple(device_topic(self.district, DeviceId(subject), channel) for channel in channels)


def parse_pair(text: str) -> Pair:
    """Two recorders written as `REC-0001:REC-0002`, in order; raises `OperatorFault`."""
    try:
        one, other = sorted(device_id(part) for part in text.split(":"))
    except (ValueError, SenderFault):
        raise OperatorFault(f"搭档“{text[:40]}”不合格式，应形如 --pair REC-0001:REC-0002。") from None
    if one == other or {device_kind(one), device_kind(other)} != {DeviceKind.RECORDER}:
        raise OperatorFault(f"搭档“{text[:40]}”应是两台不同的执法记录仪。请改正 --pair。")
    return one, other


def pair_text(pair: Pair) -> str:
    """The inverse of `parse_pair`."""
    return ":".join(pair)


def covers(allowed: str, asked: str) -> bool:
    """Whether every topic that matches the filter (or topic) `asked` also matches `allowed` (MQTT 5 section 4.7)."""
    wide, narrow = allowed.split("/"), asked.split("/")
    for number, level in enumerate(wide):
        if level == "#":
            return True
        if number >= len(narrow) or narrow[number] == "#":
            return False
        if level not in ("+", narrow[number]):
            return False
    return len(wide) == len(narrow)


def permitted(allowed: Iterable[str], asked: str) -> bool:
    """Whether any of the filters covers `asked`."""
    return any(covers(each, asked) for each in allowed)
