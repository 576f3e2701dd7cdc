"""Showing an officer's code (亮证): on the page, at a terminal, as a slip; it is told and marks the step it fulfils."""

from dataclasses import replace

from agent.control import duty_events, duty_tasks
from agent.control.duty_situation import Outcome, Situation
from agent.control.effects import SignIdentity
from agent.control.messages import IdentitySigned
from agent.control.paper_acts import PrintPaper
from agent.duty.asks import Ask
from agent.duty.identity_code import GOOD_FOR, IdentityCode
from agent.duty.papers import Paper, PaperKind
from agent.errors import OperatorFault
from agent.evidence.journal import IDENTITY
from agent.wire import canonical
from agent.wire.device_events import EventType
from agent.wire.instant import BEIJING

PRINTED = "yes"  # what `print` says in a request


def show_identity(at: Situation, ask: Ask) -> Outcome:
    """Ask for a signed code of an officer who has the device; it is answered when it is signed."""
    certificate = ask.value("certificate") or next(iter(at.shift.certificates), "")
    if certificate not in at.shift.certificates:
        raise OperatorFault("出示身份码前，请先用卡或 PIN 领用本机。")
    officer = at.guidance.listed.officers.get(certificate)
    unit = at.unit if officer is None else officer.unit
    code = IdentityCode(at.place, at.device, certificate, unit, at.task, at.now.wall, ask.ask[:16], at.clock_set)
    return Outcome(at.shift, "", effects=(SignIdentity(ask.ask, code, ask.value("print") == PRINTED),))


def identity_shown(at: Situation, event: IdentitySigned) -> Outcome:
    """A code was signed and is being shown: told, signed into the recording, and the step of the list that asks for it
    is marked. One that is to be printed is answered by the printer."""
    certificate, until = event.certificate, f"{(at.now.wall + GOOD_FOR).astimezone(BEIJING):%H:%M}"
    data = {"nonce": event.nonce, "recording": at.recording or "", "sequence": at.sequence, "task": at.task}
    told = duty_events.officer(EventType.IDENTITY_SHOWN, certificate, at.now, **data)
    more = {"certificate": certificate, "code": event.text, "until": until if at.clock_set else ""}
    shown = Outcome(at.shift, f"请对方扫码核验 {certificate}，5 分钟内有效。", (told,), more=more)
    if event.slip:
        shown = replace(shown, text="", effects=(_slip(at, event, until),))
    if at.recording is None:
        return shown
    shown = replace(shown, notes=((IDENTITY, certificate),))
    due = at.shift.sheet.identity_step() if at.filming else None
    return shown if due is None else _with_step(shown, duty_tasks.marked(at, at.recording, due))


def _with_step(shown: Outcome, step: Outcome) -> Outcome:
    drafts, notes = (*shown.drafts, *step.drafts), (*shown.notes, *step.notes)
    return replace(shown, shift=step.shift, drafts=drafts, notes=notes)


def _slip(at: Situation, event: IdentitySigned, until: str) -> PrintPaper:
    listed = at.guidance.listed.officers.get(event.certificate)
    doubt = f"有效至 {until}（北京时间）" if at.clock_set else "时钟未校准，请当面核对证件"
    lines = (
        f"单位：{at.unit if listed is None else listed.unit}",
        *([] if listed is None else [f"姓名：{listed.name}　职务：{listed.post}"]),
        f"证件编号：{event.certificate}",
        f"{doubt}，过期请要求重新出示。",
        "请用服务大厅终端或手机页面扫码核验。",
    )
    number, made = f"身份码 {event.certificate}", canonical.timestamp(at.now.wall)
    paper = Paper(PaperKind.IDENTITY, number, "执法人员身份码", "\n".join(lines), event.text, made)
    return PrintPaper(event.ask, number, "", paper.digest, 0, paper)
