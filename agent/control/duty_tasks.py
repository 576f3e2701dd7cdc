"""Tasks and their steps: taking, marking, saying why something is missing, ending."""

from dataclasses import replace
from datetime import datetime, timedelta

from agent.control import duty_events
from agent.control.duty_situation import Outcome, Situation
from agent.control.effects import EventDraft, RaiseAlarm
from agent.control.messages import RecordingSealed
from agent.duty.asks import Ask
from agent.duty.case_facts import Label
from agent.duty.labels import LABEL_WORDS
from agent.duty.limits import MEETABLE, Limit, begin
from agent.duty.masking import check_masked
from agent.duty.shift import MAX_STOPPED, MAX_WAITING, REMEMBERED_TASKS, Closed, Shift, Stopped
from agent.duty.steps import Mark, StepSheet
from agent.duty.task import TAKEN, TOO_MANY, Task, for_this, parse_task, read_task, with_list
from agent.duty.whole_process import early_causes
from agent.errors import OperatorFault, SenderFault
from agent.evidence.journal import LABEL, STEP, STEP_DUE, TASK
from agent.wire import canonical
from agent.wire.device_events import EventType, event_hash
from agent.wire.identifiers import RecordingId
from agent.wire.instant import Instant, TimeState

COMMAND, FILE = "command", "file"
ASK_REASON = "请用 liuhen-agent task reason 说明原因。"
MAX_REASON = 100  # characters, ours: fits a note of the journal


def offered(at: Situation, value: object, source: str, payload: bytes) -> Outcome:
    """A task came: take it, or keep it waiting while another is in hand. Raises `SenderFault`."""
    task = for_this(parse_task(value), at.device, at.unit, at.now.wall if at.clock_set else None)
    known = (at.task, *at.shift.ended, *(one.task for one in at.shift.waiting))
    if task.task in known:
        raise SenderFault(f"任务 {task.task} 已经领取过，未重复采用。", TAKEN)
    if at.shift.task is None:
        return taken(at, task, source, event_hash(payload))
    if len(at.shift.waiting) >= MAX_WAITING:
        text = f"等待领取的任务已有 {MAX_WAITING} 项，{task.task} 未收下。请先领取办理，再请派单人重发。"
        raise SenderFault(text, TOO_MANY)
    waiting = (*at.shift.waiting, task)
    text = f"任务 {task.task} 已收到，正在办理 {at.task}。结束后请用 liuhen-agent task pick {task.task} 领取。"
    return Outcome(replace(at.shift, waiting=waiting), text)


def picked(at: Situation, ask: Ask) -> Outcome:
    """The officer picks a waiting task by its number, or one from a file."""
    document = ask.value("document")
    waiting = {task.task: task for task in at.shift.waiting}
    if at.shift.task is not None:
        raise OperatorFault(f"正在办理任务 {at.task}。请先用 liuhen-agent task end 结束。")
    if document in waiting:
        task = for_this(waiting[document], at.device, at.unit, at.now.wall if at.clock_set else None)
        return taken(at, task, COMMAND, event_hash(canonical.encode(task.as_json())))
    if not document.lstrip().startswith("{"):
        raise OperatorFault(f"没有等待领取的任务“{document[:64]}”。请用 liuhen-agent task show 查看，或给出任务文件。")
    payload = document.encode()
    return offered(at, read_task(document), FILE, payload)


def taken(at: Situation, task: Task, source: str, digest: str) -> Outcome:
    """The task in hand, with what the list on this device asks for."""
    asked = at.guidance.requires(task)
    task = with_list(task, asked)
    waiting = tuple(one for one in at.shift.waiting if one.task != task.task)
    sheet = StepSheet(task.required)
    shift = replace(at.shift, task=task, source=source, sheet=sheet, waiting=waiting, asking="")
    now = replace(at, shift=shift)
    drafts: tuple[EventDraft, ...] = (duty_events.taken(task, source, digest, at.now),)
    text = f"已领取任务 {task.task}：{task.category} {task.matter}，应录环节 {len(task.required)} 项。"
    if task.major:
        text += "重大执法决定，须法制审核，请全程录音录像。"
    elif task.major_open:
        text += f"是否属于重大执法决定尚未查明（{'、'.join(task.major_open)}未知），请全程录音录像，查明后报法制机构。"
    if asked.unknown_stages:
        text += f"清单和记录办法中没有环节“{'、'.join(asked.unknown_stages)[:60]}”（对该事项无所要求），未按它筛选。"
    if not asked.listed:
        text += "本机清单中没有该事项，请逐项自行标记，并报法制机构补充清单。"
    elif not task.required:
        text += "清单中没有该事项的应录环节，请逐项自行标记。"
    if at.recording is not None:
        drafts = (*drafts, duty_events.labelled(now.crew, now.labels, task.task, at.recording, at.now))
    return Outcome(shift, text, drafts, journal_of_task(shift))


def journal_of_task(shift: Shift) -> tuple[tuple[str, str], ...]:
    """What of the task is signed into a recording: the steps that are still due."""
    task = shift.task
    if task is None:
        return ()
    return (
        (TASK, f"{task.task}｜{task.category}｜{task.matter}"),
        *((STEP_DUE, step) for step in shift.sheet.missing),
    )


def step(at: Situation, ask: Ask) -> Outcome:
    """Mark a step: the next one, or that which was chosen."""
    if at.recording is None:
        raise OperatorFault("没有在录制，标记了也没有录像可对应。请先按录制键，再标记环节。")
    if not at.filming:
        raise OperatorFault("存储空间不足或存储卡故障，录制中断，现在没有画面，未标记。请腾出空间，恢复后再标记环节。")
    return marked(at, at.recording, at.shift.sheet.chosen(ask.value("step").strip()))


def pressed(at: Situation) -> Outcome:
    """One press marks the next step that is due; without any it changes nothing."""
    due = at.shift.sheet.missing
    if at.recording is None or not (due and at.filming):
        return Outcome(at.shift, "")
    return marked(at, at.recording, due[0])


def marked(at: Situation, recording: RecordingId, words: str) -> Outcome:
    """`words` is marked in the running `recording`; a limit that it begins runs from now."""
    sheet = at.shift.sheet.marked(Mark(words, recording, at.sequence, canonical.timestamp(at.now.wall)))
    mark = sheet.marks[-1]
    limits = at.guidance.time_limits
    kinds = () if mark.repeated else limits.begun_by(words)
    begun = tuple(begin(kind, at.task, at.now, limits) for kind in kinds)
    drafts = (
        duty_events.marked(mark, at.task, at.now),
        *(duty_events.limit(EventType.LIMIT_STARTED, limit, at.now) for limit in begun),
    )
    rest = sheet.missing
    again = f"（第 {mark.repeated + 1} 次标记，前次保留）" if mark.repeated else ""
    text = f"已标记：{words}{again}。" + (f"还有 {len(rest)} 项，下一项：{rest[0]}。" if rest else "")
    text += "".join(f"{limit.words}。" for limit in begun)
    shift = replace(at.shift, sheet=sheet, limits=(*at.shift.limits, *begun))
    return Outcome(shift, text, drafts, ((STEP, words),), {"step": words, "repeated": mark.repeated})


def explained(at: Situation, ask: Ask) -> Outcome:
    """Why steps are missing, or a recording ended too early, by a code of the department or in the officer's words:
    kept for everything for which nobody has said why."""
    given, note = ask.value("reason").strip(), ask.value("note").strip()
    codes = (*at.offered_reasons, *at.guidance.interruptions)
    if given in {one.code for one in at.guidance.unrecorded} - {one.code for one in codes}:
        raise OperatorFault(f"“{given}”是不予记录的原因，而本任务已有录像。请另选原因，或自行写明。")
    code = next((one for one in codes if given in (one.code, one.text)), None)
    reason = _one_line("原因", "：".join(filter(None, (given if code is None else code.text, note))))
    steps, early = at.shift.sheet.unexplained, _unexplained_ends(at)
    if not (steps or early):
        raise OperatorFault("没有待说明的环节，无需说明。请用 liuhen-agent task show 查看各环节。")
    if not (at.shift.asking or at.recording or any(one.task == at.task for one in at.shift.stopped)):
        raise OperatorFault("这项任务还没有录制，环节都还可以录。请在停止录制或结束任务后再说明原因。")
    told = _why(at, steps, early, reason, "" if code is None else code.code)
    ended = tuple(replace(one, reason=reason) if one in early else one for one in at.shift.stopped)
    shift = replace(at.shift, sheet=at.shift.sheet.explained(steps, reason), asking="", stopped=ended)
    text = f"已记录 {len(steps)} 项环节未录的原因。" if steps else "已记录全过程记录提前停止的原因。"
    if code is not None and code.written and not note:
        text += "该原因须书面说明，请另行写明情况。"
    label = Label.STEPS_MISSING if steps else Label.STOPPED_EARLY
    return Outcome(shift, text, told, ((LABEL, f"{label} {reason}"),))


def _unexplained_ends(at: Situation) -> tuple[Stopped, ...]:
    """The recordings of this task that ended too early, nobody said why."""
    own = (at.task, at.shift.asking)
    return tuple(it for it in at.shift.stopped if it.early and not it.reason and {it.task, it.recording} & {*own})


def _why(
    at: Situation, steps: tuple[str, ...], early: tuple[Stopped, ...], reason: str, code: str
) -> tuple[EventDraft, ...]:
    """What is told of a reason: for each recording that it is about, for the task where it is about none."""
    task = at.task or at.shift.asking
    if not early:
        return (duty_events.missing(steps, task, at.recording or "", reason, at.now, code),)
    return tuple(duty_events.missing(steps, it.task, it.recording, reason, at.now, code, it.early) for it in early)


def met(at: Situation, ask: Ask) -> Outcome:
    """What a limit asks for was done: its oldest runs no more, and what was done is told. A late one stays told."""
    kind = MEETABLE.get(ask.value("limit"))
    if kind is None:
        raise OperatorFault(f"时限应为 {' 或 '.join(MEETABLE)}。交回请用 liuhen-agent task hand-in。")
    note = _one_line("办理情况", ask.value("note"))
    limit = next((one for one in at.shift.limits if one.kind is kind), None)
    if limit is None:
        raise OperatorFault("没有正在计时的这项时限。请用 liuhen-agent task show 查看。")
    told = duty_events.limit(EventType.LIMIT_MET, limit, at.now, note=note)
    shift = replace(at.shift, limits=tuple(one for one in at.shift.limits if one is not limit))
    return Outcome(shift, "已登记办理，" + ("但已超过时限，请书面说明。" if limit.told else "不再计时。"), (told,))


def _one_line(noun: str, text: str) -> str:
    words = text.strip()
    if not 0 < len(words) <= MAX_REASON or not words.isprintable():
        raise OperatorFault(f"{noun}应是 1 至 {MAX_REASON} 字的一行文字。请改写。")
    check_masked(noun, {noun: words})
    return words


def ended(at: Situation, _: Ask) -> Outcome:
    """End the task in hand; missing steps are asked about, never in the way."""
    if at.shift.task is None:
        raise OperatorFault("没有正在办理的任务，无需结束。请用 liuhen-agent task pick 领取任务。")
    task, unexplained = at.task, at.shift.sheet.unexplained
    ended_tasks = (*at.shift.ended, task)[-REMEMBERED_TASKS:]
    shift = replace(_stopping(at), task=None, source="", ended=ended_tasks, asking=task if unexplained else "")
    drafts: tuple[EventDraft, ...] = (duty_events.ended(task, at.shift, at.now),)
    text = f"任务 {task} 已结束。"
    if unexplained:
        drafts = (*drafts, duty_events.missing(unexplained, task, at.recording or "", "", at.now))
        text += missing_text(unexplained)
    return Outcome(shift, text, drafts)


def missing_text(steps: tuple[str, ...]) -> str:
    """The question about missing steps, in one line."""
    return f"应录环节还有 {len(steps)} 项未标记：{'、'.join(steps)}。{ASK_REASON}"


def at_stop(
    at: Situation, began: Instant | None
) -> tuple[Shift, tuple[EventDraft, ...], tuple[tuple[str, str], ...], tuple[RaiseAlarm, ...]]:
    """A recording that `began` then is about to be closed: what is missing of its task, and whether it had to go on, is
    told, signed into it and asked about."""
    recording, shift = at.recording or "", _stopping(at, began)
    unexplained = () if at.shift.task is None else at.shift.sheet.unexplained
    stopped = next((one for one in shift.stopped if one.recording == recording), None)
    early = () if stopped is None else stopped.early
    if not (unexplained or early):
        return shift, (), (), ()
    reason = "" if stopped is None else stopped.reason
    task = at.task or ("" if stopped is None else stopped.task)
    told = duty_events.missing(unexplained, task, recording, reason, at.now, early=early)
    notes = ((LABEL, f"{Label.STOPPED_EARLY} {LABEL_WORDS[Label.STOPPED_EARLY]}：{'；'.join(early)}"),) if early else ()
    asking = recording if unexplained or not reason else ""
    words = [missing_text(unexplained)] if unexplained else []
    words += [f"{LABEL_WORDS[Label.STOPPED_EARLY]}：{'；'.join(early)}。{ASK_REASON}"] if early and not reason else []
    return replace(shift, asking=asking), (told,), notes, tuple(RaiseAlarm(text) for text in words)


def _stopping(at: Situation, began: Instant | None = None) -> Shift:
    """With what the running recording is of, should it stop now. One whose task ended meanwhile is of that task."""
    before = [one for one in at.shift.stopped if one.recording != at.recording]
    if at.recording is None or (at.shift.task is None and len(before) < len(at.shift.stopped)):
        return at.shift
    missing = () if at.shift.task is None else at.shift.sheet.missing
    early = early_causes(at.asked.manner, missing, _known(began), _known(at.now))
    given = dict(at.shift.sheet.reasons)
    reason = "；".join(dict.fromkeys(given[step] for step in missing if step in given)) if early else ""
    if at.shift.sheet.unexplained:  # not said for every one of them
        reason = ""
    stopped = (*before, Stopped(at.recording, at.task, missing, at.people, early, reason))
    return replace(at.shift, stopped=stopped[-MAX_STOPPED:])


def _known(at: Instant | None) -> datetime | None:
    return None if at is None or at.state is TimeState.UNSET else at.wall


def sealed(at: Situation, event: RecordingSealed) -> Shift:
    """A recording is over: its chain's end is kept, for receipts and key-content sheets that come later."""
    if any(one.recording == event.recording for one in at.shift.closed):
        return at.shift
    broken_off = Stopped(event.recording, at.task, (), at.people)  # it was never told to stop
    stopped = next((one for one in at.shift.stopped if one.recording == event.recording), broken_off)
    began = canonical.timestamp(event.at.wall - timedelta(milliseconds=event.duration_ms))
    ended = canonical.timestamp(event.at.wall)
    task, officers = stopped.task, stopped.officers
    closed = Closed(event.recording, task, began, ended, event.fragments, event.head, officers)
    return replace(at.shift, closed=(*at.shift.closed, closed)[-MAX_STOPPED:])


def hand_in_from(shift: Shift, limit: Limit, at: Instant) -> tuple[Shift, tuple[EventDraft, ...]]:
    """The activity has ended for now: from here on the device is to be handed in."""
    others = tuple(one for one in shift.limits if one.kind is not limit.kind)
    return replace(shift, limits=(*others, limit)), (duty_events.limit(EventType.LIMIT_STARTED, limit, at),)
