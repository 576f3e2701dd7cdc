"""Disk images as Raspberry Pi OS has them, small: an MBR and a FAT32 boot partition with what it starts with."""

import struct
import subprocess
from pathlib import Path

START = 8192  # sectors, as in the official images
CLOUD_COMMENTED = b"#cloud-config\n# See the documentation of cloud-init\n#hostname: raspberrypi\n"
CMDLINE = (
    b"console=serial0,115200 console=tty1 root=PARTUUID=00000000-02 rootfstype=ext4 fsck.repair=yes rootwait quiet\n"
)
BOOKWORM = {"cmdline.txt": CMDLINE, "config.txt": b"dtparam=audio=on\n"}
TRIXIE = {**BOOKWORM, "user-data": CLOUD_COMMENTED, "meta-data": b"", "network-config": b"#network:\n"}


def card_image(path: Path, files: dict[str, bytes], mebibytes: int = 40) -> Path:
    """A sparse image at `path`."""
    sectors = mebibytes * 2048
    with path.open("wb") as image:
        image.truncate((START + sectors) * 512)
        entry = struct.pack("<B3sB3sII", 0, b"\0\0\0", 0x0C, b"\0\0\0", START, sectors)
        image.seek(446)
        image.write(entry + bytes(48) + b"\x55\xaa")
    command = ["mkfs.vfat", "-F", "32", "-s", "1", "-n", "bootfs", "--offset", str(START), str(path), str(sectors // 2)]
    run(command)
    for name, content in files.items():
        place = path.with_name(f"staged-{name}")
        place.write_bytes(content)
        run(["mcopy", "-i", f"{path}@@{START * 512}", str(place), f"::{name}"])
        place.unlink()
    return path


def extract(image: Path, folder: Path) -> Path:
    """The boot partition's files in a folder, as a device sees them."""
    folder.mkdir()
    run(["mcopy", "-i", f"{image}@@{START * 512}", "-s", "::*", str(folder)])
    return folder


def check_file_system(image: Path) -> None:
    """fsck finds nothing."""
    partition = image.with_suffix(".part")
    run(["dd", f"if={image}", f"of={partition}", "bs=512", f"skip={START}", "conv=sparse", "status=none"])
    run(["fsck.vfat", "-n", str(partition)])
    partition.unlink()


def run(command: list[str]) -> bytes:
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout
