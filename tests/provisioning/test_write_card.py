"""Cards: golden bytes of every format, images, and what a wrong, full or foreign card or a wrong disk makes."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import EnvironmentFault, OperatorFault
from provisioning.fleet.card_files import CardOrder, Format, chosen_format, joined_wifi, switch
from provisioning.fleet.card_target import FolderTarget, open_target
from provisioning.fleet.disks import Machine, checked_disk
from provisioning.fleet.partitions import boot_partition
from provisioning.fleet.write_card import install_script, read_wifi, write_card
from tests.support.card_image import BOOKWORM, TRIXIE, card_image, check_file_system, extract

VECTORS = Path(__file__).parents[1] / "vectors" / "card_files.json"
WIFI = joined_wifi("示例网络", "not-a-real-password")
ORDER = CardOrder("REC-0001", b"bundle", b"root", b"issuing", b"#!/bin/sh\n", WIFI)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("images")
    return {name: card_image(folder / name, files) for name, files in (("bookworm", BOOKWORM), ("trixie", TRIXIE))}


def a_copy(image: Path, folder: Path) -> Path:
    subprocess.run(["cp", "--sparse=always", image, folder / "card.img"], check=True)
    return folder / "card.img"


def folder_with(place: Path, files: dict[str, bytes]) -> FolderTarget:
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    return FolderTarget(place)


def made(form: Format) -> dict[str, str]:
    found = BOOKWORM if form is Format.SYSTEMD else TRIXIE
    return {name: content.decode() for name, content in sorted(switch(ORDER, form, found).items())}


def test_golden_bytes_of_every_format_stay_as_they_are() -> None:
    assert {form.value: made(form) for form in Format} == json.loads(VECTORS.read_text(encoding="utf-8"))


def test_the_cloud_files_are_yaml_that_says_what_is_meant() -> None:
    import yaml

    files = made(Format.CLOUDINIT_RPI)
    user = yaml.safe_load(files["user-data"])
    assert user["runcmd"] == [["sh", "/boot/firmware/liuhen/install.sh"]]
    assert user["rpi"]["interfaces"]["serial"] == {"console": False, "hardware": True}
    points = yaml.safe_load(files["network-config"])["network"]["wifis"]["wlan0"]["access-points"]
    assert points == {"示例网络": {"password": WIFI.psk}}
    assert yaml.safe_load(files["meta-data"])["instance-id"].startswith("liuhen-rec-0001-")


def test_the_first_run_script_is_a_shell_script_and_takes_itself_out(tmp_path: Path) -> None:
    files = switch(ORDER, Format.SYSTEMD, BOOKWORM)
    script = files["firstrun.sh"].decode()
    subprocess.run(["sh", "-n"], input=script.encode(), check=True)
    subprocess.run(["sh", "-n"], input=install_script(), check=True)
    line = tmp_path / "cmdline.txt"
    line.write_bytes(files["cmdline.txt"])
    sed = next(text for text in script.splitlines() if "systemd\\.run" in text).replace(
        "/boot/firmware/cmdline.txt", ""
    )
    subprocess.run(["sh", "-c", f"{sed} {line}"], check=True)
    assert line.read_bytes() == BOOKWORM["cmdline.txt"]


def test_no_passphrase_stands_on_a_card() -> None:
    told = json.dumps([made(form) for form in Format])
    assert "not-a-real-password" not in told
    assert WIFI.psk in told


@pytest.mark.parametrize("system", ["bookworm", "trixie"])
def test_an_image_is_written_read_back_and_clean(images: dict[str, Path], tmp_path: Path, system: str) -> None:
    image = a_copy(images[system], tmp_path)
    with open_target(image) as (target, what):
        written = write_card(target, ORDER, system, {"requirements.txt": b"x" * 70_000})
        again = write_card(target, ORDER, system, {"requirements.txt": b"x" * 70_000})
    assert written == again
    assert "card.img" in what
    check_file_system(image)
    folder = extract(image, tmp_path / "boot")
    assert (folder / "liuhen" / "card.dsse").read_bytes() == b"bundle"
    assert (folder / "liuhen" / "wheels" / "requirements.txt").read_bytes() == b"x" * 70_000
    assert (folder / "config.txt").read_bytes() == BOOKWORM["config.txt"]
    form = Format.SYSTEMD if system == "bookworm" else Format.CLOUDINIT_RPI
    for name, content in made(form).items():
        assert (folder / name).read_text(encoding="utf-8") == content


def test_a_folder_is_written_as_an_image_is(tmp_path: Path) -> None:
    target = folder_with(tmp_path / "boot", TRIXIE)
    assert write_card(target, ORDER).form is Format.CLOUDINIT_RPI
    assert target.read("user-data").decode() == made(Format.CLOUDINIT_RPI)["user-data"]


def test_the_format_that_a_card_does_not_apply_is_refused() -> None:
    assert chosen_format("auto", BOOKWORM) is Format.SYSTEMD
    assert chosen_format("cloudinit", TRIXIE) is Format.CLOUDINIT
    for system, files in (("trixie", BOOKWORM), ("bookworm", TRIXIE), ("systemd", TRIXIE)):
        with pytest.raises(OperatorFault, match="写了也不会生效"):
            chosen_format(system, files)
    with pytest.raises(OperatorFault, match="不认识"):
        chosen_format("rpi-preseed", TRIXIE)
    with pytest.raises(OperatorFault, match="不像"):
        chosen_format("auto", {"holiday.jpg": b""})


def test_somebody_else_s_customisation_is_not_overwritten(tmp_path: Path) -> None:
    run = {
        "cmdline.txt": BOOKWORM["cmdline.txt"].strip() + b" systemd.run=/boot/firstrun.sh\n",
        "firstrun.sh": b"rm -rf",
    }
    cloud = TRIXIE | {"user-data": b"#cloud-config\nhostname: other\n"}
    for number, files in enumerate((run, cloud)):
        target = folder_with(tmp_path / str(number), files)
        with pytest.raises(OperatorFault, match="已有别的"):
            write_card(target, ORDER)
        assert {name: target.read(name) for name in target.names()} == files


def test_a_full_card_is_told_and_starts_as_before(images: dict[str, Path], tmp_path: Path) -> None:
    image = a_copy(images["bookworm"], tmp_path)
    with open_target(image) as (target, _), pytest.raises(EnvironmentFault, match="已满"):
        write_card(target, ORDER, "auto", {"requirements.txt": bytes(60 * 2**20)})
    check_file_system(image)
    folder = extract(image, tmp_path / "boot")
    assert {place.name: place.read_bytes() for place in folder.iterdir()} == BOOKWORM


@pytest.mark.parametrize("kind", ["bookworm", "trixie"])
def test_a_card_that_turns_out_full_the_second_time_still_carries_the_first(
    images: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    image = a_copy(images[kind], tmp_path)
    with open_target(image) as (target, _):
        write_card(target, ORDER, "auto", {"requirements.txt": b"first"})
        before = target.files("liuhen")
        with pytest.raises(EnvironmentFault, match="已满"):
            write_card(target, replace(ORDER, bundle=b"second"), "auto", {"a.whl": bytes(60 * 2**20)})
        assert target.files("liuhen") == before != {}
    check_file_system(image)


def test_a_card_that_takes_nothing_any_more_is_not_said_to_be_as_before(tmp_path: Path) -> None:
    class Worn(FolderTarget):
        def write(self, files: Mapping[str, bytes]) -> None:
            raise EnvironmentFault(f"写保护：{len(files)}")

    folder_with(tmp_path / "boot", BOOKWORM)
    with pytest.raises(EnvironmentFault, match="不能恢复原状"):
        write_card(Worn(tmp_path / "boot"), ORDER)


def test_the_boot_partition_of_this_computer_is_no_card(tmp_path: Path) -> None:
    for place in ("etc", "boot/firmware"):
        (tmp_path / place).mkdir(parents=True)
    machine = Machine(root=tmp_path)
    for place in (tmp_path, tmp_path / "boot", tmp_path / "boot/firmware", tmp_path / "etc/../boot/firmware"):
        with pytest.raises(OperatorFault, match="本机"), open_target(place, machine):
            pass
    with open_target(tmp_path / "etc", machine) as (target, _):
        assert target.names() == set()


def test_a_card_that_keeps_something_else_is_told(tmp_path: Path) -> None:
    class Forgetful(FolderTarget):
        def read(self, name: str) -> bytes:
            return super().read(name).replace(b"bundle", b"bumble")

    folder_with(tmp_path / "boot", BOOKWORM)
    with pytest.raises(EnvironmentFault, match="卡可能已坏"):
        write_card(Forgetful(tmp_path / "boot"), ORDER)
    assert {place.name: place.read_bytes() for place in (tmp_path / "boot").iterdir()} == BOOKWORM


def test_a_card_whose_switch_does_not_hold_is_told(tmp_path: Path) -> None:
    class Sticky(FolderTarget):
        def read(self, name: str) -> bytes:
            return BOOKWORM[name] if name in BOOKWORM else super().read(name)

    folder_with(tmp_path / "boot", BOOKWORM)
    with pytest.raises(EnvironmentFault, match="卡可能已坏"):
        write_card(Sticky(tmp_path / "boot"), ORDER)


def test_a_link_on_a_mounted_card_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target = folder_with(tmp_path / "boot", BOOKWORM)
    (tmp_path / "boot" / "liuhen").symlink_to(outside)
    with pytest.raises(OperatorFault, match="符号链接"):
        write_card(target, ORDER)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("head", [b"", bytes(512), bytes(510) + b"\x55\xaa", b"GPT" * 200])
def test_a_file_that_is_no_disk_image_is_refused(tmp_path: Path, head: bytes) -> None:
    with pytest.raises(OperatorFault, match="没有找到 FAT 启动分区"):
        boot_partition(head)
    (tmp_path / "film.img").write_bytes(head)
    with pytest.raises(OperatorFault), open_target(tmp_path / "film.img"):
        pass


@pytest.mark.parametrize("lines", ["", "one line", "name\nshort", "x" * 33 + "\nlong enough", "a\nlong enough\nchina"])
def test_a_wifi_file_that_cannot_work_is_refused(tmp_path: Path, lines: str) -> None:
    (tmp_path / "wifi").write_text(lines, encoding="utf-8")
    with pytest.raises(OperatorFault, match="请"):
        read_wifi(tmp_path / "wifi")


def machine(place: Path, mounted: str = "8:1", removable: str = "1", name: str = "sdb") -> Machine:
    """A computer with one disk and a partition on it."""
    disk = place / "sys" / "devices" / name
    for folder in (disk / f"{name}1" / "holders", disk / "holders", disk / "device", place / "proc" / "self"):
        folder.mkdir(parents=True)
    for path, text in (
        (disk / "dev", "8:16"), (disk / f"{name}1" / "dev", "8:17"), (disk / f"{name}1" / "partition", "1"),
        (disk / "removable", removable), (disk / "size", "62333952"), (disk / "device" / "model", "示例读卡器"),
        (place / "proc" / "swaps", "Filename Type"),
        (place / "proc" / "self" / "mountinfo", f"36 1 {mounted} / /mnt rw"),
    ):  # fmt: skip
        path.write_text(f"{text}\n", encoding="utf-8")
    (place / "sys" / "class" / "block").mkdir(parents=True)
    (place / "sys" / "class" / "block" / name).symlink_to(disk)
    (place / "sys" / "class" / "block" / f"{name}1").symlink_to(disk / f"{name}1")
    return Machine(place / "sys", place / "proc")


def test_a_card_in_a_reader_is_shown_by_model_and_size(tmp_path: Path) -> None:
    disk = checked_disk(Path("/dev/sdb"), machine(tmp_path))
    assert (disk.model, disk.size) == ("示例读卡器", 62333952 * 512)


@pytest.mark.parametrize(
    ("settings", "path", "why"),
    [
        ({"mounted": "8:17"}, "/dev/sdb", "正在使用"), ({"mounted": "8:16"}, "/dev/sdb", "正在使用"),
        ({"removable": "0"}, "/dev/sdb", "不是可取出的卡"), ({"name": "nvme0n1"}, "/dev/nvme0n1", "不是可取出的卡"),
        ({}, "/dev/sdb1", "是一个分区"), ({}, "/dev/sdz", "不是本机的磁盘"),
        ({"name": "mmcblk0"}, "/dev/mmcblk0", "不是可取出的卡"),
    ],
)  # fmt: skip
def test_a_system_disk_or_one_in_use_is_refused(tmp_path: Path, settings: dict[str, str], path: str, why: str) -> None:
    with pytest.raises(OperatorFault, match=why):
        checked_disk(Path(path), machine(tmp_path, **settings))


def test_a_disk_below_an_encrypted_one_is_refused(tmp_path: Path) -> None:
    there = machine(tmp_path)
    (tmp_path / "sys" / "devices" / "sdb" / "sdb1" / "holders" / "dm-0").mkdir()
    with pytest.raises(OperatorFault, match="被其他磁盘"):
        checked_disk(Path("/dev/sdb"), there)
