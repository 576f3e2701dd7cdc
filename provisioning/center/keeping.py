"""What `liuhen-provision serve` keeps up to date by itself while it runs.

The broker's rules and revocation list, judged and watched as `shut_out` does, and the trust list in folders of this
computer (the centre's, an office's)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from agent.errors import LiuhenFault, OperatorFault
from provisioning.authority.authority import Authority, waiting
from provisioning.center.broker_folder import force_files, renew_identities
from provisioning.center.force import put_in_force
from provisioning.center.shut_out import BrokerSite
from provisioning.fleet.identity_files import write_trust


@dataclass
class Keeper:
    """Looks when it is asked to; `tell` gets a line for people at every change, and once for a fault that stays."""

    authority: Authority
    tell: Callable[[str], None]
    site: BrokerSite | None = None
    folders: Sequence[Path] = ()
    _faults: dict[str, str] = field(default_factory=dict)

    def look(self, now: datetime) -> bool:
        """Whether anything was brought up to date; never raises: the next look tries again."""
        changed = [self._tried("信任清单", self._signed)]
        changed += [self._tried(str(folder), lambda f=folder: self._install(f)) for folder in self.folders]  # type: ignore[misc]
        changed.append(self._tried("消息服务器", lambda: self._reload(now)))
        return any(changed)

    def _tried(self, what: str, work: Callable[[], bool]) -> bool:
        try:
            done = work()
        except LiuhenFault as fault:
            if self._faults.get(what) != str(fault):
                self.tell(f"{what}没有跟上登记：{fault}")
            self._faults[what] = str(fault)
            return False
        self._faults.pop(what, None)
        return done

    def _signed(self) -> bool:
        if late := waiting(self.authority):
            raise OperatorFault(late)
        return False

    def _install(self, folder: Path) -> bool:
        changed = write_trust(folder, self.authority)
        if changed:
            self.tell(f"{folder} 的信任清单已更新。")
        return changed

    def _reload(self, now: datetime) -> bool:
        if self.site is None:
            return False
        renew_identities(self.authority, self.site.folder, now)
        if not self._stale(self.site.folder, now):
            return False
        put_in_force(self.site, self.authority, now)
        self.tell(f"{self.site.folder} 的规则与吊销列表已更新，并已核验。")
        return True

    def _stale(self, folder: Path, now: datetime) -> bool:
        wanted = force_files(self.authority, folder, now)
        return any(not (folder / name).exists() or (folder / name).read_bytes() != it for name, it in wanted.items())
