"""View -> HTML. Every value is escaped by Jinja2; templates are given as text. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import jinja2

from kiosk.board import Banner, Board, Site
from kiosk.identity import IdentityView
from kiosk.lists import TOPICS, ListPage
from kiosk.proof import Proof

NAVIGATION = (("board", "窗口公示"), *((topic.path, topic.title) for topic in TOPICS), ("verify", "核验"))


@dataclass(frozen=True)
class Frame:
    """What surrounds a page; `generation` tells the browser whether what it shows is the newest."""

    site: Site
    generation: str
    path: str
    title: str


class Pages:
    """The pages of a kiosk, from the texts of its templates by file name."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.DictLoader(dict(templates)),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def board(self, frame: Frame, view: Board) -> str:
        """All windows as cards."""
        return self._render("board.html", frame, view)

    def window(self, frame: Frame, view: Board) -> str:
        """The cards of one window, in full."""
        return self._render("window.html", frame, view)

    def lists(self, frame: Frame, view: ListPage) -> str:
        """Documents as tables or as articles."""
        return self._render("lists.html", frame, view)

    def proof(self, frame: Frame, view: Proof) -> str:
        """What is shown and by whose word."""
        return self._render("verify.html", frame, view)

    def identity(self, frame: Frame, view: IdentityView) -> str:
        """What a scanned code comes to: an officer's, or a receipt."""
        return self._render("identity.html", frame, view)

    def message(self, frame: Frame, banner: Banner) -> str:
        """A page that only says something."""
        return self._render("message.html", frame, banner)

    def _render(self, template: str, frame: Frame, view: object) -> str:
        return self._environment.get_template(template).render(frame=frame, view=view, navigation=NAVIGATION)
