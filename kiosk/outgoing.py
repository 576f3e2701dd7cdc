"""What the screen wants told to the centre: small files in `outgoing/`, which the agent stores and sends."""

from pathlib import Path

from agent import durable
from agent.wire.hall_facts import FACT_SUFFIX, HallFact


class Outgoing:
    """The folder that the agent empties. A fact written twice is one fact: its name is its id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, fact: HallFact) -> None:
        """Leave `fact` durably; raises `EnvironmentFault`."""
        durable.make_directory(self._folder)
        durable.write_bytes(self._folder / f"{fact.fact}{FACT_SUFFIX}", fact.encode())
