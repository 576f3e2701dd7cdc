"""What the hall's screen is in: one table of states, the gravest that holds decides. Pure.

emergency > invalid > expired > offline > closed > normal (reference/kiosk.md 3.3). No state leaves the screen blank,
and none shows what was not verified.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from agent.wire.disclosures import DisclosureKind
from kiosk.beijing import day_text, minute_text
from kiosk.board import Banner, Site, current_documents
from kiosk.hours import Hours
from kiosk.shelf import Phase, Shelf

EMERGENCY_LIFE = timedelta(hours=24)  # reference/kiosk.md 3.3: an emergency never outlives a day unrenewed
LINK_SILENCE = timedelta(hours=1)  # ours: the agent writes every ten minutes while it hears the centre
FULL_OFFLINE = timedelta(days=30)  # the order's figure; info-beamer goes blank after 7
UNTRUSTED = "本屏用于核验公示内容的信任清单缺失、已损坏或不适用，无法核验，因此不展示任何公示内容。恢复后将自动展示。"
URGENT = ("级别", "紧急")  # the field and its word that make a notice an emergency


class HallState(StrEnum):
    """From the gravest to the plain one: their order here is their priority."""

    EMERGENCY = "emergency"
    INVALID = "invalid"
    EXPIRED = "expired"
    OFFLINE = "offline"
    CLOSED = "closed"
    NORMAL = "normal"


class Reach(StrEnum):
    """How much of the display a state takes the place of."""

    EVERYTHING = "everything"
    BOARD = "board"
    NOTHING = "nothing"


REACH = {
    HallState.EMERGENCY: Reach.EVERYTHING,
    HallState.INVALID: Reach.BOARD,
    HallState.EXPIRED: Reach.BOARD,
    HallState.OFFLINE: Reach.NOTHING,
    HallState.CLOSED: Reach.BOARD,
    HallState.NORMAL: Reach.NOTHING,
}


@dataclass(frozen=True)
class Condition:
    """The state, what the screen says in large letters (title and text), and the line over every page (or none)."""

    state: HallState
    title: str = ""
    text: str = ""
    banner: Banner | None = None
    alone: bool = False  # nothing else can be shown, whatever the state's own reach

    @property
    def reach(self) -> Reach:
        """What the state takes the place of."""
        return Reach.EVERYTHING if self.alone else REACH[self.state]


def state_of(holding: frozenset[HallState]) -> HallState:
    """The gravest of the states that hold."""
    return next((state for state in HallState if state in holding), HallState.NORMAL)


def holding(shelf: Shelf, now: datetime, hours: Hours, heard: datetime | None) -> frozenset[HallState]:
    """Every state that holds; `heard` is when the centre was last heard of, None when nobody keeps that."""
    boards, refused = shelf.of(DisclosureKind.WINDOW_BOARD), shelf.refused_of(DisclosureKind.WINDOW_BOARD)
    checks = {
        HallState.EMERGENCY: bool(emergencies(shelf, now)),
        HallState.INVALID: not boards and any(not one.over for one in refused),
        HallState.EXPIRED: bool(boards or refused) and all(one.phase(now) is Phase.EXPIRED for one in boards),
        HallState.OFFLINE: heard is not None and now - heard > LINK_SILENCE,
        HallState.CLOSED: not hours.is_open(now),
    }
    return frozenset(state for state, holds in checks.items() if holds)


def emergencies(shelf: Shelf, now: datetime) -> list[tuple[str, str]]:
    """Title and text of each emergency in force; one older than `EMERGENCY_LIFE` is a plain notice again."""
    name, word = URGENT
    return [
        (str(entry["标题"]), str(entry["正文"]))
        for one in current_documents(shelf.of(DisclosureKind.NOTICE), now)
        if now - one.document.effective_from < EMERGENCY_LIFE
        for entry in one.document.entries
        if entry.get(name) == word
    ]


def condition(shelf: Shelf, now: datetime, site: Site, hours: Hours, heard: datetime | None) -> Condition:
    """The screen's state and its words; a clock that is wrong is told in every state but an emergency."""
    found = _condition(shelf, now, site, hours, heard)
    if not shelf.clock or found.state is HallState.EMERGENCY:
        return found
    if found.text:
        return replace(found, text=f"{found.text}{shelf.clock}")
    quiet = "" if found.banner is None else f"{found.banner.text}。"
    return replace(found, banner=Banner("warn", f"{quiet}{shelf.clock}"))


def _condition(shelf: Shelf, now: datetime, site: Site, hours: Hours, heard: datetime | None) -> Condition:
    ask = f"请咨询工作人员，或拨打 {site.complaint_phone}。"
    if shelf.untrusted:
        return Condition(HallState.INVALID, "公示内容校验未通过", f"{UNTRUSTED}{ask}", alone=True)
    states = holding(shelf, now, hours, heard)
    match state_of(states):
        case HallState.EMERGENCY:
            urgent = emergencies(shelf, now)
            return Condition(HallState.EMERGENCY, urgent[0][0], "；".join(text for _, text in urgent))
        case HallState.INVALID:
            return Condition(
                HallState.INVALID, "公示内容校验未通过", f"窗口公示的文件不在，或未通过签名校验，不予展示。{ask}"
            )
        case HallState.EXPIRED:
            return Condition(HallState.EXPIRED, "在岗信息未更新", f"窗口公示已过有效期，等待更新。{ask}")
        case HallState.OFFLINE if heard is not None:
            return Condition(HallState.OFFLINE, banner=_offline(now, heard, ask))
        case HallState.CLOSED:
            opening = hours.next_opening(now)
            again = "" if opening is None else f"下次开放：{minute_text(opening)}。"
            return Condition(HallState.CLOSED, "现在不是服务时间", f"{again}投诉举报电话 {site.complaint_phone}。")
    return Condition(HallState.NORMAL)


def _offline(now: datetime, heard: datetime, ask: str) -> Banner:
    silent = now - heard
    if silent <= FULL_OFFLINE:
        return Banner("quiet", f"离线 {silent.days} 天" if silent.days else "离线")
    return Banner("warn", f"本屏自 {day_text(heard)} 起未能联网，以下为当日的内容，可能已有变化。{ask}")
