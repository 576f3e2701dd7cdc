"""The authority's side of a first boot: who gets certificates, who does not, and what is left when it is cut short."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from agent.config import parse_config
from agent.errors import OperatorFault, SenderFault
from agent.wire.card_bundle import open_card
from agent.wire.enrolment import parse_reply
from agent.wire.envelope import open_trust_list
from agent.wire.signing import key_id_of, load_pem_certificates
from provisioning.authority.archive_key import ARCHIVE_PUBLIC
from provisioning.authority.certificates import ISSUING_LIFETIME
from provisioning.fleet.enrolment import Desk, enrolment_desk
from provisioning.fleet.inventory import Planned
from provisioning.fleet.states import State
from tests.provisioning.bench_room import NewDevice, bench, planned, serial
from tests.provisioning.district import NOW, UNIT

A = "REC-0001"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bench(tmp_path / "ca") as opened:
        opened.inventory.plan(planned(1), NOW)
        yield opened


def bundled(desk: Desk, number: int = 1) -> NewDevice:
    return NewDevice(desk, desk.card(f"REC-{number:04d}", NOW))


def refused(reply: bytes) -> str:
    with pytest.raises(SenderFault) as caught:
        parse_reply(reply)
    return caught.value.code


def test_device_with_its_card_gets_two_certificates_and_its_configuration(desk: Desk) -> None:
    device = bundled(desk)
    reply = desk.answer(device.request(), NOW)
    answer = device.granted(reply)
    held = desk.inventory.device(A)
    assert held.state is State.ENROLLED
    for chain, key in ((answer.tls, device.tls), (answer.evidence, device.evidence)):
        assert load_pem_certificates(chain.encode())[0].public_key() == key.public_key()
    config = parse_config(answer.files["agent.toml"], Path("/tmp"))
    assert (config.device, config.unit, config.broker.server_name) == (A, UNIT, "localhost")
    assert answer.files[ARCHIVE_PUBLIC]
    trust = open_trust_list(parse_reply(reply).trust, device.root)
    assert key_id_of(device.evidence.public_key()) in trust.credentials
    assert key_id_of(device.tls.public_key()) not in trust.credentials


def test_answer_that_got_lost_is_given_again_to_the_very_same_request_alone(desk: Desk) -> None:
    device = bundled(desk)
    request = device.request()
    first = device.granted(desk.answer(request, NOW))
    again = device.granted(desk.answer(request, NOW + timedelta(hours=1)))
    assert (first.tls, first.evidence) == (again.tls, again.evidence)
    other = NewDevice.__new__(NewDevice)
    other.__dict__.update(device.__dict__, tls=device.evidence, evidence=device.tls)
    assert refused(desk.answer(other.request(), NOW)) == "used"
    assert len(desk.authority.register().entries) == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"hardware": serial(2)}, "hardware"),
        ({"device": "REC-0009"}, "unknown-device"),
        ({"token": "ab" * 32}, "token"),
        ({"name": "REC-0002"}, "key"),
        ({"name": "REC-0001/up"}, "key"),
    ],
)
def test_threat_malicious_technician_gets_nothing_for_a_copied_card_or_a_forged_request(
    desk: Desk, change: dict[str, str], code: str
) -> None:
    device = bundled(desk)
    assert refused(desk.answer(device.request(**change), NOW)) == code
    assert desk.inventory.device(A).state is State.PLANNED
    assert desk.authority.register().entries == ()
    device.granted(desk.answer(device.request(), NOW))  # what was refused has not used up the token


def test_token_proven_with_the_other_hardware_is_not_enough(desk: Desk) -> None:
    """The thief registers nothing: his computer's serial number is not the one that is listed."""
    thief = bundled(desk)
    request = json.loads(thief.request(hardware=serial(2)))
    request["hardware"] = serial(1)
    forged = json.dumps(request, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert refused(desk.answer(forged, NOW)) == "token"


def test_card_that_was_written_anew_makes_the_one_before_worthless(desk: Desk) -> None:
    old = bundled(desk)
    new = bundled(desk)
    assert refused(desk.answer(old.request(), NOW)) == "used"
    new.granted(desk.answer(new.request(), NOW))


def test_late_card_revoked_device_and_noise_are_refused_each_with_its_code(desk: Desk) -> None:
    device = bundled(desk)
    assert refused(desk.answer(device.request(), NOW + timedelta(days=8))) == "expired"
    assert refused(desk.answer(b"\x00 noise", NOW)) == "malformed"
    assert refused(desk.answer(device.request()[:-40], NOW)) == "malformed"
    assert refused(desk.answer(b"x" * 20_000, NOW)) == "malformed"
    desk.inventory.move(A, State.REVOKED, "示例", NOW)
    assert refused(desk.answer(device.request(), NOW)) == "revoked"


def test_whoever_knocked_in_vain_is_listed_once_with_the_number_of_times(desk: Desk) -> None:
    device = bundled(desk)
    for _ in range(3):
        desk.answer(device.request(hardware=serial(2)), NOW)
    (row,) = desk.inventory.records.rows("SELECT device, hardware, why, times FROM pending")
    assert row == {"device": A, "hardware": serial(2), "why": "hardware", "times": 3}


def test_device_that_is_enrolled_gets_no_second_card_until_it_is_revoked(desk: Desk) -> None:
    device = bundled(desk)
    device.granted(desk.answer(device.request(), NOW))
    with pytest.raises(OperatorFault, match="revoke"):
        desk.card(A, NOW)


def test_card_needs_a_site_and_a_serial_number(tmp_path: Path, desk: Desk) -> None:
    desk.inventory.plan(Planned("REC-0002", "", UNIT), NOW)
    with pytest.raises(OperatorFault, match="硬件序列号"):
        desk.card("REC-0002", NOW)
    desk.inventory.records.rows("DELETE FROM site")
    with pytest.raises(OperatorFault, match="site"):
        desk.card(A, NOW)


def test_no_secret_of_a_card_is_in_the_audit(desk: Desk) -> None:
    device = bundled(desk)
    device.granted(desk.answer(device.request(), NOW))
    told = "".join(row.body for row in desk.inventory.records.audit_rows())
    assert device.card.token not in told
    assert device.card.bound_token().hex() not in told


def test_threat_malicious_technician_cannot_forge_a_card_without_the_issuing_key(desk: Desk, tmp_path: Path) -> None:
    with bench(tmp_path / "other") as foreign:
        foreign.inventory.plan(planned(1), NOW)
        sealed = foreign.card(A, NOW)
    root, issuing = (load_pem_certificates(pem)[0] for pem in desk.certificates)
    with pytest.raises(SenderFault):
        open_card(sealed, issuing, root, NOW)


def test_trust_list_that_waited_is_signed_when_the_desk_is_closed(tmp_path: Path) -> None:
    with bench(tmp_path / "ca") as desk:
        for number in (1, 2, 3):
            desk.inventory.plan(planned(number), NOW)
            device = bundled(desk, number)
            device.granted(desk.answer(device.request(), NOW))
        authority = desk.authority
    assert {entry.subject for entry in authority.trust().credentials.values()} == {"REC-0001", "REC-0002", "REC-0003"}


def test_an_authority_that_is_over_issues_nothing_says_so_and_half_makes_nothing(desk: Desk) -> None:
    late = NOW + ISSUING_LIFETIME + timedelta(days=1)
    device = NewDevice(desk, desk.card(A, NOW, ttl=2 * ISSUING_LIFETIME))
    reply = desk.answer(device.request(), late)
    assert "过期" in json.loads(reply)["text"]
    assert desk.inventory.device(A).state is State.PLANNED
    assert desk.authority.register().entries == ()
    assert device.granted(desk.answer(device.request(), NOW)).device == A, "its token was not taken"


def test_without_the_root_key_devices_enrol_and_the_trust_list_waits(tmp_path: Path) -> None:
    with bench(tmp_path / "ca") as desk:
        desk.inventory.plan(planned(1), NOW)
        authority = desk.authority
    (authority.folder / "root.key").rename(tmp_path / "safe")
    with enrolment_desk(authority) as desk:
        device = bundled(desk)
        device.granted(desk.answer(device.request(), NOW))
    assert authority.trust().credentials == {}
    (tmp_path / "safe").rename(authority.folder / "root.key")
    assert authority.settle()
    assert {entry.subject for entry in authority.trust().credentials.values()} == {A}
