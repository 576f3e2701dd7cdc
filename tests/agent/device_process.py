"""`python -m tests.agent.device_process CONFIG`: the daemon whose trust list is replaced while it starts.

The camera side is made after the list was read and before its folder is watched; `trust.next` is put in its place then.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from agent import app
from agent.adapters.fake_recorder import FakeRecorder
from agent.clock import Clock, system_clock
from agent.config import AgentConfig, read_config
from agent.control.messages import Event
from agent.log import start_logging
from agent.wire.signing import CertifiedSigner


def equip(config: AgentConfig, _: CertifiedSigner, clock: Clock, report: Callable[[Event], None]) -> FakeRecorder:
    trust_list = config.identity.trust_list
    trust_list.with_name("trust.next").rename(trust_list)
    return FakeRecorder(clock, report)


if __name__ == "__main__":
    start_logging("info", "agent")
    sys.exit(app.run(read_config(Path(sys.argv[1])), system_clock(), equip))
