"""What a recording itself says of the rules: who recorded, for what task, which steps were marked, which are missing.

It stands in the journal (`journal.DUTY_KINDS`), so that nobody needs the device or the centre to read it. Marks are the
officers' own: they say that somebody marked a step there, not that it was done well. The verdict does not depend on
this layer: what was recorded unduly was recorded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.evidence.journal import (
    CONFIRMED,
    DOCUMENT,
    IDENTITY,
    LABEL,
    OFFICER,
    RECEIPT,
    STEP,
    STEP_DUE,
    TASK,
)
from agent.evidence.places import Examined
from agent.evidence.report import Layer, Status
from agent.wire.instant import BEIJING

NOT_TOLD = Layer(Status.NOT_JUDGED, ("录制中没有任务、人员与环节的记录，此处不评判是否依规记录。",))
PAPER_WORDS = {DOCUMENT: "文书", RECEIPT: "回执", CONFIRMED: "当事人确认"}
NO_FAULT = frozenset({"clock-unset"})
"""Labels (their codes begin the note) that say what could not be known, and of no officer that a rule was broken."""
HUMAN = "环节由执法人员自行标记；内容是否合法适当，须由人判断。"


@dataclass(frozen=True)
class MarkedStep:
    """A step with the fragment that carries its mark; a recording's last marks may stand in a seal, sequence None."""

    step: str
    sequence: int | None
    at: datetime


@dataclass(frozen=True)
class DutyStory:
    """What the journal tells. `required` and `officers` without repetition, in the order told."""

    tasks: tuple[str, ...]
    officers: tuple[str, ...]
    labels: tuple[str, ...]
    required: tuple[str, ...]
    steps: tuple[MarkedStep, ...]
    shown: tuple[str, ...]
    papers: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Required steps that nobody marked here."""
        marked = {step.step for step in self.steps}
        return tuple(step for step in self.required if step not in marked)


def duty_story(segments: Sequence[Examined]) -> DutyStory:
    """What the recording's own journal and seals tell of the rules."""
    told = [entry for segment in segments for entry in segment.events]

    def notes(kind: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(event.note for _, event in told if event.kind == kind))

    steps = tuple(MarkedStep(event.note, at, event.at.wall) for at, event in told if event.kind == STEP)
    papers = tuple(f"{PAPER_WORDS[event.kind]}：{event.note}" for _, event in told if event.kind in PAPER_WORDS)
    return DutyStory(notes(TASK), notes(OFFICER), notes(LABEL), notes(STEP_DUE), steps, notes(IDENTITY), papers)


def duty_layer(segments: Sequence[Examined]) -> Layer:
    """The story as the report's layer: failed where a required step is missing or a label was put that says that a rule
    was broken."""
    story = duty_story(segments)
    if not any((story.tasks, story.officers, story.labels, story.required, story.steps)):
        return NOT_TOLD
    broken = [label for label in story.labels if label.partition(" ")[0] not in NO_FAULT]
    status = Status.FAILED if broken or story.missing else Status.NOTED
    return Layer(status, tuple(_lines(story)))


def _lines(story: DutyStory) -> Iterator[str]:
    yield f"任务：{'；'.join(story.tasks)}" if story.tasks else "没有关联任务（未关联执法事项）。"
    yield from (f"执法人员（录制时人员资格清单所载）：{entry}" for entry in story.officers)
    yield from (f"标注：{label}" for label in story.labels)
    yield from (f"亮证：{certificate}" for certificate in story.shown)
    first = {step.step: step for step in reversed(story.steps)}
    for step in dict.fromkeys((*story.required, *(step.step for step in story.steps))):
        yield _step(step, first.get(step), sum(mark.step == step for mark in story.steps))
    if story.missing:
        yield f"应录环节未标记 {len(story.missing)} 项：{'、'.join(story.missing)}。"
    yield from story.papers
    yield HUMAN


def _step(step: str, mark: MarkedStep | None, times: int) -> str:
    if mark is None:
        return f"环节 {step}：未标记"
    where = "封存时" if mark.sequence is None else f"第 {mark.sequence} 片段"
    again = f"，共标记 {times} 次" if times > 1 else ""
    return f"环节 {step}：{where}，{mark.at.astimezone(BEIJING):%H:%M:%S}{again}"
