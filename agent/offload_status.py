"""How far the uploading of recordings is, in one line for people."""

import json
from typing import Any

from agent.config import OFFLOAD_STATUS, AgentConfig
from agent.control.offload_policy import When

MEGABYTE = 1_000_000


def offload_line(config: AgentConfig) -> str:
    """What is on its way and what keeps it; empty where nothing is uploaded."""
    if config.offload is None or config.offload.policy.when is When.NEVER:
        return ""
    told = _told(config)
    if told is None:
        return "尚未开始"
    count, size = told.get("waiting", 0), told.get("waiting_bytes", 0)
    line = f"待上传 {count} 次录制，{size / MEGABYTE:.0f} MB" if count else "都已上传"
    live = f"；正在录制的已传出 {told['live_bytes'] / MEGABYTE:.1f} MB" if told.get("live_bytes") else ""
    return line + live + (f"；{told['trouble']}" if told.get("trouble") else "")


def _told(config: AgentConfig) -> dict[str, Any] | None:
    try:
        told = json.loads((config.state_dir / OFFLOAD_STATUS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None
