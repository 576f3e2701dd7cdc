"""What the process that uploads is told first."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class OffloadSetup:
    """What the process works with; paths are absolute, `ca` may be empty, `sysfs` is where networks are looked up."""

    district: str
    recordings: str
    kept: str
    status: str
    url: str
    credentials: str
    ca: str
    when: str
    live: bool
    limit_kbps: int
    sysfs: str = "/sys"

    def line(self) -> str:
        """The first line on stdin."""
        return json.dumps(asdict(self))
