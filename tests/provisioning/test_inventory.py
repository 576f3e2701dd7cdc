"""The inventory keeps to legal moves, and its audit names what was done to it."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.key_files import read_private_key
from agent.wire.envelope import seal
from agent.wire.signing import KeySigner
from agent.wire.trust import Role
from provisioning.authority import keys
from provisioning.authority.audit_chain import HEAD_TYPE, START, Act, Head, Row, head_of, next_row, verify_audit
from provisioning.authority.authority import Authority, init_authority, open_authority
from provisioning.authority.records import open_records
from provisioning.fleet.equipment import as_csv, ledger
from provisioning.fleet.inventory import Inventory, Planned, open_inventory
from provisioning.fleet.states import LEGAL, State
from tests.provisioning.district import NOW, UNIT
from tests.support.commands import run_here

WHO = "示例-000001"
A, SERIAL = "REC-0001", "10000000abcdef01"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return init_authority(tmp_path / "ca", "xinghe", "星河区", NOW)


@pytest.fixture
def inventory(authority: Authority) -> Iterator[Inventory]:
    with open_inventory(authority.folder, WHO) as opened:
        yield opened


def path_to(state: State) -> list[State]:
    """The shortest legal way from planned to `state`."""
    ways: list[list[State]] = [[State.PLANNED]]
    for way in ways:
        if way[-1] is state:
            return way[1:]
        ways += [[*way, after] for after in sorted(LEGAL[way[-1]]) if after not in way]
    raise AssertionError(state)


@pytest.mark.parametrize("state", list(State))
def test_every_state_can_be_reached_and_only_legal_moves_leave_it(inventory: Inventory, state: State) -> None:
    inventory.plan(Planned(A, SERIAL, UNIT), NOW)
    for step in path_to(state):
        inventory.move(A, step, "示例", NOW)
    rows = len(inventory.records.audit_rows())
    for wanted in set(State) - LEGAL[state] - {state}:
        with pytest.raises(OperatorFault, match="不能改为"):
            inventory.move(A, wanted, "示例", NOW)
    assert inventory.device(A).state is state
    assert len(inventory.records.audit_rows()) == rows


def test_each_move_is_one_row_of_the_audit_and_the_same_state_again_is_none(inventory: Inventory) -> None:
    inventory.plan(Planned(A, SERIAL, UNIT), NOW)
    before = len(inventory.records.audit_rows())
    inventory.move(A, State.BUNDLED, "制卡", NOW)
    inventory.move(A, State.BUNDLED, "制卡", NOW)
    (row,) = inventory.records.audit_rows()[before:]
    assert (row.act().by, row.act().act, row.act().facts["to"]) == (WHO, "device-moved", "bundled")


def test_planning_again_changes_nothing_and_with_other_facts_is_refused(inventory: Inventory) -> None:
    assert inventory.plan(Planned(A, SERIAL, UNIT), NOW)
    assert not inventory.plan(Planned(A, SERIAL, UNIT), NOW + timedelta(days=1))
    with pytest.raises(OperatorFault, match="硬件序列号"):
        inventory.plan(Planned(A, "10000000abcdef02", UNIT), NOW)
    with pytest.raises(OperatorFault, match="使用单位"):
        inventory.plan(Planned(A, SERIAL, "别的单位"), NOW)


@pytest.mark.parametrize("name", ["REC-0002/up", "REC-1", "rec-0001", "REC-0001\n", "甲"])
def test_unfit_id_is_not_listed(inventory: Inventory, name: str) -> None:
    with pytest.raises(OperatorFault):
        inventory.plan(Planned(name, SERIAL, UNIT), NOW)
    assert inventory.devices() == ()


def test_threat_malicious_technician_cannot_list_one_serial_number_twice(inventory: Inventory) -> None:
    inventory.plan(Planned(A, SERIAL, UNIT), NOW)
    for number in (SERIAL, SERIAL.upper()):
        with pytest.raises(OperatorFault, match=A):
            inventory.plan(Planned("REC-0002", number, UNIT), NOW)
    inventory.plan(Planned("REC-0003", "", UNIT), NOW)
    with pytest.raises(OperatorFault, match=A):
        inventory.bind("REC-0003", SERIAL, NOW)
    inventory.move(A, State.DECOMMISSIONED, "示例", NOW)
    assert inventory.plan(Planned("REC-0002", SERIAL, UNIT), NOW)


def test_officer_has_the_device_until_it_is_handed_back(inventory: Inventory) -> None:
    inventory.plan(Planned(A, SERIAL, UNIT), NOW)
    for step in path_to(State.ACCEPTED):
        inventory.move(A, step, "示例", NOW)
    assert inventory.assign(A, "示例-000007", b"signed", NOW).officer == "示例-000007"
    with pytest.raises(OperatorFault, match="不能改为"):
        inventory.move(A, State.DECOMMISSIONED, "示例", NOW)
    assert inventory.assign(A, "示例-000008", b"signed", NOW).officer == "示例-000008"
    held = inventory.hand_back(A, "交回", NOW)
    assert (held.state, held.officer) == (State.ACCEPTED, "")
    open_ones = inventory.records.rows("SELECT * FROM assignment WHERE until IS NULL")
    assert open_ones == []


def test_threat_malicious_technician_cannot_accept_by_handing_back_what_nobody_has(inventory: Inventory) -> None:
    inventory.plan(Planned(A, SERIAL, UNIT), NOW)
    for state in (State.BUNDLED, State.ENROLLED):
        inventory.move(A, state, "示例", NOW)
    with pytest.raises(OperatorFault, match="没有配备给人"):
        inventory.hand_back(A, "交回", NOW)
    assert inventory.device(A).state is State.ENROLLED


def test_an_officer_s_assignment_ends_when_his_device_is_revoked(inventory: Inventory) -> None:
    inventory.plan(Planned(A, SERIAL, UNIT), NOW)
    for step in path_to(State.ACCEPTED):
        inventory.move(A, step, "示例", NOW)
    inventory.assign(A, "示例-000007", b"signed", NOW)
    inventory.move(A, State.REVOKED, "退役", NOW)
    assert inventory.records.rows("SELECT * FROM assignment WHERE until IS NULL") == []


@pytest.mark.parametrize("number", ["a/b!", "12", "x" * 65, "1000 0000", "序列号"])
def test_a_serial_number_that_no_card_can_carry_is_refused_when_it_is_listed(inventory: Inventory, number: str) -> None:
    with pytest.raises(OperatorFault, match="标签"):
        inventory.plan(Planned(A, number, UNIT), NOW)
    assert inventory.devices() == ()


def test_ledger_as_csv_reads_back_and_runs_no_formula(inventory: Inventory) -> None:
    inventory.plan(Planned(A, SERIAL, "=HYPERLINK(1)"), NOW)
    text = as_csv(ledger(inventory), NOW)
    assert text.startswith("\ufeff设备编号,")
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert (row["设备编号"], row["状态"], row["使用单位"]) == (A, "待发", "'=HYPERLINK(1)")


def test_register_of_an_earlier_version_is_taken_over_once(authority: Authority, tmp_path: Path) -> None:
    chain = authority.certify_signer(keys.signing_request(keys.new_key(), A), A, Role.RECORDER, NOW)
    held = authority.register()
    old = {
        "district": held.district, "name": held.name, "version": held.version, "issued_at": "2026-11-22T10:00:00.000Z",
        "entries": [{
            "subject": A, "role": "recorder", "profile": "evidence", "certificate": held.entries[0].certificate_pem,
            "issued_at": "2026-11-22T10:00:00.000Z", "revoked_at": None, "reason": None,
        }],
    }  # fmt: skip
    for name in ("inventory.db", "inventory.db-wal", "inventory.db-shm", "audit.key"):
        (authority.folder / name).unlink(missing_ok=True)
    text = json.dumps(old, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    durable.write_bytes(authority.folder / "register.json", text.encode(), 0o600)
    for _ in range(2):
        again = open_authority(authority.folder)
        assert again.register() == held
        assert held.entries[0].certificate_pem.encode() in chain
    assert (authority.folder / "register.json.taken-over").read_text() == text


def chain_of(count: int) -> list[Row]:
    rows: list[Row] = []
    head = Head()
    for number in range(count):
        rows.append(next_row(head, Act(NOW, WHO, "device-moved", A, {"n": number})))
        head = head_of(rows[-1])
    return rows


def rechained(rows: list[Row]) -> list[Row]:
    """What somebody makes of the rows who computes every hash again."""
    made: list[Row] = []
    for row in rows:
        act = json.loads(row.body)
        told = Act(NOW, act["by"], act["act"], act["subject"], act["facts"])
        made.append(next_row(head_of(made[-1]) if made else Head(), told))
    return made


def test_threat_log_tampering_each_way_is_named_by_its_row() -> None:
    rows = chain_of(9)
    head = head_of(rows[-1])
    assert verify_audit(rows, head) == head
    edited = [*rows[:4], Row(5, rows[4].hash, rows[4].body.replace(WHO, "别人")), *rows[5:]]
    with pytest.raises(SenderFault, match="第 5 条被改动"):
        verify_audit(edited, head)
    for gone, told in (([3, 4], "第 4 至 5 条已被删除"), ([0], "第 1 条已被删除"), ([7, 8], "第 8 至 9 条已被截去")):
        with pytest.raises(SenderFault, match=told):
            verify_audit([row for index, row in enumerate(rows) if index not in gone], head)
    swapped = [*rows[:2], Row(3, rows[3].hash, rows[3].body), Row(4, rows[2].hash, rows[2].body), *rows[4:]]
    with pytest.raises(SenderFault, match="第 3 条与第 4 条被调换"):
        verify_audit(swapped, head)
    with pytest.raises(SenderFault, match="第 9 条起与已签署的链头不符"):
        verify_audit(rechained(edited), head)
    with pytest.raises(SenderFault, match="被截去"):
        verify_audit([], head)


def test_threat_log_tampering_with_the_audit_key_shows_against_a_head_carried_away(
    inventory: Inventory, authority: Authority
) -> None:
    for number in range(1, 5):
        inventory.plan(Planned(f"REC-000{number}", "", UNIT), NOW)
    carried = inventory.records.opened_head(inventory.records.sealed_head() or b"")
    forged = rechained(inventory.records.audit_rows()[:-1])
    with pytest.raises(SenderFault, match="被截去"):
        verify_audit(forged, carried)
    forger = KeySigner(read_private_key(authority.folder / "root.key"))
    with pytest.raises(SenderFault, match="审计密钥"):
        inventory.records.opened_head(seal(HEAD_TYPE, Head(1, START).encode(), [forger]))


def test_row_and_audit_row_are_there_together_or_not_at_all(inventory: Inventory, authority: Authority) -> None:
    inventory.plan(Planned(A, SERIAL, UNIT), NOW)
    before = inventory.records.audit_rows()

    def cut_short() -> None:
        with inventory.records.transaction():
            inventory.move(A, State.BUNDLED, "示例", NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cut_short()
    assert inventory.device(A).state is State.PLANNED
    assert inventory.records.audit_rows() == before


def test_lost_audit_key_and_a_damaged_database_are_named(authority: Authority) -> None:
    (authority.folder / "audit.key").rename(authority.folder / "elsewhere")
    with pytest.raises(OperatorFault, match=r"audit.key 不见了"):
        open_records(authority.folder)
    (authority.folder / "elsewhere").rename(authority.folder / "audit.key")
    (authority.folder / "inventory.db").write_bytes(b"no database" * 999)
    with pytest.raises(OperatorFault, match="已损坏"):
        open_records(authority.folder)


def test_audit_in_the_database_is_whole_and_an_edit_there_is_seen(inventory: Inventory, authority: Authority) -> None:
    inventory.plan(Planned(A, SERIAL, UNIT), NOW)
    rows = inventory.records.audit_rows()
    assert all(after.number == before.number + 1 for before, after in pairwise(rows))
    head = inventory.records.opened_head(inventory.records.sealed_head() or b"")
    assert verify_audit(rows, head) == head
    with sqlite3.connect(authority.folder / "inventory.db") as other:
        other.execute("UPDATE audit SET body = replace(body, ?, '别人') WHERE number = 2", (WHO,))
    other.close()
    with pytest.raises(SenderFault, match="第 2 条被改动"):
        verify_audit(inventory.records.audit_rows(), head)


@pytest.mark.parametrize(
    "wipe",
    [
        ("DELETE FROM audit", "DELETE FROM audit_head"),
        ("DELETE FROM audit WHERE number > 1", "DELETE FROM audit_head"),
        ("DELETE FROM audit_head",),
        ("DELETE FROM audit",),
    ],
)
def test_threat_log_tampering_an_audit_that_was_wiped_is_not_whole(
    inventory: Inventory, authority: Authority, wipe: tuple[str, ...]
) -> None:
    inventory.plan(Planned(A, SERIAL, UNIT), NOW)
    assert inventory.records.verified_audit().number == len(inventory.records.audit_rows())
    for sql in wipe:
        inventory.records.rows(sql)
    with pytest.raises(SenderFault, match="从备份比对"):
        inventory.records.verified_audit()
    said = run_here("provisioning.cli", "audit", "verify", "--authority", authority.folder)
    assert (said.returncode, "从备份比对" in said.stderr) == (3, True)
    assert "[问题]  审计记录" in run_here("provisioning.cli", "doctor", "--authority", authority.folder).stdout


def test_threat_log_tampering_a_chain_begun_anew_is_not_whole(inventory: Inventory) -> None:
    for sql in ("DELETE FROM audit", "DELETE FROM audit_head"):
        inventory.records.rows(sql)
    inventory.plan(Planned(A, SERIAL, UNIT), NOW)
    with pytest.raises(SenderFault, match="被清空"):
        inventory.records.verified_audit()


def test_a_lost_audit_key_is_not_made_anew_where_the_audit_was_wiped(authority: Authority) -> None:
    with closing(open_records(authority.folder)) as records:
        records.rows("DELETE FROM audit")
    (authority.folder / "audit.key").unlink()
    with pytest.raises(OperatorFault, match=r"audit.key 不见了"):
        open_records(authority.folder)
