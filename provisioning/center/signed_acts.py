"""Acts of a review that were signed elsewhere, on their owner's computer, and are brought to the centre."""

from agent.duty import review_admission
from agent.duty.review import Move, Review, replay
from agent.wire.acts import Act, SignedAct, parse_act
from agent.wire.envelope import parse_envelope
from provisioning.center.cases import CaseRoom


def act_in(envelope: bytes) -> Act:
    """The act in an envelope that nobody has verified yet; raises `SenderFault` when there is none."""
    return parse_act(parse_envelope(envelope).payload)


def take_act(room: CaseRoom, task: str, envelope: bytes) -> Review:
    """Take in one act on `task`; raises `SenderFault` when its signature or the rules refuse it. A submission says
    itself whether a crime is suspected: that belongs to the facts that it is held against."""
    act = act_in(envelope)
    facts = room.facts(task, str(act.body.get("transfer", "")) if act.kind == Move.SUBMIT else None)
    ruling = room.ruling(facts.unit)

    def admit(before: tuple[SignedAct, ...], signed: SignedAct) -> Review:
        return review_admission.admit(replay(task, before), signed, facts, ruling.rules)

    return room.folder.take(task, envelope, room.now, admit, ruling.released.envelope)
