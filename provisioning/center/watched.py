"""Files that others change while the receiver runs, looked at again and again: trust list and released disclosures."""

import logging
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from agent.errors import OperatorFault, SenderFault
from agent.wire.content import Attachment
from agent.wire.envelope import MAX_ENVELOPE_BYTES, open_trust_list
from agent.wire.topics import CONTENT
from agent.wire.trust import TrustList
from provisioning.authority.authority import read_file

RELEASED_PATTERN = "[!.]*.dsse"  # a name that begins with a dot is a draft of `agent.durable`

log = logging.getLogger("liuhen.center")

_Stamp = tuple[int, int, int]


@dataclass
class TrustFile:
    """The trust list in force: the newest ever read from `path` that the pinned root signed."""

    path: Path
    root: x509.Certificate
    _stamp: _Stamp | None = None
    _unreadable: _Stamp | None = None
    _trust: TrustList | None = None

    def load(self) -> TrustList:
        """The first reading; raises `SenderFault` or `OperatorFault` when there is no list to start with."""
        self._trust = open_trust_list(read_file(self.path), self.root)
        self._stamp = _stamp(self.path)
        return self._trust

    def renew(self) -> TrustList | None:
        """A newer list, if the file changed and holds one; raises `SenderFault` for a file that is refused (once). One
        that cannot be read is looked at again."""
        stamp = _stamp(self.path)
        if stamp is None or stamp == self._stamp or self._trust is None:
            return None
        try:
            data = read_file(self.path)
        except OperatorFault as fault:
            if stamp != self._unreadable:
                log.warning("trust list cannot be read, trying again: %s", fault)
            self._unreadable = stamp
            return None
        self._stamp = stamp
        found = open_trust_list(data, self.root)
        if found.version < self._trust.version:
            raise SenderFault(f"信任清单第 {found.version} 版比现用的第 {self._trust.version} 版旧，已拒绝。")
        if found.version == self._trust.version:
            return None
        self._trust = found
        return found


@dataclass
class ReleasedFolder:
    """The office's folder of released disclosures, and the centre's own of its list of receipts, None without one."""

    folder: Path
    receipts: Path | None = None
    _seen: dict[Path, _Stamp] = field(default_factory=dict)
    _unreadable: dict[Path, _Stamp] = field(default_factory=dict)

    def forget(self) -> None:
        """Take every file as new: the broker may have lost what it retained."""
        self._seen.clear()

    def changed(self) -> list[tuple[str, bytes]]:
        """Names and contents of files that are new or were replaced since the last call, sorted."""
        fresh = []
        for path in self._files():
            stamp = _stamp(path)
            if stamp is None or self._seen.get(path) == stamp:
                continue
            try:
                fresh.append((path.name, _content(path)))
            except OSError as error:
                if self._unreadable.get(path) != stamp:
                    log.warning("released file %s cannot be read, trying again: %s", path.name, error.strerror)
                self._unreadable[path] = stamp
                continue
            self._seen[path] = stamp
        return fresh

    def content(self, one: Attachment) -> bytes:
        """The file as the office laid it under its hash, not verified; raises `SenderFault` when it is not there."""
        try:
            with (self.folder / CONTENT / one.sha256).open("rb") as file:
                return file.read(one.size + 1)
        except OSError as error:
            raise SenderFault(f"附件 {one.name} 读不出（{error.strerror}），请重新发布该公示文件。") from error

    def _files(self) -> list[Path]:
        folders = [self.folder] if self.receipts is None else [self.folder, self.receipts]
        return [path for folder in folders for path in sorted(folder.glob(RELEASED_PATTERN))]


def _stamp(path: Path) -> _Stamp | None:
    """What changes when the file does; None where there is no regular file to look at (yet)."""
    try:
        found = path.stat()
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            log.debug("cannot look at %s: %s", path, error.strerror)
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size) if stat.S_ISREG(found.st_mode) else None


def _content(path: Path) -> bytes:
    """At most one byte more than an envelope may have, which is enough to refuse it."""
    with path.open("rb") as file:
        return file.read(MAX_ENVELOPE_BYTES + 1)
