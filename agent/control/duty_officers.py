"""Officers and the device: enrolling, taking out, showing the code, handing in."""

from dataclasses import replace

from agent.control import duty_events
from agent.control.duty_situation import Outcome, Situation
from agent.control.effects import RaiseAlarm
from agent.duty.asks import Ask
from agent.duty.case_facts import Label, OfficerFact
from agent.duty.enrolment import MAX_CERTIFICATE, Enrolled, card_digest, is_pin, waiting_s
from agent.duty.labels import LABEL_WORDS, LAWFUL_OFFICERS
from agent.duty.limits import has_passed
from agent.duty.officers import frozen, label_lines
from agent.duty.shift import Out, Shift, label_words
from agent.duty.time_limits import LimitKind
from agent.errors import OperatorFault
from agent.evidence.journal import LABEL, OFFICER
from agent.wire import canonical
from agent.wire.device_events import EventType

BY_CARD, BY_PIN = "card", "pin"
NANOSECONDS = 1_000_000_000


def enrol(at: Situation, ask: Ask) -> Outcome:
    """Keep whose card or PIN it is; what was kept of the other of the two stays."""
    certificate, card, pin = _certificate(ask), ask.value("card"), ask.value("pin")
    if not (card or pin):
        raise OperatorFault("没有卡号也没有 PIN。请用 liuhen-agent enrol --card 给出卡号，或按提示输入 PIN。")
    before = at.shift.entry(certificate) or Enrolled(certificate)
    entry = replace(before, card=card_digest(certificate, card) if card else before.card, pin=pin or before.pin)
    others = tuple(one for one in at.shift.enrolled if one.certificate != certificate)
    told = duty_events.officer(EventType.OFFICER_ENROLLED, certificate, at.now, by=BY_CARD if card else BY_PIN)
    return Outcome(replace(at.shift, enrolled=(*others, entry)), f"已登记 {certificate}。", (told,))


def take_out_by_pin(at: Situation, ask: Ask) -> Outcome:
    """Take the device out with a PIN; wrong ones make the next try wait longer and longer."""
    certificate = _certificate(ask)
    entry = at.shift.entry(certificate)
    if entry is None or not entry.pin:
        raise OperatorFault(f"本机没有登记 {certificate} 的 PIN。请技术人员用 liuhen-agent enrol 登记。")
    wrong, left_s = _locked(at, certificate)
    if left_s > 0:
        return _refused(at, certificate, "locked", f"PIN 多次错误，请 {left_s} 秒后再试。", wrong)
    if not is_pin(ask.value("pin"), entry.pin):
        return _refused(at, certificate, "wrong-pin", "PIN 不正确。请重新输入；录制不受影响。", wrong + 1)
    return taken_out(at, certificate, BY_PIN)


def card_shown(at: Situation, card: str) -> Outcome:
    """A card: takes the device out, or hands it in by who has it while nothing is recorded."""
    whose = [one for one in at.shift.enrolled if one.card == card_digest(one.certificate, card)]
    if not whose:
        told = duty_events.officer(EventType.OFFICER_REFUSED, "", at.now, reason="unknown-card")
        text = "这张卡没有在本机登记。请技术人员用 liuhen-agent enrol 登记；录制不受影响。"
        return Outcome(at.shift, text, (told,), effects=(RaiseAlarm(text),), done=False)
    certificate = whose[0].certificate
    if certificate not in at.shift.certificates:
        return taken_out(at, certificate, BY_CARD)
    if at.recording is not None:
        return Outcome(at.shift, f"{certificate} 已领用本机，正在录制。")
    return handed_in(at, certificate)


def taken_out(at: Situation, certificate: str, by: str) -> Outcome:
    """Somebody who showed who he is takes the device out; what the list says against him is told, never in the way."""
    wrong_pins = tuple(one for one in at.shift.wrong_pins if one[0] != certificate)
    shift = replace(at.shift, wrong_pins=wrong_pins)
    if certificate in shift.certificates:
        return Outcome(shift, f"{certificate} 已领用本机。")
    since = canonical.timestamp(at.now.wall)
    shift = replace(shift, out=(*shift.out, Out(certificate, by, since)))
    now = replace(at, shift=shift)
    fact = now.crew[-1]
    told = duty_events.officer(
        EventType.OFFICER_TOOK_OUT, certificate, at.now, by=by, labels=label_words(fact.labels), task=at.task
    )
    wrong = [LABEL_WORDS[label] for label in fact.labels]
    if len(shift.out) < LAWFUL_OFFICERS:
        wrong.append("还需另一名执法人员领用（两人执法）")
    text = f"{certificate} 已领用本机。" + (f"注意：{'；'.join(wrong)}。" if wrong else "")
    return _noted(now, Outcome(shift, text, (told,), effects=_alarm(fact)), certificate)


def hand_in(at: Situation, ask: Ask) -> Outcome:
    """Hand the device in by command."""
    certificate = _certificate(ask)
    if certificate not in at.shift.certificates:
        raise OperatorFault(f"{certificate} 没有领用本机。请用 liuhen-agent task show 查看领用人。")
    if at.recording is not None:
        raise OperatorFault("正在录制，不能交回。请先停止录制。")
    return handed_in(at, certificate)


def handed_in(at: Situation, certificate: str) -> Outcome:
    """An officer gives the device back; late is labelled."""
    late = any(it.kind is LimitKind.HAND_IN and (it.told or has_passed(it, at.now)) for it in at.shift.limits)
    out = tuple(one for one in at.shift.out if one.certificate != certificate)
    limits = at.shift.limits if out else tuple(it for it in at.shift.limits if it.kind is not LimitKind.HAND_IN)
    labels = (Label.HANDED_IN_LATE,) if late else ()
    told = duty_events.officer(
        EventType.OFFICER_HANDED_IN, certificate, at.now, labels=label_words(labels), task=at.task
    )
    text = f"{certificate} 已交回本机。" + ("注意：未按时交回，请说明原因。" if late else "")
    return Outcome(replace(at.shift, out=out, limits=limits), text, (told,))


def journal_of_crew(at: Situation) -> tuple[tuple[str, str], ...]:
    """What of the officers is signed into a recording: their entries of the list, frozen, and the labels."""
    entries = tuple((OFFICER, frozen(one, at.guidance.listed)) for one in at.shift.certificates)
    return (*entries, *((LABEL, line) for line in label_lines(at.crew, at.labels)))


def _noted(at: Situation, outcome: Outcome, certificate: str) -> Outcome:
    """While a recording runs, who joins it is told and signed into it."""
    if at.recording is None:
        return outcome
    fact = [one for one in at.crew if one.certificate == certificate]
    notes = ((OFFICER, frozen(certificate, at.guidance.listed)), *((LABEL, line) for line in label_lines(fact, ())))
    drafts = (*outcome.drafts, duty_events.labelled(at.crew, at.labels, at.task, at.recording, at.now))
    return replace(outcome, drafts=drafts, notes=notes)


def _alarm(fact: OfficerFact) -> tuple[RaiseAlarm, ...]:
    words = "；".join(LABEL_WORDS[label] for label in fact.labels)
    return (RaiseAlarm(f"{fact.certificate}：{words}。请主管处理；录制不受影响。"),) if words else ()


def _refused(at: Situation, certificate: str, reason: str, text: str, wrong: int) -> Outcome:
    told = duty_events.officer(EventType.OFFICER_REFUSED, certificate, at.now, reason=reason)
    return Outcome(_with_wrong(at, certificate, wrong, reason), text, (told,), done=False)


def _with_wrong(at: Situation, certificate: str, wrong: int, reason: str) -> Shift:
    if reason == "locked":
        return at.shift
    others = tuple(one for one in at.shift.wrong_pins if one[0] != certificate)
    last = (certificate, wrong, at.now.monotonic_ns, at.now.boot)
    return replace(at.shift, wrong_pins=(*others, last))


def _locked(at: Situation, certificate: str) -> tuple[int, int]:
    """Wrong PINs in a row, and seconds left to wait. A restart begins the wait again and forgets nothing."""
    for who, wrong, last_ns, boot in at.shift.wrong_pins:
        if who == certificate:
            since_ns = last_ns if boot == at.now.boot else 0
            return wrong, waiting_s(wrong) - (at.now.monotonic_ns - since_ns) // NANOSECONDS
    return 0, 0


def _certificate(ask: Ask) -> str:
    certificate = ask.value("certificate").strip()
    if not 0 < len(certificate) <= MAX_CERTIFICATE or not certificate.isprintable():
        raise OperatorFault("请用 --certificate 写明执法证件编号。")
    return certificate
