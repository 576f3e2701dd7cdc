from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from agent.duty.holds import LEDGER, SHORTEST, Deed, Keeping, step
from agent.errors import SenderFault
from agent.wire.acts import next_act, open_act, seal_act
from agent.wire.canonical import timestamp
from agent.wire.trust import Role
from tests.agent.duty.facts import RECORDING
from tests.agent.duty.office import HANDLER, HANDLER_AS_LEADER, LEADER, PLACE
from tests.support.signers import NOW, Holder, holder, trusting

RECEIVER = holder("receiver-1", Role.RECEIVER, 21, days=3650)
COMMANDER = holder("示例-000031", Role.COMMANDER, 22, days=3650)
TRUST = trusting(HANDLER, LEADER, COMMANDER, HANDLER_AS_LEADER, RECEIVER)
TWO_YEARS, ONE_YEAR, FOR_EVER = "2年", "1年", "永久"


@dataclass
class Shelf:
    keeping: Keeping
    at: datetime = NOW

    def act(self, who: Holder, deed: Deed, **body: Any) -> Keeping:
        self.at += timedelta(minutes=1)
        act = next_act(self.keeping.last, PLACE, LEDGER, RECORDING, deed, who.credential.subject, self.at, body)
        signed = open_act(seal_act(act, who.signer), TRUST, self.keeping.last)
        self.keeping = step(self.keeping, signed)
        return self.keeping

    def classify(self, term: str, who: Holder = HANDLER) -> Keeping:
        return self.act(who, Deed.CLASSIFY, term=term)

    def approve(self, term: str, who: Holder = LEADER) -> Keeping:
        return self.act(who, Deed.APPROVE, term=term)

    def delete(self, ended: datetime = NOW) -> Keeping:
        return self.act(RECEIVER, Deed.DELETE, ended=timestamp(ended))


def shelf(term: str = TWO_YEARS) -> Shelf:
    found = Shelf(Keeping(RECORDING))
    found.classify(term, RECEIVER)
    return found


def refused(code: str) -> pytest.RaisesExc[SenderFault]:
    return pytest.raises(SenderFault, check=lambda fault: fault.code == code)


def test_a_wrong_tag_that_would_let_evidence_go_earlier_waits_for_a_second_person() -> None:
    kept = shelf()
    assert kept.classify(ONE_YEAR).term is not None
    assert (kept.keeping.term.text, kept.keeping.proposal.term.text) == (TWO_YEARS, ONE_YEAR)  # type: ignore[union-attr]
    with refused("person"):
        kept.approve(ONE_YEAR, HANDLER_AS_LEADER)
    assert kept.approve(ONE_YEAR).term.text == ONE_YEAR  # type: ignore[union-attr]


def test_a_longer_time_takes_effect_at_once_and_drops_what_was_proposed() -> None:
    kept = shelf()
    kept.classify(ONE_YEAR)
    assert kept.classify(FOR_EVER).term.text == FOR_EVER  # type: ignore[union-attr]
    with refused("no-proposal"):
        kept.approve(ONE_YEAR)


def test_for_ever_is_shortened_by_nobody_alone() -> None:
    assert shelf(FOR_EVER).classify(TWO_YEARS).term.text == FOR_EVER  # type: ignore[union-attr]


def test_an_approval_of_something_else_than_was_proposed_is_refused() -> None:
    kept = shelf()
    kept.classify(ONE_YEAR)
    with refused("no-proposal"):
        kept.approve("6个月")


def test_a_hold_outlasts_the_term_until_it_is_lifted() -> None:
    kept = shelf()
    kept.act(COMMANDER, Deed.HOLD, hold="诉讼-1", reason="行政诉讼调取")
    kept.at += timedelta(days=731)
    with refused("held"):
        kept.delete()
    with refused("no-hold"):
        kept.act(COMMANDER, Deed.LIFT, hold="诉讼-2", reason="已结案")


def test_a_lifted_hold_lets_a_recording_go_that_is_past_its_term() -> None:
    kept = shelf("6个月")
    kept.act(COMMANDER, Deed.HOLD, hold="诉讼-1", reason="行政诉讼调取")
    kept.at += SHORTEST + timedelta(days=1)
    kept.act(COMMANDER, Deed.LIFT, hold="诉讼-1", reason="已结案")
    assert kept.delete().deleted == kept.at
    with refused("deleted"):
        kept.classify(FOR_EVER)


@pytest.mark.parametrize("term", ["1个月", "3个月", "6个月"])
def test_nothing_goes_before_half_a_year_whatever_its_class(term: str) -> None:
    kept = shelf(term)
    kept.at += SHORTEST - timedelta(days=1)
    with refused("too-early"):
        kept.delete()


def test_what_was_never_filed_and_what_stays_for_ever_is_never_deleted() -> None:
    for kept in (Shelf(Keeping(RECORDING)), shelf(FOR_EVER), shelf("同案卷保留期限")):
        kept.at += timedelta(days=300)
        with refused("too-early"):
            kept.delete()


def test_an_officer_can_neither_hold_nor_lift_nor_delete() -> None:
    for deed in (Deed.HOLD, Deed.LIFT, Deed.DELETE):
        with refused("role"):
            shelf().act(HANDLER, deed, hold="x", reason="y", ended=timestamp(NOW))
    with pytest.raises(SenderFault, match="冻结须由签发人签名"):
        shelf().act(HANDLER, Deed.HOLD, hold="x", reason="y")


def test_two_holds_never_share_a_name() -> None:
    """One lift would lift both."""
    kept = shelf()
    kept.act(COMMANDER, Deed.HOLD, hold="诉讼", reason="案一")
    with refused("hold-name"):
        kept.act(COMMANDER, Deed.HOLD, hold="诉讼", reason="案二")
    assert kept.keeping.holds == {"诉讼": "案一"}


def test_the_class_of_the_list_is_the_least_until_two_people_say_otherwise() -> None:
    kept = Shelf(Keeping(RECORDING))
    kept.act(HANDLER, Deed.CLASSIFY, term=ONE_YEAR, listed=TWO_YEARS)
    assert (kept.keeping.term, kept.keeping.in_force and kept.keeping.in_force.text) == (None, TWO_YEARS)
    kept.approve(ONE_YEAR)
    assert kept.keeping.in_force
    assert kept.keeping.in_force.text == ONE_YEAR
    kept.act(HANDLER, Deed.CLASSIFY, term=FOR_EVER, listed=TWO_YEARS)
    assert kept.keeping.in_force.text == FOR_EVER
