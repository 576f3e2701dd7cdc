"""A broker that follows the register by itself while `liuhen-provision serve` runs: rules and revocation list are
brought to it whenever they are no longer what the register says, judged and watched as `shut_out` does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agent.errors import LiuhenFault
from provisioning.authority.authority import Authority
from provisioning.center.broker_folder import force_files
from provisioning.center.force import put_in_force
from provisioning.center.shut_out import BrokerSite


@dataclass
class Keeper:
    """Looks when it is asked to; `tell` gets a line for people at every change, and once for a fault that stays."""

    site: BrokerSite
    authority: Authority
    tell: Callable[[str], None]
    _last_fault: str = ""

    def look(self, now: datetime) -> bool:
        """Whether the broker was brought up to date; never raises: the next look tries again."""
        try:
            if not self._stale(now):
                return False
            put_in_force(self.site, self.authority, now)
        except LiuhenFault as fault:
            if str(fault) != self._last_fault:
                self.tell(f"消息服务器没有跟上登记：{fault}")
            self._last_fault = str(fault)
            return False
        self._last_fault = ""
        self.tell(f"{self.site.folder} 的规则与吊销列表已更新，并已核验。")
        return True

    def _stale(self, now: datetime) -> bool:
        wanted = force_files(self.authority, self.site.folder, now)
        held = {name: self.site.folder / name for name in wanted}
        return any(not held[name].exists() or held[name].read_bytes() != text for name, text in wanted.items())
