"""Why an officer interrupts a recording: a reason of the department's signed list, or one of the rules.

What is signed is a code; one of the department's goes with its words (`agent.evidence.reasons.own_cause`), so that
whoever verifies the recording needs no list.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.duty.reason_codes import ReasonCode
from agent.evidence.reasons import Cause, own_cause

FIRST_LISTED = 16  # in the MCU's frame: numbers from here on are the department's, in the order of its list


@dataclass(frozen=True)
class OfferedCause:
    """A reason that may be given; `number` in the MCU's frame."""

    number: int
    code: str
    text: str
    written: bool = False


def offered_causes(reasons: Sequence[ReasonCode]) -> tuple[OfferedCause, ...]:
    """The department's `reasons` first, then those of the rules that its list does not have."""
    own = tuple(OfferedCause(FIRST_LISTED + at, it.code, it.text, it.written) for at, it in enumerate(reasons))
    codes, texts = {it.code for it in own}, {it.text for it in own}
    rules = enumerate(Cause, 1)
    return own + tuple(
        OfferedCause(number, it.value, it.chinese)
        for number, it in rules
        if it.value not in codes and it.chinese not in texts
    )


def signed_cause(cause: str, listed: int, reasons: Sequence[ReasonCode]) -> str | None:
    """What is signed for the code `cause`, or for number `listed` (from 1) of the department's list; empty for none,
    None where the list has no such number."""
    if listed:
        return own_cause(reasons[listed - 1].code, reasons[listed - 1].text) if listed <= len(reasons) else None
    own = next((it for it in reasons if it.code == cause), None)
    return cause if own is None else own_cause(own.code, own.text)


def causes_text(offered: Sequence[OfferedCause]) -> str:
    """What may be given, in one line."""
    return "、".join(f"{it.code}（{it.text}）" for it in offered)
