"""No sync without a checker that would miss it: a proof that finds nothing because it does not look is none."""

import shutil
import tomllib
from pathlib import Path

import pytest

from tests.faults.catalogue import HOMES, SELDOM, scenario
from tests.faults.syncs import unmissed
from tests.faults.test_crash_explorer import Measured

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
NOT_MISSED = tomllib.loads(Path(__file__).with_name("syncs.toml").read_text(encoding="utf-8"))
SOME = ("disclosure", "display-log", "start-again", "shared-folders")
ROUNDS = {name: 3 for name in HOMES if name not in ("seal", "configuration")}
BUDGET = 400


@pytest.mark.parametrize(
    "name", [pytest.param(it, marks=() if it in SOME else pytest.mark.faults) for it in (*HOMES, *SELDOM)]
)
def test_a_sync_that_is_left_out_is_missed_or_protects_nothing(
    name: str, tmp_path: Path, record_property: Measured
) -> None:
    found, of = unmissed(scenario(name), tmp_path, BUDGET, ROUNDS.get(name, 1))
    record_property("measured", f"{of - len(found)} of {of} kinds of syncs are missed when they are left out")
    assert sorted({*found} - {*NOT_MISSED.get(name, {})}) == []


def test_whoever_is_not_missed_belongs_to_a_scenario_and_says_why() -> None:
    assert {*NOT_MISSED} <= {*HOMES, *SELDOM}
    assert all(reason for table in NOT_MISSED.values() for reason in table.values())
