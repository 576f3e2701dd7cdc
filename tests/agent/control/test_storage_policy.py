"""What may leave a disk: receipted, past retention and not held, by a clock that is trusted; nothing else, ever."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from agent.control.storage_policy import KeptRecording, StoragePolicy, Tier, may_go, tier
from agent.wire.identifiers import device_id, recording_id
from agent.wire.instant import TimeState
from tests.support.clocks import SteppedClock

NOW = SteppedClock().read()
POLICY = StoragePolicy(8 * 2**20, 4_064_000, 4, 0.5)
RETENTION = timedelta(days=183)
OLD = KeptRecording(recording_id(device_id("REC-0001"), 1), 1000, NOW.wall - timedelta(days=184), True, False)


@pytest.mark.parametrize(("receipted", "past", "held", "known"), list(product((True, False), repeat=4)))
def test_only_receipted_and_past_retention_and_not_held_may_go(
    receipted: bool, past: bool, held: bool, known: bool
) -> None:
    ended = NOW.wall - timedelta(days=184 if past else 182)
    kept = replace(OLD, receipted=receipted, held=held, ended=ended if known else None)
    assert may_go(kept, RETENTION, NOW) is (receipted and past and not held and known)


@pytest.mark.parametrize("state", [TimeState.UNSET, TimeState.HOLDOVER])
def test_a_clock_that_jumped_ten_years_deletes_nothing(state: TimeState) -> None:
    jumped = replace(NOW, wall=NOW.wall + timedelta(days=3650), state=state)
    assert may_go(OLD, RETENTION, jumped) is False


def test_no_configured_retention_is_shorter_than_six_months() -> None:
    kept = replace(OLD, ended=NOW.wall - timedelta(days=182))
    assert may_go(kept, timedelta(0), NOW) is False


def test_tiers_fall_by_hours_left_and_do_not_flutter() -> None:
    hour = int(POLICY.bits_per_second / 8 * 3600)
    at = [tier(8 * 2**20 + int(hours * hour), POLICY) for hours in (5, 4, 0.5, 0)]
    assert at == [Tier.PLENTY, Tier.LOW, Tier.SHORT, Tier.FULL]
    assert tier(8 * 2**20 + int(4.2 * hour), POLICY, Tier.LOW) is Tier.LOW
    assert tier(8 * 2**20 + int(4.5 * hour), POLICY, Tier.LOW) is Tier.PLENTY
