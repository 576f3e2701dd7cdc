"""Every scenario of the crash explorer, by name. A traced process imports only what it plays: most of its time."""

from importlib import import_module

from tests.faults.explorer import Scenario

HOMES = {
    "outbox": "device_scenarios",
    "recording": "device_scenarios",
    "recording-at-rest": "device_scenarios",
    "disclosure": "device_scenarios",
    "disclosure-content": "device_scenarios",
    "segment-cut": "sealing_scenarios",
    "seal": "sealing_scenarios",
    "receipt": "keeping_scenarios",
    "deletion": "keeping_scenarios",
    "display-log": "hall_scenarios",
    "batch": "district_scenarios",
    "renewal": "folder_scenarios",
    "configuration": "folder_scenarios",
    "update": "folder_scenarios",
}
"""The name of each scenario and the module beside this one that plays it."""
SELDOM = {
    "takeover": "takeover_scenarios",
    "stamping": "custody_scenarios",
    "export": "custody_scenarios",
    "retention": "custody_scenarios",
    "publishing": "office_scenarios",
    "windows": "office_scenarios",
    "rotation": "device_folder_scenarios",
    "collected": "device_folder_scenarios",
    "notes": "device_folder_scenarios",
    "shared-folders": "device_folder_scenarios",
    "start-again": "device_folder_scenarios",
    "bench": "bench_scenarios",
    "identity": "bench_scenarios",
    "commands": "bench_scenarios",
    "secrets": "bench_scenarios",
    "durable": "writer_scenarios",
    "centre": "writer_scenarios",
    "complaints": "writer_scenarios",
}
"""The same for what is written so seldom, or synced so often, that a power cut leaves some hundred disks at most."""
CALL_BY_CALL = {
    **{name: home for name, home in HOMES.items() if name not in ("recording", "recording-at-rest", "segment-cut")},
    **SELDOM,
    "recorder": "writer_scenarios",
    "recorder-at-rest": "writer_scenarios",
}
"""Those whose disk fails at each call: a recording that goes on meanwhile is the recorder's own."""
CARELESS = {"careless": "careless_scenario"}
"""What must be found out."""
ENDLESS = {"field": "field_scenario"}
"""Played until the power of a whole guest goes (`tests/power`): it has no end that a trace could be taken of."""
ALL = HOMES | CALL_BY_CALL | CARELESS | ENDLESS


def scenario(name: str) -> Scenario:
    """The scenario called `name`."""
    home = import_module(f"tests.faults.{ALL[name]}")
    (found,) = (it for it in home.SCENARIOS if it.name == name)
    assert isinstance(found, Scenario)
    return found
