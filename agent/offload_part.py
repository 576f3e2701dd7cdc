"""The uploading side of a recorder put together."""

from collections.abc import Callable

from agent.adapters.offload_courier import OffloadCourier
from agent.adapters.recording_removal import RecordingRemoval
from agent.clock import Clock
from agent.config import OFFLOAD, OFFLOAD_STATUS, RECORDINGS, AgentConfig
from agent.control.messages import Event
from agent.offload_setup import OffloadSetup


def make_courier(config: AgentConfig, clock: Clock, report: Callable[[Event], None]) -> OffloadCourier | None:
    """Whoever uploads as `config` says, not yet started; None when nothing is to be uploaded."""
    offload = config.offload
    if offload is None or not config.records:
        return None
    setup = OffloadSetup(
        config.district,
        str((config.state_dir / RECORDINGS).absolute()),
        str((config.state_dir / OFFLOAD).absolute()),
        str((config.state_dir / OFFLOAD_STATUS).absolute()),
        offload.url,
        str(offload.credentials.absolute()),
        "" if offload.ca is None else str(offload.ca.absolute()),
        offload.when,
        offload.live,
        offload.limit_kbps,
    )
    return OffloadCourier(setup.line(), clock, report)


def make_removal(config: AgentConfig) -> RecordingRemoval | None:
    """Whoever removes recordings whose deletion is on the chain; None on a kiosk host."""
    return RecordingRemoval(config.state_dir / RECORDINGS, config.state_dir / OFFLOAD) if config.records else None
