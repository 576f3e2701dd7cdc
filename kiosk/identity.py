"""The page that answers "is this officer's code genuine, and who is that?", without a network. Pure."""

from dataclasses import dataclass
from datetime import datetime

from agent.duty.identity_code import CheckedCode, check_code
from agent.duty.labels import LABEL_WORDS
from agent.errors import SenderFault
from agent.wire.identifiers import District
from agent.wire.trust import TrustList
from kiosk.beijing import minute_text
from kiosk.board import Banner, roster_of
from kiosk.faces import Face, officers_faces
from kiosk.people import officer_fields
from kiosk.shelf import Shelf

GENUINE = "签名真实：由本区登记的执法记录仪 {} 于 {} 出示。请核对来人与证件照片是否一致。"
REFUSED = "{}您可以拒绝检查并拨打投诉举报电话核实。"  # 行政处罚法 55: 不出示执法证件的，当事人有权拒绝


@dataclass(frozen=True)
class IdentityView:
    """What is shown for a scanned text: `fields` are those of the personnel list (the plan 二（一）4), empty where the
    officer is not on it, or of a receipt (`kiosk.receipt`); `face` is the signed photo to compare with who stands
    there; no banner before anything was scanned."""

    banners: tuple[Banner, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    face: Face | None = None


def identity_view(
    text: str, shelf: Shelf, now: datetime, trust: TrustList, place: District, *, clock_set: bool = True
) -> IdentityView:
    """The answer for `text`, a scanned code; empty for none yet. `clock_set`: whether this screen knows the time."""
    if not text.strip():
        return IdentityView()
    try:
        roster = roster_of(shelf, now)
        checked = check_code(text, trust=trust, now=now, place=place, roster=roster, clock_set=clock_set)
    except SenderFault as fault:
        return IdentityView((Banner("stop", str(fault)),))
    face = officers_faces(shelf, now).get(checked.officer.certificate) if checked.officer is not None else None
    return IdentityView(tuple(_banners(checked)), _fields(checked), face)


def _banners(checked: CheckedCode) -> list[Banner]:
    code = checked.code
    banners = [Banner("info", GENUINE.format(code.device, minute_text(code.issued)))]
    banners += [Banner("warn", doubt) for doubt in checked.doubts]
    if checked.listed:  # without a list nobody can be missing from it, and a doubt says so
        words = "；".join(LABEL_WORDS[label] for label in checked.labels)
        banners += [Banner("stop", REFUSED.format(f"{words}。"))] if words else []
    return banners


def _fields(checked: CheckedCode) -> tuple[tuple[str, str], ...]:
    code, officer = checked.code, checked.officer
    task = (("任务编号", code.task),) if code.task else ()
    if officer is None:
        return (("证件编号", code.certificate), *task)
    return (*officer_fields(officer), *task)
