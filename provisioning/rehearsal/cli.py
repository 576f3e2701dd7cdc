"""`liuhen-provision rehearse`: the verb, its options, and how it ends."""

import json
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.clock import system_clock
from agent.errors import OperatorFault
from provisioning.rehearsal.findings import Findings
from provisioning.rehearsal.processes import Processes
from provisioning.rehearsal.stage import Stage
from provisioning.rehearsal.story import Script, rehearse
from provisioning.rehearsal.terminal import Teller

EXIT_NOT_HELD = 5  # the rehearsal ended, but something did not hold
MIN_SECONDS, MAX_SECONDS = 2, 3600
BROKERS = ("auto", "mosquitto", "embedded")
EPILOG = (
    "示例：liuhen-provision rehearse --once --json　　liuhen-provision rehearse --camera file:vtest.avi --seconds 20"
)


def command(
    seconds: Annotated[
        int, typer.Option(help="REC-0001 录制多少秒 how long it records", min=MIN_SECONDS, max=MAX_SECONDS)
    ] = 10,
    camera: Annotated[
        str, typer.Option(help="画面来源 picture: auto, picamera2, v4l2:DEV, rtsp:URL, file:PATH, test")
    ] = "auto",
    broker: Annotated[str, typer.Option(help="消息代理 broker: auto, mosquitto, embedded")] = "auto",
    directory: Annotated[Path | None, typer.Option("--dir", help="工作目录，须为空 an empty work folder")] = None,
    once: Annotated[
        bool, typer.Option("--once", help="演完即退出 leave when done; exit 0 when everything held")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="最后一行输出 JSON the last line is one object")] = False,
) -> None:
    """在一台电脑上演练一个小区域：录制、签名、回执、断电恢复、核验、公示。A whole district on one computer."""
    if broker not in BROKERS:
        raise OperatorFault(f"--broker {broker[:40]} 不认识，可用：{'、'.join(BROKERS)}。")
    console = Console(highlight=False)
    place = (directory or _next_place()).absolute()
    script = Script(place, seconds, _absolute_camera(camera), broker)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with Processes(place / "logs") as processes:
        findings = _play(script, Teller(console), processes, once)
    if as_json:
        typer.echo(json.dumps(findings.as_json(), ensure_ascii=False))
    if findings.failures:
        raise typer.Exit(EXIT_NOT_HELD)


def _play(script: Script, tell: Teller, processes: Processes, once: bool) -> Findings:
    stage = rehearse(script, tell, processes, system_clock().read().wall)
    tell.close(stage.findings)
    if not once:
        _stay(stage)
    return stage.findings


def _stay(stage: Stage) -> None:
    """Keep every role running until Ctrl-C."""
    stage.tell.stay(stage.findings.kiosk_url)
    try:
        signal.pause()
    except KeyboardInterrupt:
        stage.tell.leave()


def _absolute_camera(camera: str) -> str:
    """Paths of a file source count from here, not from a device's folder."""
    kind, colon, rest = camera.partition(":")
    return f"file:{Path(rest).absolute()}" if colon and kind == "file" else camera


def _next_place() -> Path:
    numbers = (Path(f"rehearsal-{number:03d}") for number in range(1, 1000))
    place = next((place for place in numbers if not place.exists()), None)
    if place is None:
        raise OperatorFault("已有 999 个演练目录。请删除 rehearsal-* 后再试。")
    return place
