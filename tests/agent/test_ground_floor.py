"""What every role stands on: one line per fault and per log record, strict tables, drafts that outlive nothing."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent import durable
from agent.errors import OperatorFault
from agent.log import OneLine, one_line
from agent.settings import PORTS, Settings, read_toml

FORGED = "x\n2026-11-22 00:00:00 WARNING liuhen.center: alarm fork\r\u2028\x1b[2J\x85y\u202e"


def test_quoted_text_can_neither_begin_a_log_line_nor_steer_a_terminal() -> None:
    record = logging.LogRecord("liuhen.center", logging.WARNING, "f", 1, "refused: %s", (FORGED,), None)
    line = OneLine("%(levelname)s %(name)s: %(message)s").format(record)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert one_line("公示屏 3 号窗口") == "公示屏 3 号窗口"


@pytest.mark.parametrize(
    ("package", "logger"), [("kiosk.cli", "kiosk.feed"), ("kiosk.cli", "uvicorn.error"), ("center", "liuhen.center")]
)
def test_the_processes_of_hall_and_centre_log_in_single_lines(package: str, logger: str) -> None:
    names = "*__import__('kiosk.cli').cli.LOGGERS" if package == "kiosk.cli" else "'liuhen', 'agent'"
    program = (
        "import logging, sys; from agent.command import log_from; "
        f"log_from('warning', {names}); logging.getLogger({logger!r}).warning('refused: %s', sys.argv[1])"
    )
    done = subprocess.run([sys.executable, "-c", program, FORGED], check=True, capture_output=True, text=True)
    assert done.stderr.count("\n") == len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("module", ["kiosk.cli", "kiosk.publishing.cli", "provisioning.cli", "provisioning.center.cli"])
def test_a_fault_is_one_line_in_one_form_whatever_a_file_name_holds(module: str, tmp_path: Path) -> None:
    words = {
        "kiosk.cli": ["serve", "--config"],
        "kiosk.publishing.cli": ["show", "--office"],
        "provisioning.cli": ["trust", "--authority"],
        "provisioning.center.cli": ["summary", "--config"],
    }[module]
    done = subprocess.run(
        [sys.executable, "-m", module, *words, str(tmp_path / "a\nb")], check=False, capture_output=True, text=True
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith("错误：")


@pytest.mark.parametrize(
    ("library", "module", "words", "extra"),
    [("sqlalchemy", "provisioning.center.cli", ["summary", "--config", "{config}"], "center")],
)
def test_a_missing_extra_is_named(library: str, module: str, words: list[str], extra: str, tmp_path: Path) -> None:
    from tests.provisioning.district import NOW, TestDistrict

    config = TestDistrict(tmp_path, 1, moment=lambda: NOW).receiver() / "center.toml"
    program = f"import sys; sys.modules[{library!r}] = None; import {module} as command; command.main()"
    arguments = [word.format(config=config) for word in words]
    done = subprocess.run([sys.executable, "-c", program, *arguments], check=False, capture_output=True, text=True)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"pip install 'liuhen[{extra}]'" in done.stderr


def read_all(values: dict[str, object]) -> None:
    settings = Settings("x.toml", values, ("port", "name", "inner"))
    settings.integer("port", PORTS)
    settings.text("name")
    settings.table("inner", ("x",)).one_of("x", ("a",))


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"prot": 1}, "是否想写 port"),
        ({"zzz": 1}, "可用的有：port、name、inner"),
        ({"port": True}, "port = True 不对"),
        ({"port": 0}, "1 至 65535"),
        ({"port": "1"}, "整数"),
        ({"port": 1, "name": "  "}, "非空"),
        ({"port": 1}, "缺少 name"),
        ({"port": 1, "name": "a", "inner": 3}, r"\[inner\]"),
        ({"port": 1, "name": "a", "inner": {"x": "b"}}, "inner.x = 'b' 不对，应是a 之一"),
    ],
)
def test_every_role_is_told_the_same_way_what_is_wrong(values: dict[str, object], hint: str) -> None:
    with pytest.raises(OperatorFault, match=hint):
        read_all(values)


def test_a_configuration_that_cannot_be_read_names_the_file(tmp_path: Path) -> None:
    for content in (None, b"\xff", b"a = "):
        if content is not None:
            (tmp_path / "x.toml").write_bytes(content)
        with pytest.raises(OperatorFault, match=r"x\.toml"):
            read_toml(tmp_path / "x.toml")


def test_the_draft_that_a_power_cut_left_goes_with_the_next_write(tmp_path: Path) -> None:
    place = tmp_path / "a.key"
    for _ in range(2):
        child = os.fork()
        if child == 0:  # another process each time, as after a restart; dies before the rename
            os.replace = os.rename = None  # type: ignore[assignment]
            try:
                durable.write_bytes(place, b"half" * 100)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    assert not place.exists()
    assert len(list(tmp_path.iterdir())) == 1
    durable.write_bytes(place, b"whole", durable.PRIVATE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]
    assert (place.read_bytes(), place.stat().st_mode & 0o777) == (b"whole", 0o600)


def test_two_writers_of_one_file_leave_one_of_both_whole(tmp_path: Path) -> None:
    place, faults = tmp_path / "a", []

    def write(content: bytes) -> None:
        try:
            for _ in range(40):
                durable.write_bytes(place, content)
        except BaseException as fault:
            faults.append(fault)
            raise

    threads = [threading.Thread(target=write, args=(letter * 20_000,)) for letter in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert place.read_bytes() in (b"a" * 20_000, b"b" * 20_000, b"c" * 20_000)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_folders_made_on_the_way_are_as_closed_as_the_last(tmp_path: Path) -> None:
    durable.make_directory(tmp_path / "recordings" / "REC-0001-R000001")
    assert (tmp_path / "recordings").stat().st_mode & 0o777 == 0o750
