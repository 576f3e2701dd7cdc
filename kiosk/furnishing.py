"""Puts a hall's furniture together from its configuration."""

import logging

from agent.clock import Clock
from agent.errors import EnvironmentFault, LiuhenFault
from agent.key_files import read_signer
from kiosk.complaint_box import ComplaintBox, ComplaintKeyFile
from kiosk.config import KioskConfig
from kiosk.content import ContentStore
from kiosk.display_log import DisplayLog
from kiosk.furniture import Furniture, HeardFile
from kiosk.outgoing import Outgoing
from kiosk.receipt_folder import ReceiptFolder
from kiosk.staff_desk import StaffDesk

LOG_FOLDER = "display-log"
COMPLAINTS = "complaints"

log = logging.getLogger(__name__)


def furnish(config: KioskConfig, clock: Clock) -> Furniture:
    """The furniture of a configured hall. What is damaged closes its own page or the log, never the screen."""
    outgoing = Outgoing(config.outgoing)
    staff = StaffDesk(config.state, outgoing)
    staff.open()
    return Furniture(
        config.hours,
        HeardFile(config.heard),
        ReceiptFolder(config.receipts).part,
        ContentStore(config.content),
        ComplaintBox(
            config.state / COMPLAINTS,
            ComplaintKeyFile(config.complaint_key).read,
            outgoing,
            lambda: clock.read().monotonic_ns,
        ),
        staff,
        _display_log(config, outgoing, clock),
    )


def _display_log(config: KioskConfig, outgoing: Outgoing, clock: Clock) -> DisplayLog | None:
    try:
        signer = read_signer(config.evidence_key, config.evidence_chain)
    except LiuhenFault as fault:
        log.warning("what is shown is not logged: %s", fault)
        return None
    kept = DisplayLog(config.state / LOG_FOLDER, signer, outgoing)
    try:
        kept.open(clock.read())
    except (EnvironmentFault, OSError) as fault:
        log.error("the display log cannot be opened, tried again: %s", fault)  # noqa: TRY400 - it says it all
    return kept
