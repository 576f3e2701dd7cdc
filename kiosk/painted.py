"""What the browser says that it painted, and what the guard saw in the pixels: kept as the display log's lines."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from agent.wire.instant import Instant
from kiosk.board import Board
from kiosk.display_log import DisplayLog
from kiosk.display_record import What
from kiosk.display_spans import SILENCE_S
from kiosk.page import Frame
from kiosk.shelf import Shelf

REMEMBERED = 64  # ours: pages rendered and not yet said to be painted


@dataclass(frozen=True)
class Surface:
    """A page as it was rendered: `html` without its stamp, empty for a private one."""

    frame: Frame
    html: str
    shelf: Shelf
    view: object

    def facts(self, tag: str, template: str) -> dict[str, Any]:
        """What the log says of it: no names, and nothing of what a citizen typed."""
        documents = [f"{name}@{one.document.version}" for name, one in sorted(self.shelf.shown.items())]
        bundle = hashlib.sha256("".join(one.envelope_digest for _, one in sorted(self.shelf.shown.items())).encode())
        cards = self.view.cards if isinstance(self.view, Board) else ()
        return {
            "bundle": bundle.hexdigest(),
            "documents": documents,
            "html": hashlib.sha256(self.html.encode()).hexdigest() if self.html else "",
            "large": self.frame.large,
            "path": self.frame.here,
            "state": self.frame.state,
            "tag": tag if self.html else "",
            "template": template,
            "windows": [[card.number, card.state, card.certificate] for card in cards],
        }


class Painted:
    """Remembers what was rendered until it is painted; `template` is the digest of all templates."""

    def __init__(self, log: DisplayLog | None, template: str) -> None:
        self._log, self._template = log, template
        self._rendered: OrderedDict[str, Surface] = OrderedDict()
        self._at: Instant | None = None
        self._matched: bool | None = None
        self.tag = ""

    def rendered(self, tag: str, surface: Surface) -> None:
        """A page left for the browser."""
        self._rendered[tag] = surface
        self._rendered.move_to_end(tag)
        while len(self._rendered) > REMEMBERED:
            self._rendered.popitem(last=False)

    @property
    def newest(self) -> tuple[str, Surface]:
        """The page rendered last; raises `LookupError` before the first."""
        tag = next(reversed(self._rendered), None)
        if tag is None:
            raise LookupError("nothing was rendered yet")
        return tag, self._rendered[tag]

    def acknowledged(self, tag: str, now: Instant) -> bool:
        """The browser painted `tag` (two animation frames passed); returns whether that page is one of ours."""
        surface = self._rendered.get(tag)
        if surface is None:
            return False
        if tag != self.tag:
            self._matched = None
        self.tag, self._at = tag, now
        if self._log is not None:
            self._log.shown(surface.facts(tag, self._template), now)
        return True

    def looked(self, tag: str, match: bool, now: Instant) -> None:
        """The guard read the stamp of `tag` from the screen's pixels, or could not; each change is a line."""
        if self._log is not None and tag == self.tag and match is not self._matched:
            self._matched = match
            self._log.note(What.PIXELS, {"match": match, "tag": tag}, now)

    def restarted(self, reason: str, now: Instant) -> None:
        """The guard started the browser again."""
        self._ended(now)
        if self._log is not None:
            self._log.note(What.RESTARTED, {"reason": reason}, now)

    def watch(self, now: Instant) -> None:
        """Called every second: the log does not claim a page of which nothing was heard for `SILENCE_S`."""
        age_ms = self.age_ms(now)
        if age_ms is not None and age_ms > SILENCE_S * 1000:
            self._ended(now)

    def stopped(self, now: Instant) -> None:
        """The server ends."""
        self._ended(now)
        if self._log is not None:
            self._log.note(What.STOPPED, {}, now)

    def _ended(self, now: Instant) -> None:
        if self._log is not None and self._at is not None:
            self._log.silent(self._at, now)

    def age_ms(self, now: Instant) -> int | None:
        """How long ago anything was painted, None for not yet."""
        return None if self._at is None else (now.monotonic_ns - self._at.monotonic_ns) // 1_000_000
