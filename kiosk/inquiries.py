"""The pages that somebody asks for, and that only read: (display, what is asked) -> page. Each is one address of
`kiosk.server`, which loads this when the first of them is asked for."""

import logging

from agent.errors import EnvironmentFault
from kiosk.asked import Answered, Asked, NotThere
from kiosk.display import Display
from kiosk.furniture import in_force, search_index
from kiosk.guide import guide_view
from kiosk.lists import Topic, list_page
from kiosk.page import Pair
from kiosk.people import matter_view, person_view
from kiosk.proof import proof
from kiosk.search import SearchView, question
from kiosk.stamp import take_home_svg

MAX_PAGE = 50  # ours: 1,000 rows; nobody pages further at a kiosk

log = logging.getLogger(__name__)


def lists_page(topic: Topic, display: Display, asked: Asked) -> Answered:
    """A page of lists; that of officers answers 此人是否持证 first."""
    view = list_page(display.feed.shelf, display.now(), display.site, topic)
    frame = display.frame(topic.path, topic.title, f"/{topic.path}", asked.large)
    if topic.path != "people":
        return Answered(display.page("lists.html", frame, view))
    name = asked.text("q")
    answer = person_view(display.feed.shelf, display.now(), display.site, name) if name else None
    return Answered(display.page("people.html", frame, Pair(view, answer), private=bool(name)))


def item_page(display: Display, asked: Asked) -> Answered:
    """Everything about one item: guide, flow chart, and a code to take home."""
    name = asked.place["name"]
    view = guide_view(display.feed.shelf, display.now(), display.site, name)
    if view is None:
        ask = f"请到办理窗口或咨询台询问，或拨打 {display.site.complaint_phone}。"
        raise NotThere(f"公示中没有“{name[:60]}”的办事指南。{ask}")  # a window does more than there are guides for
    frame = display.frame("guide", name, f"/item/{name}", asked.large)
    made_here = "" if view.home_picture else take_home_svg(view.home)
    return Answered(display.page("guide.html", frame, Pair(view, made_here)))


def proof_page(display: Display, asked: Asked) -> Answered:
    """What this screen shows and by whose word; how far the log of it has come."""
    feed, log = display.feed, display.hall.log
    remark = f"{feed.remark}{display.hall.complaints.remark}"
    view = proof(feed.shelf, display.now(), feed.trust, feed.root_fingerprint, remark)
    head = None if log is None else log.head
    return Answered(
        display.page("verify.html", display.frame("verify", "核验", "/verify", asked.large), Pair(view, head))
    )


def search_page(display: Display, asked: Asked) -> Answered:
    """Staff, items, units and results by characters or by initials in pinyin, from a keypad in the page."""
    text = asked.text("q")
    page = min(int(number) if (number := asked.text("p")).isascii() and number.isdigit() else 0, MAX_PAGE)
    index = search_index(display.feed.shelf, display.now(), display.hall.content)
    sought = question(text)
    initials = sought is None or sought[0] == "initials"
    view = SearchView(text, initials, (), page, more=False, ready=index is not None)
    if index is not None and sought is not None:
        try:
            found, more = index.look(text, page, in_force(display.feed.shelf, display.now()))
        except EnvironmentFault as fault:
            log.error("no search: %s", fault)  # noqa: TRY400 - a traceback says no more
            view = SearchView(text, initials, (), page, more=False, ready=False)
        else:
            view = SearchView(text, initials, found, page, more, ready=True)
    frame = display.frame("search", "查找", "/search", asked.large)
    return Answered(display.page("search.html", frame, view, private=bool(text)))


def matter_page(display: Display, asked: Asked) -> Answered:
    """What became of a matter, by the number on its receipt."""
    number = asked.text("c")
    view = matter_view(display.feed.shelf, display.now(), display.site, number)
    frame = display.frame("search", "办件进度查询", "/matter", asked.large)
    return Answered(display.page("matter.html", frame, view, private=bool(number)))
