"""A year after it was set up, and after a theft of its own keys, a broker still does as the register says; and every
command that made a certificate makes the next one."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from agent import durable
from agent.errors import OperatorFault
from agent.key_files import read_private_key
from agent.wire.signing import certificate_key, load_pem_certificates
from agent.wire.trust import Role
from provisioning.center.broker_config import PID_FILE
from provisioning.center.canary import Identity, is_let_in
from provisioning.center.force import broker_site
from provisioning.center.force import shut_out as revoke
from provisioning.center.keeping import Keeper
from provisioning.fleet.folders import write_person_folder
from provisioning.fleet.identity_files import write_identity
from tests.provisioning.district import TestDistrict, broker_process, eventually, running, today
from tests.support.broker import free_port, needs_mosquitto
from tests.support.commands import run_here

A, B, PERSON = "REC-0001", "REC-0002", "示例-000001"
YEAR = timedelta(days=370)
one_broker = pytest.mark.xdist_group("shut-out")


def leaf(folder: Path, name: str) -> x509.Certificate:
    return load_pem_certificates((folder / f"{name}.pem").read_bytes())[0]


class Aged:
    """A district whose broker was set up `age` ago, and two devices of today."""

    def __init__(self, base: Path, age: timedelta) -> None:
        self.district = TestDistrict(base, free_port(), moment=lambda: today() - age)
        self.process = broker_process(self.district)
        self.district.moment = today  # type: ignore[misc]
        self.folders = {name: self.district.device(name) for name in (A, B)}
        self.site = broker_site(base / "broker", "localhost", self.district.port)

    def let_in(self) -> tuple[bool, bool]:
        found = [
            is_let_in(self.site.door, Identity(name, folder / "tls.pem", folder / "tls.key"))
            for name, folder in self.folders.items()
        ]
        return found[0], found[1]


@one_broker
@needs_mosquitto
@pytest.mark.parametrize("age", [YEAR, timedelta(days=300)])
def test_a_year_after_its_setting_up_a_broker_still_shuts_out(tmp_path: Path, age: timedelta) -> None:
    made = Aged(tmp_path, age)
    old = leaf(made.site.folder, "broker")
    with running(made.process, made.district.port):
        eventually(lambda: (made.site.folder / PID_FILE).exists(), "pid file")
        revoke(made.district.authority, A, "被盗", made.site, today())
        assert made.let_in() == (False, True)
    assert leaf(made.site.folder, "broker").not_valid_after_utc > old.not_valid_after_utc
    assert not list(made.site.folder.glob("*-next*"))


@one_broker
@needs_mosquitto
@pytest.mark.parametrize("stolen", ["broker-1-canary-good", "broker-1-canary-revoked", "broker-1"])
def test_whoever_revokes_a_brokers_own_certificate_can_revoke_devices_still(tmp_path: Path, stolen: str) -> None:
    made = Aged(tmp_path, timedelta())
    old = leaf(made.site.folder, "broker")
    with running(made.process, made.district.port):
        eventually(lambda: (made.site.folder / PID_FILE).exists(), "pid file")
        revoke(made.district.authority, stolen, "密钥外泄", made.site, today())
        assert made.let_in() == (True, True)
        revoke(made.district.authority, A, "被盗", made.site, today())
        assert made.let_in() == (False, True)
    assert (leaf(made.site.folder, "broker") == old) is (stolen != "broker-1")


@one_broker
@needs_mosquitto
def test_the_service_that_keeps_a_broker_renews_its_certificates(tmp_path: Path) -> None:
    made, said = Aged(tmp_path, YEAR), []
    keeper = Keeper(made.district.authority, said.append, made.site)
    with running(made.process, made.district.port):
        eventually(lambda: (made.site.folder / PID_FILE).exists(), "pid file")
        assert keeper.look(today()), said
        assert made.let_in() == (True, True)
        assert not keeper.look(today()), said


def test_a_certificate_that_is_nearly_over_gets_the_next_key(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, 8883, moment=lambda: today() - timedelta(days=2 * 365 + 10))
    district.person(PERSON, Role.EDITOR)
    folder, old = tmp_path / PERSON, leaf(tmp_path / PERSON, "editor")
    said = run_here("provisioning.cli", "doctor", "--authority", district.authority.folder)
    assert (said.returncode, f"证书：{PERSON}" in said.stdout, "add-person" in said.stdout) == (5, True, True)
    assert write_person_folder(district.authority, PERSON, Role.EDITOR, folder, today()).changed
    now = leaf(folder, "editor")
    assert certificate_key(now) == read_private_key(folder / "editor.key").public_key() != certificate_key(old)
    known = {it.key_id for it in district.authority.register().entries if it.revoked_at is None}
    assert len(known) == len(district.authority.trust().credentials) == 2, "what was signed stays good"
    assert not write_person_folder(district.authority, PERSON, Role.EDITOR, folder, today()).changed
    said = run_here("provisioning.cli", "doctor", "--authority", district.authority.folder)
    assert f"证书：{PERSON}" not in said.stdout


def test_a_certificate_that_is_not_nearly_over_gives_way_to_nobody(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, 8883, moment=lambda: today() - timedelta(days=365))
    district.person(PERSON, Role.EDITOR)
    with pytest.raises(OperatorFault, match="已发给别的目录"):
        write_person_folder(district.authority, PERSON, Role.EDITOR, tmp_path / "other", today())


def test_a_cut_between_the_next_key_and_its_certificate_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    district = TestDistrict(tmp_path, 8883, moment=lambda: today() - YEAR)

    def made(*, spent: bool) -> bool:
        return write_identity(
            tmp_path,
            "broker",
            "broker-1",
            lambda request: district.authority.certify_broker(request, "broker-1", ("localhost",), moment),
            lambda _: spent,
        )

    moment = today() - YEAR
    assert made(spent=False)
    moment = today()
    moves = []

    def cut(source: Path, target: Path) -> Path:
        moves.append(target.name)
        if len(moves) == 2:
            raise KeyboardInterrupt
        return source.replace(target)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "move", cut)
        with pytest.raises(KeyboardInterrupt):
            made(spent=True)
    assert moves == ["broker.key", "broker.pem"]
    assert made(spent=False)
    assert certificate_key(leaf(tmp_path, "broker")) == read_private_key(tmp_path / "broker.key").public_key()
    assert leaf(tmp_path, "broker").not_valid_after_utc > today()
    assert not made(spent=False)
