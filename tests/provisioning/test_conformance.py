"""The questions that find out whether a centre keeps the contract: ours does, each wrong one is found by its rule."""

import json
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agent.errors import SenderFault
from agent.wire.device_events import declared_loss, decode_batch, event_hash
from agent.wire.envelope import parse_envelope, seal
from agent.wire.identifiers import Digest
from agent.wire.receipts import RECEIPT_TYPE, Receipt, TreePoint
from agent.wire.signing import KeySigner, Signer
from agent.wire.status import RECEIVER_STATUS_TYPE, ReceiverStatus
from agent.wire.topics import EVENTS, RECEIPT, device_topic, parse_device_topic, receiver_state_topic
from provisioning.authority.keys import new_key
from provisioning.center.ingest import Ingest
from provisioning.center.intake import EMPTY_CHAIN, Head, open_batch
from provisioning.contract.rules import RULES, Result, run
from provisioning.contract.trial import Subject, Trial
from provisioning.fleet.identity_files import write_trust
from tests.provisioning.center_bench import A, Center, Keys
from tests.provisioning.district import (
    PLACE,
    REPOSITORY,
    SteppedClock,
    TestDistrict,
    broker_process,
    eventually,
    receiver_process,
    running,
)
from tests.support.broker import free_port

Answers = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


class DirectSession:
    """No broker: a centre that is called, and whose answers come when there is nothing more to hear."""

    tells_refusals = True

    def __init__(self, centre: "OwnCentre | WrongCentre", clock: SteppedClock) -> None:
        self.centre, self.clock = centre, clock
        self.arrived: deque[tuple[str, bytes]] = deque()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:  # noqa: ARG002
        if parse_device_topic(topic).device != A:
            return False
        self.centre.take(topic, payload)
        return True

    def messages(self, seconds: float) -> Iterator[tuple[str, bytes]]:
        for _ in range(int(seconds)):
            self.clock.step(1_000)
            self.arrived.extend(self.centre.answers())
            while self.arrived:
                yield self.arrived.popleft()

    def anonymous_refused(self) -> bool | None:
        return None


class OwnCentre:
    """Our own receiver without its link."""

    def __init__(self, ingest: Ingest, signer: Signer, clock: SteppedClock) -> None:
        self.ingest, self.signer, self.clock, self.greeted = ingest, signer, clock, False

    def take(self, topic: str, payload: bytes) -> None:
        self.ingest.take([(topic, payload)], self.clock.wall, self.clock.monotonic_ms)

    def answers(self) -> Answers:
        found = [] if self.greeted else [greeting(self.signer, self.clock.wall)]
        self.greeted = True
        sealed = self.ingest.receipts(self.clock.wall, self.clock.monotonic_ms)
        return found + [(device_topic(PLACE, A, RECEIPT), answer.envelope) for answer in sealed]


class WrongCentre:
    """A small centre with one fault; without any it keeps every rule. Parks nothing, asks for everything again."""

    def __init__(self, holders: Keys, clock: SteppedClock, fault: str) -> None:
        self.signer: Signer = KeySigner(new_key()) if fault == "unknown-key" else holders.key
        self.trust, self.clock, self.fault = holders.district.authority.trust(), clock, fault
        self.head, self.owed, self.resend, self.size = EMPTY_CHAIN, False, False, 0
        self.stored: dict[int, Digest] = {}
        self.greeted = fault == "silent"

    def take(self, topic: str, payload: bytes) -> None:
        self.owed = True
        if parse_device_topic(topic).channel != EVENTS:
            return
        try:
            bodies = self._open(topic, payload)
        except SenderFault:
            return
        for body in bodies:
            self._place(body)

    def answers(self) -> Answers:
        found = [] if self.greeted else [greeting(self.signer, self.clock.wall)]
        self.greeted = True
        if self.owed:
            found.append(self._receipt(self.head))
        if self.owed and self.fault == "goes-back" and self.head.upto - 1 in self.stored:
            found.append(self._receipt(Head(self.head.upto - 1, self.stored[self.head.upto - 1])))
        self.owed = self.resend = False
        return found

    def _open(self, topic: str, payload: bytes) -> list[bytes]:
        if self.fault in ("believes-anyone", "believes-any-source"):
            if self.fault == "believes-any-source":
                open_signed(payload, self.trust, self.clock.wall)
            return [body for _, body in decode_batch(parse_envelope(payload).payload)]
        links = open_batch(topic, payload, self.trust, self.clock.wall, PLACE)[1]
        if self.fault == "small" and len(links) > 20:
            return []
        return [link.body for link in links]

    def _place(self, body: bytes) -> None:
        ((event, _),) = decode_batch(b"[" + body + b"]")
        number, found = event.devseq, event_hash(body)
        chained = event.prev == self.head.digest or self.fault == "unchained"
        lost = declared_loss(event) is not None and self.fault != "no-declarations"
        if number <= self.head.upto:
            if self.fault == "last-wins" and number == self.head.upto:
                self.head = Head(number, found)
        elif (number == self.head.upto + 1 and chained) or lost or self.fault == "jumps-gaps":
            self._commit(number, found)
        else:
            self.resend = self.fault != "never-asks"

    def _commit(self, number: int, found: Digest) -> None:
        self.head, self.stored[number] = Head(number, found), found
        self.size += -1 if self.fault == "shrinking-log" and self.size > 5 else 1

    def _receipt(self, head: Head) -> tuple[str, bytes]:
        tree = TreePoint(self.size, Digest(f"{self.size:064x}"))
        told = Receipt(A, head.upto, head.digest, "receiver-1", self.clock.wall, self.resend, tree)
        return device_topic(PLACE, A, RECEIPT), seal(RECEIPT_TYPE, told.encode(), [self.signer])


def open_signed(payload: bytes, trust: Any, now: datetime) -> None:
    from agent.wire.envelope import open_envelope

    open_envelope(payload, parse_envelope(payload).payload_type, trust, now)


def greeting(signer: Signer, now: datetime) -> tuple[str, bytes]:
    state = ReceiverStatus("receiver-1", True, 1, now)
    return receiver_state_topic(PLACE, "receiver-1"), seal(RECEIVER_STATUS_TYPE, state.encode(), [signer])


def failed(holders: Keys, make: Callable[[SteppedClock], Any]) -> set[str]:
    clock = SteppedClock()
    subject = Subject(PLACE, A, holders.a, KeySigner(new_key()), holders.district.authority.trust())
    trial = Trial(subject, DirectSession(make(clock), clock), clock, 12.0)
    outcomes = list(run(trial))
    assert [outcome.rule for outcome in outcomes] == [rule.name for rule in RULES]
    return {outcome.rule for outcome in outcomes if outcome.result is Result.FAIL}


def test_our_own_receiver_keeps_every_rule_also_when_it_is_asked_again(holders: Keys, tmp_path: Path) -> None:
    center = Center(holders, tmp_path)
    try:
        for _ in range(2):
            assert failed(holders, lambda clock: OwnCentre(center.ingest, center.key, clock)) == set()
        assert {kind for _, kind, _ in center.alarms()} == {"refused", "fork", "broken-chain"}
    finally:
        center.store.close()


def test_centre_without_a_fault_keeps_every_rule(holders: Keys) -> None:
    assert failed(holders, lambda clock: WrongCentre(holders, clock, "")) == set()


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("believes-anyone", {"refuse.forged", "refuse.altered", "refuse.foreign-source"}),
        ("believes-any-source", {"refuse.foreign-source"}),
        ("unchained", {"refuse.broken-chain"}),
        ("jumps-gaps", {"gap.resend"}),
        ("never-asks", {"gap.resend"}),
        ("last-wins", {"fork.first-stays"}),
        ("no-declarations", {"gap.declared"}),
        ("goes-back", {"receipt.honest"}),
        ("small", {"batch.largest"}),
        ("shrinking-log", {"log.grows"}),
        ("silent", {"receiver.state"}),
        ("unknown-key", {"receipt.birth", "receiver.state", "receipt.honest"}),
    ],
)
def test_wrong_centre_fails_the_rule_that_it_breaks(holders: Keys, fault: str, rules: set[str]) -> None:
    found = failed(holders, lambda clock: WrongCentre(holders, clock, fault))
    assert rules <= found, found


@pytest.mark.skipif(not shutil.which("mosquitto", path="/usr/sbin:/usr/bin"), reason="no mosquitto")
def test_command_asks_our_broker_and_receiver_and_finds_nothing_wrong(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, free_port())
    folder, device = district.receiver(), district.device("REC-9001")
    for place in (folder, device):
        write_trust(place, district.authority)
    receiver = receiver_process(folder)
    with running(broker_process(district), district.port), running(receiver):
        eventually(lambda: "connected to the broker" in receiver.text, "receiver connects")
        done = command("--device", str(device), "--broker", f"mqtts://127.0.0.1:{district.port}", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert {rule["result"] for rule in found["rules"]} == {"PASS"}, found


def test_address_of_no_use_and_a_folder_that_is_none(holders: Keys, tmp_path: Path) -> None:
    for words in (["--device", str(tmp_path)], ["--device", str(holders.district.base / A), "--broker", "http://x"]):
        done = command(*words)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def command(*words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "provisioning.center.cli", "conformance", *words]
    return subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)
