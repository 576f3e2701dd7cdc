"""The one object between the feed that changes what is shown and the server that is asked for it."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime

from agent.clock import Clock
from agent.wire.content import FONT
from agent.wire.instant import Instant
from kiosk.beijing import day
from kiosk.board import Banner, Site
from kiosk.feed import Feed
from kiosk.furniture import Furniture, index_file
from kiosk.page import STAMP, Frame, Pages
from kiosk.painted import Painted, Surface
from kiosk.stamp import stamp_svg, stamp_text
from kiosk.states import Condition, HallState, Reach, condition

URGENT = "!"  # first in the name of a generation that a page with a half-filled form takes too
CACHED_PAGES = 128  # ours: every page of a hall, in both sizes


class Display:
    """Renders pages from the feed's shelf and wakes the open pages when they are no longer the newest.

    Lives in one event loop; nothing here is called from another thread.
    """

    def __init__(self, site: Site, pages: Pages, feed: Feed, clock: Clock, hall: Furniture) -> None:
        self.site, self.feed, self.hall = site, feed, hall
        self._pages, self._clock = pages, clock
        self.painted = Painted(hall.log, pages.digest)
        self._changed = asyncio.Event()
        self._cache: dict[tuple[str, bool], tuple[str, str, Surface]] = {}
        self.condition = Condition(HallState.NORMAL)
        self.generation = ""
        self.closed = False

    def refresh(self) -> None:
        """Notice new documents, and that time itself can end one; open pages are told."""
        now = self.now()
        self.condition = condition(self.feed.shelf, now, self.site, self.hall.hours, self.hall.heard.read(now))
        parts = f"{self.condition}{sorted(self.hall.switches.items())}"
        said = hashlib.sha256(parts.encode()).hexdigest()[:4]
        urgent = URGENT if self.condition.reach is Reach.EVERYTHING else ""
        generation = f"{urgent}{day(now):%m%d}-{self.feed.shelf.fingerprint(now)}-{said}"
        if generation != self.generation:
            self.generation = generation
            self._cache.clear()
            self._changed = _woken(self._changed)

    def close(self) -> None:
        """Let every open event stream end."""
        self.closed = True
        self._changed = _woken(self._changed)

    async def next_generation(self, seen: str, timeout_s: float) -> str:
        """The generation as soon as it differs from `seen`, or after `timeout_s` seconds."""
        if self.generation == seen and not self.closed:
            changed = self._changed
            try:
                await asyncio.wait_for(changed.wait(), timeout_s)
            except TimeoutError:
                return self.generation
        return self.generation

    def kept(self, path: str, large: bool, render: Callable[[], str]) -> str:
        """A page that depends on nothing but what is published: rendered once in each generation."""
        key = (path, large)
        if key not in self._cache:
            if len(self._cache) >= CACHED_PAGES:
                self._cache.clear()
            html = render()
            self._cache[key] = (html, *self.painted.newest)
        html, tag, surface = self._cache[key]
        self.painted.rendered(tag, surface)
        return html

    def page(self, template: str, frame: Frame, view: object, private: bool = False) -> str:
        """The page with its corner stamp; of a `private` one, into which people type, nothing is remembered."""
        html = self._pages.page(template, frame, view)
        now = self._clock.read()
        said = f"{frame.here}{now.monotonic_ns}" if private else html
        tag = stamp_text(self.site.device, said)
        self.painted.rendered(tag, Surface(frame, "" if private else html, self.feed.shelf, view))
        figure = f'<figure class="stamp" role="img" aria-label="本页校验码" data-tag="{tag}">{stamp_svg(tag)}</figure>'
        return html.replace(STAMP, figure, 1)

    def frame(self, path: str, title: str, here: str, large: bool = False) -> Frame:
        """What surrounds a page; `path` is its place in the navigation, `here` its own address."""
        resets = here != self.hall.home and path != ""
        state, banner = self.condition.state.value, self.condition.banner
        font = index_file(self.feed.shelf, self.now(), FONT)
        sha256 = "" if font is None else font.sha256
        return Frame(self.site, self.generation, path, title, large, banner, state, here, resets, font=sha256)

    def missing(self, large: bool = False, told: str = "") -> str:
        """The page for an address that does not exist; never a blank one. `told` is why, where that is known."""
        banner = Banner("info", told or "没有此页。请点按下方按钮返回。")
        return self.page("message.html", self.frame("", "没有此页", "/missing", large), banner)

    def instant(self) -> Instant:
        """The moment, with what is known of the clock."""
        return self._clock.read()

    def now(self) -> datetime:
        """The moment that documents are judged by."""
        return self.feed.believed(self._clock.read().wall)


def _woken(waited_for: asyncio.Event) -> asyncio.Event:
    waited_for.set()
    return asyncio.Event()
