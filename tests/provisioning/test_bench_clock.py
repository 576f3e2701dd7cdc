"""A revocation stands for good at the moment that the bench's clock gave it: a clock that is wrong gives none, and one
that was wrong before is put right."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.errors import OperatorFault
from agent.wire.trust import Role
from provisioning.authority.audit_chain import SILENCE, SLACK
from provisioning.authority.authority import Authority
from provisioning.center.force import shut_out
from provisioning.fleet.folders import write_person_folder
from tests.provisioning.district import TestDistrict, today
from tests.support.commands import run_here

A = "REC-0001"


@pytest.fixture
def district(tmp_path: Path) -> TestDistrict:
    made = TestDistrict(tmp_path, 8883)
    made.device(A)
    return made


def revoked_at(authority: Authority) -> set[datetime | None]:
    return {it.revoked_at for it in authority.register().entries if it.subject == A}


@pytest.mark.parametrize("back", [timedelta(days=6 * 365), timedelta(hours=1)])
def test_a_clock_that_is_behind_dates_nothing(district: TestDistrict, tmp_path: Path, back: timedelta) -> None:
    wrong, rows = today() - back, len(district.authority.register().entries)
    with pytest.raises(OperatorFault, match="早于审计记录"):
        shut_out(district.authority, A, "被盗", None, wrong)
    with pytest.raises(OperatorFault, match="早于审计记录"):
        write_person_folder(district.authority, "示例-000001", Role.EDITOR, tmp_path / "p", wrong)
    assert (revoked_at(district.authority), len(district.authority.register().entries)) == ({None}, rows)
    shut_out(district.authority, A, "被盗", None, today() - SLACK / 2)


def test_a_clock_that_may_be_far_ahead_revokes_nothing(district: TestDistrict) -> None:
    """A stolen recorder would be believed until that day."""
    with pytest.raises(OperatorFault, match="audit clock"):
        shut_out(district.authority, A, "被盗", None, today() + SILENCE + timedelta(days=1))
    assert revoked_at(district.authority) == {None}


def test_after_a_clock_that_was_ahead_work_goes_on_once_somebody_looked_at_it(
    district: TestDistrict, tmp_path: Path
) -> None:
    ahead = today() + timedelta(days=60)
    shut_out(district.authority, A, "被盗", None, ahead)
    words = ("provisioning.cli", "revoke", A, "--reason", "被盗", "--authority", district.authority.folder)
    since = today()
    said = run_here(*words, "--since", since.isoformat())
    assert (said.returncode, "audit clock" in said.stderr) == (2, True)
    assert run_here("provisioning.cli", "audit", "clock", "--authority", district.authority.folder).returncode == 0
    said = run_here(*words, "--since", since.isoformat())
    assert said.returncode == 0, said.stderr
    (moment,) = revoked_at(district.authority)
    assert moment == pytest.approx(since, abs=timedelta(seconds=1))
    trust = district.authority.trust()
    assert {it.revoked_at for it in trust.credentials.values() if it.subject == A} == {moment}
    shown = run_here("provisioning.cli", "audit", "show", "--authority", district.authority.folder, "--json")
    acts = [(it["act"], it["facts"]) for it in json.loads(shown.stdout)["acts"]]
    assert [name for name, _ in acts if name in ("certificates-revoked", "clock-checked", "revocation-redated")] == [
        "certificates-revoked",
        "clock-checked",
        "revocation-redated",
    ]
    redated = next(facts for name, facts in acts if name == "revocation-redated")
    assert set(redated["before"].values()) != {redated["since"]}
    assert run_here("provisioning.cli", "audit", "verify", "--authority", district.authority.folder).returncode == 0


def test_a_theft_that_is_known_later_counts_from_when_it_happened(district: TestDistrict) -> None:
    since = today()
    shut_out(district.authority, A, "被盗", None, since + timedelta(days=3), since)
    (moment,) = revoked_at(district.authority)
    assert moment == pytest.approx(since, abs=timedelta(seconds=1))
    version = district.authority.trust().version
    assert shut_out(district.authority, A, "被盗", None, since + timedelta(days=3), since) == version


@pytest.mark.parametrize("off", [timedelta(days=1), timedelta(days=-30)])
def test_a_moment_to_come_or_before_the_first_certificate_is_refused(district: TestDistrict, off: timedelta) -> None:
    with pytest.raises(OperatorFault, match="--since"):
        shut_out(district.authority, A, "被盗", None, today(), today() + off)
    assert revoked_at(district.authority) == {None}
