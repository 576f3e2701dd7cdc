"""An officer's code: forged, passed on, of another district, of a device that was revoked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.duty.case_facts import Label
from agent.duty.identity_code import DOMAIN, GOOD_FOR, SKEW, CheckedCode, IdentityCode, check_code, sign_code
from agent.duty.roster import parse_roster
from agent.errors import SenderFault
from agent.wire.identifiers import District
from agent.wire.signing import KeySigner
from agent.wire.trust import Role
from tests.support.device import DistrictKeys
from tests.support.duty import EXPIRED, FIRST, UNIT, personnel

KEYS, NOW = DistrictKeys(), datetime.now(UTC).replace(microsecond=0)
PLACE, ROSTER = KEYS.authority.district, parse_roster(personnel().entries)
CODE = IdentityCode(PLACE, KEYS.device, FIRST, UNIT, "T-2026-0001", NOW, "0" * 16)


def checked(text: str, **changes: Any) -> CheckedCode:
    given: dict[str, Any] = {"trust": KEYS.trust, "now": NOW, "place": PLACE, "roster": ROSTER}
    return check_code(text, **{**given, **changes})


def test_a_genuine_code_gives_the_officer_of_the_list() -> None:
    found = checked(sign_code(CODE, KEYS.evidence.signer))
    assert (found.code, found.labels, found.doubts) == (CODE, (), ())
    assert found.officer is not None
    assert found.officer.name == "示例甲123"


def test_a_code_signed_by_anybody_else_is_refused() -> None:
    for signer in (KEYS.receiver.signer, DistrictKeys().evidence.signer):
        with pytest.raises(SenderFault, match="可能是伪造"):
            checked(sign_code(CODE, signer))


def test_a_code_with_another_certificate_written_into_it_is_refused() -> None:
    prefix, _, signature = sign_code(CODE, KEYS.evidence.signer).split(".")
    _, other, _ = sign_code(replace(CODE, certificate=EXPIRED), KEYS.evidence.signer).split(".")
    with pytest.raises(SenderFault, match="可能是伪造"):
        checked(f"{prefix}.{other}.{signature}")


def test_a_signature_of_the_device_for_another_purpose_is_no_code() -> None:
    class Bare(KeySigner):
        def sign(self, data: bytes) -> bytes:
            return super().sign(data.removeprefix(DOMAIN))

    with pytest.raises(SenderFault, match="可能是伪造"):
        checked(sign_code(CODE, Bare(KEYS.evidence.signer._key)))


@pytest.mark.parametrize("passed", [GOOD_FOR + SKEW + timedelta(seconds=1), -SKEW - timedelta(seconds=1)])
def test_a_code_that_was_passed_on_or_comes_from_tomorrow_is_over(passed: timedelta) -> None:
    text = sign_code(CODE, KEYS.evidence.signer)
    with pytest.raises(SenderFault, match="已过期"):
        checked(text, now=NOW + passed)
    assert checked(text, now=NOW + passed, clock_set=False).doubts


def test_a_code_of_a_device_without_a_clock_says_so() -> None:
    found = checked(sign_code(replace(CODE, clock_set=False, issued=NOW - timedelta(days=9)), KEYS.evidence.signer))
    assert any("时钟未校准" in doubt for doubt in found.doubts)


def test_a_code_of_a_revoked_device_is_refused() -> None:
    credential = replace(KEYS.evidence.credential(Role.RECORDER), revoked_at=NOW - timedelta(hours=1))
    with pytest.raises(SenderFault, match="吊销"):
        checked(sign_code(CODE, KEYS.evidence.signer), trust=KEYS.authority.trust(credential, version=2))


def test_a_code_of_another_district_is_not_judged_here() -> None:
    with pytest.raises(SenderFault, match="其他区域"):
        checked(sign_code(CODE, KEYS.evidence.signer), place=District("yuelu"))


@pytest.mark.parametrize(
    ("certificate", "label"), [(EXPIRED, Label.CERTIFICATE_EXPIRED), ("示例-999999", Label.NOT_ON_ROSTER)]
)
def test_a_genuine_code_of_somebody_unlicensed_says_so(certificate: str, label: Label) -> None:
    assert checked(sign_code(replace(CODE, certificate=certificate), KEYS.evidence.signer)).labels == (label,)


def test_a_code_of_another_unit_than_the_list_says_is_doubted() -> None:
    found = checked(sign_code(replace(CODE, unit="别的示例单位"), KEYS.evidence.signer))
    assert any("单位不一致" in doubt for doubt in found.doubts)


@pytest.mark.parametrize("text", ["", "LH1", "LH1..", "LH1.!.!", "http://x", "LH1." + "A" * 5000 + ".A", "LH1.e30.e30"])
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(SenderFault) as refused:
        checked(text)
    assert "\n" not in str(refused.value)


def test_whether_there_was_a_list_is_told_apart_from_not_being_on_it() -> None:
    text = sign_code(replace(CODE, certificate="示例-009999", clock_set=False), KEYS.evidence.signer)
    on_no_list, without_a_list = checked(text), checked(text, roster=None)
    assert (on_no_list.listed, on_no_list.labels) == (True, (Label.NOT_ON_ROSTER,))
    assert without_a_list.listed is False
