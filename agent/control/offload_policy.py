"""When recordings may go to the store outside: `[offload]` says what is allowed, the device's state what is possible.

The running recording always comes first: what has been sealed waits while one is being brought out as it grows, and
everything waits while the device is too hot or its battery nearly empty (`agent.control.governor`).
"""

from dataclasses import dataclass
from enum import StrEnum


class When(StrEnum):
    """When sealed recordings go."""

    DOCK = "dock"
    WIFI = "wifi"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True)
class OffloadOrders:
    """What the controller tells the process that uploads. `asked`: somebody wants it now, wherever the device is, until
    nothing is left; `recording` is the one that runs, empty for none."""

    docked: bool = False
    paused: bool = False
    asked: bool = False
    recording: str = ""


@dataclass(frozen=True)
class OffloadPolicy:
    """`when` sealed recordings go; `live`: parts of the running one follow it; `limit_kbps` of the line, 0 for all of
    it. `never` allows neither."""

    when: When = When.DOCK
    live: bool = False
    limit_kbps: int = 0

    def may_follow(self, orders: OffloadOrders) -> bool:
        """Whether the running recording goes out while it grows."""
        return self.live and self.when is not When.NEVER and bool(orders.recording) and not orders.paused

    def may_send(self, orders: OffloadOrders, *, wifi: bool) -> bool:
        """Whether sealed recordings go."""
        if orders.paused or self.when is When.NEVER:
            return False
        if orders.asked:
            return True
        return {When.DOCK: orders.docked, When.WIFI: wifi or orders.docked}.get(self.when, True)
