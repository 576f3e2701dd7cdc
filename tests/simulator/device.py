"""A recorder or a kiosk host: loop, controller, performer and store as they run on a device, with a simulated link,
camera, clock and power."""

from collections.abc import Callable, Iterable
from pathlib import Path

from agent.adapters.database import Database, open_database
from agent.adapters.disclosed_folder import DisclosedFolder
from agent.adapters.store import DeviceMemory
from agent.control import messages as happened
from agent.control.controller import Controller, Identity
from agent.control.effects import Effect
from agent.control.messages import Event
from agent.loop import Inbox, Loop
from agent.performer import Performer
from agent.room import Room
from agent.wire.identifiers import RecordingId, recording_id
from agent.wire.signing import CertifiedSigner
from agent.wire.trust import TrustList
from tests.simulator.broker import Broker
from tests.simulator.parts import Film, SimLink, SimRecorder, SimWorker
from tests.simulator.world import PowerCut, SimClock, World

ROOM_PAGES = 2  # what a disk that is called full still takes


class Device:
    """One machine. `accepted` is every event that its store has ever taken, by number: what it has promised."""

    def __init__(
        self, world: World, broker: Broker, folder: Path, identity: Identity, signer: CertifiedSigner, trust: TrustList
    ) -> None:
        folder.mkdir(parents=True)
        self.world, self.identity, self.folder = world, identity, folder
        self.clock = SimClock(world)
        self.card: dict[RecordingId, Film] = {}
        self.accepted: dict[int, str] = {}
        self.acked = 0
        self.trust, self._signer, self._broker = trust, signer, broker
        self.power = False
        self.reachable = True
        self._fuse: int | None = None
        self._life = 0
        self._alarm_ns: int | None = None
        self._database: Database | None = None
        self._recorder: SimRecorder | None = None
        self.link: SimLink
        self._loop: Loop
        self._controller: Controller

    def switch_on(self) -> None:
        """Boot: what the store promised must still be there."""
        if self.power:
            return
        self.power, self._life, self._alarm_ns = True, self._life + 1, None
        self.clock.boot()
        report = self._reporter()
        database, loss = open_database(self.folder / "agent.db")
        self._database, memory = database, DeviceMemory(database)
        assert loss is None, f"{self.identity.device} lost its store: {loss}"
        self._check_store()
        memory.drop_impossible()
        self.link = SimLink(self.world, self._broker, self.identity.device, report)
        self.link.reachable = self.reachable
        shown = None if self.identity.shows_nothing else DisclosedFolder(self.folder / "disclosed")
        recorder = SimRecorder(self.world, self.clock, self.card, report) if shown is None else None
        self._recorder = recorder
        room = Room(
            self.identity,
            self.clock,
            self._signer,
            database,
            self.link,  # type: ignore[arg-type]
            SimWorker(self.world, report),  # type: ignore[arg-type]
            recorder,
            shown,
            lambda: happened.TrustListRead(self.trust),
        )
        self._controller = Controller(self.identity, memory.recall(), self.trust, self.world.dice.random)
        self._controller.restore([] if shown is None else shown.read(), self.clock.read())
        self._perform = Performer(room).perform
        self._loop = Loop(Inbox(), self._controller, self._fused, self.clock, lambda: None)
        unreported = tuple(recording_id(self.identity.device, it) for it in memory.open_recordings())
        self.dispatch(happened.DeviceStarted(self.clock.read(), None))
        for event in [] if recorder is None else recorder.recover(unreported):
            self.dispatch(event)

    def cut_power(self, after_effects: int = 0) -> None:
        """Now, or in the midst of what it does next, after so many effects."""
        if not self.power:
            return
        if after_effects:
            self._fuse = after_effects
            return
        self.power, self._fuse, self._life = False, None, self._life + 1
        self.link.cut()
        if self._recorder is not None:
            self._recorder.halt()
        if self._database is not None:
            self._database.close()
            self._database = None

    def disarm(self) -> None:
        """The power stays on."""
        self._fuse = None

    def dispatch(self, event: Event) -> None:
        """Let the device's loop handle an event, and look at what it has promised then."""
        if not self.power:
            return
        try:
            finish = self._loop.dispatch(event)
        except PowerCut:
            self.cut_power()
            return
        self._check_store()
        if finish is not None:
            self.cut_power()
            return
        self._sleep()

    def press(self) -> None:
        """The record button."""
        self.dispatch(happened.ButtonPressed(self.clock.read()))

    def look(self) -> None:
        """What a loop does every few seconds when nothing happens."""
        self.dispatch(happened.TimePassed())

    def hear_of_trust(self, trust: TrustList) -> None:
        """A newer list was laid into its folder."""
        self.trust = trust
        self.dispatch(happened.FileSettled("trust.dsse"))

    def reach(self, *, broker: bool) -> None:
        """Whether there is a way to the broker from now on."""
        self.reachable = broker
        if self.power:
            self.link.reachable = broker
            if not broker:
                self.link.cut()

    def fill_disk(self, *, full: bool) -> None:
        """SQLite's own refusal, at the next page that it needs."""
        if self._database is not None:
            pages = self._database.run("PRAGMA page_count")[0][0] + ROOM_PAGES if full else 2**30
            self._database.run(f"PRAGMA max_page_count = {pages}")

    def shown_files(self) -> dict[str, bytes]:
        """What a kiosk's page would find, by name without suffix."""
        return {it.name.removesuffix(".dsse"): it.read_bytes() for it in (self.folder / "disclosed").glob("*.dsse")}

    @property
    def devseq(self) -> int:
        return max(self.accepted, default=0)

    def _reporter(self) -> Callable[[Event], None]:
        """Reports reach the loop later, and never one of another life."""
        life = self._life

        def report(event: Event) -> None:
            self.world.after(0, lambda: self.dispatch(event) if life == self._life else None)

        return report

    def _fused(self, effect: Effect) -> Iterable[Event]:
        if self._fuse is not None:
            self._fuse -= 1
            if self._fuse < 0:
                raise PowerCut
        return self._perform(effect)

    def _sleep(self) -> None:
        deadline = self._controller.deadline()
        if deadline is None:
            return
        due_ns, life = self.clock.world_ns(deadline), self._life
        if self._alarm_ns is not None and self.world.now_ns < self._alarm_ns <= due_ns:
            return
        self._alarm_ns = due_ns = max(due_ns, self.world.now_ns + 1)

        def wake() -> None:
            if life == self._life and self._alarm_ns == due_ns:
                self._alarm_ns = None
                self.dispatch(happened.TimePassed())

        self.world.at(due_ns, wake)

    def _check_store(self) -> None:
        """Nothing that was accepted changes or goes, unless the centre has it: `Invariants` compares `acked`."""
        assert self._database is not None
        acked, devseq = (self._database.integer(name) for name in ("acked", "devseq"))
        rows = dict(self._database.run("SELECT devseq, hash FROM outbox WHERE devseq > ?", (acked,)))
        assert acked >= self.acked, f"{self.identity.device} went back from receipt {self.acked} to {acked}"
        assert [*rows] == [*range(acked + 1, devseq + 1)], (
            f"{self.identity.device} holds {[*rows]} of {acked}..{devseq}"
        )
        assert devseq >= self.devseq, f"{self.identity.device} forgot {devseq + 1}..{self.devseq}"
        for number, digest in rows.items():
            assert self.accepted.setdefault(number, digest) == digest, f"{self.identity.device} changed {number}"
        self.acked = acked
