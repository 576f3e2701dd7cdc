"""Starting the roles of a rehearsal, each by its own command."""

import shutil
from pathlib import Path

from provisioning.rehearsal.processes import command, listens, wait_until
from provisioning.rehearsal.stage import START_SECONDS, Stage

SIMULATORS = {"card": "card_reader", "printer": "printer"}  # what plays a line of `[hooks]`


def mosquitto() -> str | None:
    """Where Mosquitto is on this computer; Debian keeps it where a user's PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def start_broker(stage: Stage) -> None:
    """Start the broker that the findings name and wait until it accepts connections."""
    findings, tell = stage.findings, stage.tell
    if findings.broker == "mosquitto":
        role = stage.start("broker", mosquitto() or "mosquitto", "-c", stage.broker)
        tell.say(f"消息代理 Mosquitto，双向 TLS，127.0.0.1:{findings.port}", "Mosquitto with mutual TLS")
    else:
        program = (command("python"), "-m", "provisioning.rehearsal.embedded_broker")
        role = stage.start("broker", *program, "--config", stage.broker)
        tell.say(f"内置消息代理 amqtt，双向 TLS，127.0.0.1:{findings.port}", "no Mosquitto here: embedded broker")
        from provisioning.rehearsal.embedded_broker import WEAKER_THAN_MOSQUITTO  # imports amqtt

        for chinese, english in WEAKER_THAN_MOSQUITTO:
            tell.warn(chinese, english)
    wait_until("消息代理", lambda: listens(findings.port), START_SECONDS, [role])


def start_center(stage: Stage) -> None:
    """Start the receiver of the centre."""
    stage.start("center", command("liuhen-center"), "receive", "--config", stage.district.center / "center.toml")


def start_recorder(stage: Stage, device: str) -> None:
    """Start a recorder with simulated devices on its serial lines and wait until the centre has heard of it."""
    lines = {"button": ("mcu", stage.district.button(device))}
    lines |= {name: (SIMULATORS[name], Path(link)) for name, link in stage.district.lines(device).items()}
    for name, (simulator, link) in lines.items():
        program = (command("python"), "-m", f"firmware_hooks.simulated_{simulator}", "--link", link)
        stage.start(f"{device}-{name}", *program, with_input=True)
    for name, (_, link) in lines.items():
        wait_until(f"{device} {name}", link.exists, START_SECONDS, [stage.roles[f"{device}-{name}"]])
    stage.start_agent(device)
    wait_until(f"{device} 就绪", lambda: _ready(stage, device), START_SECONDS, [stage.roles[device]])


def _ready(stage: Stage, device: str) -> bool:
    return (stage.district.device(device) / "state" / "agent.db").exists() and stage.status(device)["acked"] > 0
