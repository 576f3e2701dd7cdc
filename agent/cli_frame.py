"""How every command speaks beside its work: a mistyped line in one form, tables that fit a narrow terminal."""

import sys
from collections.abc import Sequence

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from typer.exceptions import TyperException

from agent.command import run_command
from agent.errors import OperatorFault

GAP = 2  # columns between two cells, as the tables draw them


def run_app(app: typer.Typer) -> None:
    """Run a command line as `run_command` does; what its parser does not understand is a fault like any other."""
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


def _run(app: typer.Typer) -> None:
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        said = error.format_message() if hasattr(error, "format_message") else str(error)
        raise OperatorFault(f"命令写得不对：{said} 请加 --help 查看用法。") from error
    except typer.Abort:
        raise SystemExit(1) from None
    if isinstance(code, int) and code:
        raise SystemExit(code)
