"""Takes over files of another maker's recorder: waits until each has settled, reads it once, signs what it is.

Its own thread. The card is looked at again and again, because a mount makes no event; `TreeWatch` only makes it faster.
A card that is pulled or a file that still grows costs that file a delay and nothing else. A file that cannot be read,
has no room here or cannot be signed for is counted, the first of them named, and the next one is looked at.
"""

import hashlib
import logging
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.adapters.card_files import NO_ROOM, REFUSED, UNREADABLE, CardChanged, CardFault, CardFile, card_files
from agent.adapters.collected_shelf import CollectedShelf, NoRoom, Seen
from agent.adapters.folder_watch import TreeWatch
from agent.clock import Clock
from agent.control.messages import Event, FileCollected, WorkFailed
from agent.errors import EnvironmentFault, SenderFault
from agent.evidence.collected import CollectedStatement, Structure, name_pattern, readable
from agent.wire.identifiers import CollectedId, Digest, collected_number

SETTLE_S = 5.0  # ours: a file that nobody closed before our eyes must keep its size and time that long
CLOSED_S = 1.0  # ours: and one that was closed, so long: some recorders open and close a file many times
TORN_S = 60.0  # ours: and one whose end is not there; a copy may stall, but what never ends is taken as it is
LOOK_S, LOOKS_SHARE = 2.0, 20  # ours: a look every 2 s, and at most a 20th of the time
SMALL_BYTES = 1 << 20  # ours: so much is read into memory first, and written only when it is new
RESERVE_BYTES = 64 * 2**20  # ours: stays free for the device's own recordings
NAMED = 60  # ours: characters of a name that people are shown
NICENESS = 10  # recording comes first

logger = logging.getLogger(__name__)


@dataclass
class Patience:
    """Since when each file is as it is."""

    _since: dict[bytes, tuple[Seen, int]] = field(default_factory=dict)

    def unchanged_s(self, seen: Seen, now_ns: int) -> float:
        """For how many seconds the file has been as `seen`, at `now_ns`."""
        known, since_ns = self._since.get(seen.path, (None, now_ns))
        if known != seen:
            since_ns = now_ns
            self._since[seen.path] = (seen, now_ns)
        return (now_ns - since_ns) / 1e9

    def keep(self, paths: set[bytes]) -> None:
        """Forget every file that is not in `paths` any more."""
        self._since = {path: entry for path, entry in self._since.items() if path in paths}


class Collector:
    """Reads `card` into `shelf` and reports every new item. `told` is the highest number that was stored as an event:
    items above it are told again."""

    def __init__(
        self,
        card: Path,
        shelf: CollectedShelf,
        clock: Clock,
        report: Callable[[Event], None],
        told: int,
        settle_s: float = SETTLE_S,
        look_s: float = LOOK_S,
    ) -> None:
        self._card, self._shelf, self._clock, self._report, self._told = card, shelf, clock, report, told
        self._patience, self._settle_s, self._look_s = Patience(), settle_s, look_s
        self._closed: deque[Path] = deque()  # appended to by watchdog's thread
        self._settled: set[bytes] = set()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._watch = TreeWatch(card, self._heard)
        self._thread = threading.Thread(target=self._work, name="collector", daemon=True)
        self._said: dict[str, str] = {}

    def open(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, timeout_s: float) -> bool:
        """Stop; a file that is being read is read again at the next start. Returns whether that was done in time."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def begin(self) -> None:
        """Open the shelf and tell what was collected but never stored as an event; raises `EnvironmentFault`."""
        self._shelf.open(self._told)
        for item in self._shelf.items(self._told):
            try:
                self._report(_event(self._shelf.statement(item)))
            except (EnvironmentFault, SenderFault) as fault:
                self._say("again", f"采集件 {item} 的凭证无法读取：{fault}")

    def look(self) -> int:
        """Go over the card once; returns how many items are new. Raises `EnvironmentFault` when our own disk fails."""
        while self._closed:
            self._settled.add(os.path.relpath(os.fsencode(self._closed.popleft()), os.fsencode(self._card)))
        left_out: Counter[str] = Counter()
        named: dict[str, str] = {}
        present, new = set(), 0
        try:
            for file in card_files(self._card, left_out):
                if self._stop.is_set():
                    return new
                present.add(file.seen.path)
                new += self._take_over(file, left_out, named)
        except CardFault as fault:
            if self._card.exists():
                self._say("card", str(fault))
            return new
        self._patience.keep(present)
        self._settled &= present
        self._say("left out", _left_out_text(left_out, named))
        return new

    def _take_over(self, file: CardFile, left_out: Counter[str], named: dict[str, str]) -> bool:
        """Whether it is a new item. What one file does never ends the work on the others."""
        try:
            return self._consider(file)
        except NoRoom:
            kind = NO_ROOM
        except CardFault as fault:  # a bad sector, most likely; who stops in the middle of a file has nothing to tell
            if self._stop.is_set():
                return False
            kind = UNREADABLE
            logger.warning("%s cannot be read: %s", readable(file.seen.path), fault)
        except (SenderFault, ValueError, RecursionError) as fault:  # a name or bytes that no manifest can hold
            kind = REFUSED
            logger.warning("%s cannot be collected: %s", readable(file.seen.path), fault)
        left_out[kind] += 1
        named.setdefault(kind, f"（如 {readable(file.seen.path)[-NAMED:]}）")
        return False

    def _consider(self, file: CardFile) -> bool:
        seen = file.seen
        if self._shelf.seen.knows(seen):
            return False
        unchanged_s = self._patience.unchanged_s(seen, self._clock.read().monotonic_ns)
        closed = seen.path in self._settled
        if unchanged_s < (min(CLOSED_S, self._settle_s) if closed else self._settle_s):
            return False
        self._shelf.check_room(seen.size + RESERVE_BYTES)
        try:
            if unchanged_s < TORN_S and file.is_cut_short():
                return False
            self._settled.discard(seen.path)
            return self._collect(file)
        except CardChanged as fault:
            logger.info("%s: %s", readable(seen.path), fault)
            return False

    def _collect(self, file: CardFile) -> bool:
        """Read it; whether it is an item that was not there before."""
        seen, digest = file.seen, None
        pieces = file.pieces(self._stop.is_set)
        if seen.size <= SMALL_BYTES:
            content = b"".join(pieces)
            digest, pieces = _digest(hashlib.sha256(content)), iter((content,))
        item = None if digest is None else self._shelf.item_of(digest)
        if item is None:
            item, is_new = self._take(file, pieces)
            if is_new:
                return True
        self._shelf.seen.remember(seen)
        logger.info("%s has the content of %s, collected before", readable(seen.path), item)
        return False

    def _take(self, file: CardFile, pieces: Iterator[bytes]) -> tuple[CollectedId, bool]:
        """Copy, sign and tell it, unless its content is there already; the item, and whether it is new."""
        place, whole = self._shelf.draft(file.seen), hashlib.sha256()
        try:
            self._shelf.write(place, _hashed(pieces, whole))
            digest = _digest(whole)
            item = self._shelf.item_of(digest)
            if item is not None:
                return item, False
            stated = self._shelf.keep(place, digest, file.seen, file.modified, self._clock.read())
        finally:
            self._shelf.discard(place)
        self._report(_event(stated))
        self._shelf.seen.remember(file.seen)
        return stated.item, True

    def _work(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        begun = False
        while not self._stop.is_set():
            self._wake.clear()
            self._watch.follow()
            started_ns = self._clock.read().monotonic_ns
            try:
                if not begun:
                    self.begin()
                begun = True
                self.look()
            except EnvironmentFault as fault:
                self._say("disk", f"第三方记录仪文件未采集：{fault}")
            taken_s = (self._clock.read().monotonic_ns - started_ns) / 1e9
            self._wake.wait(max(self._look_s, taken_s * LOOKS_SHARE))
        self._watch.close()

    def _heard(self, path: Path) -> None:
        self._closed.append(path)
        self._wake.set()

    def _say(self, about: str, text: str) -> None:
        """Tell people once, and again only when it is something else."""
        if self._said.get(about, "") != text:
            self._said[about] = text
            if text:
                self._report(WorkFailed(text))


def _left_out_text(left_out: Counter[str], named: dict[str, str]) -> str:
    found = sorted((kind, count) for kind, count in left_out.items() if count)
    kinds = "、".join(f"{kind} {count} 个{named.get(kind, '')}" for kind, count in found)
    again = "请重新插好存储卡后再试。" if left_out[UNREADABLE] else ""
    advice = "请导出已回执的录像后再采集。" if left_out[NO_ROOM] else "请人工查看该卡。"
    return f"存储卡上有未采集的内容：{kinds}。{again}{advice}" if kinds else ""


def _hashed(pieces: Iterator[bytes], whole: "hashlib._Hash") -> Iterator[bytes]:
    for piece in pieces:
        whole.update(piece)
        yield piece


def _digest(whole: "hashlib._Hash") -> Digest:
    return Digest(whole.hexdigest())


def _event(stated: CollectedStatement) -> FileCollected:
    if stated.structure is Structure.TORN:
        logger.warning("%s: %s is torn; collected as it is", stated.item, readable(stated.path))
    return FileCollected(
        collected_number(stated.item),
        stated.item,
        stated.sha256,
        stated.size,
        stated.source,
        name_pattern(stated.path),
        stated.structure.value,
        stated.collected,
    )
