"""`liuhen-verify`: is this recording whole, unchanged and ours? For anyone, with nothing but the files and a root."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.text import Text

from agent.errors import EnvironmentFault, LiuhenFault, OperatorFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_reading import decrypted_segment
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.places import clock_text
from agent.evidence.report import WHAT_A_SIGNATURE_PROVES, Place, Report, Status, Verdict
from agent.evidence.sidecars import JOURNAL_NAME, SIGNATURE_NAME, SUMS_NAME
from agent.evidence.time_stamps import TokenReader, Witnessed
from agent.evidence.verify import SegmentFile, Sidecars, verify_recording

ROOT_NAME = "root.pem"
SEGMENTS = "segment-*.mp4"
MAX_SIDECAR_BYTES = 1024 * 1024  # ours; a list of 4096 files is below half of it
BAR_FROM_BYTES = 64 * 1024 * 1024  # ours; less is read before a bar could be looked at
PLACES_SHOWN = 20  # ours; --json gives all
_LAYER_NAMES = {"integrity": "完整性", "trust": "信任", "time": "时间", "completeness": "齐全", "duty": "履职"}
_STATUS_NAMES = {
    Status.PASSED: ("通过", "green"),
    Status.NOTED: ("注意", "yellow"),
    Status.FAILED: ("不通过", "bold red"),
    Status.NOT_JUDGED: ("未评判", "dim"),
}
_COLOURS = {Verdict.COMPLETE: "bold green", Verdict.EXPLAINED_GAP: "bold yellow"}
_HELP = """检验录像是否完整、未改、出自本区设备（verify recordings）。

退出码 exit codes：0 完整 complete，10 有说明中断 explained-gap，11 无说明中断 unexplained-gap，12 缺失 missing，
13 被改 altered，14 不可信 untrusted；2 命令用错，4 文件读不到。多个 PATH 时取最大者。

例 examples：

  liuhen-verify state/recordings/REC-0001-R000001 --root root.pem

  liuhen-verify segment-0001.mp4 --root root.pem --json

  liuhen-verify REC-0001-R000001 --root root.pem --key archive.key
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=_HELP)
def verify(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="录制文件夹，或单个 .mp4 文件")],
    root: Annotated[
        list[Path] | None, typer.Option(help="根证书 PEM，可多次给出；缺省用 PATH 旁边或上级的 root.pem")
    ] = None,
    tsa_root: Annotated[
        list[Path] | None, typer.Option(help="时间戳服务的根证书 PEM，可多次给出；缺省同 --root")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="存档私钥 PEM；检验加密录像（.mp4.enc）时需要，不落盘解密")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，一行一个 PATH")] = False,
) -> None:
    """Verify every path, print its report, and exit with the highest code."""
    console = Console(highlight=False, soft_wrap=True)
    codes = []
    archive = None if key is None else _archive_key(key)
    for path in paths:
        if not path.exists():
            raise OperatorFault(f"找不到 {path}，请检查路径。")
        report = _verified(path, root or _default_roots(path), tsa_root, archive)
        if as_json:
            typer.echo(json.dumps({"path": str(path), **report.as_json()}, ensure_ascii=False))
        else:
            _show(console, path, report)
        codes.append(report.verdict.exit_code)
    raise typer.Exit(max(codes))


def main() -> None:
    """The command: faults become one line on standard error and the exit code of their root."""
    try:
        app()
    except LiuhenFault as fault:
        typer.echo(str(fault), err=True)
        sys.exit(fault.exit_code)


def _verified(
    path: Path,
    roots: Sequence[Path],
    tsa_roots: Sequence[Path] | None,
    archive: ec.EllipticCurvePrivateKey | None,
) -> Report:
    with ExitStack() as stack, _disk_errors(path):
        whole = path.is_dir()
        names = sorted([*path.glob(SEGMENTS), *path.glob(SEGMENTS + SUFFIX)]) if whole else [path]
        files = [_segment(stack.enter_context(name.open("rb")), name, archive) for name in names]
        sidecars = _sidecars(path, stack) if whole else None
        certificates = [certificate for place in roots for certificate in _certificates(place)]
        stamps = _token_reader([certificate for place in tsa_roots or roots for certificate in _certificates(place)])
        with _progress(sum(file.source.size for file in files)) as bar:
            task = bar.add_task("检验", total=sum(file.source.size for file in files))
            return verify_recording(
                files, certificates, datetime.now(UTC), sidecars, lambda count: bar.advance(task, count), stamps
            )


def _segment(stream: BinaryIO, path: Path, archive: ec.EllipticCurvePrivateKey | None) -> SegmentFile:
    if path.suffix != SUFFIX:
        return SegmentFile(path.name, _source(stream, path))
    if archive is None:
        raise OperatorFault(f"{path} 是加密录像。请用 --key 指明中心的存档私钥。")
    return decrypted_segment(path.name.removesuffix(SUFFIX), _source(stream, path), archive)


def _source(stream: BinaryIO, path: Path) -> Source:
    def read_at(offset: int, length: int) -> bytes:
        stream.seek(offset)
        return stream.read(length)

    return Source(path.stat().st_size, read_at)


def _sidecars(folder: Path, stack: ExitStack) -> Sidecars:
    journal = folder / JOURNAL_NAME
    opened = _source(stack.enter_context(journal.open("rb")), journal) if journal.exists() else None
    return Sidecars(opened, _content(folder / SUMS_NAME), _content(folder / SIGNATURE_NAME))


def _content(path: Path) -> bytes | None:
    if not path.exists():
        return None
    with path.open("rb") as stream:
        return stream.read(MAX_SIDECAR_BYTES)


def _default_roots(path: Path) -> list[Path]:
    place = path.absolute()
    for folder in (place, *place.parents):
        if (folder / ROOT_NAME).is_file():
            return [folder / ROOT_NAME]
    raise OperatorFault(f"在 {path} 旁边和上级都没有找到 root.pem，请用 --root 指定本区的根证书。")


def _certificates(path: Path) -> list[x509.Certificate]:
    with _disk_errors(path):
        content = path.read_bytes()
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise OperatorFault(f"{path} 不是 PEM 证书，请用 --root 指定本区的 root.pem。") from error


def _archive_key(path: Path) -> ec.EllipticCurvePrivateKey:
    with _disk_errors(path):
        content = path.read_bytes()
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError) as error:
        raise OperatorFault(f"{path} 不是未加密的 PEM 私钥，请用 --key 指明存档私钥。") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise OperatorFault(f"{path} 不是 P-256 私钥，请用 --key 指明存档私钥。")
    return key


def _token_reader(roots: Sequence[x509.Certificate]) -> TokenReader:
    def read(token: bytes, message: bytes) -> Witnessed:
        from agent.adapters.time_stamp_tokens import token_reader  # loaded for recordings that bear a time-stamp

        return token_reader(roots)(token, message)

    return read


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(f"无法读取 {path}：{error.strerror or error}。请检查路径与权限后重试。") from error


def _progress(total: int) -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    return Progress(
        *columns, console=console, transient=True, disable=total < BAR_FROM_BYTES or not console.is_terminal
    )


def _show(console: Console, path: Path, report: Report) -> None:
    colour = _COLOURS.get(report.verdict, "bold red")
    console.print(Text.assemble(_plain(str(path)), "  ", (f"{report.verdict.chinese} {report.verdict}", colour)))
    if report.recording is not None:
        minutes, seconds = divmod(round(report.duration_s), 60)
        source = "，合成画面（非摄像头拍摄）" if report.synthetic else ""
        console.print(
            Text(
                f"  录制 {report.recording}，设备 {report.device}，{_plain(report.unit)}；"
                f"{report.segments} 段 {report.fragments} 片段，{minutes} 分 {seconds} 秒{source}"
            )
        )
    for name, layer in report.layers.items():
        word, style = _STATUS_NAMES[layer.status]
        console.print(Text.assemble(f"  {_LAYER_NAMES[name]} {name}: ", (word, style)))
        for line in layer.lines[:PLACES_SHOWN]:
            console.print(Text(f"    {_plain(line)}"))
    for place in report.places[:PLACES_SHOWN]:
        console.print(Text(f"  ✗ {_place(place)}", style="red"))
    hidden = len(report.places) - PLACES_SHOWN
    if hidden > 0:
        console.print(Text(f"  …另有 {hidden} 处，见 --json。"))
    console.print(Text(f"  {WHAT_A_SIGNATURE_PROVES}", style="dim"))


def _place(place: Place) -> str:
    parts = [place.file, place.kind]
    if place.sequence is not None:
        parts.append(f"fragment {place.sequence}" + (f"+{place.count}" if place.count > 1 else ""))
    if place.captured is not None:
        parts.append(("~" if place.inferred else "") + clock_text(place.captured))
    if place.offset is not None:
        parts.append(f"@{place.offset}")
    return _plain("  ".join(parts))


def _plain(text: str) -> str:
    """Text from a file without anything that could steer a terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


if __name__ == "__main__":
    main()
