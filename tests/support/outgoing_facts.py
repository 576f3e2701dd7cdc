"""What the agent would find in the folder through which a hall's screen speaks to it."""

from pathlib import Path

from agent.errors import SenderFault
from agent.wire.hall_facts import FACT_SUFFIX, parse_fact


def whole_facts(outgoing: Path) -> set[str]:
    """Names of the files that can be read: one whose name came without its content tells nobody anything."""
    return {place.name for place in outgoing.glob(f"[!.]*{FACT_SUFFIX}") if _is_whole(place)}


def _is_whole(place: Path) -> bool:
    try:
        parse_fact(place.read_bytes())
    except SenderFault:
        return False
    return True
