"""What an officer of the rehearsal asks of the recorder, and what it shows."""

import json
import secrets
import time
from pathlib import Path
from typing import Any

from agent import durable
from agent.duty.asks import ASK_SUFFIX, ASKED, STATE, Ask, What
from agent.errors import EnvironmentFault
from provisioning.rehearsal.district import ON_SCENE
from provisioning.rehearsal.processes import command, run, wait_until
from provisioning.rehearsal.stage import Stage

ANSWER_SECONDS = 20.0


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


def tap(stage: Stage, what: What, **values: str) -> dict[str, Any]:
    """The same through the folder `asked`, as the officer's page asks; raises `EnvironmentFault` for a refusal."""
    asked = Ask(secrets.token_hex(16), what, values)
    path = state_of(stage) / ASKED / f"{time.time_ns():020d}-{asked.ask}{ASK_SUFFIX}"
    durable.write_bytes(path, asked.encode(), durable.PRIVATE)
    agent = stage.roles[ON_SCENE]
    answer: dict[str, Any] = wait_until(
        f"{ON_SCENE} 答复 {what}", lambda: duty(stage)["answers"].get(asked.ask), ANSWER_SECONDS, [agent]
    )
    if not answer["done"]:
        raise EnvironmentFault(f"{ON_SCENE}：{answer['text']}")
    return answer
