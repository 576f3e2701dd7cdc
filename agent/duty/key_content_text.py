"""The key-content sheet in words: what a draft says of each range, and what stands on paper."""

from datetime import datetime

from agent.duty.case_facts import Span
from agent.duty.key_content import KeyContent, KeyContentSheet
from agent.wire.instant import BEIJING


def sheet_title(sheet: KeyContentSheet) -> str:
    """The first line of a draft."""
    return f"关键内容与时间段说明　任务 {sheet.task}　第 {sheet.version} 版"


def draft_heading(line: KeyContent) -> str:
    """What a draft says of the range of `line`; nobody may change it."""
    span = line.span
    where = f"{_times(span)} {span.recording} 第 {span.first} 至 {span.last} 段"
    return f"{where} {line.step}" if line.step else where


def sheet_lines(sheet: KeyContentSheet) -> tuple[str, ...]:
    """The sheet as text, for people: one line each, with Beijing times and fragments."""
    begins = min(line.span.begins for line in sheet.lines)
    ends = max(line.span.ends for line in sheet.lines)
    doubt = "" if sheet.clock_set else "（时钟未校准，时间仅供参考）"
    head = (
        f"{sheet_title(sheet)}　制作人 {sheet.author}",
        *([f"单位：{sheet.unit}"] if sheet.unit else []),
        f"记录时间：{_moment(begins)} 至 {_moment(ends)}",
        f"制作时间：{_moment(sheet.written)}{doubt}",
    )
    return (*head, *(f"{number}. {_shown(line)}" for number, line in enumerate(sheet.lines, 1)))


def _shown(line: KeyContent) -> str:
    what = "：".join(part for part in (line.step, line.text) if part)
    about = f"（要素：{line.element}）" if line.element else ""
    fragments = f"{line.span.recording} 第 {line.span.first} 至 {line.span.last} 片段"
    return f"{_times(line.span)}　{what}{about}　[{fragments}]"


def _times(span: Span) -> str:
    """With the day, unless both ends have the same: a range over midnight has two."""
    begins, ends = (moment.astimezone(BEIJING) for moment in (span.begins, span.ends))
    last = f"{ends:%H:%M:%S}" if begins.date() == ends.date() else f"{ends:%m-%d %H:%M:%S}"
    return f"{begins:%m-%d %H:%M:%S}—{last}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
