"""A key that the centre's own trust list says is revoked: nothing the centre says of its recordings forgets it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.evidence.export_report import CERTIFICATE_NAME, open_certificate
from agent.evidence.grounds import Grounds
from agent.verify_files import Basis, judge_path
from agent.wire.identifiers import RecordingId
from agent.wire.trust import TrustList
from provisioning.center.config import read_config
from provisioning.center.export import Wish, export_recording, open_office
from provisioning.center.export_certificate import Responsibility
from provisioning.center.grounds import CentreGrounds, open_grounds
from provisioning.center.seen_recordings import kept_verdict, seen_recordings
from tests.provisioning.circle import Circle, DistrictKeys, circles
from tests.provisioning.district import today
from tests.provisioning.review_office import ReviewOffice

RECORDING = RecordingId("REC-0001-R000001")
TOLD = Responsibility("示例-000003", "示例区法院调取", "示例-000004")


@pytest.fixture(scope="module")
def keys() -> DistrictKeys:
    return DistrictKeys()


@pytest.fixture
def make(keys: DistrictKeys, tmp_path: Path) -> Iterator[Callable[..., Circle]]:
    yield from circles(keys, tmp_path)


def revoked(trust: TrustList, at: datetime) -> TrustList:
    listed = {
        key: replace(it, revoked_at=at) if it.subject == "REC-0001" else it for key, it in trust.credentials.items()
    }
    return replace(trust, credentials=listed)


def held(office: ReviewOffice, at: datetime | None) -> CentreGrounds:
    """The grounds of the office's centre, whose trust list revokes the device at `at`."""
    found = open_grounds(read_config(office.center / "center.toml"))
    return found if at is None else replace(found, trust=lambda: revoked(open_trust(office), at))


def open_trust(office: ReviewOffice) -> TrustList:
    return open_grounds(read_config(office.center / "center.toml")).trust()


def test_export_certificate_says_untrusted_and_so_does_liuhen_verify(tmp_path: Path) -> None:
    office = ReviewOffice(tmp_path)
    desk = open_office(read_config(office.center / "center.toml"))
    grounds = held(office, office.began - timedelta(days=1))
    told = export_recording(office.recordings / RECORDING, tmp_path / "out", Wish(TOLD), desk, today())
    assert told.verdict == "explained-gap"
    late = replace(desk, grounds=grounds.of)
    told = export_recording(office.recordings / RECORDING, tmp_path / "late", Wish(TOLD), late, today())
    assert told.verdict == "untrusted"
    signed = open_certificate((tmp_path / "late" / CERTIFICATE_NAME).read_bytes(), open_trust(office))
    assert signed["verdict"] == "untrusted"
    basis = Basis((grounds.root,), Grounds(grounds.trust()), today())
    assert judge_path(tmp_path / "late", basis, lambda _: None).report.verdict.value == "untrusted"


def test_case_forgets_a_verdict_when_the_key_is_revoked(tmp_path: Path) -> None:
    office = ReviewOffice(tmp_path)
    kept, place = tmp_path / "seen", office.recordings / RECORDING
    before, after = held(office, None), held(office, office.began - timedelta(days=1))
    seen = seen_recordings(office.recordings, [RECORDING], kept, before, today())
    assert seen[RECORDING].fact.verdict == kept_verdict(place, kept, before) == "explained-gap"
    assert kept_verdict(place, kept, after) == ""
    seen = seen_recordings(office.recordings, [RECORDING], kept, after, today())
    assert seen[RECORDING].fact.verdict == kept_verdict(place, kept, after) == "untrusted"


def test_receiver_signs_no_receipt_for_what_a_revoked_key_recorded(make: Callable[..., Circle]) -> None:
    circle = make()
    at = circle.clock.read().wall - timedelta(days=1)
    known = circle.intake.grounds
    circle.record()
    circle.offload()
    circle.intake.grounds = replace(known, told=lambda _: (), trust=lambda: revoked(circle.keys.trust, at))
    (outcome,) = circle.take_over()
    assert "untrusted" in outcome.problem
    assert circle.receipts.get(RECORDING) is None
    circle.intake.grounds = known
    assert [it.problem for it in circle.take_over()] == [""]
