"""The receiver's log for anybody: proofs made by our commands, checked by ours, by a short script and by openssl."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from rich.console import Console

from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.evidence.log_proof import open_consistency, open_inclusion
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId
from agent.wire.receipts import Receipt, TreePoint, parse_receipt
from agent.wire.tree_head import TREE_HEAD_TYPE, TreeHead
from provisioning.center.ingest import Ingest
from provisioning.center.log_cli import _table
from provisioning.center.proving import prove_event, prove_growth
from provisioning.center.shard import Shard, parse_shard
from provisioning.center.store import open_store
from provisioning.center.summary import DeviceSummary
from provisioning.fleet.identity_files import write_trust
from tests.provisioning.center_bench import A, B, Center, Keys
from tests.provisioning.district import NOW, PLACE, REPOSITORY, Chain, events_topic, sealed_batch, sealed_status
from tests.provisioning.district import state_topic as state_of
from tests.support.commands import run_here

SCRIPT = REPOSITORY / "tests" / "vectors" / "check_inclusion.py"
GROWTH = SCRIPT.with_name("check_growth.py")
NAME = "receiver-1"


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    made = Keys(tmp_path_factory.mktemp("keys"))
    write_trust(made.receiver, made.district.authority)
    return made


@pytest.fixture
def center(holders: Keys, tmp_path: Path) -> Iterator[Center]:
    made = Center(holders, tmp_path)
    yield made
    made.store.close()


def grown(center: Center, count: int) -> Receipt:
    """`count` more events of A, and the receipt for them, delivered."""
    center.send(*center.chain.add(count))
    center.clock.step(1_000)
    (answer,) = center.ingest.receipts(center.clock.wall, center.clock.monotonic_ms)
    center.ingest.delivered([answer])
    return answer.receipt


def test_receipt_names_the_log_that_holds_its_events(center: Center) -> None:
    receipt = grown(center, 3)
    assert receipt.tree == center.point() == TreePoint(3, center.point().root)
    assert parse_receipt(receipt.encode()) == receipt


def test_every_event_is_proved_in_the_order_of_acceptance(center: Center) -> None:
    bodies = center.chain.add(6)
    center.send(*bodies[4:])  # waits behind a gap, and is not in the log before it is closed
    assert center.point().size == 0
    center.send(*bodies[:4])
    grown(center, 1)
    for number, body in enumerate(bodies, start=1):
        proven = open_inclusion(prove_event(center.store, NAME, A, number), center.trust)
        assert (proven.event.encode(), proven.position, proven.head.size) == (body, number - 1, 7)


def test_log_that_was_rewritten_cannot_be_proved_from_an_old_receipt(center: Center) -> None:
    old = grown(center, 5).tree
    grown(center, 8)
    assert old is not None
    proof = prove_growth(center.store, NAME, old.size)
    then, head = open_consistency(proof, center.trust)
    assert (then, head.size) == (old, 13)
    lied = json.loads(proof) | {"old_root": "ab" * 32}
    with pytest.raises(SenderFault, match="一致性"):
        open_consistency(json.dumps(lied).encode(), center.trust)


def test_event_that_is_not_covered_yet_and_one_that_is_not_there(center: Center) -> None:
    grown(center, 2)
    center.send(*center.chain.add(1))
    with pytest.raises(EnvironmentFault, match="liuhen-center receive"):
        prove_event(center.store, NAME, A, 3)
    with pytest.raises(OperatorFault, match="没有"):
        prove_event(center.store, NAME, A, 9)
    with pytest.raises(OperatorFault, match="since"):
        prove_growth(center.store, NAME, 3)


def test_altered_event_foreign_head_and_head_of_a_device_are_refused(center: Center) -> None:
    grown(center, 4)
    proof = json.loads(prove_event(center.store, NAME, A, 2))
    head = TreeHead(NAME, 4, center.point().root, NOW)
    wrong = [
        proof | {"event": proof["event"].replace("甲", "乙")},
        proof | {"position": 2},
        proof | {"path": proof["path"][:-1]},
        proof | {"head": json.loads(seal(TREE_HEAD_TYPE, head.encode(), [center.a]))},
        proof | {"kind": "other"},
        {**proof, "head": {}},
    ]
    for each in wrong:
        with pytest.raises(SenderFault):
            open_inclusion(json.dumps(each).encode(), center.trust)


def test_script_of_anybody_and_openssl_check_what_the_command_proved(center: Center, holders: Keys) -> None:
    folder = holders.receiver
    there = open_store("sqlite:///center.db", folder)
    ingest = Ingest(PLACE, NAME, there, center.trust, center.key)
    ingest.begin()
    ingest.take([(events_topic(A), sealed_batch(center.a, Chain(A).add(21)))], NOW, 0)
    ingest.receipts(NOW, 1_000)
    there.close()
    proof = center.base / "proof.json"
    config = ["--config", str(folder / "center.toml")]
    for words in ([f"{A}:17", *config], ["E000017", "--device", A, *config]):
        assert command("prove", *words, "--out", str(proof)).returncode == 0
    script = subprocess.run([sys.executable, SCRIPT, proof], capture_output=True, text=True, check=False)
    assert (script.returncode, script.stdout) == (0, "IS leaf 16 of 21 in receiver-1\n"), script.stderr
    files = ["--root", str(folder / "root.pem"), "--trust", str(folder / "trust.dsse")]
    assert "第 17 号" in command("check-proof", str(proof), *files).stdout
    listed = center.trust.credentials[center.key.key_id].public_key
    public = listed.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (center.base / "receiver.pub").write_bytes(public)
    by_hand = "openssl dgst -sha256 -verify receiver.pub -signature proof.json.sig proof.json.signed"
    assert subprocess.run(by_hand.split(), cwd=center.base, capture_output=True, check=True).stdout == b"Verified OK\n"
    proof.write_text(proof.read_text(encoding="utf-8").replace("E000017", "E000018"), encoding="utf-8")
    assert subprocess.run([sys.executable, SCRIPT, proof], capture_output=True, check=False).returncode == 1
    assert command("check-proof", str(proof), *files).returncode == 3
    seen = command("watch", "--times", "2", "--every", "0.2", *config)
    assert (seen.returncode, "REC-0001" in seen.stdout, "日志 21 条" in seen.stdout) == (0, True, True), seen.stderr
    assert "余天：签名证书" in seen.stdout
    assert seen.stdout.endswith("UTC\n")


def test_growth_is_checked_by_the_command_and_by_a_script_of_anybody(center: Center, holders: Keys) -> None:
    files = ["--root", str(holders.receiver / "root.pem"), "--trust", str(holders.receiver / "trust.dsse")]
    proof, heads = center.base / "growth.json", {}
    for size in range(1, 14):
        heads[size] = grown(center, 1).tree
        for old in range(1, size + 1) if size in (1, 2, 5, 8, 13) else ():
            proof.write_bytes(prove_growth(center.store, NAME, old))
            said = script(GROWTH, proof) if (old, size) in ((1, 1), (3, 5), (4, 8), (6, 13), (13, 13)) else None
            expected = f"receiver-1 GREW from {old} ({heads[old].root}) to {size}\n"
            assert said is None or (said.returncode, said.stdout) == (0, expected), said
            told = json.loads(command("check-proof", str(proof), *files, "--json").stdout)
            assert (told["old_size"], told["old_root"], told["size"]) == (old, heads[old].root, size)
    assert "自第 13 条以来只增未改" in command("check-proof", str(proof), *files).stdout
    proof.write_bytes(prove_growth(center.store, NAME, 6))
    lied = json.loads(proof.read_bytes()) | {"old_root": "ab" * 32}
    proof.write_text(json.dumps(lied))
    assert (script(GROWTH, proof).returncode, command("check-proof", str(proof), *files).returncode) == (1, 3)
    proof.write_text(json.dumps(lied | {"kind": "other"}))
    assert "请用 liuhen-center prove" in command("check-proof", str(proof), *files).stderr


@pytest.mark.parametrize("text", [SCRIPT, GROWTH])
def test_a_script_without_a_file_says_how_it_is_used(text: Path) -> None:
    done = script(text)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"python {text.name}" in done.stderr


def script(which: Path, *words: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, which, *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("place", [SCRIPT, GROWTH])
def test_the_scripts_are_short_enough_to_be_read(place: Path) -> None:
    text = place.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40
    imported = re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)
    assert imported == ["base64", "hashlib", "json", "sys", "pathlib"], place


def test_each_device_has_exactly_one_receiver() -> None:
    devices = [DeviceId(f"REC-{number:04d}") for number in range(300)]
    shards = [parse_shard(f"{number}/3") for number in (1, 2, 3)]
    owned = [[device for device in devices if shard.owns(device)] for shard in shards]
    assert sorted(device for part in owned for device in part) == devices
    assert min(len(part) for part in owned) > 60
    assert Shard().owns(A)
    assert [shard.owns(A) for shard in shards] == [False, True, False]  # the same for ever: chains lie in the stores


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1/65", "1", "-1/2", "1/2/3"])
def test_shard_that_nobody_could_mean_is_refused(text: str) -> None:
    with pytest.raises(OperatorFault, match="shard"):
        parse_shard(text)


def test_receiver_passes_over_the_devices_of_another(center: Center) -> None:
    some = [Shard(number, parts) for parts in range(2, 9) for number in range(1, parts + 1)]
    center.ingest.shard = next(shard for shard in some if shard.owns(A) and not shard.owns(B))
    center.take(sealed_batch(center.b, Chain(B).add(2)), events_topic(B))
    center.take(sealed_status(center.b, B, 1), state_of(B))
    center.send(*center.chain.add(2))
    assert [row.device for row in center.store.summary()] == [A]
    assert center.receipt() == (2, False)


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return run_here("provisioning.center.cli", *words)


@pytest.mark.parametrize(
    ("days", "told", "style"),
    [({A: 31}, "31", ""), ({A: 30}, "30", "yellow"), ({A: -1}, "-1", "yellow"), ({}, "—", "yellow")],
)
def test_a_certificate_in_its_last_month_or_none_is_seen_in_the_live_table(
    days: dict[str, int], told: str, style: str
) -> None:
    row = DeviceSummary(A, 9, 9, "", 0, 0, 0, 0, 1, 9, True, "2026-11-22T10:06:14.123Z")
    table = _table(SimpleNamespace(receiver=NAME), (row,), days, 9)  # type: ignore[arg-type]
    column = next(each for each in table.columns if each.header == "余天")
    assert (list(column.cells), table.rows[0].style) == ([told], style)


def test_the_live_table_fits_a_terminal_of_80_columns() -> None:
    row = DeviceSummary("REC-000001", 99, 1_234_567, "", 99, 9, 9, 99, 9, 1_234_567, True, "2026-11-22T10:06:14.123Z")
    settings = SimpleNamespace(receiver=NAME)
    console = Console(file=io.StringIO(), width=80)
    console.print(_table(settings, (row,), {row.device: 1_234}, 12_345_678))  # type: ignore[arg-type]
    (line,) = [line for line in console.file.getvalue().splitlines() if "REC" in line]  # type: ignore[attr-defined]
    assert line.split() == ["REC-000001", "是", "1234567", "1234567", "99", "9", "9", "99", "1234", "11-22", "10:06:14"]
