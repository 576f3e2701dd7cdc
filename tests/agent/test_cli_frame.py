"""What a newcomer sees on a narrow terminal and after a slip of the finger."""

import io
import subprocess
import sys

import pytest
from rich.console import Console
from rich.table import Table

from agent.cli_frame import print_rows
from tests.support.commands import run_here

TITLES = ("设备", "已收", "最近联系（UTC）")
ROWS = [("REC-0001", "12", "2026-11-22 10:00")]


def printed(width: int) -> str:
    console = Console(file=io.StringIO(), width=width, soft_wrap=True)
    print_rows(console, Table(*TITLES), TITLES, ROWS)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_table_wider_than_the_terminal_becomes_a_block_for_each_row() -> None:
    assert "REC-0001 │" in printed(60)
    narrow = printed(30)
    assert narrow.splitlines() == ["REC-0001", "  已收：12", "  最近联系（UTC）：2026-11-22 10:00"]


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("kiosk.publishing.cli", ["sign", "x", "--foo"]),
        ("kiosk.cli", ["serve"]),
        ("provisioning.cli", ["revok"]),
        ("provisioning.center.cli", ["events", "--config", "x", "--device", "y", "--after", "z"]),
        ("agent.cli", ["status", "--nothing"]),
        ("agent.verify_cli", ["--nothing"]),
    ],
)
def test_a_mistyped_command_is_one_line_in_the_form_of_every_other_fault(module: str, words: list[str]) -> None:
    done = run_here(module, *words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert done.stderr.startswith("错误：命令写得不对：")
    assert "--help" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("events", "缺少选项 --config。"),
        ("events --config", "选项 --config 后面要有值。"),
        ("events --config x --device y --after z", "--after 应是整数。"),
        ("watch --config x --every 0", "--every 不应小于 0.2。"),
        ("watch --config x --every soon", "--every 应是数字。"),
        ("nosuch", "没有命令 nosuch。"),
        ("events --confg x", "没有选项 --confg，是不是 --config, --json？"),
        ("events --zzz", "没有选项 --zzz。"),
        ("check-proof", "缺少参数 PROOF。"),
        ("prove a b --config c", "多了参数 b。"),
        ("command REC-0001 mark-hold --config x --key k --chain c --hours 0", "--hours 不应小于 1。"),
        ("command REC-0001 mark-hold --config x --key k --chain c --hours 900", "--hours 不应大于 744。"),
    ],
)
def test_what_the_parser_says_is_said_in_chinese(words: str, said: str) -> None:
    done = run_here("provisioning.center.cli", *words.split())
    assert done.stderr == f"错误：命令写得不对：{said}请加 --help 查看用法。\n"


def test_a_command_without_a_word_shows_its_help() -> None:
    done = subprocess.run([sys.executable, "-m", "kiosk.publishing.cli"], check=False, capture_output=True, text=True)
    assert "示例 examples" in done.stdout + done.stderr
    assert "错误" not in done.stderr


def test_each_example_of_the_office_stands_on_a_line_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kiosk.publishing.cli", "--help"],
        check=True,
        capture_output=True,
        text=True,
        env={"COLUMNS": "120", "PYTHONIOENCODING": "utf-8"},
    )
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "liuhen-publish draft window-board.json --office 法制办" in lines
    assert "liuhen-publish release window-board.hall-1 --office 法制办" in lines
