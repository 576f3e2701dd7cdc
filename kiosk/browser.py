"""How the screen's browser is started: Chromium or cog, under a compositor that shows nothing else."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

SMALL_MEMORY = 1536 * 2**20  # ours: below it Chromium does not live long (reference/kiosk.md 2.2)
MEMORY_CEILING = {"chromium": 900 * 2**20, "cog": 450 * 2**20}  # ours: twice what was measured
CHROMIUM = (
    "--kiosk", "--incognito", "--no-first-run", "--disable-pinch", "--overscroll-history-navigation=0",
    "--no-memcheck", "--disable-translate", "--disable-features=Translate,MediaRouter", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-session-crashed-bubble",
    "--disable-infobars", "--noerrdialogs", "--disable-extensions", "--disable-quic", "--disable-dev-tools",
    "--process-per-site", "--enable-low-end-device-mode", "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding", "--lang=zh-CN",
)  # fmt: skip
PREFERENCES = b'{"translate":{"enabled":false},"intl":{"accept_languages":"zh-CN"}}'  # of a fresh profile


def policy(url: str, own_page: Path) -> bytes:
    """Chromium's managed policy: nothing but our own pages, the keeper's (`own_page`, a file) too; no dialogs, no
    tools. For `/etc/chromium/policies/managed`.

    Keys as in https://chromeenterprise.google/policies/ .
    """
    return json.dumps(
        {
            "URLBlocklist": ["*"],
            "URLAllowlist": [url.rstrip("/"), own_page.absolute().as_uri()],
            "DeveloperToolsAvailability": 2,
            "AllowFileSelectionDialogs": False,
            "PrintingEnabled": False,
            "DownloadRestrictions": 3,
            "TranslateEnabled": False,
            "IncognitoModeAvailability": 2,
            "BrowserAddPersonEnabled": False,
            "BrowserGuestModeEnabled": False,
            "BrowserSignin": 0,
            "EditBookmarksEnabled": False,
            "PasswordManagerEnabled": False,
            "AutofillAddressEnabled": False,
            "AutofillCreditCardEnabled": False,
            "DefaultNotificationsSetting": 2,
            "DefaultGeolocationSetting": 2,
            "AudioCaptureAllowed": False,
            "VideoCaptureAllowed": False,
            "ExtensionInstallBlocklist": ["*"],
            "FullscreenAllowed": True,
            "SavingBrowserHistoryDisabled": True,
        },
        indent=1,
        sort_keys=True,
    ).encode()


def chosen(wanted: str, total_memory: int) -> str:
    """The browser for a machine with so many bytes of memory, unless one is `wanted`."""
    return wanted if wanted != "auto" else ("cog" if total_memory < SMALL_MEMORY else "chromium")


def command(browser: str, url: str, profile: Path, extra: Sequence[str] = ()) -> list[str]:
    """The command line of `browser` for `url`; `profile` should lie on a tmpfs."""
    if browser == "cog":
        return ["cog", "--webprocess-failure=restart", "--doc-viewer", *extra, url]
    return ["chromium", *CHROMIUM, f"--user-data-dir={profile}", *extra, f"--app={url}"]  # an app: keys are the page's


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment of the browser: nothing of ours but where to draw."""
    kept = ("PATH", "HOME", "LANG", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")
    return {**{name: base[name] for name in kept if name in base}, "LANGUAGE": "zh_CN"}


def memory_of(group: int, proc: Path = Path("/proc")) -> int:
    """Bytes of memory of every process of the process group `group`, shared pages by their share (PSS)."""
    return sum(_proportional(place.parent) for place in proc.glob("[0-9]*/stat") if _group(place) == group)


def _group(stat: Path) -> int:
    try:
        return int(stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[2])
    except (OSError, IndexError):
        return 0  # it has just ended


def _proportional(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def total_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes of memory of this machine."""
    first = meminfo.read_text(encoding="ascii").splitlines()[0]
    return int(first.split()[1]) * 1024
