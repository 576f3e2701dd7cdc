"""From a recorder to the store of objects, to the centre, back as a receipt, and at last off the recorder: the whole
circle in one process, with the real store of a device, the real database of a centre, and real recordings."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from agent.adapters.data_keys import DataKeys
from agent.adapters.fake_source import FakeSource
from agent.adapters.recording_removal import DELETED, RecordingRemoval
from agent.adapters.recording_upload import Outside, files_of
from agent.adapters.uploader import LOOK_NS, RECHECK_NS, Uploader
from agent.control.acts import Act
from agent.control.health import HealthRead
from agent.control.messages import ButtonPressed, DeviceStarted, Event, MessageArrived, OfficerActed, ReceiptCompared
from agent.control.offload_messages import RecordingOffloaded
from agent.control.offload_policy import OffloadOrders, OffloadPolicy, When
from agent.errors import OperatorFault
from agent.evidence.account import open_accounts
from agent.evidence.device_chain import chain_findings
from agent.evidence.journal import Reason
from agent.evidence.report import Verdict
from agent.evidence.verify import Grounds
from agent.object_store import ObjectStore
from agent.verify_files import Basis, judge_path
from agent.wire.canonical import decode
from agent.wire.commands import COMMAND_TYPE, Command, CommandKind
from agent.wire.device_events import EVENTS_TYPE, EventType, encode_batch, event_hash, parse_event
from agent.wire.envelope import open_archived, seal
from agent.wire.receipts import Receipt
from agent.wire.recording_receipts import RECORDING_RECEIPT_TYPE, RecordingReceipt, parse_recording_receipt
from agent.wire.topics import COMMAND, EVENTS, RECEIPT, device_topic
from provisioning.center.cli import app
from provisioning.center.ingest import Ingest
from provisioning.center.offload_intake import Office, OffloadIntake, Outcome
from provisioning.center.offloaded import Shelf
from provisioning.center.receipt_folder import AGAIN_MS, ReceiptFolder
from provisioning.center.store import open_store
from tests.agent.adapters.recording_bench import FIRST, RecordingBench, footage
from tests.agent.adapters.test_uploader import SmallParts
from tests.agent.evidence.bench import private_key
from tests.support.clocks import SteppedClock
from tests.support.device import DistrictKeys, RunningDevice
from tests.support.objects import MemoryObjects, s3_server

ARCHIVE = private_key("archive")
MONTHS = 190 * 24 * 3600.0
TRACKS, PACKETS = footage(2, sound=False)


@pytest.fixture(scope="module")
def keys() -> DistrictKeys:
    return DistrictKeys()


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
        return OffloadIntake(office, self.store, shelf, self._made("recordings"), self.receipts)

    def record(self, *, encrypted: bool = False) -> None:
        spool_keys = DataKeys(self.state / "keys", ARCHIVE.public_key() if encrypted else None)
        source = iter([FakeSource(TRACKS, PACKETS)])
        bench = RecordingBench(self.state / "recordings", source, signer=self.keys.evidence.signer, keys=spool_keys)
        bench.start()
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


@pytest.fixture
def make(keys: DistrictKeys, tmp_path: Path) -> Iterator[Callable[..., Circle]]:
    made: list[Circle] = []

    def one(**options: object) -> Circle:
        made.append(Circle(keys, tmp_path, **options))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for circle in made:
        circle.close()


def test_pulled_back_it_verifies_complete_with_the_centres_receipts(make: Callable[..., Circle]) -> None:
    circle = make()
    assert [(it.verdict, it.problem) for it in circle.whole()] == [("complete", "")]
    here = {place.name: place.read_bytes() for place in circle.recording.iterdir()}
    assert {place.name: place.read_bytes() for place in circle.central.iterdir()} == here
    lines = [*circle.store.account(circle.keys.device), *circle.receipts.of(circle.keys.device)]
    root = circle.keys.authority.root.chain[0]
    accounts = open_accounts(lines, [root], circle.keys.trust)
    grounds = Grounds(accounts.trust, accounts.devices)
    report = judge_path(circle.central, Basis((root,), grounds, circle.clock.read().wall), lambda _: None).report
    assert report.verdict.value == "complete"
    assert any("签收这次录制的全部文件" in line for layer in report.layers.values() for line in layer.lines)


def test_the_device_confirms_a_receipt_and_it_is_not_sent_again(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.whole()
    assert [it["recording"] for it in circle.events(EventType.RECORDING_RECEIPTED)] == [FIRST]
    circle.clock.step(2 * AGAIN_MS / 1000)
    assert circle.answer() == 0
    assert circle.take_over() == []


def test_a_receipt_that_was_lost_is_sent_until_it_is_confirmed(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.record()
    circle.offload()
    circle.take_over()
    now_ms = circle.clock.read().monotonic_ns // 10**6
    assert len(circle.receipts.due(now_ms)) == 1
    assert circle.receipts.due(now_ms) == []
    assert len(circle.receipts.due(now_ms + AGAIN_MS)) == 1
    assert len(ReceiptFolder(circle.folder / "center").due(now_ms)) == 1, "also after a restart"


def test_a_forged_object_gets_no_receipt_until_it_came_again(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.record()
    circle.offload()
    key = next(key for key in circle.objects.objects if "segment-0001" in key)
    circle.objects.objects[key] = circle.objects.objects[key][::-1]
    outcome = circle.take_over()[0]
    assert "未签回执" in outcome.problem
    assert circle.answer() == 0
    assert not circle.central.exists()
    circle.clock.step(RECHECK_NS / 1e9)
    circle.offload()
    assert circle.take_over()[0].verdict == "complete"


def test_a_recording_altered_before_it_went_is_not_receipted(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.record()
    segment = circle.recording / "segment-0001.mp4"
    data = bytearray(segment.read_bytes())
    data[-20] ^= 1
    segment.write_bytes(data)
    circle.offload()
    assert "altered" in circle.take_over()[0].problem
    assert circle.receipts.get(FIRST) is None


def test_an_encrypted_recording_is_opened_with_the_archives_key_only(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.record(encrypted=True)
    circle.offload()
    assert circle.take_over()[0].verdict == "encrypted"
    assert not circle.receipt().opened
    circle.archive = ARCHIVE
    (circle.folder / "center" / "recording-receipts" / f"{FIRST}.dsse").unlink()
    circle.intake = circle.new_intake()
    assert circle.take_over()[0].verdict == "complete"
    assert circle.receipt().opened


def test_a_time_stamped_copy_at_the_centre_is_only_added_to(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.whole()
    stamped = circle.central / "segment-0001.mp4"
    stamped.write_bytes(stamped.read_bytes() + b"stamped")
    (circle.recording / "notes").mkdir()
    (circle.recording / "photo.txt").write_bytes(b"later")
    circle.clock.step(LOOK_NS / 1e9)
    circle.offload()
    circle.take_over()
    assert stamped.read_bytes().endswith(b"stamped")
    assert (circle.central / "photo.txt").read_bytes() == b"later"


def test_a_class_that_the_centre_files_later_reaches_the_device(make: Callable[..., Circle]) -> None:
    circle = make(filed="")
    circle.whole()
    circle.months_later()
    assert circle.recording.exists(), "in no class: it stays"
    circle.filed = "6个月"
    circle.take_over()
    assert circle.answer() == 1
    circle.take_over()
    assert circle.receipts.due(10**12) == []
    circle.look()
    assert not circle.recording.exists()


def test_past_its_term_it_goes_and_the_chain_says_so_first(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.whole()
    circle.look()
    assert circle.recording.exists(), "its term is not over"
    circle.months_later()
    assert not circle.recording.exists()
    assert [it["recording"] for it in circle.events(EventType.RECORDING_DELETED)] == [FIRST]
    assert circle.device.database.text(f"kept/{FIRST}") == ""
    circle.reboot()
    circle.months_later()
    assert len(circle.events(EventType.RECORDING_DELETED)) == 1


def test_what_was_deleted_by_the_rule_is_no_missing_recording_with_the_centres_receipt_alone(
    make: Callable[..., Circle],
) -> None:
    circle = make()
    circle.whole()
    circle.months_later()
    circle.report()
    now, now_ms = circle.clock.read().wall, circle.clock.read().monotonic_ns // 10**6
    circle.ingest.desk.owe(circle.keys.device, 1, now_ms)
    circle.ingest.delivered(circle.ingest.receipts(now, now_ms + 10_000))
    lines, root = circle.store.account(circle.keys.device), circle.keys.authority.root.chain[0]
    for receipts, verdict in ((circle.receipts.of(circle.keys.device), Verdict.EXPLAINED_GAP), ((), Verdict.MISSING)):
        account = open_accounts([*lines, *receipts], [root], circle.keys.trust).devices[circle.keys.device]
        assert [finding.verdict for finding in chain_findings([], account)] == [verdict]


def test_without_a_receipt_it_stays_for_ever(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.record()
    circle.offload()
    circle.months_later()
    assert circle.recording.exists()


def test_a_key_mark_keeps_it(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.device.dispatch(ButtonPressed(circle.clock.read()))
    circle.device.settle()
    circle.device.dispatch(OfficerActed(Act.MARK, "", circle.clock.read()))
    circle.whole()
    circle.reboot()
    circle.months_later()
    assert circle.recording.exists()


def test_a_hold_keeps_it_across_a_restart_and_its_end_lets_it_go(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.whole()
    circle.command(CommandKind.MARK_HOLD, 1)
    circle.months_later()
    assert circle.recording.exists()
    circle.reboot()
    circle.look()
    assert circle.recording.exists()
    circle.command(CommandKind.LIFT_HOLD, 2)
    circle.look()
    assert not circle.recording.exists()


def test_a_note_that_came_after_the_receipt_keeps_it_until_it_is_out_as_well(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.whole()
    (circle.recording / "notes").mkdir()
    (circle.recording / "notes" / "0001.dsse").write_bytes(b"{}")
    circle.months_later()
    assert circle.recording.exists()


def test_a_clock_that_jumps_to_the_end_of_the_term_deletes_nothing(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.whole()
    circle.look()
    circle.clock._wall = circle.clock._wall.replace(year=circle.clock._wall.year + 5)
    circle.clock._monotonic_ns += 10**12
    circle.device.dispatch(HealthRead(circle.clock.read()))
    circle.settle()
    assert circle.recording.exists()


def test_power_cut_between_the_event_and_the_files_is_finished_by_the_next_start(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.whole()
    circle.reboot(clears=False)
    circle.clock.step(MONTHS)
    removal = RecordingRemoval(circle.state / "recordings", circle.state / "offload")
    unchanged = removal.compare(FIRST, circle.receipt().manifest)
    assert unchanged is not None
    circle.look()
    circle.device.dispatch(unchanged)
    assert circle.events(EventType.RECORDING_DELETED)
    assert circle.recording.exists()
    circle.reboot()
    circle.settle()
    assert not circle.recording.exists()
    assert len(circle.events(EventType.RECORDING_DELETED)) == 1


def test_power_cut_in_the_middle_of_the_files_is_finished_by_the_next_start(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.whole()
    circle.reboot(clears=False)
    circle.clock.step(MONTHS)
    unchanged = RecordingRemoval(circle.state / "recordings", circle.state / "offload").compare(
        FIRST, circle.receipt().manifest
    )
    circle.look()
    circle.device.dispatch(_there(unchanged))
    gone = circle.recording.rename(circle.recording.with_name(f"{DELETED}{FIRST}"))
    (gone / "segment-0001.mp4").unlink()
    circle.reboot()
    circle.settle()
    assert not gone.exists()
    assert circle.device.database.text(f"kept/{FIRST}") == ""


def test_a_deletion_that_the_store_refused_removes_no_file(make: Callable[..., Circle]) -> None:
    circle = make()
    circle.whole()
    circle.clock.step(MONTHS)
    circle.device.database.run("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'full'); END")
    circle.look()
    assert circle.recording.exists()
    assert not circle.events(EventType.RECORDING_DELETED)
    circle.device.database.run("DROP TRIGGER full")


def _there(event: Event | None) -> Event:
    assert event is not None
    return event


CENTER = """
district = "xinghe"
receiver = "receiver-1"
[identity]
root = "root.pem"
trust_list = "trust.dsse"
key = "receiver.key"
chain = "receiver.pem"
[broker]
host = "127.0.0.1"
ca = "root.pem"
certificate = "receiver.pem"
key = "receiver.key"
[offload]
url = "{url}"
credentials = "s3.toml"
"""


def test_the_centres_commands_over_a_real_store(make: Callable[..., Circle]) -> None:
    with s3_server() as server:
        circle = make(objects=server.store())
        folder = circle.folder / "center"
        (folder / "center.toml").write_text(CENTER.format(url=server.url))
        (folder / "root.pem").write_bytes(circle.keys.authority.root_pem)
        (folder / "trust.dsse").write_bytes(circle.keys.authority.seal_trust(circle.keys.trust))
        circle.keys.receiver.write(folder / "receiver.key", folder / "receiver.pem")
        server.credentials(folder)
        circle.record()
        circle.offload()
        circle.report()
        where = ["--config", str(folder / "center.toml")]
        recordings = ["--recordings", str(circle.folder / "recordings")]
        told = _said("intake", *where, *recordings, "--json")["recordings"]
        assert [(it["recording"], it["verdict"], it["problem"]) for it in told] == [(FIRST, "complete", "")]
        assert _said("intake", *where, *recordings, "--json")["recordings"] == []
        assert circle.answer() == 1
        out = circle.folder / "out"
        got = _said("unfinished", FIRST, *where, "--out", str(out), "--json")["files"]
        assert {it["file"]: it["size"] for it in got} == files_of(circle.recording)
        exported = CliRunner().invoke(app, ["export", *where, "--device", circle.keys.device])
        assert exported.stdout.count("vnd.liuhen.recording-receipt") == 1
        again = CliRunner().invoke(app, ["unfinished", FIRST, *where, "--out", str(out)])
        assert isinstance(again.exception, OperatorFault)


def _said(*words: str) -> dict[str, list[dict[str, object]]]:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0
    return dict(json.loads(done.stdout))
