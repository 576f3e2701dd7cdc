"""How every command speaks beside its work: a mistyped line in one form, tables that fit a narrow terminal."""

import re
import sys
from collections.abc import Sequence

import typer
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text
from typer.exceptions import TyperException

from agent.command import run_command
from agent.errors import OperatorFault

# What typer's parser says, and the same in Chinese; what it will say one day and nobody knows yet stays as it is.
PARSER_WORDS = (
    (r"Missing option '(.+)'\.?", r"缺少选项 \1。"),
    (r"Missing argument '(.+)'\.?", r"缺少参数 \1。"),
    (r"Option '(.+)' requires an argument\.?", r"选项 \1 后面要有值。"),
    (r"No such option: (\S+?) \(Possible options: (.+)\)", r"没有选项 \1，是不是 \2？"),
    (r"No such option: (\S+?)(?: Did you mean (.+)\?)?", r"没有选项 \1。"),
    (r"No such command '(.+?)'\.?(?: Did you mean .*)?", r"没有命令 \1。"),
    (r"Got unexpected extra arguments?(?:\(s\))? \((.+)\)", r"多了参数 \1。"),
    (r"Invalid value for '(.+?)': .*valid integer.*", r"\1 应是整数。"),
    (r"Invalid value for '(.+?)': .*valid number.*", r"\1 应是数字。"),
    (r"Invalid value for '(.+?)': .*greater than or equal to (.+)", r"\1 不应小于 \2。"),
    (r"Invalid value for '(.+?)': .*less than or equal to (.+)", r"\1 不应大于 \2。"),
    (r"Invalid value for '(.+?)': (.+)", r"\1 的值不对（\2）。"),
)
HELP_SHOWN = "NoArgsIsHelpError"  # not public in typer: a group was named alone, and its help says all
GROUP_WORDS = 3  # fewer words than these may name a group alone, which shows its help
GAP = 2  # columns between two cells, as the tables draw them


class FoldingTable(Table):
    """A table whose cells go on in the next line, to their end. Rich cuts a word that is wider than its column, and a
    Chinese sentence, which has no spaces, is one word to it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for column in self.columns:
            column.overflow = "fold"
        yield from super().__rich_console__(console, options)


def run_app(app: typer.Typer) -> None:
    """Run a command line as `run_command` does; what its parser does not understand is a fault like any other."""
    if "--help" in sys.argv or len(sys.argv) < GROUP_WORDS:
        _fold_help()
    run_command(app if len(sys.argv) < 2 else lambda: _run(app))  # without a word the parser shows its help


def print_rows(console: Console, table: Table, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print `rows` in `table`, which has its columns already; where it is wider than the terminal, a block for each."""
    widths = [max(cell_len(cell) for cell in column) for column in zip(titles, *rows, strict=True)]
    if sum(widths) + GAP * (len(widths) + 1) <= console.width:
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return
    for row in rows:
        console.print(row[0], markup=False)
        for title, cell in zip(titles[1:], row[1:], strict=True):
            console.print(f"  {title}：{cell}", markup=False)


def _fold_help() -> None:
    from typer import rich_utils  # some 30 ms, which only a help is worth

    vars(rich_utils).update(Table=FoldingTable, Columns=_one_text)  # typer has no setting for it


def _one_text(parts: Sequence[Text]) -> Text:
    """What an option is, its default and whether it is required; each in a column of its own they would be cut."""
    return Text(" ").join(parts)


def _run(app: typer.Typer) -> None:
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        if type(error).__name__ == HELP_SHOWN:
            raise SystemExit(OperatorFault.exit_code) from None
        said = error.format_message() if hasattr(error, "format_message") else str(error)
        raise OperatorFault(f"命令写得不对：{_in_chinese(said)}请加 --help 查看用法。") from error
    except typer.Abort:
        raise SystemExit(1) from None
    if isinstance(code, int) and code:
        raise SystemExit(code)


def _in_chinese(said: str) -> str:
    for pattern, words in PARSER_WORDS:
        found = re.fullmatch(pattern, said, re.DOTALL)
        if found is not None:
            return found.expand(words)
    return f"{said} "
