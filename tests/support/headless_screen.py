"""A real wlroots compositor without a screen: sway, one 1280x720 output, software rendering. Never as root."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

SWAY, GRIM = shutil.which("sway"), shutil.which("grim")
WIDTH, HEIGHT = 1280, 720
START_S = 30.0
CONFIG = f"""output HEADLESS-1 mode {WIDTH}x{HEIGHT} bg #000000 solid_color
default_border none
hide_edge_borders --i3 both
seat * hide_cursor 1000
"""


class HeadlessScreen:
    """`with HeadlessScreen() as screen`: `screen.environment` is what a Wayland client needs, `screen.folder` is its
    user's own. The name is short: a socket's path has 108 bytes at most (unix(7))."""

    def __init__(self) -> None:
        self._folder = self.folder = Path(tempfile.mkdtemp(prefix="lhw-"))

    def __enter__(self) -> Self:
        config = self._folder / "sway.conf"
        config.write_text(CONFIG)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "LANG")},
            "XDG_RUNTIME_DIR": str(self._folder), "HOME": str(self._folder), "WLR_BACKENDS": "headless",
            "WLR_RENDERER": "pixman", "WLR_LIBINPUT_NO_DEVICES": "1",
        }  # fmt: skip
        user = [shutil.which("setpriv") or "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        self.user = user if os.geteuid() == 0 else []
        if self.user:
            for place in (self._folder, config):
                os.chown(place, 65534, 65534)
        self.process = subprocess.Popen(
            [*self.user, "sway", "--config", str(config)],
            env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + START_S
        while not (sockets := list(self._folder.glob("wayland-[0-9]"))):
            assert self.process.poll() is None, "sway ended"
            assert time.monotonic() < deadline, "sway did not start"
            time.sleep(0.05)
        self.environment["WAYLAND_DISPLAY"] = sockets[0].name
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def grab(self, path: Path) -> Path:
        """A PNG of all that is shown."""
        subprocess.run(["grim", str(path)], env=self.environment, check=True, timeout=20)
        return path
