"""What `liuhen-verify` says of what it judged: on a terminal, and as JSON."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from agent.errors import OperatorFault
from agent.evidence.export_report import CERTIFICATE_NAME
from agent.evidence.places import clock_text
from agent.evidence.report import Place, Report, Status, Verdict
from agent.report_page import shown
from agent.verify_files import PHOTOS, Judged, exit_code

PLACES_SHOWN = 20  # ours; --json gives all
_LAYER_NAMES = {"integrity": "完整性", "trust": "信任", "time": "时间", "completeness": "齐全", "duty": "履职"}
_STATUS_NAMES = {
    Status.PASSED: ("通过", "green"),
    Status.NOTED: ("注意", "yellow"),
    Status.FAILED: ("不通过", "bold red"),
    Status.NOT_JUDGED: ("未评判", "dim"),
}
UNREADABLE = "unreadable"
_COLOURS = {Verdict.COMPLETE: "bold green", Verdict.EXPLAINED_GAP: "bold yellow"}


class Teller(Protocol):
    """Tells the person or the program that asked, path by path."""

    def tell(self, judged: Judged) -> None:
        """What was found."""

    def lost(self, path: Path, why: str) -> None:
        """Nothing of `path` could be read."""


class JsonLines:
    """One line of JSON a path."""

    def tell(self, judged: Judged) -> None:
        """The report, and what of it could not be read."""
        told = judged.report.as_json()
        if judged.unread:
            told |= {"unread": judged.unread, "exit_code": exit_code([judged.report.verdict], judged.unread)}
            hidden = {"verdict": UNREADABLE, "verdict_zh": "读不到"}  # what could not be read may be worse
            told |= hidden if told["exit_code"] == OperatorFault.exit_code else {}
        self._echo({"path": str(judged.path), **told})

    def lost(self, path: Path, why: str) -> None:
        """The same of a path of which nothing is known."""
        code = OperatorFault.exit_code
        told = {"path": str(path), "verdict": UNREADABLE, "verdict_zh": "读不到", "unread": [why], "exit_code": code}
        self._echo({**told, "layers": None})

    def _echo(self, told: dict[str, Any]) -> None:
        said = json.dumps(told, ensure_ascii=False)
        typer.echo("".join(it if it.isprintable() else json.dumps(it)[1:-1] for it in said))  # a name need not be text


class Screen:
    """Words on a terminal, or in a file."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())

    def lost(self, path: Path, why: str) -> None:
        """The line of the fault is all."""

    def tell(self, judged: Judged) -> None:
        """Verdict, subject, layers, places."""
        report = judged.report
        words, colour = _verdict_words(judged)
        self._console.print(Text.assemble(shown(str(judged.path)), "  ", (words, colour)))
        if report.device is not None:
            self._indented(Text(_subject(judged.path, report)), 2)
        for name, layer in report.layers.items():
            word, style = _STATUS_NAMES[layer.status]
            self._console.print(Text.assemble(f"  {_LAYER_NAMES[name]} {name}: ", (word, style)))
            self._lines([Text(shown(line)) for line in layer.lines], 4, "句")
        for line in report.health:
            self._indented(Text(f"设备状况 health: {shown(line)}"), 2)
        self._lines([Text(f"✗ {_place(place)}", style="red") for place in report.places], 2, "处")
        self._indented(Text(report.statement, style="dim"), 2)

    def _lines(self, lines: Sequence[Text], indent: int, unit: str) -> None:
        for line in lines[:PLACES_SHOWN]:
            self._indented(line, indent)
        if len(lines) > PLACES_SHOWN:
            self._indented(Text(f"…另有 {len(lines) - PLACES_SHOWN} {unit}，见 --json。"), indent)

    def _indented(self, text: Text, indent: int) -> None:
        """On a terminal, lines that are too long go on under their beginning; elsewhere they stay whole, for grep."""
        if self._console.soft_wrap:
            self._console.print(Text(" " * indent).append_text(text))
        else:
            self._console.print(Padding(text, (0, 0, 0, indent), expand=False))


def _verdict_words(judged: Judged) -> tuple[str, str]:
    """Of a judgement, and their colour."""
    verdict = judged.report.verdict
    words = f"{verdict.chinese} {verdict}"
    if judged.unread and exit_code([verdict], judged.unread) == OperatorFault.exit_code:
        return f"读不到 {UNREADABLE}（读到的部分：{words}）", "bold red"
    return words, _COLOURS.get(verdict, "bold red")


def _subject(path: Path, report: Report) -> str:
    """Which recording, photo or paper of which device."""
    what = "" if report.recording is None else f"录制 {report.recording}，"
    minutes, seconds = divmod(round(report.duration_s), 60)
    source = "，合成画面（非摄像头拍摄）" if report.synthetic else ""
    source += f"；画面来源：文件 {shown(report.source_file)}，非摄像头" if report.source_file else ""
    told = f"{report.segments} 段 {report.fragments} 片段，{minutes} 分 {seconds} 秒{source}"
    told = f"照片 photo{source}" if path.name.lower().endswith(PHOTOS) else told
    told = "采集件 collected，非本设备摄录" if report.collected else told
    told = "导出证明 certificate of an export" if path.name == CERTIFICATE_NAME else told
    return f"{what}设备 {report.device}，{shown(report.unit)}；{told}"


def _place(place: Place) -> str:
    parts = [place.file, place.kind]
    if place.sequence is not None:
        parts.append(f"fragment {place.sequence}" + (f"+{place.count}" if place.count > 1 else ""))
    if place.captured is not None:
        parts.append(("~" if place.inferred else "") + clock_text(place.captured))
    if place.offset is not None:
        parts.append(f"@{place.offset}")
    return shown("  ".join(parts))
