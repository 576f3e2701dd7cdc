"""Attacks on what may be deleted and on what is signed about it, each over the whole circle of a recording."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from agent.adapters.recording_removal import RecordingRemoval
from agent.adapters.uploader import LOOK_NS
from agent.control.messages import MessageArrived
from agent.control.offload_messages import RecordingOffloaded
from agent.errors import SenderFault
from agent.wire.canonical import decode, encode
from agent.wire.commands import CommandKind
from agent.wire.device_events import EventType
from agent.wire.identifiers import Digest, recording_id
from agent.wire.offload_manifest import OffloadManifest, Part, StoredFile, manifest_digest, manifest_key, part_key
from agent.wire.recording_receipts import parse_recording_receipt
from agent.wire.topics import RECEIPT, device_topic
from provisioning.center.offload_intake import Outcome
from provisioning.center.receipt_folder import AGAIN_MS
from tests.agent.adapters.recording_bench import DEVICE, FIRST
from tests.provisioning.circle import MONTHS, Circle, circles
from tests.support.device import DistrictKeys

SECOND = recording_id(DEVICE, 2)
Make = Callable[..., Circle]


@pytest.fixture(scope="module")
def keys() -> DistrictKeys:
    return DistrictKeys()


@pytest.fixture
def make(keys: DistrictKeys, tmp_path: Path) -> Iterator[Make]:
    yield from circles(keys, tmp_path)


def receipted(circle: Circle) -> int:
    """The receipt goes out again when it is due, and the centre hears what became of it; how many went."""
    circle.clock.step(2 * AGAIN_MS / 1000)
    count = circle.answer()
    circle.take_over()
    return count


def refiled(circle: Circle, filed: str) -> None:
    circle.filed = filed
    circle.take_over()
    receipted(circle)


def deleted_but_there(circle: Circle) -> None:
    """The deletion is on the chain, and the power goes before a file does."""
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


def test_a_hold_that_came_while_the_store_refused_a_deletion_keeps_the_recording(make: Make) -> None:
    circle = make()
    circle.whole()
    with circle.refusing(EventType.RECORDING_DELETED):
        circle.months_later()
        circle.command(CommandKind.MARK_HOLD, 1)
    assert circle.events(EventType.RECORDING_HELD)
    circle.later()
    circle.later(700)
    assert circle.recording.exists(), "deleted while held"
    assert circle.events(EventType.RECORDING_DELETED) == []
    circle.command(CommandKind.LIFT_HOLD, 2)
    circle.look()
    assert not circle.recording.exists()


def test_a_file_that_came_while_the_store_refused_a_deletion_does_not_go_with_it(make: Make) -> None:
    circle = make()
    circle.whole()
    with circle.refusing(EventType.RECORDING_DELETED):
        circle.months_later()
    (circle.recording / "photo.txt").write_bytes(b"came later")
    circle.later()
    assert (circle.recording / "photo.txt").exists(), "a file without a receipt was deleted"
    assert circle.events(EventType.RECORDING_DELETED) == []


def test_a_store_that_refuses_once_only_delays_a_deletion(make: Make) -> None:
    circle = make()
    circle.whole()
    with circle.refusing(EventType.RECORDING_DELETED):
        circle.months_later()
    circle.later()
    assert not circle.recording.exists()
    assert len(circle.events(EventType.RECORDING_DELETED)) == 1


def test_a_file_that_came_between_the_event_and_the_removal_brings_the_recording_back(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    circle = make()
    deleted_but_there(circle)
    (circle.recording / "photo.txt").write_bytes(b"came later")
    circle.reboot()
    circle.settle()
    assert (circle.recording / "photo.txt").exists(), "a file without a receipt was deleted"
    assert "在删除前有变化，未删除" in caplog.text
    circle.clock.step(LOOK_NS / 1e9)
    circle.offload()
    assert [it.problem for it in circle.take_over()] == [""]
    receipted(circle)
    circle.months_later()
    assert not circle.recording.exists()
    assert len({it["manifest"] for it in circle.events(EventType.RECORDING_DELETED)}) == 2


def test_another_manifest_between_the_event_and_the_removal_takes_the_decision_back(make: Make) -> None:
    circle = make()
    deleted_but_there(circle)
    (circle.recording / "photo.txt").write_bytes(b"came later")
    circle.clock.step(LOOK_NS / 1e9)
    circle.offload()
    circle.reboot()
    circle.settle()
    assert circle.recording.exists()


def test_an_older_receipt_played_again_does_not_set_the_filing_back(make: Make) -> None:
    circle = make()
    circle.whole()
    old = circle.receipts.get(FIRST)
    refiled(circle, "永久")
    topic = device_topic(circle.keys.authority.district, circle.keys.device, RECEIPT)
    circle.device.dispatch(MessageArrived(1, topic, old))
    assert "未采用" in circle.device.last_error()
    circle.take_over()
    assert receipted(circle) == 0
    circle.months_later()
    circle.look()
    assert circle.recording.exists(), "deleted against the newest filing"


def test_a_class_that_goes_there_and_back_is_confirmed_and_ends(make: Make) -> None:
    circle = make()
    circle.whole()
    for filed in ("永久", "6个月"):
        refiled(circle, filed)
    assert receipted(circle) == 0, "it is sent for ever"
    circle.months_later()
    assert not circle.recording.exists()


def test_a_centre_whose_clock_went_back_still_files_anew(make: Make) -> None:
    circle = make()
    circle.whole()
    circle.clock._wall -= timedelta(hours=1)
    refiled(circle, "永久")
    assert circle.events(EventType.RECORDING_RECEIPTED)[-1]["retention"] == "永久"
    assert receipted(circle) == 0


def test_a_device_that_forgot_and_took_an_old_receipt_gets_the_newest_again(make: Make) -> None:
    circle = make()
    circle.whole()
    old = circle.receipts.get(FIRST)
    refiled(circle, "永久")
    forgets = "UPDATE outbox SET event_id = event_id || '/earlier' WHERE type LIKE '%receipted%'"
    with circle.device.database.transaction():
        circle.device.database.run("DELETE FROM counter WHERE name LIKE 'kept/%'")
        circle.device.database.run(forgets)
    circle.reboot()
    circle.device.dispatch(RecordingOffloaded(FIRST, circle.receipt().manifest, 1, 1, circle.clock.read()))
    topic = device_topic(circle.keys.authority.district, circle.keys.device, RECEIPT)
    circle.device.dispatch(MessageArrived(1, topic, old))
    assert circle.events(EventType.RECORDING_RECEIPTED)[-1]["retention"] == "6个月"
    circle.take_over()
    assert receipted(circle) == 1
    assert circle.events(EventType.RECORDING_RECEIPTED)[-1]["retention"] == "永久"


@pytest.mark.parametrize("name", ["segment-0001.mp4", "SHA256SUMS"])
def test_another_copy_in_the_centres_folder_is_not_signed_for(make: Make, name: str) -> None:
    circle = make()
    circle.record()
    circle.offload()
    circle.central.mkdir(parents=True)
    good = (circle.recording / name).read_bytes()
    (circle.central / name).write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    (outcome,) = circle.take_over()
    assert "未签回执" in outcome.problem
    assert circle.receipts.get(FIRST) is None
    assert [place.name for place in circle.central.iterdir()] == [name], "something was added to it"
    (circle.central / name).write_bytes(good)
    assert [it.problem for it in circle.take_over()] == [""], "the same copy is as good as ours"


def test_a_link_or_a_folder_in_place_of_a_film_is_not_signed_for(make: Make) -> None:
    circle = make()
    circle.record()
    circle.offload()
    circle.central.mkdir(parents=True)
    film = circle.central / "segment-0001.mp4"
    film.symlink_to(circle.recording / "segment-0001.mp4")
    assert "未签回执" in circle.take_over()[0].problem
    film.unlink()
    film.mkdir()
    assert "未签回执" in circle.take_over()[0].problem


def test_a_film_that_was_lost_at_the_centre_is_not_signed_for_anew(make: Make) -> None:
    circle = make()
    circle.whole()
    (circle.central / "segment-0001.mp4").unlink()
    circle.filed = "永久"
    assert ["未签回执" in it.problem for it in circle.take_over()] == [True]
    assert circle.receipt().retention == "6个月"


def poison(circle: Circle) -> None:
    """The device's chain names a manifest with a file and a folder of one name, all of whose objects are there."""
    place, named = circle.keys.authority.district, Digest(sha256(b"x").hexdigest())
    one = (Part(0, 1, named),)
    manifest = OffloadManifest(place, FIRST, (StoredFile("notes", named, one), StoredFile("notes/a", named, one)))
    data = manifest.encode()
    circle.objects.put(manifest_key(place, FIRST, manifest_digest(data)), data)
    for file in manifest.files:
        circle.objects.put(part_key(place, FIRST, file.name, file.parts[0]), b"x")
    circle.device.dispatch(RecordingOffloaded(FIRST, manifest_digest(data), 2, 2, circle.clock.read()))


def told(outcomes: list[Outcome]) -> dict[str, bool]:
    return {it.recording: not it.problem for it in outcomes}


def test_a_manifest_with_a_file_and_a_folder_of_one_name_stops_nobody_else(make: Make) -> None:
    circle = make()
    circle.record()
    circle.record(SECOND)
    circle.offload()
    poison(circle)
    assert told(circle.take_over()) == {FIRST: False, SECOND: True}


def test_a_folder_that_cannot_be_written_stops_nobody_else(make: Make) -> None:
    circle = make()
    circle.record()
    circle.record(SECOND)
    circle.offload()
    (circle.folder / "recordings" / f".incoming-{FIRST}").write_bytes(b"no folder")
    outcomes = circle.take_over()
    assert told(outcomes) == {FIRST: False, SECOND: True}
    assert [it.again for it in outcomes] == [True, False]


def test_a_receipt_without_an_age_is_refused(make: Make) -> None:
    circle = make()
    circle.whole()
    fields = dict(decode(circle.receipt().encode()))
    fields.pop("signed_at")
    with pytest.raises(SenderFault, match="signed_at"):
        parse_recording_receipt(encode(fields))
