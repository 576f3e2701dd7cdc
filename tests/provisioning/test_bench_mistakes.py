"""A technician mistypes, writes the wrong card, loses a file: each is told with the next step, and nothing is left that
he would have to find out about at a device."""

import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from agent.errors import OperatorFault, SenderFault
from agent.wire.card_bundle import Site
from agent.wire.enrolment import parse_reply
from provisioning.authority.authority import Authority
from provisioning.fleet.enrolment import Desk, enrolment_desk
from provisioning.fleet.inventory import Planned
from provisioning.fleet.listing import judged, list_device
from provisioning.fleet.states import State
from tests.provisioning.bench_room import NewDevice, bench, planned, serial
from tests.provisioning.district import NOW, UNIT, today
from tests.support.card_image import TRIXIE
from tests.support.commands import run_here

A = "REC-0001"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """With a site and one listed device."""
    with bench(tmp_path / "ca", now=today()) as desk:
        desk.inventory.plan(planned(1), today())
        return desk.authority


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bench(tmp_path / "desk") as opened:
        yield opened


def types(authority: Authority, *words: object) -> CompletedProcess[str]:
    return run_here("provisioning.cli", *words, "--authority", authority.folder)


def boot_partition(place: Path, names: tuple[str, ...] = tuple(TRIXIE)) -> Path:
    place.mkdir()
    for name in names:
        (place / name).write_bytes(TRIXIE[name])
    return place


def test_a_card_that_could_not_be_written_leaves_the_one_before_good(authority: Authority, tmp_path: Path) -> None:
    good = boot_partition(tmp_path / "good")
    assert types(authority, "write-card", A, good).returncode == 0
    for words in (["--os", "bookworm"], ["--os", "beos"]):
        assert types(authority, "write-card", A, good, *words).returncode == 2
    holiday = tmp_path / "holiday"
    holiday.mkdir()
    assert types(authority, "write-card", A, holiday).returncode == 2
    with enrolment_desk(authority) as desk:
        device = NewDevice(desk, (good / "liuhen" / "card.dsse").read_bytes(), today())
        assert device.granted(desk.answer(device.request(), today())).device == A


def test_a_card_that_another_has_replaced_says_so_and_not_that_somebody_used_it(desk: Desk) -> None:
    desk.inventory.plan(planned(1), NOW)
    old = NewDevice(desk, desk.card(A, NOW))
    desk.card(A, NOW)
    with pytest.raises(SenderFault, match="最后写的那张") as caught:
        parse_reply(desk.answer(old.request(), NOW))
    assert caught.value.code == "used"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--camera", "nope"], "camera"),
        (["--partner", "REC-9"], "REC-9"),
        (["--unit", ""], "unit"),
        (["--hardware", "a/b!"], "标签"),
    ],
)
def test_what_the_device_could_not_read_is_refused_before_a_token_is_spent(
    authority: Authority, more: list[str], told: str
) -> None:
    words = {"--unit": UNIT, "--hardware": serial(2)} | dict([more])
    found = types(authority, "add-device", "REC-0002", *(word for pair in words.items() for word in pair))
    assert (found.returncode, told in found.stderr, found.stderr.count("\n")) == (2, True, 1)
    with enrolment_desk(authority) as at:
        assert at.inventory.find("REC-0002") is None


def test_a_hall_or_a_site_that_no_topic_or_resolver_takes_is_refused() -> None:
    hall = {"hall": "示例大厅", "audience": "大厅/1", "complaint_phone": "12345"}
    with pytest.raises(OperatorFault, match="--audience"):
        judged(Planned("KSK-0001", serial(1), UNIT, "", hall))
    with pytest.raises(OperatorFault, match="broker"):
        judged(Planned(A, serial(1), UNIT), Site("a b", 8883, "localhost"))


def test_a_site_with_a_name_that_cannot_be_is_refused_and_the_one_before_stays(authority: Authority) -> None:
    assert types(authority, "site", "--broker", "a b:8883").returncode == 2
    assert types(authority, "site", "--broker", "nohost").returncode == 2
    with enrolment_desk(authority) as at:
        assert at.draft(A, today())


def test_a_wrong_listing_is_put_right_until_the_device_exists_and_its_card_is_void(desk: Desk) -> None:
    wrong, right = Planned(A, serial(8), UNIT), Planned(A, serial(1), "示例执法二局", "甲型")
    list_device(desk.inventory, wrong, NOW)
    old = NewDevice(desk, desk.card(A, NOW))
    desk.inventory.move(A, State.BUNDLED, "写卡", NOW)
    with pytest.raises(OperatorFault, match="--correct"):
        list_device(desk.inventory, right, NOW)
    assert list_device(desk.inventory, right, NOW, correct=True)
    assert not list_device(desk.inventory, right, NOW, correct=True)
    held = desk.inventory.device(A)
    assert (held.hardware, held.unit, held.state) == (serial(1), "示例执法二局", State.PLANNED)
    with pytest.raises(SenderFault):
        parse_reply(desk.answer(old.request(), NOW))
    device = NewDevice(desk, desk.card(A, NOW))
    device.granted(desk.answer(device.request(), NOW))
    with pytest.raises(OperatorFault, match="不能更正"):
        list_device(desk.inventory, wrong, NOW, correct=True)
    (act,) = [row.act() for row in desk.inventory.records.audit_rows() if "device-corrected" in row.body]
    assert (act.facts["before"]["hardware"], act.facts["after"]["hardware"]) == (serial(8), serial(1))


def test_a_correction_does_not_take_another_device_s_serial_number(desk: Desk) -> None:
    desk.inventory.plan(planned(1), NOW)
    desk.inventory.plan(planned(2), NOW)
    with pytest.raises(OperatorFault, match=A):
        list_device(desk.inventory, Planned("REC-0002", serial(1).upper(), UNIT), NOW, correct=True)
    assert desk.inventory.device("REC-0002").hardware == serial(2)


def test_a_serial_number_that_comes_later_is_told_as_a_change(authority: Authority) -> None:
    first = types(authority, "add-device", "REC-0002", "--unit", UNIT)
    assert "--hardware" in first.stdout
    later = types(authority, "add-device", "REC-0002", "--unit", UNIT, "--hardware", serial(2), "--json")
    assert json.loads(later.stdout)["changed"] is True


def test_rows_that_can_be_done_are_counted_without_those_that_cannot(authority: Authority, tmp_path: Path) -> None:
    rows = f"编号,硬件序列号,使用单位\nREC-0002,{serial(1)},{UNIT}\nREC-0003,{serial(3)},{UNIT}\n"
    (tmp_path / "t.csv").write_text(rows, encoding="utf-8")
    said = types(authority, "batch", tmp_path / "t.csv", "--out", tmp_path / "cards", "--dry-run", "--json")
    told = json.loads(said.stdout)
    assert (told["rows"], [fault["line"] for fault in told["faults"]]) == (1, [2])
