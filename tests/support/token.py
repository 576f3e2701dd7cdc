"""A PKCS#11 token without hardware: SoftHSM2, one per test process, as its library reads its configuration once."""

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

PIN = "482913"
_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm.so", "/usr/lib64/libsofthsm2.so")


@dataclass(frozen=True)
class SoftToken:
    """A token labelled `name` with PIN `PIN`; `import_key` puts PKCS8 PEM keys into it."""

    name: str
    module: Path

    def import_key(self, pem: Path, label: str, number: str) -> None:
        _util("--import", str(pem), "--token", self.name, "--label", label, "--id", number, "--pin", PIN)


def soft_token() -> SoftToken:
    """The token of this process; skips the test where SoftHSM2 is not installed."""
    module = next((Path(place) for place in _MODULES if Path(place).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("softhsm2 is not installed")
    return _initialised(module)


@functools.cache
def _initialised(module: Path) -> SoftToken:
    place = Path(tempfile.mkdtemp(prefix="softhsm-"))
    atexit.register(shutil.rmtree, place)
    (place / "tokens").mkdir()
    (place / "softhsm2.conf").write_text(f"directories.tokendir = {place}/tokens\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(place / "softhsm2.conf")
    _util("--init-token", "--free", "--label", "REC-0001", "--pin", PIN, "--so-pin", "00000000")
    return SoftToken("REC-0001", module)


def _util(*arguments: str) -> None:
    subprocess.run(["softhsm2-util", *arguments], check=True, capture_output=True, timeout=60)
