"""`liuhen-agent` as people meet it: help, status, configuration, and one line for every fault."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.control.messages import DeviceStarted
from tests.support.commands import run_here
from tests.support.device import DistrictKeys, RunningDevice


def liuhen_agent(*words: str) -> subprocess.CompletedProcess[str]:
    """A process for the daemon, which it becomes."""
    if words[0] != "run":
        return run_here("agent.cli", *words)
    return subprocess.run([sys.executable, "-m", "agent", *words], check=False, capture_output=True, text=True)


def test_help_teaches_by_example() -> None:
    shown = liuhen_agent("--help")
    assert shown.returncode == 0
    assert "liuhen-agent run --config" in shown.stdout
    assert "status" in liuhen_agent("status", "--help").stdout


def test_a_fault_is_one_line_and_the_exit_code_of_its_root(tmp_path: Path) -> None:
    config = DistrictKeys().write_folder(tmp_path, 8883)
    missing = liuhen_agent("run", "--config", str(tmp_path / "nothing.toml"))
    not_yet = liuhen_agent("status", "--config", str(config))
    level = liuhen_agent("run", "--config", str(config), "--log-level", "loud")
    (tmp_path / "evidence.key").chmod(0o644)
    open_key = liuhen_agent("run", "--config", str(config))
    for failed, words in (
        (missing, "无法读取配置"),
        (not_yet, "还没有运行记录"),
        (level, "loud"),
        (open_key, "chmod 600"),
    ):
        assert failed.returncode == 2
        assert words in failed.stderr
        assert failed.stderr.count("\n") == 1
        assert "Traceback" not in failed.stderr


def test_a_device_folder_of_another_device_is_refused(tmp_path: Path) -> None:
    config = DistrictKeys().write_folder(tmp_path, 8883)
    config.write_text(config.read_text().replace("REC-0001", "REC-0002"))
    refused = liuhen_agent("run", "--config", str(config))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "证据证书属于 REC-0001" in refused.stderr


def test_configuration_is_shown_without_secrets(tmp_path: Path) -> None:
    config = DistrictKeys().write_folder(tmp_path, 8883)
    plain = liuhen_agent("config", "--config", str(config))
    assert "broker.port = 8883" in plain.stdout
    assert "（内容不显示）" in plain.stdout
    assert json.loads(liuhen_agent("config", "--config", str(config), "--json").stdout)["device"] == "REC-0001"


def test_status_of_a_stopped_device(tmp_path: Path) -> None:
    keys = DistrictKeys()
    config = keys.write_folder(tmp_path, 8883)
    device = RunningDevice(keys, tmp_path)
    device.dispatch(DeviceStarted(device.clock.read()))
    device.record()
    device.close()
    figures = json.loads(liuhen_agent("status", "--config", str(config), "--json").stdout)
    assert (figures["device"], figures["running"], figures["devseq"]) == ("REC-0001", False, 5)
    assert (figures["waiting"], figures["acked"], figures["recording"], figures["session"]) == (5, 0, 1, 1)
    assert len(figures["head"]) == 64
    assert "等待回执" in liuhen_agent("status", "--config", str(config)).stdout


def test_the_device_carries_nothing_of_the_command_line() -> None:
    """Eleven megabytes of a recorder that has 120; bites when `agent.daemon` imports a file of the command line."""
    code = "import sys, agent.daemon; print(sorted({'typer', 'rich', 'pydantic', 'PIL', 'av'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]"


def test_the_device_starts_without_loading_the_command_line() -> None:
    """Bites when `run` is read by the parser, which half of every start would be spent on."""
    code = "import sys, agent.__main__; print(sorted({'typer', 'rich', 'agent.cli'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]"
    for words in (["--config", "x", "--nothing", "y"], ["--config"], ["x", "--config", "y"], []):
        assert "命令写得不对" in run_here("agent.__main__", "run", *words).stderr  # the parser's part


def test_the_camera_does_not_wait_for_duty_and_commands_to_be_loaded() -> None:
    """A third of a recorder's way to its first picture; bites when a file of the recorder's takes its orders or its
    messages from `agent.control.effects` or `messages`, which name everything that a device can do."""
    code = (
        "import sys, agent.adapters.recorder, agent.adapters.sources, agent.adapters.spool;"
        "late = ('agent.duty', 'agent.control.effects', 'agent.control.messages', 'agent.wire.commands', 'PIL', 'av');"
        "print([name for name in late if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]"


def test_a_folder_that_one_stands_in_does_not_become_the_device(tmp_path: Path) -> None:
    """Bites when the process goes on with `-m` alone, which looks in the working folder first."""
    stranger = tmp_path / "agent"
    stranger.mkdir()
    (stranger / "__init__.py").write_text("raise SystemExit('not ours')")
    words = [sys.executable, "-P", "-m", "agent", "run", "--config", str(tmp_path / "nothing.toml")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    said = subprocess.run(words, check=False, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert said.returncode == 2
    assert "无法读取配置" in said.stderr


@pytest.mark.parametrize("words", [("task", "take-out"), ("enrol",)])
def test_a_pin_that_nobody_types_is_asked_for_in_words(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Without a terminal `enrol` ended with 1 and an English warning."""
    config = tmp_path / "agent.toml"
    done = run_here("agent.cli", *words, "--certificate", "示例-000123", "--config", config, given="")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "没有读到 PIN" in done.stderr


def test_the_help_does_not_call_a_pin_needed_that_is_asked_for() -> None:
    assert "[required]" not in run_here("agent.cli", "task", "take-out", "--help").stdout.split("--pin")[1]
