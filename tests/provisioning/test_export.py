"""The account of a device, exported by the centre's command and opened with nothing but the root."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from agent.evidence.account import Account, open_accounts
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId, Digest, parse_recording_id
from agent.wire.receipts import RECEIPT_TYPE, Receipt
from provisioning.center.config import read_config
from provisioning.center.ingest import Ingest
from provisioning.center.receipt_desk import RECEIPT_INTERVAL_MS
from provisioning.center.store import open_store
from provisioning.fleet.identity_files import write_trust
from tests.provisioning.district import (
    NOW,
    PLACE,
    Chain,
    TestDistrict,
    events_topic,
    load_signer,
    sealed_batch,
)
from tests.support.commands import run_here

DEVICE = DeviceId("REC-0001")


@pytest.fixture
def district(tmp_path: Path) -> TestDistrict:
    return TestDistrict(tmp_path, 1883, moment=lambda: NOW)


@pytest.fixture
def center(district: TestDistrict) -> Path:
    """The folder of a receiver that has two recordings' events of REC-0001, and answered them."""
    signer, folder = load_signer(district.device(DEVICE), "evidence"), district.receiver()
    write_trust(folder, district.authority)
    store = open_store(read_config(folder / "center.toml").database, folder)
    ingest = Ingest(PLACE, "receiver-1", store, district.authority.trust(), load_signer(folder, "receiver"))
    ingest.begin()
    chain = Chain(DEVICE)
    batches = [[*chain.add(3), chain.add_head("R000001", 1, "aa" * 32)], [chain.add_head("R000001", 30, "bb" * 32)],
               [chain.add_head("R000002", 7, "cc" * 32)]]  # fmt: skip
    for order in (0, 2, 1):  # the network turned two around
        ingest.take([(events_topic(DEVICE), sealed_batch(signer, batches[order]))], NOW, 0)
    ingest.delivered(ingest.receipts(NOW, RECEIPT_INTERVAL_MS))
    store.close()
    return folder


def _export(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return run_here("provisioning.center.cli", "export", "--config", folder / "center.toml", *words)


def test_exported_account_opens_with_the_root_alone(center: Path, tmp_path: Path) -> None:
    done = _export(center, "--device", DEVICE, "--out", tmp_path / "a.jsonl")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    root = x509.load_pem_x509_certificate((center / "root.pem").read_bytes())
    account = open_accounts((tmp_path / "a.jsonl").read_bytes().splitlines(), [root], None).devices[DEVICE]
    assert (account.upto, account.receiver, account.as_of) == (6, "receiver-1", NOW)
    heads = account.recordings[parse_recording_id("REC-0001-R000001")].heads
    assert [(it.sequence, it.witness) for it in heads] == [
        (1, None), (1, "receiver-1"), (30, None), (30, "receiver-1"),
    ]  # fmt: skip
    assert _export(center, "--device", DEVICE).stdout.encode() == (tmp_path / "a.jsonl").read_bytes()


def test_device_that_nobody_heard_of_is_the_operators_mistake(center: Path) -> None:
    done = _export(center, "--device", "REC-0009")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def _later(center: Path, district: TestDistrict, days: int) -> list[bytes]:
    """Two more events of REC-0001, `days` later, received and answered; its earlier ones are in `center` already."""
    folder = center
    signer = load_signer(center.parent / DEVICE, "evidence")
    store = open_store(read_config(folder / "center.toml").database, folder)
    ingest = Ingest(PLACE, "receiver-1", store, district.authority.trust(), load_signer(folder, "receiver"))
    ingest.begin()
    chain = Chain(DEVICE)
    chain.bodies = list(store.events(DEVICE))
    then = NOW + timedelta(days=days)
    bodies = [chain.add_head("R000003", 1, "dd" * 32), chain.add_head("R000003", 9, "ee" * 32)]
    ingest.take([(events_topic(DEVICE), sealed_batch(signer, bodies))], then, 0)
    ingest.delivered(ingest.receipts(then, RECEIPT_INTERVAL_MS))
    store.close()
    return bodies


def _opened(center: Path, account: Path) -> Account:
    root = x509.load_pem_x509_certificate((center / "root.pem").read_bytes())
    return open_accounts(account.read_bytes().splitlines(), [root], None).devices[DEVICE]


def test_account_since_a_day_begins_at_the_receipt_before_it(center: Path, district: TestDistrict) -> None:
    _later(center, district, days=3)
    whole, since, day = (center.parent / name for name in ("whole", "since", f"{NOW + timedelta(days=2):%Y-%m-%d}"))
    assert _export(center, "--device", DEVICE, "--out", whole).returncode == 0
    done = _export(center, "--device", DEVICE, "--since", day.name, "--out", since)
    assert done.returncode == 0, done.stderr
    account = _opened(center, since)
    assert account.anchor is not None
    assert (account.anchor.upto, account.anchor.received_at, account.upto) == (6, NOW, 8)
    assert list(account.recordings) == ["REC-0001-R000003"]
    assert _opened(center, whole).anchor is None


def test_account_since_an_older_account_goes_on_where_that_ended(center: Path, district: TestDistrict) -> None:
    older, newer = center.parent / "older", center.parent / "newer"
    assert _export(center, "--device", DEVICE, "--out", older).returncode == 0
    _later(center, district, days=3)
    assert _export(center, "--device", DEVICE, "--since", older, "--out", newer).returncode == 0
    assert len(newer.read_bytes()) < len(older.read_bytes())
    (center.parent / "both").write_bytes(older.read_bytes() + newer.read_bytes())
    both = _opened(center, center.parent / "both")
    assert (both.anchor, both.upto) == (None, 8)


@pytest.mark.parametrize("since", ["1999-01-01", "yesterday", "2099-01-01"], ids=["too early", "no day", "nothing new"])
def test_day_that_no_account_can_begin_at_is_refused_with_the_next_step(center: Path, since: str) -> None:
    done = _export(center, "--device", DEVICE, "--since", since)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "请" in done.stderr


def test_receipt_that_is_not_of_what_is_stored_here_is_no_beginning(center: Path, district: TestDistrict) -> None:
    _later(center, district, days=3)
    receipt = Receipt(DEVICE, 3, Digest("ab" * 32), "receiver-1", NOW)
    kept = center.parent / "receipt.dsse"
    kept.write_bytes(seal(RECEIPT_TYPE, receipt.encode(), [load_signer(center, "receiver")]))
    done = _export(center, "--device", DEVICE, "--since", kept)
    assert (done.returncode, "不能作起点" in done.stderr) == (3, True)
