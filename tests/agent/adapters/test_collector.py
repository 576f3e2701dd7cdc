"""Cards of other makers' recorders: whatever stands on them, or happens to them, is handled and told."""

import hashlib
import io
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import c2pa
import pytest

from agent.adapters import card_files, collector
from agent.adapters.card_files import CardChanged, CardFault, CardFile
from agent.adapters.collected_shelf import Seen
from agent.adapters.collector import Collector
from agent.clock import system_clock
from agent.control.messages import FileCollected
from agent.control.storage_policy import StoragePolicy
from agent.evidence import collected
from agent.evidence.report import Verdict
from tests.agent.adapters.collecting import SOURCE, Collecting, film
from tests.agent.evidence.bench import DEVICE, make_authority
from tests.agent.evidence.foreign import EVIDENCE_OIDS
from tests.support.center import until

HOSTILE = [
    b"a\nb.mp4",
    b"..mp4",
    b"...",
    b"-rf.mp4",
    "\u202egnp.4pm".encode(),
    b"\xff\xfe.MP4",
    b"x" * 251 + b".mp4",
    b"SHA256SUMS",
    b"material.c2pa",
    b"$(reboot);'\".mp4",
    "张三 DSJ-0042.MP4".encode(),
]


@pytest.fixture
def bench(tmp_path: Path) -> Collecting:
    return Collecting(tmp_path)


def test_a_file_is_kept_byte_for_byte_and_said_to_be_collected(bench: Collecting) -> None:
    content = film()
    bench.put("DCIM/100MEDIA/DSJ-0042_张三.MP4", content)
    assert bench.look() == 1
    item = bench.shelf_root / "REC-0001-C000001"
    assert (item / "material.mp4").read_bytes() == content
    assert {place.stat().st_mode & 0o777 for place in item.iterdir()} == {0o640}, "people are in them"
    (event,) = bench.collected()
    assert (event.digest, event.size, event.source) == (hashlib.sha256(content).hexdigest(), len(content), SOURCE)
    assert event.pattern == "AAA-9999_字字.AA9"
    report = bench.judge()
    assert (report.verdict, report.collected, report.device) == (Verdict.COMPLETE, True, DEVICE)
    told = json.dumps(report.as_json(), ensure_ascii=False)
    assert "采集之后" in told
    assert "采集之前的事无从知道" in told
    assert "DSJ-0042_张三.MP4" in told
    assert "自该设备封存" not in told


def test_its_manifest_never_says_that_we_captured_it(bench: Collecting) -> None:
    bench.put("a.mp4", film())
    bench.look()
    store = (bench.shelf_root / "REC-0001-C000001" / "material.c2pa").read_bytes()
    assert b"c2pa.opened" in store
    for word in (b"c2pa.created", b"digitalCapture", b"digitalSourceType"):
        assert word not in store


@pytest.mark.parametrize(
    ("name", "content", "kind"), [("a.mp4", film(), "video/mp4"), ("a.avi", b"RIFF" * 50, "video/avi")]
)
def test_foreign_software_trusts_the_sidecar_and_refuses_a_changed_file(
    bench: Collecting, name: str, content: bytes, kind: str
) -> None:
    bench.put(name, content)
    bench.look()
    store = (bench.shelf_root / "REC-0001-C000001" / "material.c2pa").read_bytes()
    trust = {"trust_anchors": bench.authority.root_pem.decode(), "trust_config": EVIDENCE_OIDS}
    settings = {"trust": trust, "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}}
    states = []
    for data in (content, content[:-1] + bytes([content[-1] ^ 1])):
        with (
            c2pa.Context.from_dict(settings) as context,
            c2pa.Reader(kind, io.BytesIO(data), manifest_data=store, context=context) as reader,
        ):
            states.append(json.loads(reader.json())["validation_state"])
    assert states == ["Trusted", "Invalid"]


def test_sums_and_their_signature_hold_by_hand(bench: Collecting) -> None:
    bench.put("a.mp4", film())
    bench.look()
    item = bench.shelf_root / "REC-0001-C000001"
    subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=item, check=True, capture_output=True)
    (bench.place / "root.pem").write_bytes(bench.authority.root_pem)
    command = "openssl cms -verify -binary -inform DER -in SHA256SUMS.p7s -content SHA256SUMS -purpose any -CAfile"
    subprocess.run([*command.split(), bench.place / "root.pem"], cwd=item, check=True, capture_output=True)


@pytest.mark.parametrize("damage", ["material", "manifest", "sums", "signature", "gone", "swapped"])
def test_what_is_changed_after_the_collection_is_told(bench: Collecting, damage: str) -> None:
    bench.put("a.mp4", film(2))
    bench.put("b.mp4", film(3))
    bench.look()
    item, other = bench.shelf_root / "REC-0001-C000001", bench.shelf_root / "REC-0001-C000002"
    names = {"material": "material.mp4", "manifest": "material.c2pa", "sums": "SHA256SUMS"}
    if damage == "gone":
        (item / "material.mp4").unlink()
    elif damage == "swapped":
        shutil.copy(other / "material.mp4", item / "material.mp4")
    else:
        place = item / names.get(damage, "SHA256SUMS.p7s")
        data = bytearray(place.read_bytes())
        data[-1 if damage == "signature" else len(data) // 20] ^= 1
        place.write_bytes(data)
    assert bench.judge().verdict is (Verdict.MISSING if damage == "gone" else Verdict.ALTERED)
    if damage in ("material", "manifest", "swapped"):  # the sidecar alone says it, too
        (item / "SHA256SUMS").unlink()
        assert bench.judge().verdict is Verdict.ALTERED


def test_a_stranger_who_collects_is_not_trusted(bench: Collecting) -> None:
    bench.put("a.mp4", film())
    bench.look()
    bench.authority = make_authority("another")
    assert bench.judge().verdict is Verdict.UNTRUSTED


def test_another_device_cannot_pass_its_find_off_as_ours(tmp_path: Path) -> None:
    bench = Collecting(tmp_path)
    bench.shelf._signer = bench.authority.signer("REC-0002")
    bench.put("a.mp4", film())
    bench.look()
    (bench.shelf_root / "REC-0001-C000001" / "SHA256SUMS").unlink()
    assert bench.judge().verdict is Verdict.UNTRUSTED


def test_an_unknown_kind_of_file_is_collected_as_it_is(bench: Collecting) -> None:
    bench.put("GPS.LOG", b"$GPRMC,1")
    assert bench.look() == 1
    assert (bench.shelf_root / "REC-0001-C000001" / "material.bin").read_bytes() == b"$GPRMC,1"
    assert bench.collected()[0].structure == "not-looked"


def test_a_growing_file_is_left_alone_until_it_rests(bench: Collecting) -> None:
    path = bench.put("a.avi", b"RIFF")
    for _ in range(4):
        assert bench.look(collector.SETTLE_S - 1) == 0
        path.write_bytes(path.read_bytes() + b"more")
    assert bench.look() == 1
    assert (bench.shelf_root / "REC-0001-C000001" / "material.bin").exists() is False
    assert bench.collected()[0].size == 20


def test_a_file_that_changes_while_it_is_read_is_read_again(bench: Collecting) -> None:
    path = bench.put("a.avi", b"x" * 3 * collector.SMALL_BYTES)
    for file in card_files.card_files(bench.card, Counter()):
        pieces = file.pieces(lambda: False)
        next(pieces)
        os.truncate(path, 4 * collector.SMALL_BYTES)
        with pytest.raises(CardChanged):
            list(pieces)
    assert bench.look() == 1
    assert bench.collected()[0].size == 4 * collector.SMALL_BYTES


def test_a_half_copied_film_gets_more_time_and_is_then_kept_as_torn(bench: Collecting) -> None:
    bench.put("a.mp4", film()[:-100])
    assert bench.look(collector.SETTLE_S + 1) == 0
    assert bench.look(collector.TORN_S) == 1
    assert bench.collected()[0].structure == "torn"
    assert "残缺" in " ".join(bench.judge().completeness.lines)
    bench.put("a.mp4", film())  # the copy goes on after all
    assert bench.look() == 1
    assert [event.structure for event in bench.collected()] == ["torn", "whole"]


def test_a_renamed_file_is_the_same_file(bench: Collecting) -> None:
    path = bench.put("a.mp4", film())
    assert bench.look() == 1
    path.rename(path.with_name("b.mp4"))
    assert bench.look() == 0
    assert len(bench.items()) == len(bench.collected()) == 1


@pytest.mark.parametrize("size", [100, 2 * collector.SMALL_BYTES])
def test_the_same_content_twice_is_one_item(bench: Collecting, size: int) -> None:
    bench.put("a.bin", b"x" * size)
    bench.put("copy/b.bin", b"x" * size)
    assert bench.look() == 1
    assert bench.items() == ["REC-0001-C000001"]


def test_empty_files_links_pipes_and_devices_are_counted_and_left(bench: Collecting) -> None:
    bench.put("empty.mp4", b"")
    secret = bench.place / "secret.key"
    secret.write_bytes(b"secret")
    (bench.card / "link.mp4").symlink_to(secret)
    (bench.card / "folder").symlink_to(bench.place)
    os.mkfifo(bench.card / "pipe.mp4")
    if os.geteuid() == 0:
        os.mknod(bench.card / "zero.mp4", 0o20644, os.makedev(1, 5))
    bench.put("good.mp4", film())
    assert bench.look() == 1
    assert b"secret" not in b"".join(it.read_bytes() for it in bench.shelf_root.rglob("*") if it.is_file())
    (told,) = bench.complaints()
    assert "空文件 1 个" in told
    assert "符号链接 2 个" in told
    bench.look()
    assert len(bench.complaints()) == 1, "told again and again"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_steers_nothing(bench: Collecting, name: bytes) -> None:
    bench.put(name, film())
    assert bench.look() == 1
    assert bench.items() == ["REC-0001-C000001"]
    files = {it.name for it in (bench.shelf_root / "REC-0001-C000001").iterdir()}
    assert {"material.c2pa", "SHA256SUMS", "SHA256SUMS.p7s"} < files
    report = bench.judge()
    assert report.verdict is Verdict.COMPLETE
    assert all(line.isprintable() for line in report.completeness.lines)
    (event,) = bench.collected()
    assert event.pattern.isprintable()
    assert "张三" not in event.pattern


class Pulled(CardFile):
    """The card goes away behind the first piece."""

    def pieces(self, stopped: Callable[[], bool]) -> Iterator[bytes]:
        yield next(super().pieces(stopped))
        raise CardFault("读取中断")


def test_a_card_that_is_pulled_in_the_middle_leaves_nothing_half(bench: Collecting) -> None:
    bench.put("b.bin", b"x" * 3 * collector.SMALL_BYTES)
    for file in card_files.card_files(bench.card, Counter()):
        with pytest.raises(CardFault):
            bench.collector._collect(Pulled(file.seen, file.inode, file.open))
    assert bench.items() == []
    assert bench.look() == 1


def test_a_bad_sector_under_one_file_starves_no_file_after_it(
    bench: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(root: Path, left_out: Counter[str]) -> Iterator[CardFile]:
        for file in card_files.card_files(root, left_out):
            yield Pulled(file.seen, file.inode, file.open) if file.seen.path == b"a.bin" else file

    monkeypatch.setattr(collector, "card_files", damaged)
    bench.put("a.bin", b"x" * 3 * collector.SMALL_BYTES)
    bench.put("b.mp4", film())
    assert bench.look() == 1
    (told,) = bench.complaints()
    assert "无法读取 1 个（如 a.bin）" in told
    assert "重新插好" in told
    assert sorted(it.name for it in bench.shelf_root.iterdir()) == ["REC-0001-C000001", "seen.jsonl"]


def test_a_folder_renamed_under_the_walk_ends_no_walk(bench: Collecting) -> None:
    for name in ("a.bin", "b/b.bin", "c/c.bin"):
        bench.put(name, b"x")
    left_out: Counter[str] = Counter()
    walk = card_files.card_files(bench.card, left_out)
    seen = [next(walk).seen.path]
    (bench.card / "b").rename(bench.place / "elsewhere")
    assert [*seen, *(it.seen.path for it in walk)] == [b"a.bin", b"c/c.bin"]
    assert left_out.total() == 0


def test_an_error_of_the_card_itself_says_to_put_it_in_again() -> None:
    memory = Path("/proc/self/mem")  # the kernel's own EIO, at its first byte
    found = memory.stat()
    file = CardFile(Seen(b"mem", found.st_size, found.st_mtime_ns), found.st_ino, lambda: os.open(memory, os.O_RDONLY))
    with pytest.raises(CardFault, match="请重新插好存储卡"):
        list(file.pieces(lambda: False))


def test_a_card_that_is_not_there_is_waited_for(bench: Collecting) -> None:
    bench.card.rmdir()
    assert bench.look() == 0
    assert bench.complaints() == []
    bench.card.mkdir()
    bench.put("a.mp4", film())
    assert bench.look() == 1


def test_a_read_only_card_is_left_as_it_is(bench: Collecting) -> None:
    bench.put("DCIM/a.mp4", film())
    for place in (bench.card / "DCIM" / "a.mp4", bench.card / "DCIM", bench.card):
        place.chmod(0o500 if place.is_dir() else 0o400)
    before = [(it, it.stat()) for it in sorted(bench.card.rglob("*"))]
    assert bench.look() == 1
    after = [(it, it.stat()) for it in sorted(bench.card.rglob("*"))]
    assert [(it, found.st_mtime_ns, found.st_size) for it, found in before] == [
        (it, found.st_mtime_ns, found.st_size) for it, found in after
    ]
    for place in (bench.card, bench.card / "DCIM"):
        place.chmod(0o700)


def test_ten_thousand_files_are_read_once(bench: Collecting) -> None:
    for number in range(10_000):
        bench.put(f"{number // 1000}/{number:05d}.LOG", b"%d" % (number % 40))
    assert bench.look() == 40
    again = Collecting(bench.place, told=40)
    reads = []
    again.collector._collect = lambda file: bool(reads.append(file))  # type: ignore[method-assign]
    again.look()
    assert reads == []


def test_a_file_too_large_for_this_disk_starves_no_file_after_it(bench: Collecting) -> None:
    os.truncate(bench.put("a.bin", b"x"), 2**43)
    bench.put("b.mp4", film())
    assert bench.look() == 1
    assert bench.items() == ["REC-0001-C000001"]
    (told,) = bench.complaints()
    assert "存储空间放不下 1 个（如 a.bin）" in told
    assert "导出" in told


def test_no_file_is_collected_at_the_cost_of_the_hours_that_the_device_records_itself(bench: Collecting) -> None:
    bench.shelf._policy = StoragePolicy(8 * 2**20, 4_064_000, 2**40, 0.5)
    bench.put("b.mp4", film())
    assert bench.look() == 0
    bench.shelf._policy = StoragePolicy(8 * 2**20, 4_064_000, 0.001, 0.0005)
    assert bench.look() == 1


@pytest.mark.parametrize("part", [b"\xff" * 255, b"\x01" * 255, "\ue000".encode() * 85])
def test_the_longest_path_of_bytes_that_nobody_can_read_is_collected_whole(bench: Collecting, part: bytes) -> None:
    folder = os.open(bench.card, os.O_RDONLY)
    for _ in range(12):
        os.mkdir(part, dir_fd=folder)
        inside = os.open(part, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inside
    name = part[:251] + b".MP4" if part[0] != 0xEE else part[:249] + b".MP4"
    with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=folder), "wb") as stream:
        stream.write(film())
    os.close(folder)
    assert bench.look() == 1
    assert bench.judge().verdict is Verdict.COMPLETE
    assert bench.shelf.statement(bench.collected()[0].item).path == b"/".join([part] * 12 + [name])


def test_a_file_nobody_can_sign_for_does_not_end_the_work_on_the_others(bench: Collecting) -> None:
    bench.put("a.mp4", film(2))
    bench.put("b.mp4", film(3))
    whole, bench.shelf.origin = bench.shelf.origin, replace(bench.shelf.origin, unit="局" * 20_000)
    assert bench.look() == 0
    (told,) = bench.complaints()
    assert "无法出具凭证 2 个（如 a.mp4）" in told
    assert bench.items() == []
    bench.shelf.origin = whole
    assert bench.look() == 2


def test_a_number_is_never_used_twice_and_an_untold_item_is_told_again(bench: Collecting) -> None:
    bench.put("a.mp4", film(2))
    bench.put("b.mp4", film(3))
    bench.look()
    again = Collecting(bench.place, told=1)
    assert [event.item for event in again.collected()] == ["REC-0001-C000002"]
    shutil.rmtree(bench.shelf_root)
    third = Collecting(bench.place, told=2)
    assert third.look() == 2
    assert third.items() == ["REC-0001-C000003", "REC-0001-C000004"]


def test_a_draft_of_a_power_cut_is_removed(bench: Collecting) -> None:
    left = bench.shelf_root / ".REC-0001-C000001.new"
    left.mkdir()
    (left / "material.mp4").write_bytes(b"half")
    again = Collecting(bench.place)
    assert again.items() == []


def test_a_lost_list_of_what_was_seen_makes_no_second_item(bench: Collecting) -> None:
    bench.put("a.mp4", film())
    bench.look()
    (bench.shelf_root / "seen.jsonl").write_bytes(b"{torn")
    again = Collecting(bench.place, told=1)
    assert again.look() == 0
    assert again.items() == ["REC-0001-C000001"]


def test_the_thread_follows_a_card_that_is_taken_out_and_put_in_again(tmp_path: Path) -> None:
    bench = Collecting(tmp_path)
    real = Collector(bench.card, bench.shelf, system_clock(), bench.events.append, 0, settle_s=0.01, look_s=0.05)
    real.open()
    try:
        bench.put("a.mp4", film(2))
        until(lambda: len(bench.collected()) == 1, "the first file")
        shutil.rmtree(bench.card)
        bench.card.mkdir()
        bench.put("x/b.mp4", film(3))
        until(lambda: len(bench.collected()) == 2, "the file of the second card")
    finally:
        assert real.close(60)
    assert all(isinstance(event, FileCollected) for event in bench.events)


def test_a_closed_file_does_not_wait_as_long_as_one_that_nobody_closed(bench: Collecting) -> None:
    bench.put("a.mp4", film())
    bench.collector._heard(bench.card / "a.mp4")
    assert bench.look(collector.CLOSED_S) == 1


def test_a_file_that_was_just_closed_rests_a_moment_all_the_same(bench: Collecting) -> None:
    bench.put("a.mp4", film())
    bench.collector._heard(bench.card / "a.mp4")
    assert bench.look(collector.CLOSED_S / 2) == 0


def test_cards_that_come_and_go_leave_nothing_behind_in_memory(bench: Collecting) -> None:
    for number in range(3):
        place = bench.put(f"{number}.mp4", film()[:-100])
        bench.collector._heard(place)
        bench.look(0)
        place.unlink()
    bench.look(0)
    assert (bench.collector._patience._since, bench.collector._settled) == ({}, set())


@pytest.mark.parametrize(("told", "kept"), [(-(2**33), card_files.EARLIEST), (2**33, card_files.LATEST)])
def test_a_time_that_cannot_be_true_is_kept_within_what_can(bench: Collecting, told: int, kept: datetime) -> None:
    os.utime(bench.put("a.mp4", film()), (told, told))
    assert bench.look() == 1
    assert bench.shelf.statement(bench.collected()[0].item).modified == kept


def test_a_card_with_more_files_than_any_camera_writes_is_told_and_walked_no_further(
    bench: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_files, "MAX_FILES", 3)
    for number in range(5):
        bench.put(f"{number}.LOG", b"%d" % number)
    assert bench.look() == 3
    assert "文件过多 2 个" in bench.complaints()[0]


def test_what_an_operating_system_leaves_on_a_card_is_not_collected(bench: Collecting) -> None:
    for name in card_files.IGNORED:
        bench.put(f"{name}/IndexerVolumeGuid", b"x")
    assert bench.look() == 0


def test_the_shape_of_a_name_says_nothing_about_a_person() -> None:
    assert collected.name_pattern("DCIM/李四_110101199001011234.mp4".encode()) == "字字_999999999999999999.aa9"
