"""此人是否持证: whether somebody is on the personnel lists and may enforce today; and a matter's status. Pure."""

from dataclasses import dataclass
from datetime import datetime

from agent.duty.roster import Officer, Roster
from agent.wire.disclosures import ENTRY_FIELDS, DisclosureKind
from kiosk.beijing import day
from kiosk.board import Banner, Site, banners, current_documents, roster_of
from kiosk.faces import Face, officers_faces
from kiosk.shelf import Shelf

MAY = "持证有效：{} 的执法证件今日有效。"
MAY_NOT = "{}：{}。您可以拒绝检查并拨打 {} 核实。"
UNKNOWN = "人员资格清单中没有“{}”。请核对姓名或证件编号，或拨打 {} 核实。"
LEAST_END = 4  # ours: characters from the end by which a certificate may be asked for
ASKED_FOR = ENTRY_FIELDS[DisclosureKind.MATTER_STATUS]
NO_MATTER = "没有受理编号 {}。请对照受理通知书核对，或咨询工作人员。"


@dataclass(frozen=True)
class QueryView:
    """The answer to one question: banners, and for each hit its fields (name, text) and, of people, the photo."""

    asked: str
    banners: tuple[Banner, ...] = ()
    hits: tuple[tuple[tuple[str, str], ...], ...] = ()
    faces: tuple[Face | None, ...] = ()


def person_view(shelf: Shelf, now: datetime, site: Site, asked: str) -> QueryView:
    """Who is called `asked`, or has that certificate, and whether the certificate is good today."""
    roster = roster_of(shelf, now)
    if roster is None or not asked:
        lists = banners(shelf, [DisclosureKind.PERSONNEL_LIST], now, site, "执法人员")
        return QueryView(asked, tuple(lists))
    hits = [officer for officer in roster.officers.values() if asked == officer.name] or with_certificate(roster, asked)
    if not hits:
        return QueryView(asked, (Banner("warn", UNKNOWN.format(asked, site.complaint_phone)),))
    lines, found = [], []
    for officer in hits:
        obstacle = officer.obstacle(day(now))
        words = (officer.name, obstacle, site.complaint_phone)
        line = MAY.format(officer.name) if obstacle is None else MAY_NOT.format(*words)
        lines.append(Banner("info" if obstacle is None else "stop", line))
        found.append(officer_fields(officer))
    faces = officers_faces(shelf, now)
    return QueryView(asked, tuple(lines), tuple(found), tuple(faces.get(officer.certificate) for officer in hits))


def officer_fields(officer: Officer) -> tuple[tuple[str, str], ...]:
    """The fields of the personnel list (the plan 二（一）4) as everybody may read them: name and text of each."""
    return (
        ("姓名", officer.name),
        ("单位", officer.unit),
        ("职务", officer.post),
        ("证件编号", officer.certificate),
        ("执法类别", "、".join(officer.categories)),
        ("执法区域", "、".join(officer.areas)),
        ("证件有效期至", str(officer.valid_until)),
    )


def with_certificate(roster: Roster, asked: str) -> list[Officer]:
    """The officers whose certificate is `asked`, or ends with it: the keypad on the screen has figures alone, and a
    certificate may begin with anything. Fewer than `LEAST_END` say nothing."""
    if asked in roster.officers:
        return [roster.officers[asked]]
    return [one for number, one in roster.officers.items() if len(asked) >= LEAST_END and number.endswith(asked)]


def matter_view(shelf: Shelf, now: datetime, site: Site, asked: str) -> QueryView:
    """What became of the matter whose receipt has the number `asked`; names nobody (the plan 二（一）10): only the
    fields that every status has, whatever else the office wrote into an entry."""
    known = current_documents(shelf.of(DisclosureKind.MATTER_STATUS), now)
    if not known:
        text = f"本屏尚未收到办件进度。请咨询工作人员，或拨打 {site.complaint_phone}。"
        return QueryView(asked, (Banner("info", text),))
    if not asked:
        return QueryView(asked)
    for one in known:
        for entry in one.document.entries:
            if str(entry["受理编号"]) == asked:
                return QueryView(asked, (), (tuple((name, str(entry[name])) for name in ASKED_FOR),))
    return QueryView(asked, (Banner("warn", NO_MATTER.format(asked)),))
