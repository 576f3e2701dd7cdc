"""How a rehearsal is told: one line a step, Chinese with English beside it, progress bars, a closing table."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from provisioning.rehearsal.findings import Findings

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

    def say(self, chinese: str, english: str = "") -> None:
        """Something was done and held."""
        self._console.print(f"   [green]✓[/] {escape(chinese)}  [dim]{escape(english)}[/]", highlight=False)

    def warn(self, chinese: str, english: str = "") -> None:
        """Something a newcomer should know."""
        self._console.print(f"   [yellow]![/] {escape(chinese)}  [dim]{escape(english)}[/]", highlight=False)

    def verdict(self, what: str, word: str) -> None:
        """A judgement of `liuhen-verify`."""
        self._console.print(f"   [green]✓[/] {escape(what)}：{VERDICTS[word]}", highlight=False)

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
        with Progress(*columns, console=self._console, transient=True) as progress:
            yield Bar(progress, text, total)

    def stay(self, url: str) -> None:
        """Everything goes on running."""
        self._console.print(
            f"\n[bold]一切仍在运行[/]，公示屏：{url}　按 Ctrl-C 结束  [dim]still running; Ctrl-C ends it[/]"
        )

    def leave(self) -> None:
        """The user ended it."""
        self._console.print("\n正在停止……  [dim]stopping[/]")

    def close(self, findings: Findings) -> None:
        """The closing tables: what was recorded, what was counted, what to try by hand."""
        self._console.print()
        self._console.print(_recordings(findings))
        self._console.print(_counts(findings))
        self._console.print(_by_hand(findings))
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
        table.add_column(column, justify="right" if column[0] in "片时大" else "left")
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
    table.add_row("消息代理 broker", f"{findings.broker}，127.0.0.1:{findings.port}")
    table.add_row("画面来源 picture", escape(findings.source))
    return table


def _by_hand(findings: Findings) -> Panel:
    lines = [f"公示屏 kiosk page     {findings.kiosk_url}"]
    for recording in findings.recordings:
        lines.append(f"播放 play             ffplay {_short(recording.film)}")
        lines.append(
            f"核验 verify           liuhen-verify {_short(recording.path)} --root {_short(findings.trust_root)}"
        )
    if findings.recordings:
        folder = _short(findings.recordings[0].path)
        lines.append(f"手工核验 by hand      (cd {folder} && sha256sum -c SHA256SUMS)")
    lines.append(f"日志 logs             {_short(findings.place)}/logs/")
    return Panel("\n".join(escape(line) for line in lines), title="亲手试试 try it yourself", title_align="left")


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
