"""A device without a network installs from what the bench downloaded: nothing that its Python needs may be missing, nor
asked for where there is none."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from agent.errors import OperatorFault
from provisioning.fleet.closure import Need, Target, needs, parse_pins, pinned
from provisioning.fleet.wheelhouse import PYTHONS, fetch

REPOSITORY = Path(__file__).parents[2]
METADATA = """Metadata-Version: 2.4
Name: one
Provides-Extra: gpio
Provides-Extra: all
Requires-Dist: typing_extensions>=4; python_version < "3.13"
Requires-Dist: cffi; platform_machine == "aarch64"
Requires-Dist: colorama; sys_platform == "win32"
Requires-Dist: pip
Requires-Dist: Qr.Code[pil]>=8
Requires-Dist: lgpio; extra == "gpio" and python_version < "3.13"
Requires-Dist: one[gpio]; extra == "all"

Requires-Dist: not-a-header
"""


def names(python: str, machine: str, *extras: str) -> set[str]:
    return {need.name for need in needs(METADATA, frozenset(extras), Target(python, machine))}


def test_what_another_python_needs_is_not_judged_by_ours() -> None:
    assert names("3.11", "aarch64", "gpio") == {"typing-extensions", "cffi", "qr-code", "lgpio"}
    assert names("3.13", "aarch64", "gpio") == {"cffi", "qr-code"}
    assert names("3.11", "x86_64") == {"typing-extensions", "qr-code"}


def test_extras_of_extras_are_asked_for() -> None:
    found = set(needs(METADATA, frozenset({"all"}), Target("3.13", "x86_64")))
    assert found == {Need("qr-code", frozenset({"pil"})), Need("one", frozenset({"gpio"}))}


def test_an_extra_that_is_not_there_is_told() -> None:
    with pytest.raises(OperatorFault, match=r"nix.*all、gpio"):
        list(needs(METADATA, frozenset({"nix"}), Target("3.13", "x86_64")))


def test_a_version_that_nobody_fixed_is_told_with_who_needs_it() -> None:
    pins = parse_pins("# all\nQr_Code==8.2  # why\nlgpio==0.2.2.0; python_version < '3.13'\nloose>=1\n")
    assert pins == {"qr-code": "8.2", "lgpio": "0.2.2.0"}
    assert pinned("qr-code", pins, "one") == "qr-code==8.2"
    with pytest.raises(OperatorFault, match=r"loose.*one.*--constraints"):
        pinned("loose", pins, "one")


@pytest.mark.parametrize("system", PYTHONS)
def test_every_version_that_a_device_needs_is_fixed(system: str) -> None:
    """`make test` installs these very pins; what a device of another Python needs besides has one too."""
    from importlib import metadata

    pins = parse_pins((REPOSITORY / "constraints.txt").read_text(encoding="utf-8"))
    seen: dict[str, frozenset[str]] = {}
    step = [Need("liuhen", frozenset({"gpio", "printer", "offload"}))]
    while step:
        need = step.pop()
        if need.name in seen and need.extras <= seen[need.name]:
            continue
        seen[need.name] = need.extras | seen.get(need.name, frozenset())
        assert need.name == "liuhen" or pinned(need.name, pins, "a device")
        try:
            text = metadata.distribution(need.name).read_text("METADATA")
        except metadata.PackageNotFoundError:  # needed by the other Python alone
            continue
        step += needs(text or "", seen[need.name], Target(PYTHONS[system], "aarch64"))
    assert "cryptography" in seen


def test_a_wheel_that_is_cut_is_told_before_anything_is_downloaded(tmp_path: Path) -> None:
    wheel, pins = tmp_path / "liuhen-1.0-py3-none-any.whl", tmp_path / "constraints.txt"
    pins.write_text("rich==15.0.0\n", encoding="utf-8")
    with ZipFile(wheel, "w") as made:
        made.writestr("liuhen-1.0.dist-info/METADATA", METADATA)
    wheel.write_bytes(wheel.read_bytes()[:-30])
    with pytest.raises(OperatorFault, match="不是完好的 wheel"):
        fetch(tmp_path / "out", wheel, pins, Target("3.13", "aarch64"), frozenset())


def test_another_projects_wheel_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "other-1.0-py3-none-any.whl"
    wheel.write_bytes(b"")
    with pytest.raises(OperatorFault, match="--wheel"):
        fetch(tmp_path / "out", wheel, tmp_path / "none", Target("3.13", "aarch64"), frozenset())
