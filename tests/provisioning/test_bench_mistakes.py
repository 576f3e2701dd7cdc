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
from provisioning.center.force import shut_out
from provisioning.center.keeping import Keeper
from provisioning.fleet import life
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
    assert said.returncode == 3


def test_a_row_that_was_not_done_is_told_and_counts(authority: Authority, tmp_path: Path) -> None:
    rows = f"编号,硬件序列号,使用单位\nREC-0002,{serial(2)},{UNIT}\nREC-0003,坏的,{UNIT}\nREC-0004,{serial(1)},{UNIT}\n"
    (tmp_path / "t.csv").write_text(rows, encoding="utf-8")
    said = types(authority, "batch", tmp_path / "t.csv", "--out", tmp_path / "cards", "--resume", "--json")
    told = json.loads(said.stdout)
    assert (told["rows"], told["changed"], [fault["line"] for fault in told["faults"]]) == (1, 1, [3, 4])
    assert (said.returncode, "第 3 行" in said.stderr, said.stderr.count("第 4 行")) == (3, True, 1)


@pytest.mark.parametrize(
    ("reason", "state"),
    [("被盗，已报警", State.LOST), ("遗失", State.LOST), ("Stolen", State.LOST), ("退役", State.REVOKED)],
)
def test_a_card_that_was_stolen_before_its_first_boot_can_be_taken_out(desk: Desk, reason: str, state: State) -> None:
    desk.inventory.plan(planned(1), NOW)
    device = NewDevice(desk, desk.card(A, NOW))
    desk.inventory.move(A, State.BUNDLED, "写卡", NOW)
    shut_out(desk.authority, A, reason, None, NOW)
    assert desk.inventory.device(A).state is state
    with pytest.raises(SenderFault) as caught:
        parse_reply(desk.answer(device.request(), NOW))
    assert caught.value.code == "revoked"


def test_a_lost_device_stays_with_its_officer_in_the_ledger_until_it_is_found(desk: Desk) -> None:
    desk.inventory.plan(planned(1), NOW)
    enrolled = NewDevice(desk, desk.card(A, NOW))
    enrolled.granted(desk.answer(enrolled.request(), NOW))
    desk.inventory.move(A, State.ACCEPTED, "验收合格", NOW)
    desk.inventory.assign(A, "示例-000007", b"signed", NOW)
    for _ in range(2):
        shut_out(desk.authority, A, "遗失", None, NOW)
        held = desk.inventory.device(A)
        assert (held.state, held.officer) == (State.LOST, "示例-000007")
    with pytest.raises(OperatorFault, match="遗失"):
        desk.draft(A, NOW)
    shut_out(desk.authority, A, "找回，曾遗失", None, NOW)
    assert (desk.inventory.device(A).state, desk.inventory.device(A).officer) == (State.REVOKED, "")
    assert desk.draft(A, NOW)


def test_whom_nobody_knows_is_not_revoked(desk: Desk) -> None:
    with pytest.raises(OperatorFault, match="REC-0009"):
        shut_out(desk.authority, "REC-0009", "遗失", None, NOW)


def enrolled_without_root(authority: Authority) -> None:
    (authority.folder / "root.key").rename(authority.folder.parent / "safe")
    with enrolment_desk(authority) as desk:
        device = NewDevice(desk, desk.card(A, today()), today())
        device.granted(desk.answer(device.request(), today()))


def test_without_the_root_key_a_revocation_says_that_the_list_does_not_know_it_yet(authority: Authority) -> None:
    enrolled_without_root(authority)
    said = types(authority, "revoke", A, "--reason", "遗失")
    assert (said.returncode, "根密钥不在" in said.stdout) == (5, True)
    assert json.loads(types(authority, "revoke", A, "--reason", "遗失", "--json").stdout)["trust_current"] is False
    person = ["add-person", "--role", "editor", "--subject", "示例-000001", "--out", authority.folder.parent / "p"]
    assert "根密钥不在" in types(authority, *person).stdout
    (authority.folder.parent / "safe").rename(authority.folder / "root.key")
    assert types(authority, "revoke", A, "--reason", "遗失").returncode == 0
    assert authority.trust().version == authority.register(entries=False).version


def test_serve_says_once_that_the_trust_list_waits_for_the_root_key(authority: Authority) -> None:
    enrolled_without_root(authority)
    said: list[str] = []
    keeper = Keeper(authority, said.append)
    for _ in range(3):
        keeper.look(today())
    assert [("根密钥不在" in line) for line in said] == [True]


def test_a_repaired_device_is_nobody_s_and_is_checked_again(desk: Desk) -> None:
    desk.inventory.plan(planned(1), NOW)
    device = NewDevice(desk, desk.card(A, NOW))
    device.granted(desk.answer(device.request(), NOW))
    desk.inventory.move(A, State.ACCEPTED, "验收合格", NOW)
    desk.inventory.assign(A, "示例-000007", b"signed", NOW)
    with life.bench(desk.authority) as at:
        with pytest.raises(OperatorFault, match="不在维修"):
            life.from_repair(at, A, NOW)
        life.to_repair(at, A, "屏幕碎裂", NOW)
        assert at.inventory.device(A).officer == "示例-000007"
        with pytest.raises(OperatorFault, match="repair --back"):
            life.read_report(at, A, b"", NOW)
        life.from_repair(at, A, NOW)
        held = at.inventory.device(A)
    assert (held.state, held.officer) == (State.ENROLLED, "")
    assert desk.inventory.records.rows("SELECT * FROM assignment WHERE until IS NULL") == []


def test_a_certificate_of_erasure_that_was_not_printed_is_given_again(authority: Authority, tmp_path: Path) -> None:
    words = ["decommission", A, "--reason", "烧毁"]
    assert types(authority, *words, "--print", tmp_path / "nowhere.txt").returncode == 2
    with enrolment_desk(authority) as desk:
        assert desk.inventory.device(A).state is State.PLANNED, "nothing is done that could not be printed"
    assert types(authority, *words).returncode == 0
    again = types(authority, *words, "--print", tmp_path / "end.html", "--out", tmp_path / "end.dsse")
    assert again.returncode == 0, again.stderr
    assert "烧毁" in (tmp_path / "end.html").read_text(encoding="utf-8")
    with enrolment_desk(authority) as desk:
        erased = [row for row in desk.inventory.records.audit_rows() if row.act().act == "erased"]
    assert len(erased) == 1
    assert types(authority, "decommission", A, "--order", tmp_path / "order.dsse").returncode == 2


def test_a_bench_that_lost_its_root_certificate_says_where_there_is_another(authority: Authority) -> None:
    (authority.folder / "root.pem").unlink()
    for words in (["doctor"], ["write-card", A, authority.folder], ["inventory"]):
        said = types(authority, *words)
        assert "Traceback" not in said.stderr
        assert "root.pem" in said.stderr or said.returncode == 0
    assert "任一设备" in types(authority, "doctor").stderr


def test_a_serial_number_is_shown_to_its_end_on_a_narrow_terminal(authority: Authority) -> None:
    shown = types(authority, "inventory").stdout
    assert "…" not in shown


def test_a_cable_that_is_not_there_is_told_without_another_program_s_words(authority: Authority) -> None:
    said = types(authority, "cable", "/dev/ttyACM9")
    assert (said.returncode, "Errno" in said.stderr, said.stderr.count("\n")) == (4, False, 1)


def test_a_head_that_is_carried_away_is_told_to_programs_too(authority: Authority, tmp_path: Path) -> None:
    said = types(authority, "audit", "head", "--out", tmp_path / "head.dsse", "--json")
    told = json.loads(said.stdout)
    assert (told["rows"] > 0, len(told["head"])) == (True, 64)
    assert types(authority, "audit", "verify", "--head", tmp_path / "head.dsse").returncode == 0


FILES = ("archive.key", "archive.pub", "audit.key", "complaint.key", "complaint.pub", "inventory.db", "issuing.key",
         "issuing.pem", "root.key", "root.pem", "trust.dsse")  # fmt: skip
CARRIED_AWAY = {"archive.key", "archive.pub", "complaint.key", "complaint.pub", "root.key", "trust.dsse"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [None, b"", b"\x00\xff garbage"])
def test_whatever_is_lost_or_spoilt_at_the_bench_the_doctor_says_which_file_and_what_to_do(
    authority: Authority, name: str, content: bytes | None
) -> None:
    place = authority.folder / name
    place.unlink()
    if content is not None:
        place.write_bytes(content)
        place.chmod(0o600)
    told = types(authority, "doctor")
    whole = told.stdout + told.stderr
    assert "Traceback" not in whole
    healed = name == "trust.dsse" or (content is None and name in CARRIED_AWAY)
    assert (told.returncode == 0) is healed, whole
    if not healed:
        bad = next(line for line in whole.splitlines() if "[问题]" in line or line.startswith("错误"))
        assert "备份" in bad or "重新" in bad
        assert name.partition(".")[0] in bad or "机构" in bad
