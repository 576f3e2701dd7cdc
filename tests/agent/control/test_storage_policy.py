"""What may leave a disk: receipted, past retention and not held, by a clock that is trusted; nothing else, ever."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from agent.control.storage_policy import KeptRecording, StoragePolicy, Tier, leaving, may_go, tier
from agent.wire.identifiers import device_id, recording_id
from agent.wire.instant import TimeState
from tests.support.clocks import SteppedClock

NOW = SteppedClock().read()
POLICY = StoragePolicy(8 * 2**20, 4_064_000, 4, 0.5, timedelta(days=183), make_room=True)
OLD = KeptRecording(recording_id(device_id("REC-0001"), 1), 1000, NOW.wall - timedelta(days=184), True, False)


@pytest.mark.parametrize(("receipted", "past", "held", "known"), list(product((True, False), repeat=4)))
def test_only_receipted_and_past_retention_and_not_held_may_go(
    receipted: bool, past: bool, held: bool, known: bool
) -> None:
    ended = NOW.wall - timedelta(days=184 if past else 182)
    kept = replace(OLD, receipted=receipted, held=held, ended=ended if known else None)
    assert may_go(kept, POLICY, NOW) is (receipted and past and not held and known)


@pytest.mark.parametrize("state", [TimeState.UNSET, TimeState.HOLDOVER])
def test_a_clock_that_jumped_ten_years_deletes_nothing(state: TimeState) -> None:
    jumped = replace(NOW, wall=NOW.wall + timedelta(days=3650), state=state)
    assert may_go(OLD, POLICY, jumped) is False


def test_a_full_disk_is_no_reason_to_delete_what_has_no_receipt() -> None:
    rows = [OLD, replace(OLD, receipted=False), replace(OLD, held=True)]
    assert leaving(rows, POLICY, NOW, Tier.FULL) == [OLD]
    assert leaving(rows, POLICY, NOW, Tier.PLENTY) == []
    assert leaving(rows, replace(POLICY, make_room=False), NOW, Tier.FULL) == []


def test_tiers_fall_by_hours_left_and_do_not_flutter() -> None:
    hour = int(POLICY.bits_per_second / 8 * 3600)
    at = [tier(8 * 2**20 + int(hours * hour), POLICY) for hours in (5, 4, 0.5, 0)]
    assert at == [Tier.PLENTY, Tier.LOW, Tier.SHORT, Tier.FULL]
    assert tier(8 * 2**20 + int(4.2 * hour), POLICY, Tier.LOW) is Tier.LOW
    assert tier(8 * 2**20 + int(4.5 * hour), POLICY, Tier.LOW) is Tier.PLENTY
