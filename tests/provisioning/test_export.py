"""The account of a device, exported by the centre's command and opened with nothing but the root."""

import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from agent.evidence.account import open_accounts
from agent.wire.identifiers import DeviceId, parse_recording_id
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
def center(tmp_path: Path) -> Path:
    """The folder of a receiver that has two recordings' events of REC-0001, and answered them."""
    district = TestDistrict(tmp_path, 1883, moment=lambda: NOW)
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
