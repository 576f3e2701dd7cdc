"""A day of a small district in minutes: recordings, marks, page swaps and lost connections, as many as in 24 hours;
nothing that is flat in one of them grows over all of them. `make test-soak`; `SOAK_HOURS=4` for a part of it.

The clock is the real one. A quarter of an hour of life is one recording of some seconds, ten marks in it, five swaps of
the hall's page, and one loss of every connection; 96 of them are a day. What a day has more of is footage: that is
another figure (`growth_recording`: one recording of eight hours).
"""

import io
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from agent import durable
from agent.wire.signing import KeySigner
from agent.wire.trust import Role
from provisioning.rehearsal.district import KIOSK, Wishes, build_district
from provisioning.rehearsal.findings import Findings
from provisioning.rehearsal.hall import SCREEN, shows
from provisioning.rehearsal.processes import Processes, command, wait_until
from provisioning.rehearsal.roles import start_broker, start_center, start_recorder
from provisioning.rehearsal.stage import FILM, START_SECONDS, Stage
from provisioning.rehearsal.terminal import Teller
from tests.benchmarks.machine import commit, load, machine, moment
from tests.provisioning.district import load_signer, sealed_notice, today
from tests.support.broker import free_port, needs_mosquitto
from tests.support.cable import Cable
from tests.support.soak import DISK, EVERY_S, MEASURES, Sample, Sampler, Watched, plot, table, too_much, trends

RECORDER = "REC-0001"
HOURS = float(os.environ.get("SOAK_HOURS", "4"))
OUT = os.environ.get("SOAK_OUT")  # a folder that keeps the plot and the table
QUARTERS = round(HOURS * 4)
MARKS, SWAPS, MARK_S = 10, 5, 0.1
QUARTER_S, REST_S = 5.0, 1.0  # what a recording took goes within a second
WARM = 0.25  # of the run: modules, arenas and caches that are filled once
LIMITS = dict(zip(MEASURES, (4.0, 0.5, 0.5, 1.0), strict=True))  # ours: of a whole day; a leaked thread is 96
CENTER, EVENT_BYTES = "center", 4096  # what it keeps for ever is one event's: the event, its leaf, its receipt


class Life:
    """Broker, centre, a recorder with its button, a hall with its screen; everybody through one cable."""

    def __init__(self, place: Path, processes: Processes, port: int, cable: Cable) -> None:
        district, broker = build_district(place, Wishes("mosquitto", port, "test"), today())
        for config in (*place.glob("devices/*/agent.toml"), district.center / "center.toml"):
            text = config.read_text(encoding="utf-8")
            assert f"port = {port}" in text
            config.write_text(text.replace(f"port = {port}", f"port = {cable.port}"), encoding="utf-8")
        findings = Findings(place, "mosquitto", port, district.root)
        self.stage = Stage(district, broker, Teller(Console(file=io.StringIO())), processes, findings)
        self.cable, self.swaps, self.recordings, self.lost = cable, 0, 0, 0
        self.released = durable.make_directory(district.office / "released")
        self.state = district.device(RECORDER) / "state"

    def begin(self) -> None:
        start_broker(self.stage)
        start_center(self.stage)
        start_recorder(self.stage, RECORDER)
        self.stage.start_agent(KIOSK)
        folder = self.stage.district.device(KIOSK)
        ready = folder / "kiosk.url"
        words = ("serve", "--config", folder / "kiosk.toml", "--ready-file", ready)
        screen = self.stage.start(SCREEN, command("liuhen-kiosk"), *words)
        wait_until("the hall's server", ready.exists, START_SECONDS, [screen])
        self.stage.findings.kiosk_url = ready.read_text(encoding="utf-8").strip()
        self.signers = [self._signer(Role.EDITOR), self._signer(Role.REVIEWER)]

    def watched(self) -> dict[str, Watched]:
        """Every process with the files that it alone writes; a recorder's films are what it is for."""
        place, roles = self.stage.district, self.stage.roles
        hall = place.device(KIOSK)
        files = {
            RECORDER: (place.device(RECORDER) / "state",),
            KIOSK: (hall / "state",),
            SCREEN: (hall / "kiosk-state",),
            "broker": (place.place / "broker",),
            CENTER: (place.center,),
        }
        logs = {name: place.logs / f"{name}.log" for name in files}
        return {name: Watched(roles[name].pid, (*files[name], logs[name]), "recordings") for name in files}

    def quarter_of_an_hour(self) -> None:
        """One recording with its marks, the swaps of the page meanwhile, one loss of every connection."""
        films = set(self.state.glob(FILM))
        self.stage.press(RECORDER)
        (film,) = self._wait("a film", lambda: set(self._films()) - films)
        self.lost += self.cable.cut()
        for _ in range(SWAPS):
            for _ in range(MARKS // SWAPS):
                self.stage.press(RECORDER, "mark")
                time.sleep(MARK_S)
            self._swap()
        self.stage.press(RECORDER)
        self._wait("its seal", lambda: set(film.parent.glob("SHA256SUMS.p7s")))
        self.recordings += 1

    def shows_the_last(self) -> bool:
        return shows(self.stage, "/", {f"标记{self.swaps}"})

    def _swap(self) -> None:
        self.swaps += 1
        sealed = sealed_notice(self.signers, self.swaps, title=f"标记{self.swaps}")
        durable.write_bytes(self.released / "hall-1.notice.notice-1.dsse", sealed)
        wait_until("the next page", self.shows_the_last, START_SECONDS, [self.stage.roles[SCREEN]])

    def _films(self) -> Iterator[Path]:
        return (path for path in self.state.glob(FILM) if path.stat().st_size)

    def _wait(self, what: str, probe: object) -> list[Path]:
        return list(wait_until(what, probe, START_SECONDS, [self.stage.roles[RECORDER]]))  # type: ignore[arg-type]

    def _signer(self, role: Role) -> KeySigner:
        return load_signer(self.stage.district.person(role), role.value)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    port = free_port()
    with ExitStack() as stack:
        processes = stack.enter_context(Processes(tmp_path / "logs"))
        yield Life(tmp_path, processes, port, stack.enter_context(Cable(port)))


@needs_mosquitto
@pytest.mark.faults
@pytest.mark.timeout(0)
def test_a_day_of_recordings_swaps_and_lost_connections_leaves_nothing_behind(life: Life) -> None:
    life.begin()
    begun = time.monotonic()
    with Sampler(life.watched()) as sampler:
        for number in range(1, QUARTERS + 1):
            life.quarter_of_an_hour()
            time.sleep(max(REST_S, begun + number * QUARTER_S - time.monotonic()))
            sampler.look(rest=True)
    took = time.monotonic() - begun
    life.stage.wait_for_receipts([RECORDER, KIOSK], 180)
    assert life.stage.findings.failures == []
    devices = {device["device"]: device for device in life.stage.center_summary()}
    assert [(one["alarms"], one["parked"], one["losses"]) for one in devices.values()] == [(0, 0, 0)] * len(devices)
    assert len(list(life.state.glob("recordings/*/SHA256SUMS.p7s"))) == life.recordings == QUARTERS
    told = trends(sampler.samples, WARM * took)
    over = too_much([it for it in told if (it.name, it.measure) != (CENTER, DISK)], LIMITS)
    _keep(life, sampler.samples, took, f"{table(told)}\nOver its limit: {'; '.join(over) or 'nothing'}.\n")
    events = (1 - WARM) * sum(one["received"] for one in devices.values())
    (kept,) = [it.grown * 2**20 for it in told if (it.name, it.measure) == (CENTER, DISK)]
    assert kept / events < EVENT_BYTES
    assert over == []


def _keep(life: Life, samples: list[Sample], took: float, rows: str) -> None:
    """Print the table, and keep it with the plot where `SOAK_OUT` says."""
    head = (
        f"{HOURS:g} hours of life in {took / 60:.1f} minutes: {life.recordings} recordings, {MARKS * life.recordings} "
        f"marks, {life.swaps} pages, {life.lost} connections lost and {life.cable.joined} made; a sample every "
        f"{EVERY_S:g} s, the first {100 * WARM:.0f} % are warm-up.\n\n"
    )
    print(head + rows)  # noqa: T201
    if OUT:
        (Path(OUT) / "soak.svg").write_text(plot(samples), encoding="utf-8")
        here = machine()
        where = f"{moment()}, {commit()}, {here['processor']}, {here['cores']} cores, load {load()} at the end.\n\n"
        page = f"# A day in minutes\n\nWritten by `make test-soak-day`. {head}{where}![soak](soak.svg)\n\n{rows}"
        (Path(OUT) / "SOAK.md").write_text(page, encoding="utf-8")
