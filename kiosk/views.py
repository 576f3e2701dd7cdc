"""The pages that stand there unasked, boards and what takes their place: (display, what is asked) -> page."""

from dataclasses import replace

from kiosk.asked import Answered, Asked, NotThere
from kiosk.board import Banner, Board, board, window_board
from kiosk.display import Display
from kiosk.states import Reach


def board_page(display: Display, asked: Asked) -> Answered:
    """The window board, or what the hall's state puts in its place; pinned to a window where the screen is."""
    if display.condition.reach is not Reach.NOTHING:
        return _state(display, asked)
    view = board(display.feed.shelf, display.now(), display.site, display.hall.switches)
    if display.site.window:
        try:
            return _one_window(display, asked, display.site.window, "/board")
        except NotThere:
            view = _without_its_window(display, view)
    whole = asked.text("all") == "1"
    frame = display.frame("board", "窗口公示", "/board?all=1" if whole else "/board", asked.large)
    return Answered(display.page("board.html", replace(frame, whole=whole), view))


def window_page(display: Display, asked: Asked) -> Answered:
    """One window."""
    number = asked.place["number"]
    return _one_window(display, asked, number, f"/w/{number}")


def _one_window(display: Display, asked: Asked, number: str, here: str) -> Answered:
    view = window_board(display.feed.shelf, display.now(), display.site, number, display.hall.switches)
    if view is None and display.condition.reach is not Reach.NOTHING:
        return _state(display, asked)
    if view is None:
        raise NotThere(f"窗口公示中没有 {number[:20]} 号窗口。请点按下方按钮返回。")
    frame = display.frame("board", f"{number} 号窗口", here, asked.large)
    return Answered(display.page("window.html", frame, view))


def _without_its_window(display: Display, view: Board) -> Board:
    """What a screen at one window says where the board has no such window, or has not come yet."""
    site = display.site
    told = (
        f"窗口公示中没有 {site.window} 号窗口（kiosk.toml 的 window）。请咨询工作人员，或拨打 {site.complaint_phone}。"
    )
    return replace(view, cards=(), banners=view.banners or (Banner("warn", told),))


def emergency_page(display: Display, asked: Asked) -> Answered:
    """What takes the place of every page; never in turn with anything else."""
    return _state(display, asked)


def _state(display: Display, asked: Asked) -> Answered:
    condition = display.condition
    frame = display.frame("board", condition.title, "/board", asked.large)
    return Answered(display.page("state.html", frame, condition))
