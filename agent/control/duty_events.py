"""The events of duty as drafts (fields: agent/wire/README.md), with ids that name the fact, and what `duty.json` shows.

No personal data: certificate numbers stand in published lists, the party is a pseudonym, steps are words of the list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from agent.control.duty_situation import Situation
from agent.control.effects import EventDraft, moment_name
from agent.control.interruption_causes import offered_causes
from agent.duty.asks import Answer
from agent.duty.case_facts import EarlyStop, Label, OfficerFact
from agent.duty.documents import Template
from agent.duty.labels import LABEL_WORDS
from agent.duty.limits import Limit
from agent.duty.papers import PaperKind, PaperNote, PaperShelf
from agent.duty.shift import Shift, Stopped, label_words
from agent.duty.steps import Mark
from agent.duty.task import Manner, Task
from agent.duty.whole_process import early_words
from agent.wire import canonical
from agent.wire.device_events import EventType
from agent.wire.identifiers import RecordingId
from agent.wire.instant import Instant

PAPERS_SHOWN = 20  # ours: of the newest; the rest is found by its number


def moment(fact: str, kind: EventType, at: Instant, data: Mapping[str, Any]) -> EventDraft:
    """A fact that is named by its moment."""
    return EventDraft(f"duty/{fact}/{moment_name(at)}", kind, at, data)


def officer(kind: EventType, certificate: str, at: Instant, **more: Any) -> EventDraft:
    """Something that an officer did or was refused."""
    return moment(f"{kind.value.split('.')[2]}/{certificate[:64]}", kind, at, {"certificate": certificate, **more})


def labelled(
    crew: Sequence[OfficerFact], labels: Sequence[Label], task: str, recording: RecordingId | None, at: Instant
) -> EventDraft:
    """Who records, and what is wrong with it."""
    officers = [
        {
            "certificate": fact.certificate,
            "labels": label_words(fact.labels),
            "roster_version": fact.roster_version,
            "unit": fact.unit,
        }
        for fact in crew
    ]
    data = {"labels": label_words(tuple(labels)), "officers": officers, "recording": recording or "", "task": task}
    return moment(f"officers/{recording or task}", EventType.OFFICERS_LABELLED, at, data)


def taken(task: Task, source: str, digest: str, at: Instant) -> EventDraft:
    """A task was taken."""
    left_out = ("amount", "device", "not_after")
    told = {name: value for name, value in task.as_json().items() if name not in left_out}
    return EventDraft(
        f"duty/task/{task.task}/taken", EventType.TASK_TAKEN, at, {**told, "digest": digest, "source": source}
    )


def ended(task: str, shift: Shift, at: Instant) -> EventDraft:
    """A task was ended."""
    data = {"missing": list(shift.sheet.missing), "reasons": dict(shift.sheet.reasons), "task": task}
    return EventDraft(f"duty/task/{task}/ended", EventType.TASK_ENDED, at, data)


def marked(mark: Mark, task: str, at: Instant) -> EventDraft:
    """A step was marked."""
    data = {
        "recording": mark.recording,
        "repeated": mark.repeated,
        "sequence": mark.sequence,
        "step": mark.step,
        "task": task,
    }
    return moment("step", EventType.STEP_MARKED, at, data)


def missing(
    steps: Sequence[str],
    task: str,
    recording: str,
    reason: str,
    at: Instant,
    code: str = "",
    early: Sequence[str] = (),
) -> EventDraft:
    """A recording or a task ended without these steps; `early`: causes by which it ended before its end had come."""
    data = {"code": code, "missing": list(steps), "reason": reason, "recording": recording, "task": task}
    data |= {"early": list(early)} if early else {}
    which = f"/{recording}" if early else ""  # one reason may stand for several recordings at once
    return moment(f"missing/{'why' if reason else 'seen'}{which}", EventType.STEPS_MISSING, at, data)


def limit(kind: EventType, it: Limit, at: Instant, **more: str) -> EventDraft:
    """A limit began, passed or was met."""
    due = it.due
    told = None if due is None else canonical.timestamp(due)
    data = {"due": told, "hours": it.term.hours, "limit": it.kind.value, "term": it.term.text}
    return moment(f"{kind.value.split('.')[2]}/{it.kind}", kind, at, {**data, "task": it.task, **more})


def shown_state(at: Situation, answers: Mapping[str, Answer]) -> bytes:
    """The content of `duty.json`, for the officer's command and page: texts are for people, keys for programs."""
    shift, now, recording = at.shift, at.now, at.recording
    sheet = shift.sheet
    told = {
        "answers": {ask: answer.as_json() for ask, answer in answers.items()},
        "asked": _manner(at.asked.manner),
        "asking_reason": shift.asking,
        "at": canonical.timestamp(now.wall),
        "interruptions": [asdict(one) for one in offered_causes(at.guidance.interruptions)],
        "labels": [{"label": label.value, "text": LABEL_WORDS[label]} for label in _labels(at)],
        "limits": [_limit(it, now) for it in shift.limits],
        "message": {"at": shift.message_at, "text": shift.message},
        "officers": [_officer(fact, at) for fact in at.crew],
        "papers": [_paper(note, shift.papers) for note in shift.papers.notes[-PAPERS_SHOWN:]],
        "reasons": [{"code": it.code, "text": it.text, "written": it.written} for it in at.offered_reasons],
        "recording": recording or "",
        "recordings": {one.recording: _of_recording(one) for one in shift.stopped},
        "reasons_given": dict(sheet.reasons),
        "step_next": sheet.missing[0] if sheet.missing else "",
        "steps_marked": [_mark(mark) for mark in sheet.marks],
        "steps_missing": list(sheet.missing),
        "steps_required": list(sheet.required),
        "task": None if shift.task is None else _task(shift.task, shift.source),
        "templates": [_template(one) for one in at.guidance.templates.values()],
        "waiting": [_task(task, "command") for task in shift.waiting],
    }
    return canonical.encode(told)


def _of_recording(one: Stopped) -> dict[str, Any]:
    found = {"steps_missing": list(one.missing), "task": one.task}
    if not one.early:
        return found
    return {**found, "early": early_words(EarlyStop(RecordingId(one.recording), one.early, one.reason))}


def _task(task: Task, source: str) -> dict[str, Any]:
    title = f"{task.task} {task.category} {task.matter}"
    return {**task.as_json(), "id": task.task, "source": source, "title": title}


def _paper(note: PaperNote, papers: PaperShelf) -> dict[str, Any]:
    """`replaced_by` is the newest sheet of its task, which holds; empty for it and for other papers."""
    newest = papers.last(PaperKind.KEY_CONTENT, note.task) if note.kind is PaperKind.KEY_CONTENT else None
    return {
        "kind": note.kind.value,
        "name": note.name,
        "number": note.number,
        "prints": note.prints,
        "recording": note.recording,
        "replaced_by": "" if newest in (None, note) else newest.number,
        "served": note.served,
        "task": note.task,
        "title": note.title,
    }


def _template(template: Template) -> dict[str, Any]:
    return {
        "fields": list(template.fields),
        "required": list(template.required),
        "template": template.template,
        "title": template.title,
    }


def _labels(at: Situation) -> tuple[Label, ...]:
    """What is wrong now; that nobody has the device yet is no single officer."""
    return tuple(label for label in at.labels if at.crew or label is not Label.SINGLE_OFFICER)


def _manner(manner: Manner) -> dict[str, Any]:
    more = {name: list(getattr(manner, name)) for name in ("carriers", "methods", "whole_steps")}
    return {**asdict(manner), **more}


def _officer(fact: OfficerFact, at: Situation) -> dict[str, Any]:
    words = [LABEL_WORDS[label] for label in fact.labels]
    listed = at.guidance.listed.officers.get(fact.certificate)
    return {
        "certificate": fact.certificate,
        "labels": label_words(fact.labels),
        "name": "" if listed is None else listed.name,
        "roster_version": fact.roster_version,
        "texts": words,
        "unit": fact.unit,
    }


def _mark(mark: Mark) -> dict[str, Any]:
    return {"at": mark.at, "recording": mark.recording, "repeated": mark.repeated, "sequence": mark.sequence,
            "step": mark.step}  # fmt: skip


def _limit(it: Limit, now: Instant) -> dict[str, Any]:
    left = it.left(now)
    minutes = None if left is None else int(left.total_seconds()) // 60
    return {"limit": it.kind.value, "minutes_left": minutes, "task": it.task, "text": it.chinese(now)}
