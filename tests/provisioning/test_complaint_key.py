"""A complaint from the key's making to its reading: nothing readable on the kiosk, one desk opens it, no other can."""

import json
import stat
from pathlib import Path

import pytest

from agent import durable
from agent.control.hall_desk import HallDesk
from agent.control.hall_messages import KeepFacts, OutgoingRead
from agent.errors import OperatorFault
from agent.wire.identifiers import DeviceId
from kiosk.asked import Asked
from kiosk.config import read_config
from kiosk.forms import complain_page
from kiosk.serving import look_after, make_display, make_feed
from provisioning.authority.complaint_key import make_complaint_key, read_complaint_public
from provisioning.center.ingest import Ingest
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
from tests.support.clocks import SteppedClock
from tests.support.commands import run_here

KIOSK = DeviceId("KSK-0001")
TOLD = {"category": "服务态度", "about": "3 号窗口", "text": "等了两小时", "phone": "000-12345678", "go": "file"}


@pytest.fixture
def district(tmp_path: Path) -> TestDistrict:
    return TestDistrict(tmp_path, 8883, moment=lambda: NOW)


def outgoing(folder: Path) -> tuple[tuple[str, bytes], ...]:
    """A citizen complains at the screen of `folder`, and ten minutes pass: what waits for the agent."""
    config = read_config(folder / "kiosk.toml")
    feed = make_feed(config)
    feed.open(NOW)
    clock = SteppedClock()
    display = make_display(config, feed, clock)
    complain_page(display, Asked(form=TOLD, posted=True))
    clock.step(600)
    look_after(display)
    return tuple((path.name, path.read_bytes()) for path in sorted(config.outgoing.glob("complaint-*.json")))


def received(district: TestDistrict, folder: Path, files: tuple[tuple[str, bytes], ...]) -> Path:
    """The kiosk's agent sends what waits, the centre stores it; returns `center.toml`."""
    (kept,) = [
        one for one in HallDesk().heard(OutgoingRead(files), SteppedClock().read()) if isinstance(one, KeepFacts)
    ]
    chain, center = Chain(KIOSK), district.receiver()
    for order in kept.orders:
        chain._append(order.draft.event_id, order.draft.type, dict(order.draft.data))
    write_trust(center, district.authority)
    store = open_store("sqlite:///center.db", center)
    ingest = Ingest(PLACE, "receiver-1", store, district.authority.trust(), load_signer(center, "receiver"))
    ingest.begin()
    ingest.take([(events_topic(KIOSK), sealed_batch(load_signer(folder, "evidence"), chain.bodies))], NOW, 0)
    store.close()
    return center / "center.toml"


def test_a_complaint_is_read_with_the_centres_key_and_with_no_other(district: TestDistrict, tmp_path: Path) -> None:
    folder = district.device(KIOSK)
    files = outgoing(folder)
    assert len(files) == 1
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not [word for word in (TOLD["text"], TOLD["phone"]) if word.encode() in kept]
    config = received(district, folder, files)
    words = ("complaints", "--config", config, "--device", KIOSK, "--key")
    told = run_here("provisioning.center.cli", *words, tmp_path / "authority/complaint.key")
    assert told.returncode == 0, told.stderr
    assert (
        "类别：服务态度；对象：3 号窗口；情况：等了两小时；电话：000-12345678；大厅：星河区政务服务大厅" in told.stdout
    )
    make_complaint_key(tmp_path / "other")
    other = run_here("provisioning.center.cli", *words, tmp_path / "other/complaint.key", "--json")
    (one,) = json.loads(other.stdout)["complaints"]
    assert "无法解密" in one["problem"]
    assert "text" not in one


def test_a_kiosk_gets_the_public_half_alone_and_a_recorder_neither(district: TestDistrict) -> None:
    kiosk, recorder = district.device(KIOSK), district.device("REC-0001")
    assert (kiosk / "complaint.pub").read_bytes() == read_complaint_public(district.authority.folder)
    assert not (kiosk / "complaint.key").exists()
    assert not list(recorder.glob("complaint*"))
    assert stat.S_IMODE((district.authority.folder / "complaint.key").stat().st_mode) == 0o600


def test_the_key_moved_to_its_desk_is_never_made_anew(district: TestDistrict) -> None:
    folder = district.authority.folder
    public = read_complaint_public(folder)
    (folder / "complaint.key").unlink()
    told = run_here("provisioning.cli", "complaint-key", "--authority", folder, "--json")
    assert json.loads(told.stdout)["changed"] is False
    assert read_complaint_public(folder) == public
    assert not (folder / "complaint.key").exists()


def test_an_authority_from_before_gets_its_pair_and_its_kiosks_are_completed(district: TestDistrict) -> None:
    folder = district.authority.folder
    for name in ("complaint.key", "complaint.pub"):
        (folder / name).unlink()
    kiosk = district.device(KIOSK)
    assert not (kiosk / "complaint.pub").exists()
    told = run_here("provisioning.cli", "complaint-key", "--authority", folder)
    assert "已写好" in told.stdout
    district.device(KIOSK)
    assert (kiosk / "complaint.pub").read_bytes() == read_complaint_public(folder)


def test_a_damaged_public_half_reaches_no_kiosk(district: TestDistrict, tmp_path: Path) -> None:
    durable.write_bytes(district.authority.folder / "complaint.pub", b"-----BEGIN PUBLIC KEY-----\n")
    with pytest.raises(OperatorFault, match="不是 PEM 公钥"):
        district.device(KIOSK)
    assert not (tmp_path / KIOSK).exists()
