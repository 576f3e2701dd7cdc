"""The page that answers "is this chest badge genuine, and whose is it?" from the board on this screen. Pure."""

from datetime import datetime

from agent.duty.windows import Standing, parse_windows, present
from agent.errors import SenderFault
from kiosk.badge import check_badge
from kiosk.beijing import day
from kiosk.board import Banner, roster_of
from kiosk.faces import face_of, officers_faces
from kiosk.identity import IdentityView
from kiosk.shelf import Phase, Shelf

GENUINE = "此牌与现行的签名窗口公示一致（第 {} 版）。请核对来人与牌上姓名、照片是否一致。"
OUT_OF_FORCE = "此牌所依据的窗口公示{}，请向咨询台核实。"
NOT_TODAY = "此牌与现行的签名窗口公示一致，但持牌人今天不能上岗：{}。请向咨询台核实。"
FIELDS = (
    "姓名",
    "单位",
    "职务",
    "窗口",
    "窗口职责",
    "投诉举报电话",
)  # no certificate: a badge proves a place, not a licence


def badge_view(text: str, shelf: Shelf, now: datetime) -> IdentityView:
    """The answer for `text`, a scanned badge: the fields of the entry in force, or one line on why not."""
    try:
        badge = check_badge(text, shelf)
    except SenderFault as fault:
        return IdentityView((Banner("stop", str(fault)),))
    phase = shelf.shown[".".join(badge.document.key)].phase(now)
    if phase is not Phase.CURRENT:
        return IdentityView((Banner("stop", OUT_OF_FORCE.format(phase.value)),))
    entry = badge.document.entries[badge.number - 1]
    (window,) = parse_windows([entry])
    today = present(window, roster_of(shelf, now), day(now))
    if today.standing is Standing.NOT_SHOWN:  # as on the board itself
        return IdentityView((Banner("stop", NOT_TODAY.format(today.obstacle or today.state.value)),))
    fields = tuple((name, str(entry[name])) for name in FIELDS if entry.get(name))
    shown = shelf.shown[".".join(badge.document.key)]
    face = face_of(shown, badge.number) or officers_faces(shelf, now).get(str(entry.get("证件编号", "")))
    return IdentityView((Banner("info", GENUINE.format(badge.document.version)),), fields, face)
