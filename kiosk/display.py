"""The one object between the feed that changes what is shown and the server that is asked for it."""

import asyncio
from datetime import datetime

from agent.clock import Clock
from agent.wire.identifiers import District
from kiosk.beijing import day
from kiosk.board import Banner, Site, board, window_board
from kiosk.feed import Feed
from kiosk.identity import identity_view
from kiosk.lists import Topic, list_page
from kiosk.page import Frame, Pages
from kiosk.proof import proof
from kiosk.receipt import Part, is_receipt, receipt_view


class Display:
    """Renders pages from the feed's shelf and wakes the open pages when they are no longer the newest.

    Lives in one event loop; nothing here is called from another thread.
    """

    def __init__(self, site: Site, pages: Pages, feed: Feed, clock: Clock, receipts: Part) -> None:
        self._site, self._pages, self._feed, self._clock = site, pages, feed, clock
        self._receipts = receipts
        self._changed = asyncio.Event()
        self.generation = ""
        self.closed = False

    def refresh(self) -> None:
        """Notice new documents, and that time itself can end one; open pages are told."""
        now = self._feed.believed(self._clock.read().wall)
        generation = f"{day(now):%m%d}-{self._feed.shelf.fingerprint(now)}"
        if generation != self.generation:
            self.generation = generation
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

    def board(self) -> str:
        """The window board."""
        return self._pages.board(self._frame("board", "窗口公示"), board(self._feed.shelf, self._now(), self._site))

    def window(self, number: str) -> str | None:
        """One window; None when the hall has none of that number."""
        view = window_board(self._feed.shelf, self._now(), self._site, number)
        return None if view is None else self._pages.window(self._frame("board", f"{number} 号窗口"), view)

    def lists(self, topic: Topic) -> str:
        """A page of lists."""
        view = list_page(self._feed.shelf, self._now(), self._site, topic)
        return self._pages.lists(self._frame(topic.path, topic.title), view)

    def proof(self) -> str:
        """What this screen shows and by whose word."""
        view = proof(self._feed.shelf, self._now(), self._feed.trust, self._feed.root_fingerprint, self._feed.remark)
        return self._pages.proof(self._frame("verify", "核验"), view)

    def scanned(self, text: str) -> str:
        """Whether the officer's code `text` is genuine, or what became of the recording of a receipt."""
        now, trust, place = self._now(), self._feed.trust, District(self._site.district)
        if is_receipt(text):
            view = receipt_view(text, self._receipts, now, trust, place)
            return self._pages.identity(self._frame("verify", "查询执法记录回执"), view)
        view = identity_view(text, self._feed.shelf, now, trust, place)
        return self._pages.identity(self._frame("verify", "核验身份码、查询回执"), view)

    def missing(self) -> str:
        """The page for an address that does not exist; never a blank one."""
        return self._pages.message(self._frame("", "没有此页"), Banner("info", "没有此页。请点按下方按钮返回。"))

    def _frame(self, path: str, title: str) -> Frame:
        return Frame(self._site, self.generation, path, title)

    def _now(self) -> datetime:
        return self._feed.believed(self._clock.read().wall)


def _woken(waited_for: asyncio.Event) -> asyncio.Event:
    waited_for.set()
    return asyncio.Event()
