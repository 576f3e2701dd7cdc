"""Recordings on their way to the store of objects: killed anywhere, damaged on the way, growing while they go."""

import random
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agent.adapters.data_keys import DataKeys
from agent.adapters.fake_source import FakeSource
from agent.adapters.file_upload import FIRST_BYTES, FileUpload, GrowingUpload
from agent.adapters.recording_upload import Outside
from agent.adapters.upload_pace import LEAST_BYTES, UploadPace
from agent.adapters.uploader import LIVE_EVERY_NS, LOOK_NS, RECHECK_NS, Uploaded, Uploader
from agent.control.offload_policy import OffloadOrders, OffloadPolicy, When
from agent.errors import EnvironmentFault
from agent.evidence.journal import Reason
from agent.object_store import StoreFault
from agent.wire.identifiers import District, RecordingId
from agent.wire.offload_manifest import manifest_digest, parse_manifest, recording_prefix
from provisioning.center.offloaded import BadObject, Shelf
from tests.agent.adapters.recording_bench import FIRST, RecordingBench, footage, verdict
from tests.agent.evidence.bench import private_key
from tests.support.objects import MemoryObjects

PLACE = District("xinghe")
ALWAYS = OffloadPolicy(When.ALWAYS)
FREE = OffloadOrders()


@dataclass
class SmallParts:
    """Parts of 20 kB, at once."""

    gone: int = 0

    def part_bytes(self) -> int:
        return 20_000

    def sent(self, size: int) -> None:
        self.gone += size


@dataclass
class Device:
    """The part of a device that uploads; `die` begins it anew."""

    folder: Path
    objects: MemoryObjects
    policy: OffloadPolicy = ALWAYS
    told: list[Uploaded] = field(default_factory=list)
    now_ns: int = 0

    def __post_init__(self) -> None:
        self.die()

    def die(self) -> None:
        self.pace = SmallParts()
        outside = Outside(PLACE, self.objects, self.pace)
        self.uploader = Uploader(
            self.folder / "recordings", self.folder / "offload", outside, self.policy, self.told.append
        )

    def work(self, orders: OffloadOrders = FREE, *, wifi: bool = False) -> None:
        while self.uploader.work(orders, self.now_ns, wifi=wifi):
            pass


def sealed(folder: Path, recording: RecordingId = FIRST, size: int = 150_000) -> Path:
    """A folder as a sealed recording leaves it; the contents are noise."""
    place, noise = folder / "recordings" / recording, random.Random(recording)
    (place / "notes").mkdir(parents=True)
    for name, length in {
        "segment-0001.mp4": size,
        "segment-0002.mp4": 70_000,
        "journal.jsonl": 900,
        "empty.txt": 0,
    }.items():
        (place / name).write_bytes(noise.randbytes(length))
    (place / "notes" / "0001.dsse").write_bytes(b"{}")
    (place / "segment-0003.mp4.seal").write_bytes(b"on its way")
    (place / "SHA256SUMS.p7s").write_bytes(b"sums")
    return place


def fetched(objects: MemoryObjects, folder: Path, told: Uploaded) -> dict[str, bytes]:
    shelf, out = Shelf(PLACE, objects), folder / "fetched"
    shutil.rmtree(out, ignore_errors=True)
    shelf.fetch(shelf.manifest(told.recording, told.manifest), out)
    return files(out)


def files(folder: Path) -> dict[str, bytes]:
    found = {str(place.relative_to(folder)): place.read_bytes() for place in folder.rglob("*") if place.is_file()}
    return {name: data for name, data in found.items() if not name.endswith(".seal")}


def test_what_comes_back_is_byte_for_byte_what_went(tmp_path: Path) -> None:
    place, device = sealed(tmp_path), Device(tmp_path, MemoryObjects())
    device.work()
    assert fetched(device.objects, tmp_path, device.told[-1]) == files(place)
    assert device.told[-1].size == sum(map(len, files(place).values()))


@pytest.mark.parametrize("after", [False, True], ids=["before", "behind"])
def test_killed_at_every_request_it_ends_whole_and_brings_nothing_twice(tmp_path: Path, after: bool) -> None:
    place, straight = sealed(tmp_path), Device(tmp_path, MemoryObjects())
    straight.work()
    for lives in range(straight.objects.requests):
        shutil.rmtree(tmp_path / "offload")
        device = Device(tmp_path, MemoryObjects(lives=lives, after=after))
        with pytest.raises(StoreFault):
            device.work()
        there = set(device.objects.objects)
        device.objects.lives = None
        device.die()
        device.work()
        assert device.told[-1] == straight.told[-1]
        assert set(device.objects.objects) == set(straight.objects.objects) >= there
        part_bytes = sum(
            len(data) for key, data in device.objects.objects.items() if key in there and "manifest" not in key
        )
        assert device.pace.gone == straight.pace.gone - part_bytes
    assert fetched(device.objects, tmp_path, device.told[-1]) == files(place)


def test_a_kill_before_the_manifest_is_kept_tells_it_once_more_and_no_other(tmp_path: Path) -> None:
    sealed(tmp_path)
    device = Device(tmp_path, MemoryObjects())
    device.work()
    device.die()
    device.uploader.begin()
    device.work()
    assert len(set(device.told)) == 1
    assert len(device.told) == 2


def test_a_forged_object_gets_no_receipt_and_comes_again(tmp_path: Path) -> None:
    place, device = sealed(tmp_path), Device(tmp_path, MemoryObjects())
    device.work()
    key = next(key for key in device.objects.objects if "segment-0002" in key)
    device.objects.objects[key] = device.objects.objects[key][::-1]
    with pytest.raises(BadObject) as caught:
        fetched(device.objects, tmp_path, device.told[-1])
    Shelf(PLACE, device.objects).put_aside(caught.value)
    assert f"refused/{key}" in device.objects.objects
    device.work()
    assert key not in device.objects.objects, "it is not looked for all the time"
    device.now_ns += RECHECK_NS
    device.work()
    assert fetched(device.objects, tmp_path, device.told[-1]) == files(place)
    assert len(set(device.told)) == 1


def test_what_was_cut_short_outside_is_brought_again(tmp_path: Path) -> None:
    place, device = sealed(tmp_path), Device(tmp_path, MemoryObjects())
    device.work()
    key = next(key for key in device.objects.objects if "segment-0002" in key)
    device.objects.objects[key] = device.objects.objects[key][:-1]
    device.now_ns += RECHECK_NS
    device.work()
    assert fetched(device.objects, tmp_path, device.told[-1]) == files(place)


def test_a_note_added_later_makes_a_new_manifest(tmp_path: Path) -> None:
    place, device = sealed(tmp_path), Device(tmp_path, MemoryObjects())
    device.work()
    (place / "notes" / "0002.dsse").write_bytes(b"{}{}")
    device.now_ns += LOOK_NS
    device.work()
    assert len({told.manifest for told in device.told}) == 2
    assert fetched(device.objects, tmp_path, device.told[-1]) == files(place)


def test_two_recorders_of_one_name_overwrite_nothing_of_each_other(tmp_path: Path) -> None:
    objects = MemoryObjects()
    first, second = tmp_path / "first", tmp_path / "second"
    places = sealed(first, size=150_000), sealed(second, size=140_000)
    devices = Device(first, objects), Device(second, objects)
    steps = [device.uploader for device in devices]
    while sum(step.work(FREE, 0, wifi=False) for step in steps):
        pass
    for device, place in zip(devices, places, strict=True):
        assert fetched(objects, tmp_path, device.told[-1]) == files(place)


def test_a_recording_that_was_never_sealed_does_not_go_as_one(tmp_path: Path) -> None:
    place, device = sealed(tmp_path), Device(tmp_path, MemoryObjects())
    (place / "SHA256SUMS.p7s").unlink()
    device.work()
    assert not device.told
    assert not device.objects.objects


@pytest.mark.parametrize(
    ("when", "orders", "wifi", "goes"),
    [
        (When.DOCK, OffloadOrders(), True, False),
        (When.DOCK, OffloadOrders(docked=True), False, True),
        (When.WIFI, OffloadOrders(), True, True),
        (When.WIFI, OffloadOrders(), False, False),
        (When.ALWAYS, OffloadOrders(), False, True),
        (When.ALWAYS, OffloadOrders(paused=True), False, False),
        (When.DOCK, OffloadOrders(asked=True), False, True),
        (When.NEVER, OffloadOrders(docked=True, asked=True), True, False),
    ],
)
def test_sealed_recordings_go_only_when_they_may(
    tmp_path: Path, when: When, orders: OffloadOrders, wifi: bool, goes: bool
) -> None:
    sealed(tmp_path)
    device = Device(tmp_path, MemoryObjects(), OffloadPolicy(when, live=True))
    device.work(orders, wifi=wifi)
    assert bool(device.told) is goes


def test_leaving_the_dock_ends_an_upload_and_coming_back_goes_on(tmp_path: Path) -> None:
    sealed(tmp_path)
    device = Device(tmp_path, MemoryObjects(), OffloadPolicy(When.DOCK))
    docked = OffloadOrders(docked=True)
    for _ in range(3):
        assert device.uploader.work(docked, 0, wifi=False)
    gone = device.pace.gone
    device.work()
    assert device.pace.gone == gone
    device.work(docked)
    assert device.pace.gone == device.told[-1].size


def test_a_limit_spreads_the_parts_over_time() -> None:
    now = [0]
    pace = UploadPace(800, lambda: now[0])
    pace.sent(LEAST_BYTES)
    assert pace.wait_s() == pytest.approx(LEAST_BYTES / 100_000)
    now[0] = int(5e9)
    assert pace.wait_s() == 0


def test_a_slow_line_makes_parts_smaller_and_a_good_one_larger_again() -> None:
    pace = UploadPace(0, lambda: 0)
    most = pace.part_bytes()
    for _ in range(20):
        pace.too_slow()
    assert pace.part_bytes() == LEAST_BYTES
    for _ in range(20):
        pace.sent(1)
    assert pace.part_bytes() == most


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_destroyed_while_recording_what_went_verifies_as_far_as_it_got(tmp_path: Path, encrypted: bool) -> None:
    tracks, packets = footage(4, sound=False)
    archive = private_key("archive")
    keys = DataKeys(tmp_path / "keys", archive.public_key() if encrypted else None)
    bench = RecordingBench(tmp_path / "recordings", iter([FakeSource(tracks, packets)]), keys=keys)
    device = Device(tmp_path, MemoryObjects(), OffloadPolicy(When.DOCK, live=True))
    running = OffloadOrders(recording=FIRST)
    bench.start()
    sizes = []
    for count in range(1, 8):
        bench.wait_for_fragments(count)
        device.now_ns += LIVE_EVERY_NS
        device.work(running)
        sizes.append(device.uploader.live_sent)
    assert sizes == sorted(sizes)
    out = tmp_path / "centre" / FIRST
    unfinished = Shelf(PLACE, device.objects).fetch_unfinished(FIRST, out)
    name = unfinished[0].name
    assert (
        (tmp_path / "recordings" / FIRST / name)
        .read_bytes()[FIRST_BYTES:]
        .startswith((out / name).read_bytes()[FIRST_BYTES:])
    )
    assert _fragments(out / name, archive if encrypted else None) >= 6
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    bench.recorder.close(5)
    before = device.pace.gone
    device.now_ns += LOOK_NS
    device.work()  # not docked: what was followed is finished all the same
    sealed_files = fetched(device.objects, tmp_path, device.told[-1])
    assert sealed_files == files(tmp_path / "recordings" / FIRST)
    again = device.pace.gone - before
    assert again <= FIRST_BYTES + len(sealed_files[name]) - sizes[-1] + sum(
        len(data) for other, data in sealed_files.items() if other != name
    )
    if not encrypted:
        assert verdict(tmp_path / "fetched") == "complete"


def _fragments(place: Path, archive: object) -> int:
    """Fragments that verify in what the centre put together."""
    from agent.adapters.window import opened_file
    from agent.evidence.encrypted_reading import open_with_archive_key
    from agent.evidence.recovery import examine

    with opened_file(place) as source:
        found = examine(source if archive is None else open_with_archive_key(source, archive).plain)
    assert not found.damage
    return len(found.fragments)


def test_a_file_that_became_shorter_is_begun_again(tmp_path: Path) -> None:
    place = tmp_path / "segment-0001.mp4"
    place.write_bytes(bytes(100_000))
    upload = FileUpload(place, place.name, (), lambda *_: None, lambda: 20_000)
    assert upload.step(100_000)
    place.write_bytes(b"")
    with pytest.raises(EnvironmentFault):
        upload.step(100_000)


def test_half_a_box_is_not_sent(tmp_path: Path) -> None:
    place = tmp_path / "segment-0001.mp4"
    whole = (16).to_bytes(4) + b"ftyp" + bytes(8) + (1008).to_bytes(4) + b"mdat" + bytes(1000)
    place.write_bytes(whole + (5000).to_bytes(4) + b"mdat" + bytes(1000))
    growing = GrowingUpload(FileUpload(place, place.name, (), lambda *_: None, lambda: 10**6))
    assert growing.waiting() == len(whole)


def test_a_fragment_without_its_pictures_is_not_sent(tmp_path: Path) -> None:
    place = tmp_path / "segment-0001.mp4"
    whole = (16).to_bytes(4) + b"ftyp" + bytes(8) + (1008).to_bytes(4) + b"mdat" + bytes(1000)
    place.write_bytes(whole + (108).to_bytes(4) + b"moof" + bytes(100))
    growing = GrowingUpload(FileUpload(place, place.name, (), lambda *_: None, lambda: 10**6))
    assert growing.waiting() == len(whole)


def test_a_manifest_on_the_card_that_was_damaged_is_made_again(tmp_path: Path) -> None:
    sealed(tmp_path)
    device = Device(tmp_path, MemoryObjects())
    device.work()
    kept = tmp_path / "offload" / f"{FIRST}.json"
    manifest = parse_manifest(kept.read_bytes())
    assert manifest_digest(kept.read_bytes()) == device.told[-1].manifest
    kept.write_bytes(kept.read_bytes()[:-5])
    device.die()
    device.uploader.begin()
    device.work()
    assert parse_manifest(kept.read_bytes()) == manifest
    assert device.pace.gone == 0


def test_objects_of_others_are_not_taken_for_parts(tmp_path: Path) -> None:
    sealed(tmp_path)
    prefix = recording_prefix(PLACE, FIRST)
    strange = {f"{prefix}segment-0001.mp4/hello": b"x", f"{prefix}../a/{0:014d}-{'0' * 64}": b"x"}
    device = Device(tmp_path, MemoryObjects(dict(strange)))
    device.work()
    assert replace(device.told[-1], manifest=device.told[-1].manifest).files == 6
    assert strange.items() <= device.objects.objects.items()
