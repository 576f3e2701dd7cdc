"""The roster entry that is frozen into a recording (seed (一)4: six fields)."""

from datetime import date

import pytest

from agent.duty.officers import FROZEN_CHARACTERS, Listed, frozen
from agent.duty.roster import AnnualCheck, Officer

UNIT = "示例市东河经济技术开发区综合行政执法局第三执法大队"
CATEGORIES = ("行政处罚", "行政检查", "行政强制", "行政征收", "行政征用", "行政许可")


def officer(categories: tuple[str, ...], areas: tuple[str, ...]) -> Officer:
    until, number = date(2028, 12, 31), "示例-370500-000001"
    return Officer("示例甲", UNIT, "执法大队副大队长", number, categories, areas, until, AnnualCheck.PASSED, 2026)


@pytest.mark.parametrize("areas", [("示例区",), tuple(f"示例区第{number}街道" for number in range(40))])
def test_an_entry_of_real_length_keeps_name_post_unit_and_standing(areas: tuple[str, ...]) -> None:
    entry = officer(CATEGORIES, areas)
    told = frozen(entry.certificate, Listed({entry.certificate: entry}, 7, outdated=False))
    for words in (
        entry.certificate,
        "名单第 7 版",
        "示例甲",
        "执法大队副大队长",
        UNIT,
        "2028-12-31",
        "审验",
        *CATEGORIES,
    ):
        assert words in told, words
    assert len(told) <= FROZEN_CHARACTERS
    assert ("等" in told.rpartition("｜")[2]) is (len(areas) > 1)
