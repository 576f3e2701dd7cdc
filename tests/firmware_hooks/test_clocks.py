"""Clocks that lost their time say nothing rather than something wrong."""

import pytest

from firmware_hooks.clocks import Rtc, rtcs
from firmware_hooks.simulated_sysfs import SimulatedSysfs


def test_clock_with_a_battery_tells_its_time(tmp_path):
    sysfs = SimulatedSysfs(tmp_path)
    assert rtcs(tmp_path) == []
    sysfs.clock(1_795_000_000)
    assert rtcs(tmp_path) == [Rtc("rtc0", 1_795_000_000, set_kernel=True)]


@pytest.mark.parametrize("told", ["", "-5", "0", "4294967295999", "?"])
def test_clock_whose_battery_is_empty_tells_no_time(tmp_path, told):
    SimulatedSysfs(tmp_path).clock(told, set_kernel=False)
    assert rtcs(tmp_path) == [Rtc("rtc0", None, set_kernel=False)]
