"""Follows `disclosed/` and the trust list, and keeps the shelf of what may be shown. Every file is verified here again:
the folder is not trusted."""

import logging
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from agent.errors import EnvironmentFault, LiuhenFault, OperatorFault
from agent.wire.envelope import MAX_ENVELOPE_BYTES
from agent.wire.identifiers import District
from agent.wire.instant import Instant
from agent.wire.trust import TrustList
from kiosk.beijing import day_text
from kiosk.content import ContentStore
from kiosk.file_stamp import FileStamp, file_stamp
from kiosk.latest import BEFORE_ANY, LatestTime
from kiosk.memory import Remembered, ShownFile
from kiosk.shelf import Shelf, restock
from kiosk.trust_store import read_root, read_trust_list
from kiosk.watched_folder import WatchedFolder

MAX_FILES = 512  # ours: a hall has some dozens of documents
FIRST = ("window-board.", "notice.", "personnel-list.")  # what a hall cannot do without, if there are ever more
NAME_PATTERN = re.compile(r"[a-z-]{1,63}\.[a-z0-9][a-z0-9-]{0,63}\.dsse")  # kind and id, as the agent names them
CLOCK_BEHIND = "本屏时钟有误，早于已有的时间记录；公示期限按已有记录（不早于{}）判断。"
LEFT_OUT = "公示文件超过 {} 份，有 {} 份未展示。请公示办公室合并或撤回。"
UNTRUSTED = (
    "nothing is shown until the trust list is mended: %s (put the district's own in %s and %s; it is tried again)"
)

log = logging.getLogger(__name__)

Stamps = tuple[FileStamp | None, FileStamp | None]


class Feed:
    """The documents of `folder` for one audience. `open` reads, `folder.watch` starts the observer, `check` looks after
    it."""

    def __init__(
        self,
        folder: Path,
        root: Path,
        trust_list: Path,
        state: Path,
        district: District,
        audience: str,
        content: Path | None = None,
    ) -> None:
        self._memory, self._damaged, self._left_out = ShownFile(state), "", 0
        self.latest = LatestTime(state)
        self.content = ContentStore(folder.with_name("content") if content is None else content)
        self.folder, self._root_path, self._trust_path = WatchedFolder(folder), root, trust_list
        self._district, self._audience = district, audience
        self._trust_seen: Stamps = (None, None)
        self.shelf = Shelf(untrusted="not opened")
        self.trust = TrustList(district, 0, BEFORE_ANY, {})  # believes nobody
        self.root: x509.Certificate | None = None

    @property
    def root_fingerprint(self) -> str:
        """SHA-256 of the pinned root certificate, hex; empty without one."""
        return "" if self.root is None else self.root.fingerprint(SHA256()).hex()

    @property
    def remark(self) -> str:
        """What people should know of this screen itself, in one line; empty when all is well."""
        return self._damaged + (LEFT_OUT.format(MAX_FILES, self._left_out) if self._left_out else "")

    def open(self, now: datetime) -> None:
        """Read root, trust list and folder. Without a list to believe the shelf is `untrusted`: nothing is shown, and
        every look tries again."""
        self.latest.open()
        self.reload(now)

    def _establish(self) -> bool:
        """Whether there is a trust list to begin with; if not, the shelf says so and the log what to do."""
        self._trust_seen = _stamps(self._root_path, self._trust_path)
        try:
            self.root = read_root(self._root_path)
            trust = read_trust_list(self._trust_path, self.root, self._district)
            remembered, remark = self._memory.read()
            if trust.version < remembered.trust_version:
                versions = f"是第 {trust.version} 版，本屏已用过第 {remembered.trust_version} 版"
                raise OperatorFault(f"信任清单 {self._trust_path} {versions}。请换上最新的 trust.dsse。")
        except LiuhenFault as fault:
            if str(fault) != self.shelf.untrusted:
                log.error(UNTRUSTED, fault, self._root_path, self._trust_path)  # noqa: TRY400 - it says it all
            self.shelf = Shelf(untrusted=str(fault))
            return False
        self.trust, self._damaged = trust, remark
        self.shelf = Shelf(floors=remembered.floors)
        return True

    def believed(self, wall: datetime) -> datetime:
        """The wall clock, but never before the trust list was signed, nor before the latest time that this screen has
        seen: a device without a battery wakes up in 1970. An undisciplined clock is not before anything shown either;
        where a disciplined one is, the office's clock is wrong."""
        floor = max(self.trust.issued_at, self.latest.floor)
        if not self.latest.is_disciplined:
            floor = max((floor, *(one.document.issued_at for one in self.shelf.shown.values())))
        return max(wall, floor)

    def observe(self, now: Instant) -> None:
        """Look at the clock, every second; one that is behind is told on the pages."""
        self.latest.observe(now)
        self.shelf = replace(self.shelf, clock=self._clock_told())

    def _clock_told(self) -> str:
        return CLOCK_BEHIND.format(day_text(self.latest.floor)) if self.latest.is_behind else ""

    def reload(self, now: datetime) -> None:
        """Look at every file again; what is refused is logged and what was shown stays."""
        if self.shelf.untrusted and not self._establish():
            return
        self._reload_trust()
        before, paths = set(self.shelf.refused), _documents(self.folder.path)
        left_out = max(0, len(paths) - MAX_FILES)
        if left_out > self._left_out:
            log.error("%d documents beyond the %d that a screen takes are not shown", left_out, MAX_FILES)
        self._left_out = left_out
        fresh = restock(
            self.shelf,
            _contents(paths[:MAX_FILES]),
            trust=self.trust,
            now=self.believed(now),
            district=self._district,
            audience=self._audience,
            verify=self.content.path,
        )
        self._remember(fresh)
        self.shelf = replace(fresh, clock=self._clock_told())
        for refusal in set(self.shelf.refused) - before:
            log.warning("disclosure %s refused, last good kept: %s", refusal.name, refusal.reason)

    def _remember(self, shelf: Shelf) -> None:
        """Before it is shown. A full disk does not end the display; it is tried again with every look."""
        try:
            self._memory.keep(Remembered(self.trust.version, shelf.floors))
        except EnvironmentFault as fault:
            log.error("what was shown cannot be remembered: %s", fault)  # noqa: TRY400 - a traceback says no more

    def check(self) -> bool:
        """Look after the observer and return whether something may have changed unseen; raises `EnvironmentFault` when
        the observer died."""
        found = self.folder.check()
        return _stamps(self._root_path, self._trust_path) != self._trust_seen or found

    def _reload_trust(self) -> None:
        seen = _stamps(self._root_path, self._trust_path)
        if seen == self._trust_seen or self.root is None:
            return
        self._trust_seen = seen
        try:
            fresh = read_trust_list(self._trust_path, self.root, self._district)
        except LiuhenFault as fault:
            log.warning("new trust list refused, version %d stays: %s", self.trust.version, fault)
            return
        if fresh.version > self.trust.version:
            self.trust = fresh
        elif fresh != self.trust:
            log.warning("trust list version %d is not newer than %d, kept", fresh.version, self.trust.version)


def _stamps(root: Path, trust_list: Path) -> Stamps:
    return file_stamp(root), file_stamp(trust_list)


def _documents(folder: Path) -> list[Path]:
    """What may be a document, the most needed first. Names that the agent never writes are passed over before the cut,
    so that they cannot push others out."""
    named = (path for path in folder.glob("*.dsse") if NAME_PATTERN.fullmatch(path.name))
    return sorted(named, key=lambda path: (not path.name.startswith(FIRST), path.name))


def _contents(paths: Iterable[Path]) -> dict[str, bytes]:
    """Envelope bytes by name; one byte more than allowed is enough to be refused as too large."""
    found: dict[str, bytes] = {}
    for path in paths:
        try:
            if path.is_file():
                with path.open("rb") as file:
                    found[path.stem] = file.read(MAX_ENVELOPE_BYTES + 1)
        except OSError as error:
            log.warning("cannot read %s: %s", path, error)
    return found
