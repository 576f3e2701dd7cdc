"""A revocation list that nobody renews shuts the whole fleet out: it is told a week before, where people look."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.errors import SenderFault
from agent.wire.signing import load_pem_certificates
from provisioning.authority.authority import Authority
from provisioning.authority.list_term import Term, broker_term, signed_term
from provisioning.authority.revocation_list import LIFETIME, current_list
from provisioning.center.config import read_config
from provisioning.center.list_state import list_state
from provisioning.center.page.door import Role
from provisioning.center.store import open_store
from provisioning.cli import app
from provisioning.fleet.inventory import open_inventory
from tests.provisioning.bench_room import bench, planned
from tests.provisioning.district import NOW, SteppedClock, TestDistrict, today
from tests.provisioning.page_bench import PageBench


def ask(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def signed(folder: Path, at: datetime) -> bytes:
    """The list of an authority in `folder`, founded and signed at `at`, with one device listed."""
    with bench(folder, now=at) as desk:
        desk.inventory.plan(planned(1), at)
        return current_list(desk.sitting, at).pem


@pytest.mark.parametrize(
    ("left", "good", "words"),
    [
        (timedelta(days=7, seconds=1), True, "还有 7 天"),
        (timedelta(days=7), False, "只剩 7 天"),
        (timedelta(seconds=1), False, "只剩 0 天"),
        (timedelta(), False, "过期"),
        (timedelta(days=-40), False, "过期"),
    ],
)
def test_alarm_begins_seven_days_before_the_end(left: timedelta, good: bool, words: str) -> None:
    term = Term("吊销列表", NOW + left)
    told = term.told(NOW)
    assert (term.good(NOW), words in told, "broker-config --reload" in told) == (good, True, not good)


def test_term_is_that_of_the_bytes_and_a_foreign_or_broken_list_has_none(tmp_path: Path) -> None:
    pem, foreign = signed(tmp_path / "ca", NOW), signed(tmp_path / "other", NOW)
    issuing = load_pem_certificates((tmp_path / "ca" / "issuing.pem").read_bytes())[0]
    assert broker_term(pem, issuing).until == NOW + LIFETIME
    for bad in (foreign, b"", b"no list", pem[:-60]):
        with pytest.raises(SenderFault, match="broker-config --reload"):
            broker_term(bad, issuing)
    with open_inventory(tmp_path / "ca", "示例") as inventory:
        found = signed_term(inventory.records)
    assert found is not None
    assert found.until == NOW + LIFETIME


@pytest.mark.parametrize(("age", "good"), [(1, True), (52, True), (54, False), (61, False)])
def test_doctor_and_inventory_tell_of_a_list_that_nobody_renewed(tmp_path: Path, age: int, good: bool) -> None:
    signed(tmp_path / "ca", today() - timedelta(days=age))
    told = ask("doctor", "--authority", tmp_path / "ca", "--json")
    (item,) = [it for it in json.loads(told.stdout)["items"] if "吊销列表" in it["text"]]
    assert item["good"] is good
    assert good or told.exit_code == 5
    assert ("broker-config --reload" in ask("inventory", "--authority", tmp_path / "ca").stdout) is not good
    listed = json.loads(ask("inventory", "--authority", tmp_path / "ca", "--json").stdout)
    assert listed["revocation_list_days"] == (LIFETIME - timedelta(days=age)).days - 1


def test_fresh_list_at_the_bench_does_not_hide_an_old_one_at_the_broker(tmp_path: Path) -> None:
    folder, broker = tmp_path / "ca", tmp_path / "broker"
    old = signed(folder, today() - timedelta(days=55))
    broker.mkdir()
    (broker / "crl.pem").write_bytes(old)
    with Authority(folder, "示例-000001").sit() as desk:
        assert current_list(desk, today()).pem != old
    words = ("doctor", "--authority", folder)
    assert "只剩" not in ask(*words).stdout
    told = ask(*words, "--broker-folder", broker)
    assert (told.exit_code, "[问题]  消息服务器的吊销列表" in told.stdout) == (5, True)
    (broker / "crl.pem").unlink()
    assert ask(*words, "--broker-folder", broker).exit_code == 5


def test_bench_without_any_list_is_not_alarmed(tmp_path: Path) -> None:
    with bench(tmp_path / "ca", now=today()):
        pass
    assert "[正常]  吊销列表：还没有签发过" in ask("doctor", "--authority", tmp_path / "ca").stdout
    assert json.loads(ask("inventory", "--authority", tmp_path / "ca", "--json").stdout)["revocation_list_days"] is None


def test_the_centre_tells_how_long_the_list_of_its_broker_holds(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, 8883, moment=lambda: NOW)
    folder, broker = district.receiver(), district.broker().parent
    config = read_config(folder / "center.toml")
    assert list_state(config, NOW) is None, "nobody said where it is"
    text = (
        (folder / "center.toml").read_text().replace("[broker]\n", '[broker]\nrevocation_list = "../broker/crl.pem"\n')
    )
    (folder / "center.toml").write_text(text)
    config = read_config(folder / "center.toml")
    for days, good, word in ((1, True, "还有 58 天"), (54, False, "只剩 5 天"), (61, False, "过期")):
        state = list_state(config, NOW + timedelta(days=days, hours=1))
        assert state is not None
        assert (state[0], word in state[1]) == (good, True), state
    (broker / "crl.pem").write_bytes(b"garbage")
    assert list_state(config, NOW) == (False, "消息服务器的吊销列表：无法读取。请运行 broker-config --reload。")
    (broker / "crl.pem").unlink()
    assert (list_state(config, NOW) or (True, ""))[0] is False


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_fleets_page_shows_it(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, 8883)
    folder, _ = district.receiver(), district.broker()
    text = (
        (folder / "center.toml").read_text().replace("[broker]\n", '[broker]\nrevocation_list = "../broker/crl.pem"\n')
    )
    (folder / "center.toml").write_text(text)
    config = read_config(folder / "center.toml")
    store = open_store(config.database, folder)
    clock = SteppedClock(today())
    page = PageBench(config, store, clock)
    try:
        seen = (await page.ask("/", page.cookie(Role.OPERATOR)))[1]
        assert "消息服务器的吊销列表：有效期至" in seen
        assert 'class="trouble" role="alert"' not in seen
        clock.wall += timedelta(days=55)
        seen = (await page.ask("/", page.cookie(Role.OPERATOR)))[1]
        assert 'class="trouble" role="alert">消息服务器的吊销列表' in seen
    finally:
        store.close()
