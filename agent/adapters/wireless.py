"""Whether a wireless network is up, as the kernel's tree tells it."""

from pathlib import Path


def wifi_is_up(sysfs: Path) -> bool:
    """Whether one of the wireless interfaces is connected; `sysfs` is the kernel's tree, usually /sys."""
    for state in (sysfs / "class" / "net").glob("*/operstate"):
        try:
            if (state.parent / "wireless").exists() and state.read_text().strip() == "up":
                return True
        except OSError:
            continue  # the interface went away in between
    return False
