import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agent.clock import system_clock
from provisioning.rehearsal.district import Wishes, build_district
from provisioning.rehearsal.findings import Findings
from provisioning.rehearsal.processes import Processes, free_port
from provisioning.rehearsal.roles import mosquitto
from provisioning.rehearsal.stage import Stage
from provisioning.rehearsal.terminal import Teller
from tests.scenarios.rehearsing import rehearse


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A district of real processes, with nothing started yet; the broker is Mosquitto where it is installed."""
    engine = "mosquitto" if mosquitto() else "embedded"
    wishes = Wishes(engine, free_port(), "test")
    with Processes(tmp_path / "logs") as processes:
        district, broker = build_district(tmp_path, wishes, system_clock().read().wall)
        findings = Findings(tmp_path, engine, wishes.port, district.root)
        yield Stage(district, broker, Teller(Console(file=io.StringIO())), processes, findings)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the whole rehearsal was played."""
    return tmp_path_factory.mktemp("rehearsal") / "district"


@pytest.fixture(scope="session")
def told(place: Path) -> dict[str, Any]:
    """The last line of the whole rehearsal; one run for every test of it."""
    return rehearse(place, "--seconds", "4", "--camera", "test")
