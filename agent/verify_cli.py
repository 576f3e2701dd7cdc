"""`liuhen-verify`: is this recording whole, unchanged and ours? For anyone, with nothing but the files and a root."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from agent.adapters.thumbnails import thumbnails
from agent.cli_frame import run_app
from agent.errors import OperatorFault
from agent.evidence.account_chain import UnsoundAccount
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.places import wall_text
from agent.evidence.report import Verdict
from agent.key_files import read_private_key
from agent.recording_folder import SEGMENTS
from agent.report_file import write_report
from agent.report_page import Page, Section, fingerprint, render, section
from agent.verify_files import (
    Basis,
    Judged,
    Placed,
    besides_photos,
    exit_code,
    is_export,
    is_photo_shelf,
    is_shelf,
    judge_devices,
    judge_export,
    judge_path,
    judge_photo_shelf,
    link_of,
    parts_of,
    read_basis,
    size_of,
)
from agent.verify_terminal import JsonLines, Screen, Teller
from agent.version import software_version

BAR_FROM_BYTES = 64 * 1024 * 1024  # ours; less is read before a bar could be looked at
_HELP = """检验录像是否完整、未改、出自本区设备（verify recordings）。

PATH 可以是一个 .mp4、一次录制的文件夹，或存放多次录制的文件夹（另查录制之间的链，看有无整次缺失）。

退出码 exit codes：0 完整 complete，10 有说明中断 explained-gap，11 无说明中断 unexplained-gap，12 缺失 missing，
13 被改 altered，14 不可信 untrusted；2 命令用错或读不到。

多个 PATH 时取最坏者 the worst of several：完整 < 有说明中断 < 无说明中断 < 读不到 < 缺失 < 不可信 < 被改。

例 examples：

  liuhen-verify state/recordings/REC-0001-R000001 --roots root.pem

  liuhen-verify segment-0001.mp4 --roots root.pem --json

  liuhen-verify REC-0001-R000001 --roots root.pem --key archive.key

  liuhen-verify EXPORT --roots root.pem --trust trust.dsse   （导出的文件夹：连同导出证明 with its certificate）

  liuhen-verify state/recordings --roots root.pem --receipts REC-0001.receipts.jsonl --report report.html
"""

NO_PATH = "没有给出 PATH（missing PATH）。请写录制文件夹或文件：liuhen-verify REC-0001-R000001 --roots root.pem"

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
Paths = list[Path] | None


@app.command(help=_HELP)
def verify(
    paths: Annotated[
        Paths,
        typer.Argument(metavar="PATH...", help="录制或采集件的文件夹、其上级，或单个 .mp4、.jpg"),
    ] = None,
    roots: Annotated[
        Paths, typer.Option(help="从本区另行取得的根证书 PEM，可多次给出；缺省：不判断出自何人，即不可信")
    ] = None,
    receipts: Annotated[Paths, typer.Option(help="中心导出的设备凭据（liuhen-center export），可多次给出")] = None,
    key: Annotated[Path | None, typer.Option(help="存档私钥 archive.key，检验加密文件（.enc）用；不落盘")] = None,
    trust: Annotated[Paths, typer.Option(help="信任清单 trust.dsse，用于查吊销，可多次给出")] = None,
    tsa_root: Annotated[Paths, typer.Option(help="时间戳服务的根证书，用于核验事后加盖的时间戳，可多次给出")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，一行一个 PATH")] = False,
    report: Annotated[Path | None, typer.Option(help="另写一份可打印的报告（一个独立的 HTML 文件）")] = None,
) -> None:
    """Verify every path, print its report, and exit with the code of the worst verdict."""
    if not paths:
        raise OperatorFault(NO_PATH)
    try:
        basis = read_basis(roots or [], trust or [], receipts or [], datetime.now(UTC), tsa_root or [])
    except UnsoundAccount as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(fault.verdict.exit_code) from fault
    if key is not None:
        basis = replace(basis, archive=read_private_key(key))
    session = _Session(basis, JsonLines() if as_json else Screen(), keep=report is not None)
    for path in dict.fromkeys(paths):
        session.verify(path)
    session.finish()
    if report is not None:
        session.write(report, paths)
    raise typer.Exit(session.exit_code)


class _Session:
    """One run of the command: what was judged so far, and what could not be read."""

    def __init__(self, basis: Basis, teller: Teller, *, keep: bool) -> None:
        self._basis, self._teller, self._keep = basis, teller, keep
        self._verdicts: list[Verdict] = []
        self._sections: list[Section] = []
        self._unread: list[str] = []
        self._shelves: list[Path] = []
        self._placed: list[Placed] = []

    def verify(self, path: Path) -> None:
        """Judge `path`, or the recordings in it; what cannot be read keeps nothing else from being judged."""
        try:
            places = parts_of(path)
            besides = besides_photos(path, places)
        except OperatorFault as fault:
            self._lost(path, fault)
            return
        shelf = is_shelf(path, places)
        self._shelves += [path] if shelf else []
        for line in besides:
            self._say_unread(OperatorFault(line))
        read: list[Judged] = []
        for place in places:
            try:
                judged = self._one(place)
            except OperatorFault as fault:
                self._lost(place, fault)
                continue
            self._note(judged)
            read.append(judged)
            if shelf and (link := link_of(judged)) is not None:
                self._placed.append(Placed(path, link, judged.report))
        if is_photo_shelf(path, places):
            self._judge_around("照片之间", lambda: judge_photo_shelf(path, read, len(places) - len(read), self._basis))
        if is_export(path):
            self._judge_around("导出证明", lambda: [judge_export(path, self._basis)])

    def finish(self) -> None:
        """What is to be said of the devices whose recordings were given by the folder: of all folders together."""
        self._judge_around("各次录制之间", lambda: judge_devices(self._shelves, self._placed, self._basis))

    def _judge_around(self, what: str, judge: Callable[[], list[Judged]]) -> None:
        try:
            around = judge()
        except OperatorFault as fault:
            self._say_unread(fault)
            return
        for judged in around:
            self._note(judged)
            if self._keep:  # of two that are as bad, the whole comes first
                self._sections.insert(0, section(f"{judged.path}（{what}）", judged.report, (), (), ""))

    def _lost(self, place: Path, fault: OperatorFault) -> None:
        """Nothing at all is known of `place`."""
        self._teller.lost(place, str(fault))
        self._say_unread(fault)

    def _say_unread(self, fault: OperatorFault) -> None:
        typer.echo(str(fault), err=True)
        self._unread.append(str(fault))

    def write(self, target: Path, paths: Sequence[Path]) -> None:
        """The HTML report on everything judged; that it cannot be written, or would lie among the evidence `paths`, is
        told, and hides no verdict."""
        if any(path.is_dir() and target.resolve().is_relative_to(path.resolve()) for path in paths):
            self._say_unread(OperatorFault(f"报告 {target} 不能写进被检验的文件夹。请用 --report 另选位置。"))
            return
        if not self._sections:
            self._say_unread(OperatorFault("没有可写入报告的结论。请先排除读取错误。"))
            return
        page = Page(
            tuple(self._sections),
            self._basis.now,
            software_version(),
            tuple(fingerprint(root) for root in self._basis.roots),
            tuple(_basis_lines(self._basis)),
            tuple(self._unread),
        )
        try:
            write_report(target, render(page))
        except OperatorFault as fault:  # what was found still decides how the command ends
            self._say_unread(fault)

    @property
    def exit_code(self) -> int:
        """How the command ends."""
        return exit_code(self._verdicts, self._unread)

    def _one(self, place: Path) -> Judged:
        size = size_of(place)
        with _progress(size) as bar:
            task = bar.add_task("检验", total=size)
            inspect = self._look if self._keep else None
            judged = judge_path(place, self._basis, lambda count: bar.advance(task, count), inspect)
        if self._keep and not judged.segments:  # a photo, a collected item, nothing readable: no film was open
            self._add(judged)
        return judged

    def _add(self, judged: Judged) -> None:
        self._sections.append(section(str(judged.path), judged.report, (), (), ""))

    def _look(self, judged: Judged) -> None:
        """Make the section of the page, which is small, while the files are open."""
        if not judged.segments:
            return
        trusted = judged.report.verdict is not Verdict.UNTRUSTED
        # A decoder is a large target: it is not given pictures that nobody known has signed.
        pictures = thumbnails(judged.segments) if trusted else ()
        why = "所选片段无法解码成画面（可能没有画面轨）。" if trusted else "录像不可信，未解码画面。"
        self._sections.append(
            section(str(judged.path), judged.report, judged.segments, pictures, why, _encrypted(judged.path))
        )

    def _note(self, judged: Judged) -> None:
        self._verdicts.append(judged.report.verdict)
        self._teller.tell(judged)
        for line in judged.unread:
            self._say_unread(OperatorFault(line))


def main() -> None:
    """The command."""
    run_app(app)


def _encrypted(path: Path) -> Path | None:
    folder = (path if path.is_dir() else path.parent).resolve()
    return folder if path.suffix == SUFFIX or any(path.glob(SEGMENTS + SUFFIX)) else None


def _basis_lines(basis: Basis) -> Iterator[str]:
    trust = basis.grounds.trust
    if trust is None:
        yield "没有给出信任清单（--trust），未查吊销"
    else:
        yield f"信任清单 {trust.district} 第 {trust.version} 版，{wall_text(trust.issued_at)} 签发"
    if not basis.grounds.accounts:
        yield "没有给出中心的凭据（--receipts），尾部与整次录制是否齐全只凭文件自身"
    for device, account in basis.grounds.accounts.items():
        since = "没有回执" if account.as_of is None else f"回执截至 {wall_text(account.as_of)}"
        yield f"{device} 的凭据：{since}，事件至第 {account.upto} 号"
        if account.begins:
            yield account.begins


def _progress(total: int) -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    return Progress(
        *columns, console=console, transient=True, disable=total < BAR_FROM_BYTES or not console.is_terminal
    )


if __name__ == "__main__":
    main()
