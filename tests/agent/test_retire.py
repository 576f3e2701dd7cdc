"""A device's end: on the authority's order alone, when nothing lacks a receipt, and nothing stays in plain."""

import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent import durable
from agent.adapters.database import QUOTA_BYTES, open_database
from agent.adapters.state_lock import hold
from agent.clock import system_clock
from agent.config import AgentConfig, read_config
from agent.errors import OperatorFault, SenderFault
from agent.firstboot import first_boot
from agent.retire import LAST_WORD, has_begun, retire
from agent.wire.device_events import DeviceEvent, EventType
from agent.wire.envelope import open_archived, open_trust_list, parse_envelope, seal
from agent.wire.identifiers import Digest, District
from agent.wire.instant import TimeState
from agent.wire.life_documents import RETIRE_TYPE, RETIRED_TYPE, RetireOrder, parse_retired
from agent.wire.signing import load_pem_certificates
from agent.wire.trust import Role
from tests.agent.test_firstboot import PowerCut, PowerCutError, here, written
from tests.support.enrolment_desk import SERIAL, EnrolmentDesk
from tests.support.keys import TestAuthority

MARKER = b"PLAINTEXT-MARKER-" + secrets.token_hex(8).encode()


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority()


def device(authority: TestAuthority, folder: Path) -> AgentConfig:
    """An enrolled device with a database whose one event is receipted, and things that lie about."""
    desk = EnrolmentDesk(authority)
    first_boot(written(folder / "card", desk.card()), folder / "it", here(), lambda *_: desk)
    config = read_config(folder / "it" / "agent.toml")
    config.state_dir.mkdir()
    count(config, 7)
    (config.state_dir / "page").mkdir()
    (config.state_dir / "page" / "pin").write_bytes(MARKER)
    (config.state_dir / "a link").symlink_to("/etc/hostname")
    return config


def count(config: AgentConfig, events: int) -> None:
    """So many events have been, the seventh is receipted."""
    database, _ = open_database(config.state_dir / "agent.db", QUOTA_BYTES)
    database.run("BEGIN")
    database.run("INSERT OR REPLACE INTO counter (name, value) VALUES ('devseq', ?), ('acked', '7')", (str(events),))
    database.run("COMMIT")
    database.close()


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def order(authority: TestAuthority, **other: object) -> bytes:
    wanted = {"device": "REC-0001", "hardware": SERIAL, "number": Digest("ab" * 32), "by": "示例-000001"} | other
    wanted.setdefault("expires_at", datetime.now(UTC) + timedelta(days=1))
    return seal(RETIRE_TYPE, RetireOrder(**wanted).encode(), [authority.issuing.signer])  # type: ignore[arg-type]


def do(config: AgentConfig, said: bytes) -> bytes:
    return retire(config, said, SERIAL, system_clock())


def test_a_retired_device_leaves_its_last_word_and_no_plaintext(authority: TestAuthority, tmp_path: Path) -> None:
    """The files are held by other names, as an image holds their blocks: what stood there is overwritten."""
    config = device(authority, tmp_path)
    folder, held = config.identity.root.parent, tmp_path / "blocks"
    held.mkdir()
    for number, place in enumerate(it for it in sorted(folder.rglob("*")) if it.is_file() and not it.is_symlink()):
        os.link(place, held / str(number))
    key, trust = (folder / "evidence.key").read_bytes(), (folder / "trust.dsse").read_bytes()
    said = do(config, order(authority))
    opened = open_archived(said, RETIRED_TYPE, open_trust_list(trust, load_pem_certificates(authority.root_pem)[0]))
    word = parse_retired(opened.payload)
    assert (word.device, word.events, word.recordings) == ("REC-0001", 7, 0)
    assert [it.name for it in folder.iterdir()] == [LAST_WORD]
    left = b"".join(it.read_bytes() for it in held.iterdir())
    left = left.replace(authority.root_pem, b"").replace(authority.issuing.chain_pem, b"")  # known to everybody
    assert left.count(0) == len(left) > 10_000
    for marker in (MARKER, b"PRIVATE KEY", b"SQLite format", key[60:100]):
        assert marker not in left


def test_nothing_is_erased_without_a_receipt_for_everything(authority: TestAuthority, tmp_path: Path) -> None:
    config = device(authority, tmp_path)
    before = sorted(config.identity.root.parent.rglob("*"))
    count(config, 8)
    with pytest.raises(OperatorFault, match="1 条事件没有回执"):
        do(config, order(authority))
    count(config, 7)
    (config.state_dir / "recordings" / "REC-0001-R000001").mkdir(parents=True)
    with pytest.raises(OperatorFault, match="没有中心的文件回执"):
        do(config, order(authority))
    (config.state_dir / "recordings" / "REC-0001-R000001").rmdir()
    with hold(config.state_dir), pytest.raises(OperatorFault, match="正在运行"):
        do(config, order(authority))
    assert set(before) <= set(config.identity.root.parent.rglob("*"))


def filmed(config: AgentConfig, where: str = "recordings/REC-0001-R000001/segment-0001.mp4") -> Path:
    film = config.state_dir / where
    film.parent.mkdir(parents=True)
    film.write_bytes(MARKER)
    return film


def test_a_lost_database_is_not_a_device_that_never_recorded(authority: TestAuthority, tmp_path: Path) -> None:
    config = device(authority, tmp_path)
    film = filmed(config)
    aside = [it.rename(it.with_name(f"{it.name}.damaged")) for it in config.state_dir.glob("agent.db*")]
    with pytest.raises(OperatorFault, match="没有事件数据库"):
        do(config, order(authority))
    film.unlink()
    film.parent.rmdir()
    with pytest.raises(OperatorFault, match="没有事件数据库"):
        do(config, order(authority))
    for it in aside:
        it.unlink()
    assert parse_retired(parse_envelope(do(config, order(authority))).payload).events == 0


@pytest.mark.parametrize("where", ["collected/REC-0001-C000001/a.mp4", "photos/photo-x.jpg"])
def test_what_the_centre_never_receipts_is_carried_off_by_hand_first(
    authority: TestAuthority, tmp_path: Path, where: str
) -> None:
    config = device(authority, tmp_path)
    left = filmed(config, where)
    with pytest.raises(OperatorFault, match="请先取走保存"):
        do(config, order(authority))
    assert left.read_bytes() == MARKER


def test_what_was_recorded_after_an_interruption_is_asked_for_anew(authority: TestAuthority, tmp_path: Path) -> None:
    """The last word was signed, nothing was erased yet, and the device went on: the word is old."""
    config, said = device(authority, tmp_path), order(authority)
    durable.write_bytes(config.identity.root.parent / LAST_WORD, b"{}")
    count(config, 12)
    film = filmed(config)
    with pytest.raises(OperatorFault, match="5 条事件没有回执"):
        do(config, said)
    assert film.exists()
    assert not has_begun(config)
    with hold(config.state_dir), pytest.raises(OperatorFault, match="正在运行"):
        do(config, said)


@pytest.mark.parametrize("first", ["evidence.key", "tls.key"])
def test_a_device_whose_erasure_has_begun_does_not_start(authority: TestAuthority, tmp_path: Path, first: str) -> None:
    """Also where the evidence key is in a token, which nobody can erase: then the other one goes first."""
    config = device(authority, tmp_path)
    config.identity.root.with_name(first).unlink()
    with pytest.raises(OperatorFault, match="不存在或不可读"):
        read_config(config.identity.root.with_name("agent.toml"))


def wait_for(config: AgentConfig, body: bytes) -> None:
    """One event, the eighth, has no receipt yet."""
    count(config, 8)
    database, _ = open_database(config.state_dir / "agent.db", QUOTA_BYTES)
    database.run("BEGIN")
    database.run("DELETE FROM outbox")
    database.run("INSERT INTO outbox (devseq, event_id, type, body, hash) VALUES (8, 'x', 'x', ?, '')", (body,))
    database.run("COMMIT")
    database.close()


def test_that_the_agent_stopped_is_told_as_it_goes_and_stands_in_nobodys_way(
    authority: TestAuthority, tmp_path: Path
) -> None:
    """After every orderly stop that one event has no receipt: it would never retire."""
    config, before = device(authority, tmp_path), Digest("cd" * 32)

    def event(kind: EventType, number: int = 8) -> bytes:
        now, place = datetime.now(UTC), District("xinghe")
        return DeviceEvent(
            place, config.device, number, before, "x/1", kind, "b", 1, now, TimeState.UNSET, {"exit_code": 0}
        ).encode()

    for other in (event(EventType.DEVICE_STARTED), event(EventType.DEVICE_STOPPED, 7), b"{}", b""):
        wait_for(config, other)
        with pytest.raises(OperatorFault, match="1 条事件没有回执"):
            do(config, order(authority))
    wait_for(config, event(EventType.DEVICE_STOPPED))
    word = parse_retired(parse_envelope(do(config, order(authority))).payload)
    assert (word.events, word.head) == (7, before), "what is receipted, and where that ends"


def test_threat_officer_suppresses_an_officer_or_a_forger_cannot_order_the_end(
    authority: TestAuthority, tmp_path: Path
) -> None:
    config = device(authority, tmp_path)
    own = seal(RETIRE_TYPE, b"{}", [authority.evidence("REC-0001", Role.RECORDER).signer])
    late = datetime.now(UTC) - timedelta(minutes=1)
    for said in (
        own, order(TestAuthority()), order(authority, device="REC-0002"), order(authority, hardware="10000000ffffffff"),
        order(authority, expires_at=late), b"", order(authority)[:-20],
    ):  # fmt: skip
        with pytest.raises(SenderFault, match="已拒绝"):
            do(config, said)
    assert (config.identity.root.parent / "evidence.key").exists()


def test_power_lost_anywhere_ends_in_the_same_end(authority: TestAuthority, tmp_path: Path) -> None:
    said = order(authority)
    for at in range(1, 60, 3):
        config = device(authority, made(tmp_path / str(at)))
        try:
            with PowerCut(at):
                do(config, said)
        except PowerCutError:
            if (config.identity.root.parent / "agent.toml").exists():
                do(config, said)
            assert [it.name for it in config.identity.root.parent.iterdir()] == [LAST_WORD]
            continue
        break
    assert at > 10
