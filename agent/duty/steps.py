"""The steps of a task in the order of the recording list: which comes next, which are marked, which are missing.

Steps are the 记录内容 of the list (the district's plan 二（二）3), the usual ones being the five of 五部曲: 表明身份、
说明事由、告知权利义务、听取陈述申辩、制作送达文书. One press marks the next; any can be marked by its words or number.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.errors import OperatorFault
from agent.wire.identifiers import RecordingId

MAX_STEP = 60  # characters, ours: fits a note of the journal whole
MAX_DIGITS = 4  # ours; no list has ten thousand steps, and int() itself gives up at 4300 digits
IDENTITY_WORDS = ("表明身份", "亮明身份", "出示证件", "出示执法证", "出示《")  # 五部曲, the plan 二（一）5


@dataclass(frozen=True)
class Mark:
    """A step that was marked while fragment `sequence` of `recording` was being filled; `at` in UTC as told;
    `repeated` counts the marks of the same step before it."""

    step: str
    recording: RecordingId
    sequence: int
    at: str
    repeated: int = 0


@dataclass(frozen=True)
class StepSheet:
    """What is required and what is marked; `reasons` say why a step is missing, by step."""

    required: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The required steps that nobody marked, in the list's order."""
        marked = {mark.step for mark in self.marks}
        return tuple(step for step in self.required if step not in marked)

    @property
    def unexplained(self) -> tuple[str, ...]:
        """Missing steps for which nobody gave a reason."""
        given = dict(self.reasons)
        return tuple(step for step in self.missing if step not in given)

    def chosen(self, words: str) -> str:
        """The step meant by `words`: empty for the next one, a number for that of the list, or its own words. Raises
        `OperatorFault` with what could be meant."""
        if not words:
            return self._next()
        if words.isascii() and words.isdecimal() and len(words) <= MAX_DIGITS and self.required:
            return self._numbered(int(words))
        if words in self.required or not self.required:
            return _free(words)
        near = [step for step in self.required if words in step] or difflib.get_close_matches(words, self.required)
        if len(near) == 1:
            return near[0]
        listed = "；".join(f"{number} {step}" for number, step in enumerate(self.required, 1))
        raise OperatorFault(f"清单中没有环节“{words[:40]}”。可选：{listed}。")

    def marked(self, mark: Mark) -> "StepSheet":
        """The sheet with `mark`, which knows how often its step was marked before."""
        before = max((other.repeated + 1 for other in self.marks if other.step == mark.step), default=0)
        return replace(self, marks=(*self.marks, replace(mark, repeated=before)))

    def explained(self, steps: Sequence[str], reason: str) -> "StepSheet":
        """The sheet with `reason` for each of `steps`."""
        return replace(self, reasons=tuple({**dict(self.reasons), **dict.fromkeys(steps, reason)}.items()))

    def identity_step(self) -> str | None:
        """The first missing step that showing a certificate fulfils, None where there is none."""
        return next((step for step in self.missing if any(word in step for word in IDENTITY_WORDS)), None)

    def _next(self) -> str:
        if not self.required:
            raise OperatorFault("没有任务或清单，不知下一环节。请写明环节名称，例如 liuhen-agent step 表明身份。")
        if not self.missing:
            raise OperatorFault("清单中的环节都已标记。要再标记一次，请写明环节名称或序号。")
        return self.missing[0]

    def _numbered(self, number: int) -> str:
        if not 1 <= number <= len(self.required):
            text = f"清单只有 {len(self.required)} 个环节，没有第 {number} 个。"
            raise OperatorFault(f"{text}请用 liuhen-agent task show 查看序号。")
        return self.required[number - 1]


def _free(words: str) -> str:
    if len(words) > MAX_STEP or not words.isprintable():
        raise OperatorFault(f"环节名称应是 {MAX_STEP} 字以内的一行文字。请改短。")
    return words
