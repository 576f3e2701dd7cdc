"""Before duty: what must not be taken out fails, what nobody could measure never passes, every line says what to do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.control.self_check import RULES, Board, Level, Observed, Presence, self_check, worst
from agent.control.storage_policy import StoragePolicy
from agent.wire.instant import TimeState
from tests.support.clocks import SteppedClock

NOW = SteppedClock().read()
GIB = 2**30
GOOD = Observed(
    NOW, 100, False, 40 * GIB, 40_000, Presence.THERE, Presence.THERE, NOW.wall - timedelta(days=30),
    NOW.wall + timedelta(days=400), NOW.wall - timedelta(hours=2), 3, 8, 8,
    StoragePolicy(8 * 2**20, 4_064_000, 4, 0.5),
)  # fmt: skip


def levels(seen: Observed) -> dict[str, Level]:
    return {item.name: item.level for item in self_check(seen)}


def test_a_good_recorder_passes_everything() -> None:
    assert set(levels(GOOD).values()) == {Level.PASS}
    assert worst(self_check(GOOD)) is Level.PASS


@pytest.mark.parametrize(
    ("item", "changed", "level"),
    [
        ("battery", {"battery_percent": 60}, "attention"),
        ("battery", {"battery_percent": 10}, "fail"),
        ("battery", {"battery_percent": 10, "charging": True}, "pass"),
        ("battery", {"battery_percent": None}, "attention"),
        ("storage", {"free_bytes": 5 * GIB}, "attention"),
        ("storage", {"free_bytes": GIB // 2}, "fail"),
        ("storage", {"free_bytes": None}, "fail"),
        ("heat", {"temperature_mc": 81_000}, "attention"),
        ("heat", {"temperature_mc": None}, "attention"),
        ("board", {"board": Board(under_voltage=True)}, "fail"),
        ("board", {"board": Board(throttled=True)}, "attention"),
        ("board", {"board": Board(clock_lost=True)}, "attention"),
        ("clock", {"now": replace(NOW, state=TimeState.UNSET, error_ms=None)}, "attention"),
        ("clock", {"now": replace(NOW, error_ms=16_000)}, "attention"),
        ("clock", {"now": replace(NOW, wall=NOW.wall - timedelta(days=3650))}, "fail"),
        ("camera", {"camera": Presence.MISSING}, "fail"),
        ("camera", {"camera": Presence.SYNTHETIC}, "fail"),
        ("camera", {"camera": Presence.UNKNOWN}, "attention"),
        ("microphone", {"microphone": Presence.MISSING}, "attention"),
        ("microphone", {"camera": Presence.UNWANTED, "microphone": Presence.MISSING}, "fail"),
        ("microphone", {"camera": Presence.UNWANTED, "microphone": Presence.UNWANTED}, "fail"),
        ("certificate", {"valid_until": NOW.wall + timedelta(days=29)}, "attention"),
        ("certificate", {"valid_until": NOW.wall}, "fail"),
        ("certificate", {"revoked_at": NOW.wall - timedelta(days=1)}, "fail"),
        ("sync", {"last_sync": None}, "attention"),
        ("sync", {"last_sync": NOW.wall - timedelta(days=2)}, "attention"),
        ("sync", {"last_sync": NOW.wall - timedelta(days=8)}, "fail"),
        ("sync", {"last_sync": NOW.wall - timedelta(days=8), "waiting": 0}, "pass"),
    ],
)
def test_each_fault_is_seen_by_its_own_rule(item: str, changed: dict[str, Any], level: str) -> None:
    assert levels(replace(GOOD, **changed))[item] == level


def test_every_line_is_one_line_of_chinese_and_worse_than_pass_names_a_next_step() -> None:
    broken = replace(
        GOOD, battery_percent=5, free_bytes=None, camera=Presence.MISSING, microphone=Presence.MISSING,
        valid_until=NOW.wall, last_sync=None, temperature_mc=90_000, now=replace(NOW, state=TimeState.UNSET),
    )  # fmt: skip
    items = self_check(broken)
    assert [item.name for item in items] == [name for name, _ in RULES]
    assert all("\n" not in item.text and item.text.endswith("。") for item in items)
    assert all("请" in item.text for item in items if item.level is not Level.PASS)
    assert worst(items) is Level.FAIL
