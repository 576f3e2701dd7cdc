"""From a recorder to the store of objects, to the centre, back as a receipt, and at last off the recorder: the whole
circle in one process, with the real store of a device, the real database of a centre, and real recordings."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from agent.adapters.data_keys import DataKeys
from agent.adapters.fake_source import FakeSource
from agent.adapters.recording_removal import RecordingRemoval
from agent.adapters.recording_upload import Outside
from agent.adapters.uploader import Uploader
from agent.control.health import HealthRead
from agent.control.messages import DeviceStarted, MessageArrived, ReceiptCompared, TimePassed
from agent.control.offload_messages import RecordingOffloaded
from agent.control.offload_policy import OffloadOrders, OffloadPolicy, When
from agent.evidence.journal import Reason
from agent.object_store import ObjectStore
from agent.wire.canonical import decode
from agent.wire.commands import COMMAND_TYPE, Command, CommandKind
from agent.wire.device_events import EVENTS_TYPE, EventType, encode_batch, event_hash, parse_event
from agent.wire.envelope import open_archived, seal
from agent.wire.identifiers import RecordingId
from agent.wire.receipts import Receipt
from agent.wire.recording_receipts import RECORDING_RECEIPT_TYPE, RecordingReceipt, parse_recording_receipt
from agent.wire.topics import COMMAND, EVENTS, RECEIPT, device_topic
from provisioning.center.grounds import CentreGrounds
from provisioning.center.ingest import Ingest
from provisioning.center.offload_intake import Office, OffloadIntake, Outcome
from provisioning.center.offloaded import Shelf
from provisioning.center.receipt_folder import ReceiptFolder
from provisioning.center.store import open_store
from tests.agent.adapters.recording_bench import FIRST, RecordingBench, footage
from tests.agent.adapters.test_uploader import SmallParts
from tests.agent.evidence.bench import private_key
from tests.support.clocks import SteppedClock
from tests.support.device import DistrictKeys, RunningDevice
from tests.support.objects import MemoryObjects

ARCHIVE = private_key("archive")
MONTHS = 190 * 24 * 3600.0
TRACKS, PACKETS = footage(2, sound=False)


@dataclass
class Circle:
    """A recorder, a store of objects and a centre."""

    keys: DistrictKeys
    folder: Path
    objects: MemoryObjects | ObjectStore = field(default_factory=MemoryObjects)
    clock: SteppedClock = field(default_factory=SteppedClock)
    archive: ec.EllipticCurvePrivateKey | None = None
    filed: str = "6个月"
    told: int = 0

    def __post_init__(self) -> None:
        self.device = self.boot()
        place = self.keys.authority.district
        outside = Outside(place, self.objects, SmallParts())
        self.uploader = Uploader(
            self.state / "recordings", self.state / "offload", outside, OffloadPolicy(When.ALWAYS), self._uploaded
        )
        self.store = open_store("sqlite:///center.db", self._made("center"))
        self.ingest = Ingest(place, "receiver-1", self.store, self.keys.trust, self.keys.receiver.signer)
        self.ingest.begin()
        self.receipts = ReceiptFolder(self.folder / "center")
        self.intake = self.new_intake()

    @property
    def state(self) -> Path:
        return self.folder / "device" / "state"

    @property
    def recording(self) -> Path:
        return self.state / "recordings" / FIRST

    @property
    def central(self) -> Path:
        return self.folder / "recordings" / FIRST

    def boot(self, *, clears: bool = True) -> RunningDevice:
        removal = RecordingRemoval(self.state / "recordings", self.state / "offload") if clears else None
        device = RunningDevice(self.keys, self._made("device"), clock=self.clock, removal=removal)
        device.dispatch(DeviceStarted(self.clock.read()))
        return device

    def reboot(self, *, clears: bool = True) -> None:
        self.device.link.close(0)  # nobody is there to say goodbye to
        self.device.close()
        self.device = self.boot(clears=clears)

    def new_intake(self) -> OffloadIntake:
        root = self.keys.authority.root.chain[0]
        receiver = self.keys.receiver.signer
        office = Office("receiver-1", receiver, root, self.keys.trust, self.archive, lambda _: self.filed)
        shelf = Shelf(self.keys.authority.district, self.objects)
        return OffloadIntake(office, self.store, shelf, self._made("recordings"), self.receipts, self.grounds)

    @property
    def grounds(self) -> CentreGrounds:
        root = self.keys.authority.root.chain[0]
        return CentreGrounds(root, lambda: self.keys.trust, lambda device: self.store.account(device))

    def record(self, recording: RecordingId = FIRST, *, encrypted: bool = False) -> None:
        spool_keys = DataKeys(self.state / "keys", ARCHIVE.public_key() if encrypted else None)
        source = iter([FakeSource(TRACKS, PACKETS)])
        bench = RecordingBench(self.state / "recordings", source, signer=self.keys.evidence.signer, keys=spool_keys)
        bench.start(recording)
        bench.wait_for_fragments(3)
        bench.recorder.stop(Reason.STOPPED)
        self.device.dispatch(bench.wait_for_end())
        bench.recorder.close(5)

    def offload(self) -> None:
        while self.uploader.work(OffloadOrders(), self.clock.read().monotonic_ns, wifi=False):
            pass

    def report(self) -> None:
        """The device's chain to the centre."""
        rows = self.device.database.run(
            "SELECT devseq, body FROM outbox WHERE devseq > ? ORDER BY devseq", (self.told,)
        )
        if not rows:
            return
        topic = device_topic(self.keys.authority.district, self.keys.device, EVENTS)
        batch = seal(EVENTS_TYPE, encode_batch([body for _, body in rows]), [self.keys.evidence.signer])
        now = self.clock.read()
        self.ingest.take([(topic, batch)], now.wall, now.monotonic_ns // 10**6)
        self.told = rows[-1][0]

    def take_over(self) -> list[Outcome]:
        self.report()
        return self.intake.look(self.clock.read().wall)

    def answer(self) -> int:
        """Receipts to the device; how many."""
        due = self.receipts.due(self.clock.read().monotonic_ns // 10**6)
        topic = device_topic(self.keys.authority.district, self.keys.device, RECEIPT)
        for _, envelope in due:
            self.device.dispatch(MessageArrived(1, topic, envelope))
        return len(due)

    def whole(self) -> list[Outcome]:
        self.record()
        self.offload()
        done = self.take_over()
        self.answer()
        self.take_over()
        return done

    def months_later(self) -> None:
        """Time passes, the centre is heard, sensors are read, the worker works."""
        self.clock.step(MONTHS)
        self.look()

    def look(self) -> None:
        now = self.clock.step(700)
        receipt = Receipt(self.keys.device, 1, event_hash(b""), "receiver-1", now.wall)
        self.device.dispatch(ReceiptCompared(receipt, None))
        self.device.dispatch(HealthRead(now))
        self.settle()

    def settle(self) -> None:
        """The worker's work, and what follows from it, three times over: look, decide, remove."""
        for _ in range(3):
            done = threading.Event()
            self.device.worker.ask(done.set)
            assert done.wait(10)
            self.device.settle()

    def events(self, kind: EventType) -> list[dict[str, object]]:
        rows = self.device.database.run("SELECT body FROM outbox ORDER BY devseq")
        found = [parse_event(decode(body)) for (body,) in rows]
        return [dict(event.data) for event in found if event.type is kind]

    def receipt(self) -> RecordingReceipt:
        envelope = self.receipts.get(FIRST)
        assert envelope is not None
        return parse_recording_receipt(open_archived(envelope, RECORDING_RECEIPT_TYPE, self.keys.trust).payload)

    @contextmanager
    def refusing(self, kind: EventType) -> Iterator[None]:
        """The device's store takes no event of `kind`."""
        said = "RAISE(ABORT, 'full')"
        self.device.database.run(
            f"CREATE TRIGGER full BEFORE INSERT ON outbox WHEN NEW.type = '{kind}' BEGIN SELECT {said}; END"
        )
        try:
            yield
        finally:
            self.device.database.run("DROP TRIGGER full")

    def later(self, seconds: float = 60) -> None:
        """What waits for the store is tried again, then it is looked what may go."""
        self.clock.step(seconds)
        self.device.dispatch(TimePassed())
        self.settle()
        self.look()

    def command(self, kind: CommandKind, counter: int) -> None:
        """A hold, or its end, in a signed command."""
        now, place = self.clock.read().wall, self.keys.authority.district
        body = {"recording": FIRST, "hold": "诉讼-1", "reason": "行政诉讼调取"}
        end = now + timedelta(hours=1)
        made = Command(place, self.keys.device, f"c-{counter}", counter, kind, now, now, end, body)
        topic = f"{device_topic(place, self.keys.device, COMMAND)}/c-{counter}"
        sealed = seal(COMMAND_TYPE, made.encode(), [self.keys.commander.signer])
        self.device.dispatch(MessageArrived(1, topic, sealed))
        self.device.settle()

    def close(self) -> None:
        self.device.link.close(0)
        self.device.close()
        self.store.close()

    def _uploaded(self, done: object) -> None:
        fields = (getattr(done, name) for name in ("recording", "manifest", "files", "size"))
        self.device.dispatch(RecordingOffloaded(*fields, self.clock.read()))  # type: ignore[arg-type]

    def _made(self, name: str) -> Path:
        (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name


def circles(keys: DistrictKeys, folder: Path) -> Iterator[Callable[..., Circle]]:
    """Makes circles in `folder`, and closes them."""
    made: list[Circle] = []

    def one(**options: object) -> Circle:
        made.append(Circle(keys, folder, **options))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for circle in made:
        circle.close()
