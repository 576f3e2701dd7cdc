"""First boot: from a card to a device, over each way, interrupted anywhere; wrong cards, clocks, answers and tokens."""

import os
import stat
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

import pytest

from agent.adapters.signer import open_signer
from agent.cable import SerialLine, serve
from agent.config import read_config
from agent.enrol_ways import CableWay, StickWay, Way
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.firstboot import Enrolled, Here, first_boot, hardware_serial
from agent.stick import MAX_FILES, names_in, read_plain, write_plain
from agent.wire.enrolment import MAX_REPLY_BYTES, Refusal, parse_reply, refusal
from agent.wire.instant import Instant, TimeState
from agent.wire.signing import load_pem_certificates
from firmware_hooks.simulated_cable import SimulatedCable
from tests.support.enrolment_desk import SERIAL, EnrolmentDesk
from tests.support.keys import TestAuthority


class OwnClock:
    """A computer's clock that can be set."""

    def __init__(self, wall: datetime) -> None:
        self.wall = wall

    def read(self) -> Instant:
        return Instant(self.wall, 0, "boot", TimeState.UNSET, None)

    def set(self, moment: datetime) -> None:
        self.wall = moment


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority()


@pytest.fixture
def desk(authority: TestAuthority) -> EnrolmentDesk:
    return EnrolmentDesk(authority)


@pytest.fixture
def card(desk: EnrolmentDesk, tmp_path: Path) -> Path:
    return written(tmp_path / "card", desk.card())


def written(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def here(hardware: str = SERIAL, wall: datetime | None = None) -> Here:
    clock = OwnClock(wall or datetime.now(UTC))
    return Here(hardware, {"model": "示例机型"}, clock, clock.set)


def boot(card: Path, folder: Path, way: Way, computer: Here | None = None) -> Enrolled:
    return first_boot(card, folder, computer or here(), lambda _bundle, _root: way)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(it.relative_to(folder)): it.read_bytes() for it in sorted(folder.rglob("*")) if it.is_file()}


def assert_whole(folder: Path, card: Path) -> None:
    config = read_config(folder / "agent.toml")
    assert open_signer(config.identity.evidence_key, config.identity.evidence_chain)
    for key in ("tls.key", "evidence.key"):
        assert stat.S_IMODE((folder / key).stat().st_mode) == 0o600
    assert (folder / "tls.key").read_bytes() != (folder / "evidence.key").read_bytes()
    assert not (folder / "enrolment").exists()
    assert not (card / "card.dsse").exists()


def test_a_card_becomes_a_device_and_its_token_is_gone(card: Path, desk: EnrolmentDesk, tmp_path: Path) -> None:
    done = boot(card, tmp_path / "device", desk)
    assert done == Enrolled("REC-0001", tmp_path / "device", again=False)
    assert_whole(tmp_path / "device", card)
    left = b"".join(everything(tmp_path).values())
    assert b"5a5a5a5a" not in left
    assert boot(card, tmp_path / "device", desk).again
    assert desk.asked == 1


def test_threat_usb_attack_a_copied_card_on_other_hardware_refuses(
    card: Path, desk: EnrolmentDesk, tmp_path: Path
) -> None:
    with pytest.raises(SenderFault, match="本机自己的卡"):
        boot(card, tmp_path / "device", desk, here("10000000ffffffff"))
    assert desk.asked == 0
    assert not (tmp_path / "device").exists()
    assert (card / "card.dsse").exists()  # the right device may still use it


def test_threat_usb_attack_a_token_that_was_used_from_a_copy_is_told(
    card: Path, desk: EnrolmentDesk, tmp_path: Path
) -> None:
    files = everything(card)
    boot(card, tmp_path / "first", desk)
    with pytest.raises(SenderFault, match="已经用过") as raised:
        boot(written(tmp_path / "copy", files), tmp_path / "second", desk)
    assert raised.value.code == Refusal.USED
    assert not (tmp_path / "second" / "agent.toml").exists()


@pytest.mark.parametrize("year", [1970, 2024])
def test_threat_clock_rollback_a_clock_of_another_year_is_raised_to_the_floor(
    card: Path, desk: EnrolmentDesk, tmp_path: Path, year: int
) -> None:
    computer = here(wall=datetime(year, 1, 1, tzinfo=UTC))
    boot(card, tmp_path / "device", desk, computer)
    assert computer.clock.read().wall > datetime.now(UTC) - timedelta(hours=2)


def test_a_clock_ahead_is_left_alone(card: Path, desk: EnrolmentDesk, tmp_path: Path) -> None:
    ahead = datetime.now(UTC) + timedelta(days=3)
    computer = here(wall=ahead)
    boot(card, tmp_path / "device", desk, computer)
    assert computer.clock.read().wall == ahead


def test_a_card_that_expired_or_lost_a_file_is_told(desk: EnrolmentDesk, tmp_path: Path) -> None:
    old = written(tmp_path / "old", desk.card(expires_at=datetime.now(UTC) - timedelta(days=1)))
    with pytest.raises(SenderFault, match="卡已过期"):
        boot(old, tmp_path / "device", desk)
    card = written(tmp_path / "part", desk.card())
    (card / "issuing.pem").unlink()
    with pytest.raises(OperatorFault, match="没有完整的写卡文件"):
        boot(card, tmp_path / "device", desk)


@pytest.mark.parametrize("name", ["card.dsse", "issuing.pem", "root.pem"])
@pytest.mark.parametrize("cut", [True, False])
def test_a_card_that_is_cut_or_forged_says_what_to_do(
    card: Path, desk: EnrolmentDesk, tmp_path: Path, name: str, cut: bool
) -> None:
    whole = (card / name).read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    (card / name).write_bytes(whole[: len(whole) // 2] if cut else bytes(changed))
    with pytest.raises(SenderFault, match="请"):
        boot(card, tmp_path / "device", desk)
    assert not (tmp_path / "device" / "agent.toml").exists()


def test_a_card_that_is_not_its_own_is_left_alone(card: Path, desk: EnrolmentDesk, tmp_path: Path) -> None:
    boot(card, tmp_path / "device", desk)
    written(card, desk.card())
    with pytest.raises(OperatorFault, match="这张卡没有动"):
        boot(card, tmp_path / "device", desk)
    assert (card / "card.dsse").exists()


class PowerCutError(Exception):
    """The power went."""


class Flaky:
    """A way on which the power goes before or after the authority has decided."""

    def __init__(self, desk: EnrolmentDesk, *, late: bool) -> None:
        self.desk, self.late = desk, late

    def ask(self, request: bytes) -> bytes:
        if self.late:
            self.desk.ask(request)
        raise PowerCutError

    def done(self) -> None:
        raise PowerCutError


@pytest.mark.parametrize("late", [False, True])
def test_power_lost_while_asking_costs_one_more_question(
    card: Path, desk: EnrolmentDesk, tmp_path: Path, late: bool
) -> None:
    with pytest.raises(PowerCutError):
        boot(card, tmp_path / "device", Flaky(desk, late=late))
    boot(card, tmp_path / "device", desk)
    assert_whole(tmp_path / "device", card)


class PowerCut:
    """The power goes at the n-th fsync, before it is done."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, _frame: FrameType, event: str, called: object) -> None:
        if event == "c_call" and called is os.fsync:
            self.left -= 1
            if self.left == 0:
                raise PowerCutError

    def __enter__(self) -> None:
        sys.setprofile(self)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


def test_power_lost_at_any_step_is_gone_on_from(desk: EnrolmentDesk, tmp_path: Path) -> None:
    for at in range(1, 80):
        card = written(tmp_path / f"card-{at}", desk.card())
        try:
            with PowerCut(at):
                boot(card, tmp_path / f"device-{at}", desk)
        except PowerCutError:
            boot(card, tmp_path / f"device-{at}", desk)
            assert_whole(tmp_path / f"device-{at}", card)
            continue
        break
    assert at > 20


def test_a_busy_authority_is_asked_again_and_a_refusal_is_not(card: Path, tmp_path: Path) -> None:
    class Answering(EnrolmentDesk):
        reply = b""

        def ask(self, _: bytes) -> bytes:
            return self.reply

    way = Answering(TestAuthority())
    way.reply = refusal(Refusal.BUSY)
    with pytest.raises(EnvironmentFault, match="请稍候"):
        boot(card, tmp_path / "device", way)
    for reply in (refusal(Refusal.REVOKED), b"", b"<html>", b'{"answer":"{}","trust":"{}"}'):
        way.reply = reply
        with pytest.raises(SenderFault, match=r"已拒绝|请向"):
            boot(card, tmp_path / "device", way)
    assert not (tmp_path / "device" / "agent.toml").exists()


def test_threat_usb_attack_an_answer_by_another_authority_or_for_another_request_is_refused(
    card: Path, desk: EnrolmentDesk, tmp_path: Path
) -> None:
    class Forging(EnrolmentDesk):
        def ask(self, request: bytes) -> bytes:
            return self.granted(request)

    with pytest.raises(SenderFault, match="不是本区发证机构签的"):
        boot(card, tmp_path / "device", Forging(TestAuthority()))
    other = written(tmp_path / "other", desk.card("REC-0002"))
    kept: list[bytes] = []

    class Keeping(EnrolmentDesk):
        def ask(self, request: bytes) -> bytes:
            kept.append(desk.ask(request))
            return kept[-1]

    boot(other, tmp_path / "two", Keeping(desk.authority))

    class Replaying(EnrolmentDesk):
        def ask(self, _: bytes) -> bytes:
            return kept[0]

    with pytest.raises(SenderFault, match="不是给本机这次申请的"):
        boot(card, tmp_path / "device", Replaying(desk.authority))
    assert parse_reply(kept[0])


def test_over_a_cable(card: Path, desk: EnrolmentDesk, tmp_path: Path) -> None:
    heard: list[bool] = []
    with SimulatedCable(0, spoilt=0.01, seed=2) as wire:

        def bench() -> None:
            with SerialLine(wire.bench, 921_600) as line:
                heard.append(serve(line, desk.ask, 20, MAX_REPLY_BYTES))

        thread = threading.Thread(target=bench)
        with SerialLine(wire.device, 921_600) as line:
            thread.start()
            boot(card, tmp_path / "device", CableWay(line))
            thread.join()
    assert heard == [True]
    assert_whole(tmp_path / "device", card)


def test_over_a_stick_out_and_back(card: Path, desk: EnrolmentDesk, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    with pytest.raises(EnvironmentFault, match="拿到工作台"):
        boot(card, tmp_path / "device", StickWay(stick, "REC-0001"))
    [name] = names_in(stick / "liuhen" / "requests")
    request = read_plain(stick / "liuhen" / "requests", name, MAX_REPLY_BYTES)
    assert request is not None
    write_plain(stick / "liuhen" / "replies", name, desk.ask(request))
    boot(card, tmp_path / "device", StickWay(stick, "REC-0001"))
    assert_whole(tmp_path / "device", card)


def test_threat_usb_attack_a_stick_with_links_paths_devices_or_giants_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "giant").write_bytes(bytes(2000))
    os.mkfifo(folder / "pipe")
    (folder / "inside").mkdir()
    (tmp_path / "linked").symlink_to(folder)
    for name in ("link", "giant", "pipe", "inside", "../stick/giant", "", ".."):
        with pytest.raises(SenderFault):
            read_plain(folder, name, 1000)
    with pytest.raises(SenderFault, match="符号链接"):
        read_plain(tmp_path / "linked", "giant", 5000)
    with pytest.raises(SenderFault, match="符号链接"):
        write_plain(tmp_path / "linked", "x", b"")
    with pytest.raises(SenderFault, match="符号链接"):
        write_plain(folder, "link", b"")
    (folder / "many").mkdir()
    for number in range(MAX_FILES + 1):
        (folder / "many" / str(number)).touch()
    with pytest.raises(SenderFault, match="清理介质"):
        names_in(folder / "many")
    assert read_plain(folder, "not-there", 10) is None


def test_a_serial_number_is_read_as_the_firmware_writes_it(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"\0")
    (tmp_path / "pi").write_bytes(SERIAL.encode() + b"\0")
    assert hardware_serial((tmp_path / "none", tmp_path / "empty", tmp_path / "pi")) == SERIAL
    with pytest.raises(EnvironmentFault, match="--serial-file"):
        hardware_serial((tmp_path / "none",))


def test_the_certificates_are_for_the_keys_made_here(card: Path, desk: EnrolmentDesk, tmp_path: Path) -> None:
    boot(card, tmp_path / "device", desk)
    usages = []
    for name in ("tls.pem", "evidence.pem"):
        leaf, issuing = load_pem_certificates((tmp_path / "device" / name).read_bytes())
        leaf.verify_directly_issued_by(issuing)
        usages.append(leaf.subject.rfc4514_string())
    assert usages[0] == usages[1]
