"""What a centre of a test judges recordings with."""

from agent.evidence.grounds import Grounds
from agent.wire.identifiers import DeviceId


def no_grounds(_: DeviceId) -> Grounds:
    """A centre that knows nothing but its root."""
    return Grounds()
