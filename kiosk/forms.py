"""The pages that take something: complaints and the staff's switch. (display, what is asked) -> page."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from agent.duty.windows import WindowState
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.wire.complaints import Complaint
from kiosk.asked import Answered, Asked
from kiosk.beijing import minute_text
from kiosk.board import board, roster_of
from kiosk.complaining import ComplaintView, code_bytes, code_text, complaint_of, next_step, said_in
from kiosk.display import Display
from kiosk.people import with_certificate
from kiosk.stamp import take_home_svg

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StaffView:
    """Windows that can be switched (number, who, state), the states, and what came of the last try."""

    windows: tuple[tuple[str, str, str], ...]
    states: tuple[str, ...]
    done: str = ""
    wrong: str = ""


@dataclass(frozen=True)
class ReviewView:
    """A complaint that was filed and can still be changed or taken back; `fields` empty before a code was given."""

    code: str = ""
    until: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    done: str = ""
    wrong: str = ""
    home: str = ""


def complain_page(display: Display, asked: Asked) -> Answered:
    """The three steps; the last one files the complaint and answers with its code."""
    said, box = said_in(asked), display.hall.complaints
    step, wrong = next_step(asked) if asked.posted else (1, "")
    if asked.posted and asked.text("go") == "file":
        try:
            complaint = complaint_of(said, display.site.hall, display.now())
            return _filed(display, asked, complaint)
        except SenderFault as fault:
            step, wrong = 2, str(fault)
        except EnvironmentFault as fault:
            step, wrong = 3, _not_taken(display, fault)
    view = ComplaintView(step, said, _places(display), wrong, sealed=box.takes)
    frame = display.frame("complain", "投诉举报", "/complain", asked.large)
    return Answered(display.page("complain.html", frame, view, private=asked.posted))


def _filed(display: Display, asked: Asked, complaint: Complaint) -> Answered:
    box, given = display.hall.complaints, asked.text("code")
    if given:
        code = code_bytes(given)
        box.change(code, complaint)
        done = "已按您的修改重新加密保存。"
    else:
        code, done = box.file(complaint), "已受理。内容已加密，只有受理中心能够打开。"
    filed, until = box.open(code)
    return _reviewed(display, asked, ReviewView(code_text(code), minute_text(until), _fields(filed), done))


def complaint_page(display: Display, asked: Asked) -> Answered:
    """With its code, for ten minutes: look at a complaint, change it, take it back."""
    given = asked.text("code")
    if not given or not asked.posted:
        return _reviewed(display, asked, ReviewView())
    try:
        code = code_bytes(given)
        complaint, until = display.hall.complaints.open(code)
        if asked.text("go") == "withdraw":
            display.hall.complaints.withdraw(code)
            return _reviewed(display, asked, ReviewView(done="投诉已撤回，内容已清除，没有上报。"))
    except SenderFault as fault:
        return _reviewed(display, asked, ReviewView(wrong=str(fault)))
    except EnvironmentFault as fault:
        return _reviewed(display, asked, ReviewView(wrong=_not_taken(display, fault)))
    return _reviewed(display, asked, ReviewView(code_text(code), minute_text(until), _fields(complaint)))


def _reviewed(display: Display, asked: Asked, view: ReviewView) -> Answered:
    home = take_home_svg(f"{display.site.hall} 投诉编号 {view.code}") if view.code else ""
    view = ReviewView(view.code, view.until, view.fields, view.done, view.wrong, home)
    frame = display.frame("complain", "我的投诉", "/complaint", asked.large)
    return Answered(display.page("complaint.html", frame, view, private=asked.posted))


def _fields(complaint: Complaint) -> tuple[tuple[str, str], ...]:
    named = (("category", complaint.category), ("about", complaint.about), ("text", complaint.text))
    return (*named, ("phone", complaint.phone))


def _places(display: Display) -> tuple[str, ...]:
    view = board(display.feed.shelf, display.now(), display.site, display.hall.switches)
    return tuple(f"{card.number} 号窗口" for card in view.cards)


def staff_page(display: Display, asked: Asked) -> Answered:
    """在岗, 暂离, 顶岗, 暂停服务: by PIN or card."""
    done = wrong = ""
    if asked.posted:
        try:
            done = _switch(display, asked)
        except (SenderFault, OperatorFault) as fault:
            wrong = str(fault)
        except EnvironmentFault as fault:
            wrong = _not_taken(display, fault)
    shelf, now = display.feed.shelf, display.now()
    cards = board(shelf, now, display.site, display.hall.switches).cards
    windows = tuple((card.number, card.person, card.state) for card in cards)
    view = StaffView(windows, tuple(state.value for state in WindowState), done, wrong)
    frame = display.frame("verify", "窗口人员操作", "/staff", asked.large)
    return Answered(display.page("staff.html", frame, view, private=True))


def _not_taken(display: Display, fault: EnvironmentFault) -> str:
    """What people are told when the disk takes nothing; what is wrong with it stands in the journal."""
    log.error("nothing was kept: %s", fault)
    phone = display.site.complaint_phone
    return f"本机现在不能保存，没有办成。请告知工作人员，或拨打 {phone}。"


def _switch(display: Display, asked: Asked) -> str:
    numbers: Mapping[str, str] = asked.form
    window, cover = asked.text("window"), asked.text("cover")
    try:
        state = WindowState(numbers.get("state", ""))
    except ValueError as error:
        raise SenderFault("请先选择窗口和状态。") from error
    if not window:
        raise SenderFault("请先选择窗口和状态。")
    member = display.hall.staff.believe(window, asked.text("secret"), display.instant())
    if state is WindowState.COVERED:
        roster = roster_of(display.feed.shelf, display.now())
        found = with_certificate(roster, cover) if roster is not None else []
        if not found:
            raise SenderFault("顶岗人员的证件编号不在人员资格清单中。请核对后重新输入。")
        if len(found) > 1:
            raise SenderFault("有几个人的证件编号以此结尾。请多输几位，或输全。")
        cover = found[0].certificate
    display.hall.staff.switch(window, state, member, cover if state is WindowState.COVERED else "", display.instant())
    display.refresh()
    return f"{window} 号窗口已切换为“{state.value}”，公示屏已更新。"
