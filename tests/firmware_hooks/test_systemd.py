"""What systemd makes of the unit files: nothing wrong, well fenced in, and nothing fenced out that recording needs."""

import configparser
import json
import os
import re
import shutil
import subprocess
import tomllib
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

import firmware_hooks
from agent.adapters.hall_folder import HallFolder
from agent.adapters.state_lock import hold
from agent.config import PAGE
from agent.loop import IDLE_S
from agent.page.pin import PIN_NAME
from agent.page.serving import listen_address
from agent.settings import KIOSK_LISTEN
from kiosk.away_page import FILE
from kiosk.browser import policy
from kiosk.cli import PROFILE
from kiosk.serving import CHECK_S

HERE = Path(firmware_hooks.__file__).parent
ROOT = HERE.parent
UNITS = ("agent", "page", "kiosk", "screen", "firstboot", "settle", "renew")
EXPOSURE = {
    "agent": 2.1,  # 0.1 of it is the right to step behind (setpriority)
    "page": 1.6,
    "kiosk": 0.9,
    "screen": 2.1,  # 0.5 of it are the three kinds of namespaces and chroot(2) that Chromium's own sandbox is made of
    "firstboot": 3.1,
    "settle": 1.3,
    "renew": 1.1,
}  # systemd 252; 0 is a box without doors, 10 is root
NEEDS_SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def unit(name: str) -> dict[str, list[str]]:
    """Every key of a unit with its values."""
    found: dict[str, list[str]] = {}
    for line in (HERE / f"systemd/liuhen-{name}.service").read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def checkable(name: str, folder: Path) -> Path:
    """The unit with a program that is here: systemd-analyze looks whether it is."""
    text = (HERE / f"systemd/liuhen-{name}.service").read_text(encoding="utf-8")
    place = folder / f"liuhen-{name}.service"
    place.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE), encoding="utf-8")
    return place


@NEEDS_SYSTEMD
def test_systemd_finds_nothing_wrong_in_any_unit(tmp_path):
    places = [checkable(name, tmp_path) for name in UNITS]
    places.append(Path(shutil.copy(HERE / "systemd/liuhen-renew.timer", tmp_path)))
    told = subprocess.run(["systemd-analyze", "verify", *places], check=False, capture_output=True, text=True)
    ours = [line for line in told.stderr.splitlines() if "liuhen" in line]
    assert (ours, told.returncode) == ([], 0)


@NEEDS_SYSTEMD
def test_misspelt_setting_would_be_found(tmp_path):
    place = checkable("agent", tmp_path)
    place.write_text(place.read_text(encoding="utf-8").replace("ProtectHome=", "ProtectHoem="), encoding="utf-8")
    told = subprocess.run(["systemd-analyze", "verify", place], check=False, capture_output=True, text=True)
    assert "ProtectHoem" in told.stderr


@NEEDS_SYSTEMD
@pytest.mark.parametrize("name", UNITS)
def test_unit_is_fenced_in_as_far_as_it_was(name, tmp_path):
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", checkable(name, tmp_path)]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told.stdout)
    assert found is not None, told.stderr
    assert float(found[1]) <= EXPOSURE[name]


def test_agent_may_read_how_the_clock_is_disciplined():
    """Bites with ProtectClock=yes, which forbids adjtimex(2): every recording would say that its time is unset."""
    agent = unit("agent")
    assert "ProtectClock" not in agent
    assert "adjtimex clock_adjtime clock_adjtime64" in agent["SystemCallFilter"]
    assert "ProcSubset" not in agent  # the boot id is in /proc/sys


def calls_of(name: str) -> set[str]:
    """The system calls that a unit leaves, its lines taken in their order as systemd.exec(5) says."""
    left: set[str] = set()
    for line in unit(name)["SystemCallFilter"]:
        calls = expanded(line.removeprefix("~").split())
        left = left - calls if line.startswith("~") else left | calls
    return left


def expanded(names: list[str]) -> set[str]:
    """`names` with every @set as its calls."""
    found: set[str] = set()
    for name in names:
        if name.startswith("@"):
            told = subprocess.run(
                ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
            )
            found |= expanded([it.strip() for it in told.stdout.splitlines()[1:] if it.strip() and "#" not in it])
        else:
            found.add(name)
    return found


@NEEDS_SYSTEMD
def test_agent_may_put_uploads_and_collecting_behind_the_recording():
    """Bites with ~@resources alone: nice(2) is refused, the collector's thread dies of it and ends the recording, and
    no upload ever begins."""
    assert {"setpriority", "fdatasync", "adjtimex"} <= calls_of("agent")
    assert not {"setpriority", "sched_setaffinity", "mount"} & calls_of("kiosk")
    assert not {"sched_setscheduler", "setuid", "mount", "clock_settime"} & calls_of("agent")


def test_officers_page_can_ask_sign_and_look_and_waits_for_a_pin():
    """Bites with PrivateDevices=yes (the self-check finds no camera) and with a state folder that it cannot write."""
    page = unit("page")
    assert page["ConditionPathExists"] == [str(Path("/var/lib/liuhen/state") / PAGE / PIN_NAME)]
    assert "PrivateDevices" not in page
    assert (page["DevicePolicy"], page["User"]) == (["closed"], unit("agent")["User"])
    assert page["ReadWritePaths"] == ["-/var/lib/liuhen/state"]
    assert "adjtimex clock_adjtime clock_adjtime64" in page["SystemCallFilter"]
    assert "ProcSubset" not in page
    assert page["IPAddressDeny"] == ["any"]
    for place in ("127.0.0.1", "192.168.7.2", "10.55.0.1", "172.20.0.1", "169.254.3.4"):
        listen_address(f"{place}:8471")
        allowed = ["127.0.0.0/8", "169.254.0.0/16", *page["IPAddressAllow"][0].split()[2:]]
        assert any(IPv4Address(place) in IPv4Network(net) for net in allowed)


@NEEDS_SYSTEMD
def test_children_of_the_officers_page_may_step_behind_the_recording():
    assert "setpriority" in calls_of("page")


def test_watchdog_waits_longer_than_an_idle_loop_does():
    agent = unit("agent")
    assert agent["Type"] == ["notify"]
    assert int(agent["WatchdogSec"][0].rstrip("s")) >= 3 * IDLE_S


def test_a_kiosk_server_that_hangs_is_replaced_and_a_slow_one_is_not():
    kiosk = unit("kiosk")
    assert kiosk["NotifyAccess"] == ["main"]
    assert int(kiosk["WatchdogSec"][0].rstrip("s")) >= 30 * CHECK_S


def test_wrong_configuration_is_not_tried_for_ever_and_a_fault_is():
    for name in ("agent", "page", "kiosk"):
        assert unit(name)["Restart"] == ["always"]
        assert int(unit(name)["StartLimitBurst"][0]) > 1
    for name in ("agent", "page"):
        assert unit(name)["RestartPreventExitStatus"] == ["2"]
    assert "RestartPreventExitStatus" not in unit("kiosk")  # the screen waits until its file is mended
    assert " --retry 5 " in unit("kiosk")["ExecStart"][0]
    assert unit("agent")["StartLimitAction"] == ["reboot"]
    for name in ("page", "kiosk", "screen"):  # never given up: starts that far apart do not reach the limit
        seconds = [int(unit(name)[key][0].rstrip("s")) for key in ("StartLimitIntervalSec", "RestartSec")]
        assert seconds[0] < seconds[1] * int(unit(name)["StartLimitBurst"][0])


def test_units_start_commands_that_are_installed():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    for name in ("agent", "page", "kiosk"):
        program, *words = unit(name)["ExecStart"][0].split()
        assert Path(program).name in scripts
        assert words[-2] == "--config"
        assert Path(words[-1]).is_relative_to("/var/lib/liuhen")


def test_first_boot_goes_before_the_agent_and_not_on_for_ever_where_it_cannot_help():
    boot, settle = unit("firstboot"), unit("settle")
    assert boot["Before"] == settle["Before"] == ["liuhen-agent.service"]
    assert boot["RestartPreventExitStatus"] == ["2 3"]
    assert "/var/lib/liuhen/enrolment" in boot["ConditionPathExists"][1]  # one that was interrupted goes on
    assert "CAP_SYS_TIME" in boot["CapabilityBoundingSet"][0]
    assert {"User"} - settle.keys() == {"User"}  # /opt/liuhen is root's


def test_renewal_is_looked_after_daily_also_on_a_device_that_was_off_and_fails_for_no_lack_of_network():
    timer = (HERE / "systemd/liuhen-renew.timer").read_text(encoding="utf-8")
    assert {"OnCalendar=daily", "Persistent=yes", "WantedBy=timers.target"} <= set(timer.splitlines())
    assert unit("renew")["SuccessExitStatus"] == ["4"]
    assert unit("renew")["ConditionPathExists"] == ["/var/lib/liuhen/agent.toml"]
    assert unit("renew")["User"] == unit("agent")["User"]  # whose key it replaces
    assert "InaccessiblePaths" in unit("renew")


def test_kiosk_server_can_read_neither_recordings_nor_the_outbox():
    hidden = unit("kiosk")["InaccessiblePaths"][0]
    assert {"recordings", "photos", "agent.db"} <= {Path(place).name for place in hidden.split()}
    assert unit("kiosk")["User"] != unit("agent")["User"]
    assert unit("kiosk")["Group"] == unit("agent")["Group"]


def test_kiosk_server_may_write_what_it_must_and_the_devices_key_is_lent_to_it_in_memory():
    """Bites where it cannot sign its log, keep a complaint or leave one for the agent: all three were so once."""
    kiosk, places = unit("kiosk"), (HERE / "systemd/tmpfiles-liuhen.conf").read_text("utf-8")
    assert kiosk["StateDirectory"] == ["liuhen/kiosk-state"]
    assert kiosk["ReadWritePaths"] == ["-/var/lib/liuhen/state/outgoing"]
    assert "d /var/lib/liuhen/state/outgoing 0770 liuhen liuhen" in places
    lent, words = kiosk["ExecStartPre"][0].split(), kiosk["ExecStart"][0].split()
    assert lent[:3] == ["-+/usr/bin/install", "-m", "0400"]
    assert lent[-1] == words[words.index("--evidence-key") + 1]
    assert Path(lent[-1]).parent == Path("/run") / kiosk["RuntimeDirectory"][0]


def test_screen_is_the_keeper_in_a_compositor_that_shows_one_window_and_knows_no_other_console():
    words = unit("screen")["ExecStart"][0].split()
    at = words.index("--")
    assert (words[0], words[at + 1 : at + 3]) == ("/usr/bin/cage", ["/opt/liuhen/bin/liuhen-kiosk", "screen"])
    assert "-s" not in words[:at]
    assert f"http://{KIOSK_LISTEN}/" in words
    assert unit("screen")["RestrictNamespaces"] == ["user pid net"]
    keyboards = [line for line in (HERE / "udev/70-liuhen.rules").read_text("utf-8").splitlines() if "KEYBOARD" in line]
    assert keyboards[-1].endswith('ENV{LIBINPUT_IGNORE_DEVICE}="1"')


def test_policy_that_is_placed_is_the_one_that_the_kiosk_prints():
    placed = json.loads((HERE / "chromium/liuhen-kiosk.json").read_text("utf-8"))
    assert placed == json.loads(policy(f"http://{KIOSK_LISTEN}/", PROFILE / FILE))


def test_screen_may_leave_what_is_to_be_sent_whatever_umask_the_agent_has(tmp_path):
    before = os.umask(0o027)
    try:
        HallFolder(tmp_path / "state").prepare()
    finally:
        os.umask(before)
    assert (tmp_path / "state/outgoing").stat().st_mode & 0o777 == 0o770


def test_group_of_the_kiosk_gets_through_the_state_folder(tmp_path):
    with hold(tmp_path / "state"):
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o750


def test_everything_is_placed_where_systemd_and_udev_look(tmp_path):
    told = subprocess.run(["sh", HERE / "place.sh", tmp_path], check=True, capture_output=True, text=True)
    placed = {str(place.relative_to(tmp_path)) for place in tmp_path.rglob("*") if place.is_file()}
    assert placed == {
        "usr/lib/systemd/system/liuhen-agent.service",
        "usr/lib/systemd/system/liuhen-page.service",
        "usr/lib/systemd/system/liuhen-kiosk.service",
        "usr/lib/systemd/system/liuhen-screen.service",
        "usr/lib/systemd/system/liuhen-firstboot.service",
        "usr/lib/systemd/system/liuhen-settle.service",
        "usr/lib/systemd/system/liuhen-renew.service",
        "usr/lib/systemd/system/liuhen-renew.timer",
        "usr/lib/sysusers.d/liuhen.conf",
        "usr/lib/tmpfiles.d/liuhen.conf",
        "usr/lib/systemd/journald.conf.d/liuhen.conf",
        "usr/lib/udev/rules.d/70-liuhen.rules",
        "etc/chromium/policies/managed/liuhen-kiosk.json",
        "usr/share/doc/liuhen/README.md",
    }
    assert all(unit(name)["Documentation"] == ["file:///usr/share/doc/liuhen/README.md"] for name in UNITS)
    assert "systemctl enable --now liuhen-agent" in told.stdout


@NEEDS_SYSTEMD
def test_users_of_the_units_are_made_by_sysusers(tmp_path):
    subprocess.run(["sh", HERE / "place.sh", tmp_path], check=True, capture_output=True)
    (tmp_path / "etc").mkdir(exist_ok=True)
    command = ["systemd-sysusers", f"--root={tmp_path}"]
    if shutil.which(command[0]) is None:
        pytest.skip("systemd-sysusers is not installed")
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    if told.returncode:
        pytest.skip(f"systemd-sysusers wants more than this machine allows: {told.stderr.strip()[-100:]}")
    made = {line.split(":")[0] for line in (tmp_path / "etc/passwd").read_text(encoding="utf-8").splitlines()}
    assert {unit(name)["User"][0] for name in UNITS if "User" in unit(name)} <= made


def test_journal_is_bounded_and_nothing_is_ever_aged_away():
    settings = configparser.ConfigParser()
    settings.read(HERE / "systemd/journald-liuhen.conf", encoding="utf-8")
    assert settings["Journal"]["SystemMaxUse"] == "64M"
    rows = [line.split() for line in (HERE / "systemd/tmpfiles-liuhen.conf").read_text("utf-8").splitlines()]
    assert all(row[-1] == "-" and row[0] in {"d", "z"} for row in rows if row and row[0] != "#")


def test_names_of_serial_lines_are_those_the_readme_uses():
    rules = (HERE / "udev/70-liuhen.rules").read_text(encoding="utf-8")
    named = set(re.findall(r'SYMLINK\+="liuhen/([a-z-]+)"', rules))
    assert {"mcu", "gnss", "card", "printer"} <= named
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"/dev/liuhen/([a-z-]+)", readme + rules)) <= named
    for line in rules.splitlines():
        if line and not line.startswith("#"):
            assert re.fullmatch(r'([A-Z]+(\{\w+\})?(==|!=|=|\+=)"[^"]*"(, )?)+', line), line
