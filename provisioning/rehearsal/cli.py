"""`liuhen-provision rehearse`: the verb, its options, and how it ends."""

import json
import re
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.clock import system_clock
from agent.config import CAMERA
from agent.errors import LiuhenFault, OperatorFault
from provisioning.rehearsal.findings import Findings
from provisioning.rehearsal.processes import Processes
from provisioning.rehearsal.stage import Stage
from provisioning.rehearsal.story import Script, rehearse
from provisioning.rehearsal.terminal import Teller

LOOK_SECONDS = 1.0  # how often it is seen whether everything still runs
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
    place = (directory or _next_place()).absolute()
    script = Script(place, seconds, _known_camera(camera), broker)
    # A shell that starts us in the background has SIGINT ignored; then Ctrl-C would end the roles but not us.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    findings = Findings(place)
    try:
        with Processes(place / "logs") as processes:
            _play(script, findings, Teller(Console(highlight=False)), processes, once)
    except LiuhenFault as fault:
        findings.failures.append(str(fault))
        raise
    finally:
        if as_json:
            typer.echo(json.dumps(findings.as_json(), ensure_ascii=False))
    if findings.failures:
        raise typer.Exit(EXIT_NOT_HELD)


def _play(script: Script, findings: Findings, tell: Teller, processes: Processes, once: bool) -> None:
    stage = rehearse(script, findings, tell, processes, system_clock().read().wall)
    tell.close(stage.findings, stays=not once)
    if not once:
        _stay(stage)


def _stay(stage: Stage) -> None:
    """Keep every role running until Ctrl-C, or until one of them ends by itself."""
    stage.tell.stay(stage.findings.kiosk_url)
    try:
        while True:
            time.sleep(LOOK_SECONDS)
            for role in stage.roles.values():
                role.check_alive()
    except KeyboardInterrupt:
        stage.tell.leave()


def _known_camera(camera: str) -> str:
    """The source as a device's configuration takes it; paths count from here, not from a device's folder."""
    if not re.fullmatch(CAMERA, camera):
        raise OperatorFault(
            f"--camera {camera[:80]} 不认识，可用：auto、picamera2、v4l2:设备、rtsp:地址、file:路径、test。"
        )
    kind, colon, rest = camera.partition(":")
    if not colon or kind != "file":
        return camera
    path = Path(rest).absolute()
    if not path.is_file():
        raise OperatorFault(f"--camera 所指的文件 {path} 不存在。请检查路径。")
    return f"file:{path}"


def _next_place() -> Path:
    numbers = (Path(f"rehearsal-{number:03d}") for number in range(1, 1000))
    place = next((place for place in numbers if not place.exists()), None)
    if place is None:
        raise OperatorFault("已有 999 个演练目录。请删除 rehearsal-* 后再试。")
    return place
