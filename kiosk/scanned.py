"""The page for what was held before the scanner: an officer's code, a badge, a receipt. (display, asked) -> page."""

from agent.wire.identifiers import District
from kiosk.asked import MAX_SCANNED, Answered, Asked
from kiosk.badge import is_badge
from kiosk.badge_view import badge_view
from kiosk.display import Display
from kiosk.identity import identity_view
from kiosk.receipt import is_receipt, receipt_view


def scanned(display: Display, asked: Asked) -> Answered:
    """Whether an officer's code or a badge is genuine, or what became of the recording of a receipt."""
    text, now, trust = asked.text("c", MAX_SCANNED), display.now(), display.feed.trust
    place = District(display.site.district)
    clock_set = display.instant().wall >= trust.issued_at  # before that it is surely wrong (1970)
    if is_receipt(text):
        title = "查询执法记录回执"
        view = receipt_view(text, display.hall.receipts, now, trust, place, clock_set=clock_set)
    elif is_badge(text.strip()):
        title, view = "核验胸牌、公示牌", badge_view(text, display.feed.shelf, now)
    else:
        view = identity_view(text, display.feed.shelf, now, trust, place, clock_set=clock_set)
        title = "核验身份码、查询回执"
    frame = display.frame("verify", title, "/code", asked.large)
    return Answered(display.page("identity.html", frame, view, private=bool(text)))
