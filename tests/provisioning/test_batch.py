"""Many devices from a table: what is wrong with it is told by line, and a cut leaves nothing half-made."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import OperatorFault
from agent.wire.card_bundle import open_card, token_name
from agent.wire.signing import load_pem_certificates
from provisioning.authority.audit_chain import verify_audit
from provisioning.fleet.batch import Table, conflicts, parse_table, run_batch
from provisioning.fleet.enrolment import Desk
from provisioning.fleet.inventory import open_inventory
from provisioning.fleet.states import State
from tests.provisioning.bench_room import bench, serial
from tests.provisioning.district import NOW, REPOSITORY, UNIT

HEAD = "编号,硬件序列号,使用单位"


def rows(count: int) -> str:
    return "\n".join([HEAD, *(f"REC-{n:04d},{serial(n)},{UNIT}" for n in range(1, count + 1))]) + "\n"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bench(tmp_path / "ca") as opened:
        yield opened


def run(table: Table, desk: Desk, out: Path) -> list[tuple[str, bool, str]]:
    done = run_batch(table, desk, out, lambda: NOW, lambda _: None)
    return [(outcome.device, outcome.changed, outcome.fault) for outcome in done]


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_what_spreadsheet_programs_write_is_read(encoding: str) -> None:
    text = f"{HEAD}\r\n\r\nREC-0001,{serial(1)},{UNIT}\r\n,,\r\nREC-0002,{serial(2)},{UNIT}\r\n"
    table = parse_table(text.encode(encoding))
    assert [(line, row.device, row.unit) for line, row in table.rows] == [(3, "REC-0001", UNIT), (5, "REC-0002", UNIT)]
    assert table.faults == ()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"REC-0001,{serial(9)},单位", "与第 2 行重复"),
        (f"REC-0009,{serial(1).upper()},单位", "与第 2 行重复"),
        (f"REC-0009/up,{serial(9)},单位", "不合规定格式"),
        ("REC-0009,,单位", "没有硬件序列号"),
        ("REC-0009,xyz,单位", "请核对标签"),
        (f"REC-0009,{serial(9)},", "没有使用单位"),
        (f"KSK-0009,{serial(9)},单位", "须写明"),
        (f"REC-0009,{serial(9)},单位,多,余", "比表头多"),
    ],
)
def test_each_bad_row_is_told_with_its_line_and_the_rest_goes_on(line: str, told: str) -> None:
    table = parse_table(f"{HEAD}\nREC-0001,{serial(1)},单位\n{line}\nREC-0003,{serial(3)},单位\n".encode())
    (fault,) = table.faults
    assert fault.line == 3
    assert told in fault.text
    assert [row.device for _, row in table.rows] == ["REC-0001", "REC-0003"]


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", HEAD.encode(), b"\xff\xfe\x00", "编号,密码\nREC-0001,x\n".encode(), b'"a\nb']
)
def test_what_is_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(OperatorFault):
        parse_table(data)


def test_done_again_it_changes_no_byte(desk: Desk, tmp_path: Path) -> None:
    table = parse_table(rows(20).encode())
    assert all(changed for _, changed, _ in run(table, desk, tmp_path / "cards"))
    before, audit = tree(tmp_path / "cards"), desk.inventory.records.audit_rows()
    assert not any(changed for _, changed, _ in run(table, desk, tmp_path / "cards"))
    assert tree(tmp_path / "cards") == before
    assert desk.inventory.records.audit_rows() == audit


def test_what_the_inventory_has_against_a_row_is_told_before_anything_is_done(desk: Desk, tmp_path: Path) -> None:
    run(parse_table(rows(2).encode()), desk, tmp_path / "cards")
    text = f"{HEAD}\nREC-0001,{serial(1)},别的单位\nREC-0007,{serial(2)},{UNIT}\nREC-0003,{serial(3)},{UNIT}\n"
    table = parse_table(text.encode())
    audit = desk.inventory.records.audit_rows()
    assert [fault.line for fault in conflicts(table, desk)] == [2, 3]
    assert desk.inventory.records.audit_rows() == audit
    outcomes = run(table, desk, tmp_path / "cards")
    assert [bool(fault) for _, _, fault in outcomes] == [True, True, False]


def consistent(folder: Path, cards: Path) -> int:
    """How many devices are bundled; fails when one of them has no card, or one whose token is not the live one."""
    with open_inventory(folder, "示例") as inventory:
        head = inventory.records.opened_head(inventory.records.sealed_head() or b"")
        verify_audit(inventory.records.audit_rows(), head)
        root, issuing = (load_pem_certificates((folder / name).read_bytes())[0] for name in ("root.pem", "issuing.pem"))
        devices = inventory.devices()
        assert len({device.hardware for device in devices}) == len(devices)
        bundled = [device for device in devices if device.state is State.BUNDLED]
        for device in bundled:
            card = open_card((cards / device.device / "card.dsse").read_bytes(), issuing, root, NOW)
            (live,) = inventory.records.rows(
                "SELECT name FROM token WHERE device = ? AND ended_at IS NULL", card.device
            )
            assert (card.device, token_name(card.bound_token())) == (device.device, live["name"])
        return len(bundled)


def kill_and_resume(base: Path, count: int, kills: int) -> list[int]:
    """Run a batch of `count` with `kills` SIGKILLs at random moments; how many were bundled after each."""
    with bench(base / "ca") as desk:
        folder = desk.authority.folder
    (base / "devices.csv").write_text(rows(count), encoding="utf-8")
    program = (
        "import sys; from pathlib import Path; from provisioning.authority.authority import Authority;"
        "from provisioning.fleet.batch import parse_table, run_batch;"
        "from provisioning.fleet.enrolment import enrolment_desk; from tests.provisioning.district import NOW;"
        "b = Path(sys.argv[1])\n"
        "with enrolment_desk(Authority(b / 'ca', 'x')) as desk:\n"
        "    print('ready', flush=True)\n"
        "    run_batch(parse_table((b / 'devices.csv').read_bytes()), desk, b / 'cards', lambda: NOW, lambda o: None)\n"
    )
    dice, after = random.Random(7), []
    for number in range(kills + 1):
        child = subprocess.Popen([sys.executable, "-c", program, str(base)], cwd=REPOSITORY, stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        if number < kills:
            time.sleep(dice.uniform(0.0, 0.12))
            os.kill(child.pid, signal.SIGKILL)
        child.stdout.close()
        child.wait(120)
        after.append(consistent(folder, base / "cards"))
    return after


def test_kill_in_the_middle_leaves_no_half_made_device(tmp_path: Path) -> None:
    after = kill_and_resume(tmp_path, 40, 3)
    assert after == sorted(after)
    assert after[-1] == 40
