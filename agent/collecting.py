"""The collector of a configuration put together."""

from collections.abc import Callable

from agent.adapters.collected_shelf import CollectedShelf, Origin
from agent.adapters.collector import Collector
from agent.clock import Clock
from agent.config import COLLECTED, AgentConfig
from agent.control.messages import Event
from agent.version import software_version
from agent.wire.signing import CertifiedSigner


def make_collector(
    config: AgentConfig, signer: CertifiedSigner, clock: Clock, report: Callable[[Event], None], told: int
) -> Collector | None:
    """The collector that `config` asks for, not yet started; None when it asks for none. `told` as in `Collector`."""
    if config.collect is None:
        return None
    origin = Origin(config.device, config.unit, config.collect.source, software_version())
    policy = config.storage_policy if config.records else None
    shelf = CollectedShelf(config.state_dir / COLLECTED, origin, signer, policy)
    return Collector(config.collect.folder, shelf, clock, report, told)
