"""The party's receipt: genuine, forged, of another district, mistyped; and the list that kiosks answer from."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from agent.duty.party_receipt import (
    PartyReceipt,
    open_receipt,
    parse_receipt,
    read_code,
    sign_receipt,
    slip_of,
    spelled,
)
from agent.duty.receipt_list import (
    MAX_ANSWERS,
    PARTS,
    ReceiptAnswer,
    answer_for,
    open_part,
    part_of,
    seal_part,
    split_answers,
)
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.identifiers import District, recording_id
from agent.wire.trust import Role
from firmware_hooks.slip_printer import compose_slip
from tests.agent.duty.facts import RECORDER, RECORDING, UNIT, digest_of, gap, recording
from tests.support.signers import NOW, holder, trusting

PLACE = District("xinghe")
DEVICE = holder(RECORDER, Role.RECORDER, 21)
CENTRE = holder("center-1", Role.RECEIVER, 22)
KIOSK = holder("KSK-0001", Role.KIOSK, 23)
TRUST = trusting(DEVICE, CENTRE, KIOSK)
RECEIPT = PartyReceipt(PLACE, RECORDER, 7, UNIT, "T-2026-0001", RECORDING, 640, digest_of("head"), NOW)
CODE = RECEIPT.short_code
ANSWER = ReceiptAnswer(CODE, "explained-gap", 1, date(2028, 11, 22))


def parts(*answers: ReceiptAnswer) -> dict[int, bytes]:
    return {part.part: seal_part(part, CENTRE.signer) for part in split_answers(PLACE, NOW, answers)}


def test_a_receipt_comes_back_from_its_code_and_is_checked_without_a_network() -> None:
    assert open_receipt(sign_receipt(RECEIPT, DEVICE.signer), TRUST, PLACE) == RECEIPT


@pytest.mark.parametrize("secret", [23, 99])
def test_a_receipt_that_no_recorder_signed_is_called_a_forgery(secret: int) -> None:
    forged = sign_receipt(RECEIPT, holder("x", Role.RECORDER, secret).signer)
    with pytest.raises(SenderFault, match="可能是伪造"):
        open_receipt(forged, TRUST, PLACE)


def test_a_receipt_whose_hash_was_changed_is_called_a_forgery() -> None:
    honest = sign_receipt(RECEIPT, DEVICE.signer).split(".")
    other = sign_receipt(replace(RECEIPT, head=digest_of("other")), DEVICE.signer).split(".")
    with pytest.raises(SenderFault, match="可能是伪造"):
        open_receipt(f"{other[0]}.{other[1]}.{honest[2]}", TRUST, PLACE)


def test_a_receipt_stays_good_when_its_recorder_was_given_a_new_key_and_lost_the_old_one() -> None:
    retired = replace(DEVICE, credential=replace(DEVICE.credential, revoked_at=NOW + timedelta(days=1)))
    text = sign_receipt(RECEIPT, DEVICE.signer)
    assert open_receipt(text, trusting(retired), PLACE) == RECEIPT
    late = sign_receipt(replace(RECEIPT, issued=NOW + timedelta(days=2)), DEVICE.signer)
    with pytest.raises(SenderFault, match="吊销"):
        open_receipt(late, trusting(retired), PLACE)


@pytest.mark.parametrize("text", ["", "LR1", "LH1.e30.AA", "LR1.!!.AA", "LR1.e30.AA", "LR1." + "A" * 800 + ".AA"])
def test_what_is_no_receipt_is_said_to_be_none(text: str) -> None:
    with pytest.raises(SenderFault):
        open_receipt(text, TRUST, PLACE)


def test_a_receipt_of_another_district_is_sent_there() -> None:
    with pytest.raises(SenderFault, match="其他区域"):
        open_receipt(sign_receipt(replace(RECEIPT, place=District("qita")), DEVICE.signer), TRUST, PLACE)


def test_a_receipt_for_another_devices_recording_is_refused() -> None:
    stolen = replace(RECEIPT, recording=recording_id(type(RECORDER)("REC-0002"), 1))
    with pytest.raises(SenderFault, match="不属于出具回执的设备"):
        parse_receipt(stolen.encode())


def test_a_code_is_read_however_a_person_types_it() -> None:
    assert len(CODE) == 16
    assert read_code(f" {spelled(CODE).lower()} ") == CODE
    assert read_code("OIL0-0000-0000-0000") == "0110000000000000"
    with pytest.raises(SenderFault, match="16 位"):
        read_code(CODE[:-1])


def test_the_paper_has_the_number_unit_hash_and_code_and_no_name() -> None:
    lines = slip_of(RECEIPT)
    text = "\n".join(lines)
    assert all(part in text for part in (RECEIPT.name, UNIT, RECORDER, RECEIPT.head, spelled(CODE)))
    assert "P-0001" not in text
    slip = compose_slip("执法记录回执", lines, sign_receipt(RECEIPT, DEVICE.signer))
    assert slip.missing == ""
    assert UNIT.encode("gb18030") in slip.data


def test_the_event_of_a_receipt_tells_its_code_and_nobody() -> None:
    told = RECEIPT.as_data()
    assert told["code"] == CODE
    assert canonical.decode(canonical.encode(told)) == told
    assert "unit" not in told


def test_a_kiosk_finds_a_receipt_in_the_one_part_that_its_code_names() -> None:
    found = open_part(parts(ANSWER)[part_of(CODE)], part_of(CODE), TRUST, NOW, PLACE)
    assert found.answers == {CODE: ANSWER}
    assert len(parts()) == PARTS


def test_a_list_that_the_centre_did_not_sign_is_refused() -> None:
    part = split_answers(PLACE, NOW, [ANSWER])[part_of(CODE)]
    with pytest.raises(SenderFault, match="receiver"):
        open_part(seal_part(part, KIOSK.signer), part.part, TRUST, NOW, PLACE)


def test_another_part_put_in_the_place_of_one_is_refused() -> None:
    part = part_of(CODE)
    with pytest.raises(SenderFault, match="分册"):
        open_part(parts(ANSWER)[(part + 1) % PARTS], part, TRUST, NOW, PLACE)
    with pytest.raises(SenderFault, match="区域"):
        open_part(parts(ANSWER)[part], part, TRUST, NOW, District("qita"))
    stray = replace(split_answers(PLACE, NOW, [ANSWER])[part], part=(part + 1) % PARTS)
    with pytest.raises(SenderFault, match="其他分册"):
        open_part(seal_part(stray, CENTRE.signer), stray.part, TRUST, NOW, PLACE)


def test_a_full_part_fits_an_envelope_and_one_more_is_refused() -> None:
    full = [ReceiptAnswer(f"00{at:014d}", "unexplained-gap", 9999, date(2028, 11, 22)) for at in range(MAX_ANSWERS)]
    assert len(open_part(parts(*full)[0], 0, TRUST, NOW, PLACE).answers) == MAX_ANSWERS
    with pytest.raises(ValueError, match="at most"):
        parts(*full, replace(full[0], code="0099999999999999"))
    with pytest.raises(ValueError, match="twice"):
        parts(full[0], full[0])


def test_a_recording_whose_chain_is_another_than_on_paper_is_altered_whatever_the_verifier_says() -> None:
    head, fact = digest_of("head"), recording()
    assert answer_for(CODE, head, head, fact, (gap(),), None) == ReceiptAnswer(CODE, "complete", 1, None)
    assert answer_for(CODE, head, digest_of("other"), fact, (), None).verdict == "altered"
    assert answer_for(CODE, head, None, fact, (), None).verdict == "missing"
    assert answer_for(CODE, head, head, recording(verdict="missing"), (), None).verdict == "missing"
