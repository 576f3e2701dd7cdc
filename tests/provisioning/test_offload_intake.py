"""The whole circle of a recording: out, verified, receipted, and deleted by the rule alone."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.adapters.recording_removal import DELETED, RecordingRemoval
from agent.adapters.recording_upload import files_of
from agent.adapters.uploader import LOOK_NS, RECHECK_NS
from agent.control.acts import Act
from agent.control.health import HealthRead
from agent.control.messages import ButtonPressed, Event, OfficerActed
from agent.errors import OperatorFault
from agent.evidence.account import open_accounts
from agent.evidence.device_chain import chain_findings
from agent.evidence.grounds import Grounds
from agent.evidence.report import Verdict
from agent.verify_files import Basis, judge_path
from agent.wire.commands import CommandKind
from agent.wire.device_events import EventType
from agent.wire.identifiers import RecordingId
from provisioning.center.cli import app
from provisioning.center.receipt_folder import AGAIN_MS, ReceiptFolder
from provisioning.center.time_stamping import Authority, stamp_recording
from tests.agent.adapters.recording_bench import FIRST
from tests.provisioning.circle import ARCHIVE, MONTHS, Circle, circles
from tests.support.device import DistrictKeys
from tests.support.objects import s3_server
from tests.support.tsa import make_tsa


@pytest.fixture(scope="module")
def keys() -> DistrictKeys:
    return DistrictKeys()


@pytest.fixture
def make(keys: DistrictKeys, tmp_path: Path) -> Iterator[Callable[..., Circle]]:
    yield from circles(keys, tmp_path)


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


def test_a_time_stamped_copy_at_the_centre_is_only_added_to(make: Callable[..., Circle], tmp_path: Path) -> None:
    circle, tsa = make(), make_tsa(tmp_path / "tsa")
    circle.whole()
    stamp_recording(circle.central, Authority(tsa.answer, [tsa.root]))
    stamped = (circle.central / "segment-0001.mp4").read_bytes()
    assert stamped != (circle.recording / "segment-0001.mp4").read_bytes()
    (circle.recording / "photo.txt").write_bytes(b"later")
    circle.clock.step(LOOK_NS / 1e9)
    circle.offload()
    assert [it.problem for it in circle.take_over()] == [""]
    assert (circle.central / "segment-0001.mp4").read_bytes() == stamped
    assert (circle.central / "photo.txt").read_bytes() == b"later"


class WatchedReceipts(ReceiptFolder):
    """Notes what is still on its way when a receipt is written."""

    left: list[str]

    def add(self, recording: RecordingId, envelope: bytes) -> None:
        self.left = [place.name for place in self.folder.with_name("recordings").glob(".*")]
        super().add(recording, envelope)


def test_no_copy_is_left_on_its_way_where_nobody_looks_behind_the_receipt(make: Callable[..., Circle]) -> None:
    """A power cut between the recording and its receipt has it fetched again beside the one that is there."""
    circle = make()
    circle.whole()
    (circle.folder / "center" / "recording-receipts" / f"{FIRST}.dsse").unlink()
    circle.receipts = WatchedReceipts(circle.folder / "center")
    circle.intake = circle.new_intake()
    assert circle.take_over()[0].verdict == "complete"
    assert circle.receipts.left == []


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
