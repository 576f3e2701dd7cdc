"""Every scenario of the crash explorer, by name."""

from tests.faults.device_scenarios import DEVICE_SCENARIOS

SCENARIOS = {it.name: it for it in DEVICE_SCENARIOS}
