"""Which of several receivers a device belongs to (pure).

By device and not by message: a shared subscription of the broker would break the order of each device. Every receiver
hears every device and passes over those of the others.
"""

import hashlib
import re
from dataclasses import dataclass

from agent.errors import OperatorFault
from agent.wire.identifiers import DeviceId

MOST = 64  # ours; each receiver hears everything, so more of them do not help
PATTERN = re.compile(r"([1-9][0-9]?)/([1-9][0-9]?)")


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `parts`."""

    number: int = 1
    parts: int = 1

    def owns(self, device: DeviceId) -> bool:
        """Whether the device is of this part: the same answer on every machine and for ever."""
        found = int.from_bytes(hashlib.sha256(device.encode()).digest()[:8], "big")
        return found % self.parts == self.number - 1


WHOLE = Shard()


def parse_shard(text: str) -> Shard:
    """`1/3`: the first of three; raises `OperatorFault`."""
    match = PATTERN.fullmatch(text)
    number, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= parts <= MOST:
        raise OperatorFault(f'shard = “{text[:20]}”不合格式，应形如 shard = "1/3"（共 3 个接收端中的第 1 个）。')
    return Shard(number, parts)
