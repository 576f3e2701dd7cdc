"""What the technician's bench promises: a card that was told as done is the one that the authority takes, and a batch
that was cut off is finished by the same command."""

import hashlib
from pathlib import Path

from agent.errors import LiuhenFault
from agent.wire.card_bundle import open_card, token_name
from agent.wire.signing import load_pem_certificates
from provisioning.authority.audit_chain import verify_audit
from provisioning.authority.authority import Authority
from provisioning.fleet.batch import CARD, Outcome, Table, parse_table, run_batch
from provisioning.fleet.enrolment import Desk, enrolment_desk
from provisioning.fleet.states import State
from tests.faults.explorer import Promise, Scenario
from tests.provisioning.bench_room import bench as sit_down
from tests.provisioning.bench_room import serial
from tests.provisioning.district import NOW, UNIT

DEVICES = 2


def _table(rounds: int) -> Table:
    rows = [f"REC-{number:04d},{serial(number)},{UNIT}" for number in range(1, 1 + DEVICES * rounds)]
    return parse_table("\n".join(["编号,硬件序列号,使用单位", *rows]).encode())


def _found(bench: Path) -> None:
    with sit_down(bench / "state" / "ca"):
        pass


def _make(bench: Path, promise: Promise, rounds: int) -> None:
    cards = bench / "state" / "cards"

    def tell(outcome: Outcome) -> None:
        assert not outcome.fault
        promise(f"done {outcome.device} {_digest(cards, outcome.device)}")

    promise(f"rounds {rounds}")
    with enrolment_desk(Authority(bench / "state" / "ca", "示例-000001")) as desk:
        run_batch(_table(rounds), desk, cards, lambda: NOW, tell)


def _digest(cards: Path, device: str) -> str:
    return hashlib.sha256((cards / device / CARD).read_bytes()).hexdigest()


def _check_made(bench: Path, promised: list[str]) -> list[str]:
    cards, said = bench / "state" / "cards", [line.split() for line in promised]
    done = {words[1]: words[2] for words in said if words[0] == "done"}
    rounds = max((int(words[1]) for words in said if words[0] == "rounds"), default=1)
    try:
        with enrolment_desk(Authority(bench / "state" / "ca", "示例-000001")) as desk:
            torn = _without_certificates(desk, cards) if done else []
            outcomes = run_batch(_table(rounds), desk, cards, lambda: NOW, lambda _: None)
            broken = [f"{it.device}: {it.fault}" for it in outcomes if it.fault]
            return [*torn, *broken, *_wrong_cards(desk, cards, done)]
    except LiuhenFault as fault:
        return [f"the authority cannot go on: {fault}"]


def _without_certificates(desk: Desk, cards: Path) -> list[str]:
    """What lies beside the cards, and goes onto each, where a card was told as done: nobody runs the batch again."""
    beside = zip(("root.pem", "issuing.pem"), desk.certificates, strict=True)
    return [f"{name} is not beside the cards" for name, pem in beside if (cards / name).read_bytes() != pem]


def _wrong_cards(desk: Desk, cards: Path, done: dict[str, str]) -> list[str]:
    """Every card is the one that the authority knows, and one that was told as done is still that one."""
    inventory, broken = desk.inventory, list[str]()
    verify_audit(inventory.records.audit_rows(), inventory.records.opened_head(inventory.records.sealed_head() or b""))
    root, issuing = (load_pem_certificates(pem)[0] for pem in desk.certificates)
    for device in inventory.devices():
        card = open_card((cards / device.device / CARD).read_bytes(), issuing, root, NOW)
        live = inventory.records.rows("SELECT name FROM token WHERE device = ? AND ended_at IS NULL", card.device)
        if [row["name"] for row in live] != [token_name(card.bound_token())] or device.state is not State.BUNDLED:
            broken.append(f"{device.device} has a card that the authority does not take")
        if done.get(device.device, _digest(cards, device.device)) != _digest(cards, device.device):
            broken.append(f"the card of {device.device} was made anew after it was told as done")
    return broken


SCENARIOS = [Scenario("batch", _found, _make, _check_made)]
