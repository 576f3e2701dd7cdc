"""How full the disk is, in hours of recording."""

from agent.control.storage_policy import StoragePolicy, Tier, tier

POLICY = StoragePolicy(8 * 2**20, 4_064_000, 4, 0.5)


def test_tiers_fall_by_hours_left_and_do_not_flutter() -> None:
    hour = int(POLICY.bits_per_second / 8 * 3600)
    at = [tier(8 * 2**20 + int(hours * hour), POLICY) for hours in (5, 4, 0.5, 0)]
    assert at == [Tier.PLENTY, Tier.LOW, Tier.SHORT, Tier.FULL]
    assert tier(8 * 2**20 + int(4.2 * hour), POLICY, Tier.LOW) is Tier.LOW
    assert tier(8 * 2**20 + int(4.5 * hour), POLICY, Tier.LOW) is Tier.PLENTY
