"""`python -m tests.agent.commanded_process CONFIG`: the daemon of a recorder with a fake camera, to be killed."""

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


def equip(_: AgentConfig, __: CertifiedSigner, clock: Clock, report: Callable[[Event], None]) -> FakeRecorder:
    return FakeRecorder(clock, report)


if __name__ == "__main__":
    start_logging("info", "agent")
    sys.exit(app.run(read_config(Path(sys.argv[1])), system_clock(), equip))
