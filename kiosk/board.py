"""The window board: (documents, now) -> what the hall reads from three metres. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.duty.disclosure_rules import ROLE_NAMES
from agent.duty.roster import Roster, merge_rosters, parse_roster
from agent.duty.windows import Presented, Standing, Window, WindowState, parse_windows, present, same_window
from agent.wire.disclosures import DisclosureKind
from kiosk.beijing import day, day_text, minute_text
from kiosk.faces import Face, face_of, officers_faces
from kiosk.shelf import Phase, Shelf, Shown
from kiosk.switches import Switches, switched

TONES = {
    WindowState.ON_DUTY: "on",
    WindowState.AWAY: "away",
    WindowState.COVERED: "cover",
    WindowState.SUSPENDED: "off",
}


@dataclass(frozen=True)
class Site:
    """Whose screen this is; `hall` and `complaint_phone` as people read them; `window` is there for a screen that
    stands at one window."""

    district: str
    device: str
    hall: str
    audience: str
    complaint_phone: str
    window: str = ""


@dataclass(frozen=True)
class Banner:
    """A line that says a state in words; `tone` is `info`, `quiet` (needs no action), `warn` or `stop`."""

    tone: str
    text: str


@dataclass(frozen=True)
class Source:
    """Where what is shown comes from."""

    name: str
    title: str
    publisher: str
    version: int
    as_of: str
    signers: str


@dataclass(frozen=True)
class Card:
    """One window. `person` is empty when nobody may be shown; `note` says why in words."""

    number: str
    duty: str
    unit: str
    person: str
    post: str
    standing: str
    certificate: str
    kinds: str
    items: tuple[str, ...]
    state: str
    tone: str
    note: str
    phone: str
    face: Face | None = None


@dataclass(frozen=True)
class Board:
    """The whole board; empty `cards` come with at least one banner."""

    cards: tuple[Card, ...]
    banners: tuple[Banner, ...]
    notices: tuple[tuple[str, str], ...]
    sources: tuple[Source, ...]


def board(shelf: Shelf, now: datetime, site: Site, switches: Switches | None = None) -> Board:
    """All windows of the hall; `switches` are what window staff said at the screen itself."""
    current = current_documents(shelf.of(DisclosureKind.WINDOW_BOARD), now)
    roster, faces = roster_of(shelf, now), officers_faces(shelf, now)
    cards = tuple(card for one in current for card in _cards(one, roster, faces, now, site, switches or {}))
    return Board(
        tuple(sorted(cards, key=lambda card: (len(card.number), card.number))),
        tuple(banners(shelf, [DisclosureKind.WINDOW_BOARD], now, site, "窗口")),
        _notices(shelf, now),
        tuple(source(one) for one in current),
    )


def window_board(
    shelf: Shelf, now: datetime, site: Site, number: str, switches: Switches | None = None
) -> Board | None:
    """The board of one window; None when the hall has no such window now."""
    whole = board(shelf, now, site, switches)
    cards = tuple(card for card in whole.cards if same_window(card.number, number))
    return Board(cards, whole.banners, (), whole.sources) if cards else None


def roster_of(shelf: Shelf, now: datetime) -> Roster | None:
    """The personnel lists in force; None when there is none."""
    lists = current_documents(shelf.of(DisclosureKind.PERSONNEL_LIST), now)
    dated = [(one.document.issued_at, parse_roster(one.document.entries)) for one in lists]
    return merge_rosters(dated) if dated else None


def current_documents(shown: Sequence[Shown], now: datetime) -> list[Shown]:
    """Those that are in force."""
    return [one for one in shown if one.phase(now) is Phase.CURRENT]


def source(one: Shown) -> Source:
    """Publisher, version, date and signers of a document, in words."""
    document = one.document
    signers = "、".join(
        f"{ROLE_NAMES.get(signer.role, signer.role.value)} {signer.subject}" for signer in one.opened.signers
    )
    return Source(
        one.name, document.title, document.publisher, document.version, minute_text(document.issued_at), signers
    )


def banners(shelf: Shelf, kinds: Sequence[DisclosureKind], now: datetime, site: Site, subject: str) -> list[Banner]:
    """The states of a page's documents in words: to come, expired, withdrawn, invalid, missing."""
    shown, refused = shelf.of(*kinds), shelf.refused_of(*kinds)
    ask = f"请咨询工作人员，或拨打 {site.complaint_phone}。"
    lines = [banner for one in shown if (banner := _phase_banner(one, now, ask)) is not None]
    if any(one.name in shelf.shown for one in refused):
        lines.append(Banner("quiet", "新到的更新未通过校验，未予采用。"))
    if any(one.name not in shelf.shown for one in refused):
        lines.append(Banner("stop", f"收到的{subject}公示文件未通过校验，不予展示。{ask}"))
    if not shown and not refused:
        lines.append(Banner("info", f"本厅尚未收到{subject}公示文件。{ask}"))
    return lines


def _phase_banner(one: Shown, now: datetime, ask: str) -> Banner | None:
    document, title = one.document, f"《{one.document.title}》"
    match one.phase(now):
        case Phase.WITHDRAWN:
            return Banner("stop", f"{title}已于 {day_text(document.issued_at)} 撤回。原因：{document.withdrawn}")
        case Phase.PENDING:
            return Banner("info", f"{title}自 {minute_text(document.effective_from)} 起公示。")
        case Phase.EXPIRED:
            until = minute_text(document.effective_until or now)
            return Banner("warn", f"{title}已于 {until} 到期，等待更新。{ask}")
        case Phase.CURRENT:
            return None


def _notices(shelf: Shelf, now: datetime) -> tuple[tuple[str, str], ...]:
    current = current_documents(shelf.of(DisclosureKind.NOTICE), now)
    return tuple((str(entry["标题"]), str(entry["正文"])) for one in current for entry in one.document.entries)


def _cards(
    one: Shown, roster: Roster | None, faces: Mapping[str, Face], now: datetime, site: Site, switches: Switches
) -> list[Card]:
    on, issued, cards = day(now), one.document.issued_at, []
    for number, window in enumerate(parse_windows(one.document.entries), 1):
        there = switched(window, switches, roster, issued, now)
        own = face_of(one, number) if _who(there) == _who(window) else None
        cards.append(_card(present(there, roster, on), site, own or faces.get(there.certificate)))
    return cards


def _who(window: Window) -> tuple[str, str]:
    return window.name, window.certificate


def _card(presented: Presented, site: Site, face: Face | None) -> Card:
    window, standing = presented.window, presented.standing
    hidden, officer = standing is Standing.NOT_SHOWN, standing is Standing.OFFICER
    may_enforce = officer or standing in (Standing.UNVERIFIED, Standing.NOT_SHOWN)
    return Card(
        window.number,
        window.duty,
        window.unit,
        "" if hidden else window.name,
        "" if hidden else window.post,
        standing.value,
        window.certificate if officer else "",
        "、".join(window.kinds) if may_enforce or not window.enforces else "不办理执法事项",
        window.items,
        presented.state.value,
        TONES[presented.state],
        _note(presented),
        window.phone or site.complaint_phone,
        None if hidden else face,
    )


def _note(presented: Presented) -> str:
    """What matters most comes first: a card has one line for it, the window's own page has room for all."""
    advice = {
        Standing.UNVERIFIED: "请以出示的执法证件为准",
        Standing.NOT_SHOWN: "请到邻近窗口或咨询台办理",
        Standing.STAND_IN: "仅提供咨询" if presented.obstacle else "",
    }.get(presented.standing, "")
    reason = presented.window.cover_reason if presented.state is WindowState.COVERED else ""
    return "；".join(filter(None, (advice, reason)))
