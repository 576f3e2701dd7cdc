"""What window staff say at the screen itself: 在岗, 暂离, 顶岗, 暂停服务. (board, switches, roster) -> board. Pure.

A switch holds for the day it was made, and only until the office publishes a newer board. It can take somebody off the
screen at once; it can put somebody on only if the personnel list says that he may.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from agent.duty.roster import Officer, Roster
from agent.duty.windows import Window, WindowState
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from kiosk.beijing import day


@dataclass(frozen=True)
class Switch:
    """`certificate` said so; `cover` is the certificate of who stands in, empty for nobody."""

    window: str
    state: WindowState
    certificate: str
    cover: str
    since: datetime

    def as_json(self) -> dict[str, str]:
        """As it is kept and sent."""
        return {
            "certificate": self.certificate,
            "cover": self.cover,
            "since": canonical.timestamp(self.since),
            "state": self.state.value,
            "window": self.window,
        }


Switches = Mapping[str, Switch]


def parse_switches(content: bytes) -> dict[str, Switch]:
    """The switches of a file by window; raises `SenderFault`."""
    found = {}
    for name, value in Fields("窗口状态", canonical.decode(content)).object("windows").items():
        one = Fields("窗口状态", value)
        try:
            state = WindowState(one.text("state"))
        except ValueError as error:
            raise SenderFault(f"窗口状态“{one.text('state')[:20]}”未知。") from error
        found[name] = Switch(name, state, one.text("certificate"), one.text("cover"), one.moment("since"))
    return found


def encode_switches(switches: Switches) -> bytes:
    """The content of the file."""
    return canonical.encode({"windows": {name: one.as_json() for name, one in switches.items()}})


def switched(window: Window, switches: Switches, roster: Roster | None, published: datetime, now: datetime) -> Window:
    """The window as its staff left it; `published` is when its board was issued."""
    switch = switches.get(window.number)
    if switch is None or day(switch.since) != day(now) or switch.since <= published:
        return window
    if switch.state is not WindowState.COVERED:
        return replace(window, state=switch.state)
    officer = None if roster is None else roster.officers.get(switch.cover)
    # Who stands in has left the list since: not to be shown, and who is away does not stand in for himself.
    return replace(window, state=WindowState.SUSPENDED) if officer is None else _covered(window, officer)


def _covered(window: Window, officer: Officer) -> Window:
    return replace(
        window,
        state=WindowState.COVERED,
        name=officer.name,
        post=officer.post,
        certificate=officer.certificate,
        cover_reason=f"{window.name}暂不在岗" if window.name else "",
    )
