"""The documents between a card and an accepted device: golden bytes, and what a forger, a thief or a bad line makes."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.authority_seal import fingerprint, open_by_authority
from agent.wire.card_bundle import (
    CARD_TYPE,
    CardBundle,
    Site,
    bound_token,
    for_hardware,
    open_card,
    parse_card,
    token_name,
)
from agent.wire.enrolment import (
    ANSWER_TYPE,
    MAX_REQUEST_BYTES,
    REFUSED,
    EnrolmentAnswer,
    EnrolmentRequest,
    Refusal,
    Reply,
    for_request,
    open_answer,
    parse_answer,
    parse_reply,
    parse_request,
    refusal,
    request_digest,
)
from agent.wire.envelope import seal
from agent.wire.identifiers import Digest, District, device_id
from agent.wire.trust import Role
from tests.support.keys import TestAuthority
from tests.support.signers import NOW

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "enrolment.json").read_text(encoding="utf-8"))
DEVICE = device_id("REC-0001")
SERIAL = "10000000abcdef01"
TOKEN = Digest("5a" * 32)
PEM = "-----BEGIN CERTIFICATE REQUEST-----\nMA==\n-----END CERTIFICATE REQUEST-----\n"
SITE = Site("broker.example", 8883, "broker.example", "5", "https://broker.example:8443/enrol", "broker.example")
CARD = CardBundle(
    DEVICE, Role.RECORDER, SERIAL, "星河区综合行政执法局", District("xinghe"), "星河区", Digest("ab" * 32), SITE,
    NOW, NOW + timedelta(days=7), TOKEN,
)  # fmt: skip
REQUEST = EnrolmentRequest(DEVICE, District("xinghe"), SERIAL, PEM, PEM, {"model": "示例机型"}, NOW).prove(
    CARD.bound_token()
)
ANSWER = EnrolmentAnswer(
    DEVICE, request_digest(REQUEST.encode()), PEM, PEM, {"agent.toml": 'district = "xinghe"\n'}, NOW
)
AUTHORITY = TestAuthority()
ISSUING, ROOT = AUTHORITY.issuing.chain[0], AUTHORITY.root.chain[0]


def own_card() -> CardBundle:
    return replace(CARD, root=Digest(fingerprint(ROOT)))


def sealed(card: CardBundle, by: TestAuthority = AUTHORITY) -> bytes:
    return seal(CARD_TYPE, card.encode(), [by.issuing.signer])


def code_of(raised: pytest.ExceptionInfo[SenderFault]) -> str:
    return raised.value.code


def test_golden_bytes_stay_as_they_are() -> None:
    made = {
        "card": CARD.encode().decode(),
        "bound_token": CARD.bound_token().hex(),
        "token_name": token_name(CARD.bound_token()),
        "request": REQUEST.encode().decode(),
        "answer": ANSWER.encode().decode(),
        "reply": Reply(b"{}", b"{}").encode().decode(),
        "refusal": refusal(Refusal.USED).decode(),
    }
    assert made == VECTORS


def test_the_specification_names_the_documents_and_codes() -> None:
    specification = (Path(__file__).parents[3] / "agent" / "wire" / "README.md").read_text(encoding="utf-8")
    for word in (CARD_TYPE, ANSWER_TYPE, *(f"`{code}`" for code in Refusal)):
        assert word in specification


def test_what_was_written_is_read_again() -> None:
    assert parse_card(CARD.encode()) == CARD
    assert parse_request(REQUEST.encode()) == REQUEST
    assert parse_answer(ANSWER.encode()) == ANSWER
    assert open_card(sealed(own_card()), ISSUING, ROOT, NOW) == own_card()
    envelope = seal(ANSWER_TYPE, ANSWER.encode(), [AUTHORITY.issuing.signer])
    reply = parse_reply(Reply(envelope, b"{}").encode())
    assert for_request(open_answer(reply.answer, ISSUING, ROOT, NOW), DEVICE, REQUEST.encode()) == ANSWER


def test_a_card_of_a_clock_in_1970_is_read_and_one_that_expired_is_not() -> None:
    early = NOW.replace(year=1970)
    assert open_card(sealed(own_card()), ISSUING, ROOT, early).clock_floor == NOW
    for late in (NOW + timedelta(days=8), NOW + timedelta(days=9999)):
        with pytest.raises(SenderFault) as raised:
            open_card(sealed(own_card()), ISSUING, ROOT, late)
        assert code_of(raised) == "expired"


def test_threat_usb_attack_a_forged_card_bundle_is_refused() -> None:
    stranger, leaf = TestAuthority(), AUTHORITY.evidence("REC-0001", Role.RECORDER)
    good = sealed(own_card())
    tampered = good.replace(b'"payload":"ey', b'"payload":"ez', 1)
    with pytest.raises(SenderFault, match="不属于本区根证书"):
        open_card(sealed(own_card(), stranger), stranger.issuing.chain[0], ROOT, NOW)
    with pytest.raises(SenderFault, match="不是本区发证机构签的"):
        open_card(sealed(own_card(), stranger), ISSUING, ROOT, NOW)
    by_device = seal(CARD_TYPE, own_card().encode(), [leaf.signer])
    with pytest.raises(SenderFault):
        open_card(by_device, leaf.chain[0], ROOT, NOW)  # a device is no authority
    with pytest.raises(SenderFault):
        open_by_authority(by_device, CARD_TYPE, leaf.chain[0], ISSUING, NOW)  # not even right under its issuer
    with pytest.raises(SenderFault):
        open_card(tampered, ISSUING, ROOT, NOW)
    with pytest.raises(SenderFault, match="根证书不是发卡时"):
        open_card(sealed(CARD), ISSUING, ROOT, NOW)
    with pytest.raises(SenderFault, match="此处只接受"):
        open_card(seal(ANSWER_TYPE, own_card().encode(), [AUTHORITY.issuing.signer]), ISSUING, ROOT, NOW)


@given(st.integers(0, 2000))
def test_a_truncated_card_bundle_is_refused(cut: int) -> None:
    whole = sealed(own_card())
    with pytest.raises(SenderFault):
        open_card(whole[: min(cut, len(whole) - 1)], ISSUING, ROOT, NOW)


def test_threat_usb_attack_a_copied_card_in_other_hardware_is_refused() -> None:
    assert for_hardware(CARD, SERIAL.upper()) is CARD
    with pytest.raises(SenderFault, match="本机是 10000000ffffffff") as raised:
        for_hardware(CARD, "10000000ffffffff")
    assert code_of(raised) == "hardware"


def test_threat_usb_attack_a_token_proves_nothing_for_another_computer_or_device() -> None:
    assert REQUEST.proven(CARD.bound_token()) is REQUEST
    for device, serial, token in (
        ("REC-0002", SERIAL, TOKEN), (DEVICE, "10000000ffffffff", TOKEN), (DEVICE, SERIAL, "5b" * 32)
    ):  # fmt: skip
        with pytest.raises(SenderFault) as raised:
            REQUEST.proven(bound_token(token, device, serial))
        assert code_of(raised) == "token"


@pytest.mark.parametrize(
    "changed", [{"hardware": "10000000ffffffff"}, {"facts": {}}, {"tls": PEM + "\n"}, {"device": "REC-0002"}]
)
def test_a_request_that_was_changed_on_its_way_is_not_proven(changed: dict[str, object]) -> None:
    with pytest.raises(SenderFault):
        replace(REQUEST, **changed).proven(CARD.bound_token())  # type: ignore[arg-type]


def test_no_secret_stands_in_what_travels() -> None:
    assert TOKEN not in REQUEST.encode().decode()
    assert CARD.bound_token().hex() not in REQUEST.encode().decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("device", "REC-0002/up"), ("device", "../REC-0001"), ("district", "Xinghe"), ("hardware", "no serial!"),
        ("tls", "no pem"), ("evidence", PEM * 200), ("facts", {str(n): "" for n in range(17)}), ("facts", {"a": 1}),
        ("facts", {"a": "line\nline"}), ("made_at", "yesterday"), ("proof", "ü" * 64), ("facts", {"a": "x" * 121}),
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused_by_its_code(field: str, value: object) -> None:
    body = json.loads(REQUEST.encode()) | {field: value}
    with pytest.raises(SenderFault) as raised:
        parse_request(canonical.encode(body))
    assert code_of(raised) == Refusal.MALFORMED


def test_an_oversized_or_broken_request_is_refused() -> None:
    for data in (b"", b"{}", b"[" * 5000, b"\xff\xfe", b"x" * (MAX_REQUEST_BYTES + 1), REQUEST.encode()[:-1]):
        with pytest.raises(SenderFault) as raised:
            parse_request(data)
        assert code_of(raised) == Refusal.MALFORMED


def test_an_answer_cannot_bring_a_file_that_it_may_not() -> None:
    for name in ("../agent.toml", "evidence.key", "/etc/passwd", "root.pem"):
        body = json.loads(ANSWER.encode()) | {"files": {name: ""}}
        with pytest.raises(SenderFault, match="不该有的文件"):
            parse_answer(canonical.encode(body))


def test_an_old_answer_or_another_device_s_is_refused() -> None:
    for device, request in ((DEVICE, b"another request"), (device_id("REC-0002"), REQUEST.encode())):
        with pytest.raises(SenderFault) as raised:
            for_request(ANSWER, device, request)
        assert code_of(raised) == "other-request"


def test_every_refusal_names_the_next_step() -> None:
    for code in Refusal:
        with pytest.raises(SenderFault, match="请") as raised:
            parse_reply(refusal(code))
        assert code_of(raised) == code
        assert REFUSED[code] in str(raised.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"answer":1,"trust":""}', b'{"refused":"a\\ud800","text":"x"}'])
def test_a_malformed_reply_is_refused(data: bytes) -> None:
    with pytest.raises(SenderFault):
        parse_reply(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "receiver"), ("role", "kiosk"), ("token", "00"), ("hardware", "x"), ("unit", "a\nb"),
        ("unit", "长" * 201), ("root", "AB" * 32), ("expires_at", "2026"),
    ],
)  # fmt: skip
def test_a_card_with_a_wrong_field_is_refused(field: str, value: object) -> None:
    with pytest.raises(SenderFault):
        parse_card(canonical.encode(json.loads(CARD.encode()) | {field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [("enrol", "http://plain.example"), ("enrol", "https://a b"), ("broker_port", 0), ("broker_port", 65_536)],
)
def test_a_card_with_a_wrong_site_is_refused(field: str, value: object) -> None:
    body = json.loads(CARD.encode())
    body["site"][field] = value
    with pytest.raises(SenderFault):
        parse_card(canonical.encode(body))
