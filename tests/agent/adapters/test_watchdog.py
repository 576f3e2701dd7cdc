"""systemd's watchdog through a real socket: a stalled encoder, a hung database, a dead loop each stop the feeding."""

import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agent.adapters.watchdog import Watchdog
from agent.control.acts import Act
from agent.control.effects import Effect
from agent.control.frame_watch import FrameWatch
from agent.control.messages import DeviceStarted, Event, FragmentStored, GapOpened, OfficerActed, StopRequested
from agent.control.recording import State
from agent.loop import Loop
from agent.systemd_notify import systemd_notify
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import recording_id
from tests.support.clocks import SteppedClock
from tests.support.device import DistrictKeys, RunningDevice

KEYS = DistrictKeys()
FIRST = recording_id(KEYS.device, 1)


class Fed:
    """The other end of `$NOTIFY_SOCKET`, and a device whose loop the test turns."""

    def __init__(self, folder: Path, wire: socket.socket, device: RunningDevice, clock: SteppedClock) -> None:
        self.wire, self.device, self.clock = wire, device, clock
        notify = systemd_notify({"NOTIFY_SOCKET": str(folder / "notify")})
        frames = device.controller.frames.progresses
        self.watchdog = Watchdog(notify, clock, frames, device.database.takes_writes)

    def told(self) -> list[bytes]:
        """What systemd has heard since the last call."""
        heard = []
        while True:
            try:
                heard.append(self.wire.recv(100, socket.MSG_DONTWAIT))
            except BlockingIOError:
                return heard

    def turn(self, seconds: float = 1.0) -> bool:
        """One turn of the loop, so much later; returns whether the watchdog was fed."""
        self.device.settle()
        return self.later(seconds)

    def later(self, seconds: float = 1.0) -> bool:
        """The same when nothing has happened meanwhile."""
        self.clock.step(seconds)
        self.watchdog.feed()
        return self.told() == [b"WATCHDOG=1"]

    def press(self) -> None:
        self.device.recorder.press()
        self.device.settle()

    def fragment(self) -> None:
        self.device.recorder.fragment()
        self.device.settle()


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[Fed]:
    clock = SteppedClock()
    device = RunningDevice(KEYS, tmp_path, clock=clock)
    device.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.bind(str(tmp_path / "notify"))
        yield Fed(tmp_path, wire, device, clock)
    device.close()


def test_an_idle_device_and_one_that_records_are_fed(fed: Fed) -> None:
    assert fed.turn()
    fed.press()
    for _ in range(30):
        fed.fragment()
        assert fed.turn()


def test_a_stalled_encoder_alone_stops_the_feeding_within_five_seconds_and_frames_resume_it(fed: Fed) -> None:
    fed.press()
    fed.fragment()
    assert [fed.turn() for _ in range(5)] == [True] * 5
    assert [fed.turn() for _ in range(3)] == [False] * 3
    fed.device.recorder.gap("encoder-stalled")
    assert not fed.turn(), "to say so is not to progress"
    fed.fragment()
    assert fed.turn()


def test_a_recorder_that_never_opens_its_camera_stops_it_too(fed: Fed) -> None:
    fed.press()
    assert fed.turn(14)
    assert not fed.turn(2)


@pytest.mark.parametrize("reason", ["camera-lost", "storage-full", "storage-failed", "paused"])
def test_an_interruption_that_a_restart_does_not_end_is_no_stall(fed: Fed, reason: str) -> None:
    fed.press()
    fed.fragment()
    fed.clock.step(0.1)
    fed.device.inbox.put(GapOpened(recording_id(KEYS.device, 1), reason, fed.clock.read()))
    assert all(fed.turn(10) for _ in range(6))
    fed.fragment()
    fed.clock.step(4)
    assert not fed.turn(4), "after it went on, a stall is one again"


def test_a_camera_that_stays_away_after_a_stall_keeps_its_recording(fed: Fed) -> None:
    """The recorder goes on trying: killed by systemd, the device would lose the recording and have no camera either."""
    fed.press()
    fed.fragment()
    fed.clock.step(3)
    fed.device.recorder.gap("encoder-stalled")
    assert not fed.turn(4)
    fed.device.recorder.gap("camera-lost")
    assert all(fed.turn(10) for _ in range(6))
    fed.device.recorder.gap("encoder-stalled")  # the camera was opened, and delivers nothing
    assert fed.turn(4)
    fed.device.recorder.gap("encoder-stalled")
    assert not fed.turn(4), "a restart may help such a camera"


def test_a_recorder_that_does_not_go_on_after_a_pause_is_a_stall(fed: Fed) -> None:
    fed.press()
    fed.fragment()
    fed.device.recorder.gap("paused")
    assert all(fed.turn(10) for _ in range(6))
    fed.device.inbox.put(OfficerActed(Act.RESUME, "", fed.clock.read()))
    assert fed.turn(4)
    assert not fed.turn(4)
    fed.device.recorder.gap("camera-lost")
    assert all(fed.turn(10) for _ in range(6)), "unless what is missing is told"


@contextmanager
def locked(database: Path) -> Iterator[None]:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_hung_database_alone_stops_the_feeding_and_its_return_resumes_it(fed: Fed) -> None:
    assert fed.turn()
    with locked(fed.device.state / "agent.db"):
        assert not fed.later()
        assert not fed.later()
    assert fed.later()


def test_asking_the_database_writes_nothing(fed: Fed) -> None:
    wal = fed.device.state / "agent.db-wal"
    before = wal.stat().st_size, wal.stat().st_mtime_ns
    assert all(fed.later() for _ in range(20))
    assert (wal.stat().st_size, wal.stat().st_mtime_ns) == before


def test_a_dead_loop_alone_stops_the_feeding(fed: Fed) -> None:
    hangs, let_go = threading.Event(), threading.Event()
    heard: list[list[bytes]] = []

    def perform(effect: Effect) -> list[Event]:
        hangs.set()
        assert let_go.wait(60)
        return []

    def systemd() -> None:
        assert hangs.wait(60)
        heard.append(fed.told())
        fed.clock.step(60)
        heard.append(fed.told())
        let_go.set()
        fed.device.inbox.put(StopRequested())

    listener = threading.Thread(target=systemd)
    listener.start()
    fed.device.inbox.put(DeviceStarted(fed.clock.read()))  # its effects hang
    Loop(fed.device.inbox, fed.device.controller, perform, fed.clock, fed.watchdog.feed).run([])
    listener.join(60)
    assert heard == [[b"WATCHDOG=1"], []]
    assert fed.told() == [b"WATCHDOG=1"], "fed again when it goes on"


def frames_of(duration_ms: int = 500) -> tuple[FrameWatch, SteppedClock]:
    """A watch over a recording that runs, one fragment into it."""
    watch, clock = FrameWatch(), SteppedClock()
    now = clock.read()
    watch.see(FragmentStored(FIRST, 1, 1, GENESIS, now, duration_ms, 9), State.RECORDING, now)
    return watch, clock


def test_a_fragment_captured_before_the_camera_was_lost_does_not_end_what_excuses_it() -> None:
    watch, clock = frames_of()
    before, lost = clock.step(0.5), clock.step(0.5)
    watch.see(GapOpened(FIRST, "camera-lost", lost), State.RECORDING, lost)
    stored = clock.step(0.5)
    watch.see(FragmentStored(FIRST, 1, 2, GENESIS, before, 500, 9), State.RECORDING, stored)
    assert watch.progresses(clock.step(60))


def test_fragments_longer_than_the_patience_are_no_stall() -> None:
    watch, clock = frames_of(4000)
    assert watch.progresses(clock.step(11))
    assert not watch.progresses(clock.step(2))
