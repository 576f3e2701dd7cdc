"""Whether a device's erasure has begun (`agent.retire`): from then on it records nothing any more."""

from pathlib import Path

from agent.config import AgentConfig
from agent.key_places import KeyFile

LAST_WORD = "retired.dsse"


def key_files(config: AgentConfig) -> list[Path]:
    """The device's key files, in the order in which they are erased: without the first, nothing is signed any more."""
    own = [config.identity.evidence_key.path] if isinstance(config.identity.evidence_key, KeyFile) else []
    sm2 = [] if config.evidence.sm2_key is None else [config.evidence.sm2_key]
    return [*own, config.broker.key, *sm2]


def has_begun(config: AgentConfig) -> bool:
    """Whether there is a last word, and the first of the keys is gone."""
    return (config.identity.root.parent / LAST_WORD).exists() and not key_files(config)[0].exists()
