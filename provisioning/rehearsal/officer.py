"""What an officer of the rehearsal asks of the recorder, and what it shows."""

import json
from pathlib import Path
from typing import Any

from agent.duty.asks import STATE
from provisioning.rehearsal.district import ON_SCENE
from provisioning.rehearsal.processes import command, run
from provisioning.rehearsal.stage import Stage


def state_of(stage: Stage) -> Path:
    """The recorder's state folder."""
    return stage.district.device(ON_SCENE) / "state"


def duty(stage: Stage) -> dict[str, Any]:
    """What the recorder shows of officers, task and steps."""
    found: dict[str, Any] = json.loads((state_of(stage) / STATE).read_text(encoding="utf-8"))
    return found


def ask(stage: Stage, *words: str | Path) -> str:
    """What an officer asks of the recorder by `liuhen-agent`."""
    return run([command("liuhen-agent"), *words, "--config", stage.district.device(ON_SCENE) / "agent.toml"])
