"""How a rehearsal is told: one line a step, Chinese with English beside it, progress bars, a closing table."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from provisioning.rehearsal.findings import Findings
from provisioning.rehearsal.processes import command

MARKS = {True: "[green]✓[/]", False: "[red]✗[/]"}
VERDICTS = {
    "complete": "[green]完整[/] complete",
    "explained-gap": "[yellow]有说明中断[/] explained gap",
    "unexplained-gap": "[red]无说明中断[/] unexplained gap",
    "missing": "[red]缺失[/] missing",
    "altered": "[red]被改[/] altered",
    "untrusted": "[red]不可信[/] untrusted",
}


class Teller:
    """Tells the story to one console."""

    def __init__(self, console: Console) -> None:
        self._console, self._number = console, 0

    def chapter(self, chinese: str, english: str) -> None:
        """A numbered step begins."""
        self._number += 1
        self._console.print(f"\n[bold cyan]{self._number}. {chinese}[/]  [dim]{english}[/]")

    def say(self, chinese: str, english: str = "", *, held: bool = True) -> None:
        """Something was done; `held` is whether it came out as it should."""
        self._console.print(f"   {MARKS[held]} {escape(chinese)}  [dim]{escape(english)}[/]", highlight=False)

    def warn(self, chinese: str, english: str = "") -> None:
        """Something a newcomer should know."""
        self._console.print(f"   [yellow]![/] {escape(chinese)}  [dim]{escape(english)}[/]", highlight=False)

    def verdict(self, what: str, word: str, *, held: bool) -> None:
        """A judgement of `liuhen-verify`; `held` is whether it is the right one."""
        self._console.print(f"   {MARKS[held]} {escape(what)}：{VERDICTS[word]}", highlight=False)

    @contextmanager
    def progress(self, text: str, total: float) -> Iterator["Bar"]:
        """A bar that counts to `total` while the block runs."""
        columns = (
            SpinnerColumn(),
            TextColumn("  {task.description}"),
            BarColumn(bar_width=36),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
        )
        hidden = not self._console.is_terminal
        with Progress(*columns, console=self._console, transient=True, disable=hidden) as progress:
            yield Bar(progress, text, total)

    def stay(self, url: str) -> None:
        """Everything goes on running."""
        self._console.print(
            f"\n[bold]一切仍在运行[/]，公示屏：{url}　按 Ctrl-C 结束  [dim]still running; Ctrl-C ends it[/]"
        )

    def leave(self) -> None:
        """The user ended it."""
        self._console.print("\n正在停止……  [dim]stopping[/]")

    def close(self, findings: Findings, *, stays: bool) -> None:
        """The closing tables: what was recorded, what was counted, what to try; the kiosk only if it `stays`."""
        self._console.print()
        self._console.print(_recordings(findings))
        self._console.print(_counts(findings))
        self._console.print("\n[bold]亲手试试[/]  [dim]try it yourself[/]")
        for what, line in _by_hand(findings, stays=stays):
            self._console.print(f"  {what}")
            self._console.print(f"    {line}", soft_wrap=True, markup=False, highlight=False)
        if findings.failures:
            reasons = "\n".join(f"✗ {escape(reason)}" for reason in findings.failures)
            self._console.print(Panel(reasons, title="演练未通过 the rehearsal does not hold", border_style="red"))
        else:
            self._console.print("[bold green]✓ 全部成立[/]  [dim]everything held[/]")


class Bar:
    """One progress bar."""

    def __init__(self, progress: Progress, text: str, total: float) -> None:
        self._progress = progress
        self._task = progress.add_task(text, total=total, note="")

    def at(self, done: float, note: str = "") -> None:
        """Show `done` of the total, with a word behind it."""
        self._progress.update(self._task, completed=done, note=note)


def _recordings(findings: Findings) -> Table:
    table = Table(title="录制 recordings", title_justify="left")
    for column in ("设备 device", "结论 verdict", "片段 fragments", "时长 s", "大小 KiB", "恢复 recovered"):
        table.add_column(column, justify="right" if column[0] in "片时大" else "left", overflow="fold")
    for recording in findings.recordings:
        table.add_row(
            recording.device,
            VERDICTS[recording.verdict],
            str(recording.fragments),
            f"{recording.duration_s:.2f}",
            f"{recording.size / 1024:.0f}",
            "是 yes" if recording.recovered else "否 no",
        )
    return table


def _counts(findings: Findings) -> Table:
    table = Table(title="数目 counts", title_justify="left", show_header=False)
    events, tampered = findings.events, findings.tampered
    table.add_row("事件 产生 / 收到 / 有回执", f"{events.published} / {events.received} / {events.receipted}")
    table.add_row("强杀丢失 lost in the kill", f"{findings.lost_s:.2f} s")
    if tampered is not None:
        place = f"片段 fragment {tampered.fragment}，{tampered.moment}"
        table.add_row("改动一个字节 one flipped byte", f"{VERDICTS[tampered.verdict]}，{place}")
    if findings.inspection is not None:
        steps = f"{len(findings.inspection.marked)} / {len(findings.inspection.required)}"
        table.add_row("现场检查 inspection", f"{VERDICTS[findings.inspection.verdict]}，环节 steps {steps}")
    if findings.decided is not None:
        table.add_row("法制审核 review", f"{findings.decided.stage}，{len(findings.decided.exports)} 项导出 exports")
    table.add_row("消息代理 broker", f"{findings.broker}，127.0.0.1:{findings.port}")
    table.add_row("画面来源 picture", escape(findings.source))
    return table


def _by_hand(findings: Findings, *, stays: bool) -> Iterator[tuple[str, str]]:
    """What to try and the line to paste for it."""
    verify, roots = _short(command("liuhen-verify")), _short(findings.trust_root)
    if stays:
        yield "公示屏 the kiosk's page", findings.kiosk_url
    for recording in findings.recordings:
        yield f"播放 play {recording.device}", f"ffplay {_quoted(recording.film)}"
        yield f"核验 verify {recording.device}", f"{verify} {_quoted(recording.path)} --roots {roots}"
    for recording in findings.recordings[:1]:
        yield "手工核验 by hand", f"(cd {_quoted(recording.path)} && sha256sum -c SHA256SUMS)"
    if findings.decided is not None:
        check = f"{_short(command('liuhen-center'))} review check {_quoted(findings.decided.packet)} --root {roots}"
        yield "核对审核包 check the packet", check
        yield (
            "审核包与报告 packet, report",
            f"ls {_quoted(findings.decided.packet)} {_quoted(findings.place / 'report')}",
        )
    yield "日志 logs", f"ls {_quoted(findings.place / 'logs')}"


def _quoted(path: Path) -> str:
    return shlex.quote(_short(path))


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
