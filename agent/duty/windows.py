"""The window board (窗口公示牌): who sits where, and as what that person may be shown.

Fields from the district's plan, section 二（一）7. Only a person whose certificate is good today is shown as 执法人员
(section 二（一）5; requirement KIO-03 of reference/domain.md 1.10); the others as 顶岗 or the window as 暂停服务.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from agent.duty.entries import Entry
from agent.duty.roster import Roster

NO_ENFORCEMENT = "无"  # 执法种类 of a window that only advises or receives


class WindowState(StrEnum):
    """What a window can be doing (KIO-01)."""

    ON_DUTY = "在岗"
    AWAY = "暂离"
    COVERED = "顶岗"
    SUSPENDED = "暂停服务"


class Standing(StrEnum):
    """As what the person at a window may be shown."""

    OFFICER = "执法人员"
    CLERK = "窗口工作人员"
    STAND_IN = "顶岗人员"
    UNVERIFIED = "持证信息待核验"
    NOT_SHOWN = ""


@dataclass(frozen=True)
class Window:
    """One entry of a board. `certificate`, `area`, `phone` and `cover_reason` are empty where the list is silent."""

    number: str
    duty: str
    unit: str
    name: str
    post: str
    kinds: tuple[str, ...]
    items: tuple[str, ...]
    state: WindowState
    certificate: str
    area: str
    phone: str
    cover_reason: str

    @property
    def enforces(self) -> bool:
        """Whether the window does anything that needs a certificate."""
        return any(kind != NO_ENFORCEMENT for kind in self.kinds)


@dataclass(frozen=True)
class Presented:
    """A window as it may be shown; `obstacle` says in words why somebody is not shown as an officer."""

    window: Window
    state: WindowState
    standing: Standing
    obstacle: str | None


def parse_windows(entries: Iterable[Any]) -> tuple[Window, ...]:
    """The windows of a board's entries; raises `SenderFault` naming entry and field."""
    return tuple(_window(Entry("窗口公示牌", number, entry)) for number, entry in enumerate(entries, 1))


def present(window: Window, roster: Roster | None, on: date) -> Presented:
    """What may be shown of `window` that day; `roster` None means that no valid personnel list is at hand."""
    if window.state is WindowState.SUSPENDED:
        return Presented(window, window.state, Standing.NOT_SHOWN, None)
    if not window.enforces:
        return Presented(window, window.state, _plain(window.state), None)
    if roster is None:
        return Presented(window, window.state, Standing.UNVERIFIED, "尚无有效的人员资格清单")
    obstacle = _obstacle(window, roster, on)
    if obstacle is None:
        return Presented(window, window.state, Standing.OFFICER, None)
    if window.state is WindowState.COVERED:
        return Presented(window, window.state, Standing.STAND_IN, obstacle)
    return Presented(window, WindowState.SUSPENDED, Standing.NOT_SHOWN, obstacle)


def _plain(state: WindowState) -> Standing:
    return Standing.STAND_IN if state is WindowState.COVERED else Standing.CLERK


def _obstacle(window: Window, roster: Roster, on: date) -> str | None:
    officer = roster.find(window.certificate, window.name)
    if officer is None:
        return "不在人员资格清单中"
    return officer.obstacle(on, window.kinds, window.area or None)


def _window(entry: Entry) -> Window:
    return Window(
        entry.text("窗口"),
        entry.text("窗口职责"),
        entry.text("单位"),
        entry.text("姓名"),
        entry.text("职务"),
        entry.texts("执法种类"),
        entry.texts("服务事项"),
        WindowState(entry.choice("状态", tuple(state.value for state in WindowState))),
        entry.optional_text("证件编号"),
        entry.optional_text("执法区域"),
        entry.optional_text("投诉举报电话"),
        entry.optional_text("顶岗原因"),
    )


def same_window(one: str, other: str) -> bool:
    """Whether two numbers mean one window: a board says 03, and people type 3."""
    return one == other or (one.isdecimal() and other.isdecimal() and int(one) == int(other))
