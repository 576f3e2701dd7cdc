"""Batteries and heat as Linux tells them: a broken sensor is None, never an exception and never a wrong figure."""

import pytest

from firmware_hooks.power_and_heat import (
    HeatZone,
    PowerSupply,
    Throttling,
    battery,
    heat_zones,
    hottest,
    power_supplies,
    throttling,
)
from firmware_hooks.simulated_sysfs import SimulatedSysfs


@pytest.fixture
def sysfs(tmp_path):
    return SimulatedSysfs(tmp_path)


def test_machine_without_battery_or_sensors_tells_nothing(sysfs):
    assert power_supplies(sysfs.root) == heat_zones(sysfs.root) == []
    assert battery(sysfs.root) is hottest(sysfs.root) is throttling(sysfs.root) is None


def test_battery_is_found_beside_its_charger(sysfs):
    sysfs.supply("ac", type="Mains", online=1)
    sysfs.battery(81, "Charging", 3_912_000)
    assert battery(sysfs.root) == PowerSupply("battery", "Battery", 81, True, 3_912_000)
    assert [(it.name, it.online) for it in power_supplies(sysfs.root)] == [("ac", True), ("battery", None)]


@pytest.mark.parametrize("named", ["a-headset", "z-headset"])
def test_charge_of_what_is_only_connected_is_not_the_devices_own(sysfs, named):
    """An empty headset or card reader must end no recording."""
    sysfs.supply(named, type="Battery", scope="Device", capacity=1, status="Discharging")
    sysfs.supply("a-wireless-charger", type="Wireless", capacity=1)
    assert battery(sysfs.root) is None
    sysfs.battery(81)
    assert battery(sysfs.root).name == "battery"


@pytest.mark.parametrize(
    ("status", "charging"),
    [("Discharging", False), ("Full", True), ("Not charging", False), ("Unknown", None), ("\udcff", None)],
)
def test_unknown_status_is_not_taken_for_charging(sysfs, status, charging):
    sysfs.battery(50)
    (sysfs.root / "class/power_supply/battery/status").write_bytes(status.encode("utf-8", "surrogateescape"))
    assert battery(sysfs.root).charging is charging


@pytest.mark.parametrize("capacity", ["", "101", "-1", "full", "9" * 5000, "\0"])
def test_nonsense_of_a_fuel_gauge_is_not_a_charge(sysfs, capacity):
    sysfs.battery(50)
    sysfs.supply("battery", capacity=capacity)
    assert battery(sysfs.root) is None
    assert power_supplies(sysfs.root)[0].percent is None


def test_driver_that_fails_to_answer_is_not_known_and_hides_no_other(sysfs):
    sysfs.battery(50)
    unreadable = sysfs.root / "class/power_supply/battery/voltage_now"
    unreadable.unlink()
    unreadable.mkdir()  # reading it is EISDIR, as a driver's EIO would be
    assert battery(sysfs.root) == PowerSupply("battery", "Battery", 50, False)


def test_hottest_zone_counts_and_a_broken_sensor_does_not(sysfs):
    sysfs.heat(48_312)
    sysfs.heat(61_000, zone=1)
    sysfs.heat(2_000_000, zone=2)
    (sysfs.root / "class/thermal/cooling_device0").mkdir()
    assert hottest(sysfs.root) == 61_000
    assert [it.millidegrees for it in heat_zones(sysfs.root)] == [48_312, 61_000, None]
    assert heat_zones(sysfs.root)[0] == HeatZone("thermal_zone0", "cpu-thermal", 48_312)


def test_firmware_of_a_pi_tells_under_voltage(sysfs):
    sysfs.throttled(0x50005)
    assert throttling(sysfs.root) == Throttling(
        under_voltage=True, frequency_capped=False, throttled=True, soft_limit=False
    )
