"""The plots of the report: horizontal bars, as numbers that the template draws (pure)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from agent.duty.record_counts import Counts, GapCount, Rate, StageTime
from agent.evidence.interruptions import REASON_NAMES

WIDTH = 320  # of a full bar, in units of the drawing
GAP_WORDS = {reason.value: words for reason, words in REASON_NAMES.items()}


@dataclass(frozen=True)
class Part:
    """A piece of a bar from `x`, of class `look`."""

    x: float
    width: float
    look: str


@dataclass(frozen=True)
class Bar:
    """One line of a plot: what it is of, its pieces, and the number in words."""

    name: str
    parts: tuple[Part, ...]
    text: str


@dataclass(frozen=True)
class Plot:
    """A plot; `note` says what is counted."""

    title: str
    note: str
    bars: tuple[Bar, ...]


def plots(counts: Counts) -> tuple[Plot, ...]:
    """The five plots of the report."""
    whole = "检验结论为“完整”或“中断已说明”的录像，占全部录像；没有录像的任务算一次不完整。"
    return (
        Plot("各环节记录率", "在合格录像中标记了该环节的任务，占要求该环节的任务。", _rates(counts.by_step)),
        Plot("各单位录像完整率", whole, _rates(counts.by_unit)),
        Plot("各月录像完整率", whole, _rates(counts.by_month)),
        Plot("中断原因", "次数；深色为没有说明的。", _gaps(counts.gaps)),
        Plot("审核各阶段用时", "中位数；深色延至最长。", _times(counts.reviews)),
    )


def span_words(span: timedelta | None) -> str:
    """Such as `2 天 3 小时`; the two largest units."""
    if span is None:
        return "—"
    seconds = int(span.total_seconds())
    sizes = ((86_400, "天"), (3_600, "小时"), (60, "分"), (1, "秒"))
    told = []
    for size, word in sizes:
        number, seconds = divmod(seconds, size)
        told += [f"{number} {word}"] if number else []
    return " ".join(told[:2]) or "不足 1 秒"


def _rates(rates: Iterable[Rate]) -> tuple[Bar, ...]:
    return tuple(_rate(rate) for rate in rates)


def _rate(rate: Rate) -> Bar:
    if rate.share is None:
        return Bar(rate.name, (), "—")
    good = WIDTH * rate.share
    parts = (Part(0, good, "good"), Part(good, WIDTH - good, "rest"))
    return Bar(rate.name, parts, f"{100 * rate.share:.0f} %（{rate.good}/{rate.asked}）")


def _gaps(gaps: Sequence[GapCount]) -> tuple[Bar, ...]:
    most = max((gap.explained + gap.unexplained for gap in gaps), default=1)
    return tuple(_gap(gap, WIDTH / most) for gap in gaps)


def _gap(gap: GapCount, unit: float) -> Bar:
    first, second = gap.explained * unit, gap.unexplained * unit
    text = f"{gap.explained + gap.unexplained} 次，未说明 {gap.unexplained}，共 {span_words(gap.lasted)}"
    name = gap.words or GAP_WORDS.get(gap.reason, gap.reason or "原因不明")
    return Bar(name, (Part(0, first, "known"), Part(first, second, "bad")), text)


def _times(times: Sequence[StageTime]) -> tuple[Bar, ...]:
    longest = max((it.longest for it in times if it.longest is not None), default=None) or timedelta(seconds=1)
    return tuple(_time(it, longest) for it in times)


def _time(it: StageTime, longest: timedelta) -> Bar:
    text = f"办结 {it.ended}，在办 {it.open}，逾期 {it.late}"
    if it.median is None or it.longest is None:
        return Bar(it.stage.value, (), text)
    middle, end = WIDTH * (it.median / longest), WIDTH * (it.longest / longest)
    parts = (Part(0, middle, "known"), Part(middle, end - middle, "dark"))
    return Bar(it.stage.value, parts, f"{span_words(it.median)} / {span_words(it.longest)}；{text}")
