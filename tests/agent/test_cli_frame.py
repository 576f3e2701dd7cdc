"""What a newcomer sees on a narrow terminal and after a slip of the finger."""

import io
import subprocess
import sys

import pytest
from rich.console import Console
from rich.table import Table

from agent.cli_frame import FoldingTable, print_rows
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


def test_a_long_sentence_in_a_table_is_not_cut_before_its_next_step() -> None:
    fault = "中心没有接收程序在线，数据都在本机，稍后再发。请检查网络，再看一次状态。"
    table = FoldingTable("项目", "值")
    table.add_row("最近的问题", fault)
    console = Console(file=io.StringIO(), width=40)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    cells = [line.split("│")[2].strip() for line in console.file.getvalue().splitlines() if line.startswith("│")]
    assert "".join(cells) == fault


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


@pytest.mark.parametrize(
    ("module", "words", "told"),
    [
        ("provisioning.cli", [], ["验收：核对设备签名的报告，登记；全部合格才算验收，否则以5结束(acceptance)."]),
        ("provisioning.cli", ["write-card"], ["无线网络：两行文本，名称与密码；卡上只留派生密钥"]),
        ("provisioning.cli", ["add-device"], ["auto|picamera2|v4l2:DEV|rtsp:URL|file:PATH|test[default:auto]"]),
        ("agent.cli", [], ["更新软件：核对机构签名与每个文件，装在旁边试运行，再一次换过去；不能启动就换回来。"]),
    ],
)
def test_no_help_is_cut_on_a_terminal_of_80_columns(
    module: str, words: list[str], told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = run_here(module, *words, "--help")
    shown = "".join(done.stdout.replace("│", "").split())
    for text in told:
        assert text in shown


@pytest.mark.parametrize(("module", "group"), [("provisioning.cli", "audit"), ("agent.cli", "document")])
def test_a_group_named_alone_shows_its_help_and_no_fault(module: str, group: str) -> None:
    done = run_here(module, group)
    assert (done.returncode, done.stderr) == (2, "")
    assert group in done.stdout
