"""Asking the running agent something by the folder `asked`, and reading `duty.json`: for its commands and its page."""

import json
import secrets
import time
from pathlib import Path
from typing import Any

from agent import durable
from agent.adapters import state_lock
from agent.duty.asks import ASK_SUFFIX, ASKED, STATE, Ask, What
from agent.errors import EnvironmentFault, OperatorFault

ANSWER_S = 5.0  # ours: the agent answers in some milliseconds unless its disk hangs
LOOK_S = 0.05


def ask(state_dir: Path, what: What, values: dict[str, str], wait_s: float = ANSWER_S) -> dict[str, Any]:
    """Ask and wait for the answer. Raises `OperatorFault` for a refusal, with its reason, or when no agent runs;
    `EnvironmentFault` when none answers."""
    if not state_lock.is_held(state_dir):
        raise OperatorFault("代理没有在运行。请先执行 liuhen-agent run，或启动 liuhen-agent 服务。")
    request = Ask(secrets.token_hex(16), what, values)
    name = f"{time.time_ns():020d}-{request.ask}{ASK_SUFFIX}"
    durable.write_bytes(state_dir / ASKED / name, request.encode(), durable.PRIVATE)
    answer = _answer(state_dir, request.ask, wait_s)
    if not answer.get("done"):
        raise OperatorFault(str(answer.get("text", "")))
    return answer


def read_state(state_dir: Path) -> dict[str, Any]:
    """`duty.json`; raises `OperatorFault` before the agent ever ran."""
    try:
        found: dict[str, Any] = json.loads((state_dir / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorFault("还没有值勤状态。请先执行 liuhen-agent run。") from error
    return found


def interruption_codes(state_dir: Path) -> dict[str, str]:
    """The reasons for an interruption that the lists on this device offer, words by code; empty before it ever ran."""
    try:
        told = read_state(state_dir).get("interruptions", [])
        return {str(one["code"]): str(one["text"]) for one in told}
    except (OperatorFault, KeyError, TypeError):
        return {}


def _answer(state_dir: Path, name: str, wait_s: float) -> dict[str, Any]:
    ends = time.monotonic() + wait_s
    while time.monotonic() < ends:
        try:
            answer = json.loads((state_dir / STATE).read_text(encoding="utf-8")).get("answers", {}).get(name)
        except FileNotFoundError:
            answer = None
        if answer is not None:
            return dict(answer)
        time.sleep(LOOK_S)
    raise EnvironmentFault(f"代理没有在 {wait_s:.0f} 秒内回答。请用 liuhen-agent status 查看状态后重试。")
