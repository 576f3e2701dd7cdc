"""Until when the revocation list of this centre's broker holds, from the file that the broker reads."""

from datetime import datetime

from agent.errors import OperatorFault, SenderFault
from agent.wire.signing import load_pem_certificates
from provisioning.authority.authority import read_file
from provisioning.authority.list_term import broker_term
from provisioning.center.config import CenterConfig


def list_state(config: CenterConfig, now: datetime) -> tuple[bool, str] | None:
    """Whether it is good for a week more, and a line for people; None where `[broker] revocation_list` is not set."""
    place = config.broker.revocation_list
    if place is None:
        return None
    try:
        chain = load_pem_certificates(read_file(config.chain))
        term = broker_term(read_file(place), chain[-1])
    except (SenderFault, OperatorFault) as fault:
        return False, str(fault)
    return term.good(now), term.told(now)
