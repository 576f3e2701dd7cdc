"""Evidence on a file system that loses confirmed files is refused, with the reason; what cannot be told is let pass."""

from pathlib import Path

import pytest

from agent.adapters.disk_kind import LOSSY, MOUNTS, file_system, refuse_lossy
from agent.errors import OperatorFault

OPTIONS = "rw,relatime"


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    card = str(tmp_path / "my card").replace(" ", "\\040")
    lines = [
        f"22 1 8:1 / / {OPTIONS} shared:1 - ext4 /dev/root rw",
        f"40 22 8:2 / {card} {OPTIONS} shared:2 - ext4 /dev/mmcblk0p2 rw",
        f"41 22 8:3 / {card} {OPTIONS} shared:3 master:1 - vfat /dev/mmcblk0p1 rw",
        f"42 41 8:4 / {card}/inner {OPTIONS} - f2fs /dev/mmcblk0p3 rw",
        "a line that is none",
    ]
    (tmp_path / "mountinfo").write_text("\n".join(lines) + "\n")
    (tmp_path / "my card" / "inner").mkdir(parents=True)
    return tmp_path / "mountinfo"


def test_a_state_folder_on_fat_is_refused_with_the_reason(tmp_path: Path, mounts: Path) -> None:
    with pytest.raises(OperatorFault, match=r"vfat.*断电.*ext4"):
        refuse_lossy(tmp_path / "my card" / "state", mounts)


def test_the_innermost_mount_counts_and_of_two_at_one_point_the_later(tmp_path: Path, mounts: Path) -> None:
    assert file_system(tmp_path / "my card", mounts) == "vfat"
    assert file_system(tmp_path / "my card" / "inner" / "state", mounts) == "f2fs"
    assert file_system(tmp_path / "elsewhere", mounts) == "ext4"
    assert file_system(tmp_path / "my cards", mounts) == "ext4", "the name of a folder is not its beginning"


def test_a_link_does_not_hide_the_card(tmp_path: Path, mounts: Path) -> None:
    (tmp_path / "state").symlink_to(tmp_path / "my card")
    with pytest.raises(OperatorFault):
        refuse_lossy(tmp_path / "state", mounts)


def test_what_the_mounts_do_not_tell_is_let_pass(tmp_path: Path) -> None:
    refuse_lossy(tmp_path, tmp_path / "missing")
    assert file_system(tmp_path, tmp_path / "missing") == ""


def test_the_disk_of_this_test_is_told_by_the_kernel(tmp_path: Path) -> None:
    assert file_system(tmp_path, MOUNTS) not in LOSSY | {""}
