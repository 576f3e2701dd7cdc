"""View -> HTML. Every value is escaped by Jinja2; templates are given as text. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import jinja2

from kiosk.board import Banner, Site
from kiosk.lists import TOPICS

NAVIGATION = (
    ("board", "窗口公示"),
    *((topic.path, topic.title) for topic in TOPICS),
    ("search", "查找"),
    ("complain", "投诉"),
    ("verify", "核验"),
)
STAMP = "<!--stamp-->"  # where the corner stamp goes, once what it says is known


@dataclass(frozen=True)
class Frame:
    """What surrounds a page; `generation` tells the browser whether what it shows is the newest; `banner` is the line
    of the hall's state; a page that is not the board goes back to it when nobody touches it
    (`resets`); `whole` shows all of a board that otherwise turns its pages; `font` is the SHA-256 of the office's font,
    empty for none."""

    site: Site
    generation: str
    path: str
    title: str
    large: bool = False
    banner: Banner | None = None
    state: str = "normal"
    here: str = "/board"
    resets: bool = False
    whole: bool = False
    font: str = ""


@dataclass(frozen=True)
class Pair:
    """A page's own content, and the answer to what was asked of it."""

    lists: object
    answer: object


class Pages:
    """The pages of a kiosk, from the texts of its templates by file name."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        self.digest = hashlib.sha256("\0".join(text for _, text in sorted(templates.items())).encode()).hexdigest()
        self._environment = jinja2.Environment(
            loader=jinja2.DictLoader(dict(templates)),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, template: str, frame: Frame, view: object) -> str:
        """Any page by the name of its template, such as `search.html`."""
        return self._environment.get_template(template).render(frame=frame, view=view, navigation=NAVIGATION)
