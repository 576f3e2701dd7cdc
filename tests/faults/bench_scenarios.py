"""What the bench and the centre promise of an authority, the folders of who enrols there, keys that take the place of
others, commands that wait, and the secrets of pages."""

import hashlib
from datetime import timedelta
from functools import partial
from pathlib import Path

from agent.errors import EnvironmentFault, LiuhenFault
from agent.key_files import read_certificates, read_signer
from agent.page.pin import PinFile
from agent.wire.commands import CommandKind
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import DeviceId, KeyId
from agent.wire.trust import Role
from provisioning.authority.authority import Authority, init_authority
from provisioning.center.command_book import CommandBook, Sent
from provisioning.center.page.door import Role as PageRole
from provisioning.center.page.door import Visitor
from provisioning.center.page.links import LinkFolder
from provisioning.fleet.folders import write_device_folder, write_person_folder
from provisioning.fleet.orders import BrokerAddress, DeviceOrder
from tests.faults.explorer import Promise, Scenario, insist, nothing
from tests.provisioning.district import NOW, PLACE, UNIT, load_signer

RECORDER, COMMANDER, EDITOR = "REC-0001", "示例-000031", "示例-000041"
PIN, ENDING = "482915", NOW + timedelta(days=900)
ORDER = DeviceOrder(RECORDER, UNIT, BrokerAddress("127.0.0.1", 8883, "5"))


def _found_and_enrol(bench: Path, promise: Promise, rounds: int) -> None:
    state = bench / "state"
    authority = insist(lambda: init_authority(state / "ca", PLACE, "星河区", NOW))
    promise(f"founded {authority.root_pem.hex()[-99:]} {_pairs(state / 'ca')}")
    insist(lambda: write_device_folder(authority, ORDER, state / RECORDER, NOW))
    promise(f"device {_key(state / RECORDER, 'evidence')}")
    insist(lambda: write_person_folder(authority, EDITOR, Role.EDITOR, state / EDITOR, NOW))
    promise(f"person {_key(state / EDITOR, 'editor')}")


def _pairs(authority: Path) -> str:
    """Of the keys with which archives and complaints are opened, and what is given to others of them."""
    names = [f"{name}.{half}" for name in ("archive", "complaint") for half in ("key", "pub")]
    return hashlib.sha256(b"".join((authority / name).read_bytes() for name in names)).hexdigest()


def _read_list(folder: Path) -> None:
    """Raises a fault when the trust list that was given along cannot be read."""
    open_trust_list((folder / "trust.dsse").read_bytes(), read_certificates(folder / "root.pem")[0])


def _key(folder: Path, name: str) -> str:
    return read_signer(folder / f"{name}.key", folder / f"{name}.pem").key_id


def _check_founded(bench: Path, promised: list[str]) -> list[str]:
    """The same command goes on, and nobody who was enrolled has got another key."""
    told: list[str] = []
    try:
        _as_given(bench / "state", promised)
        _found_and_enrol(bench, told.append, 1)
        Authority(bench / "state" / "ca", "示例-000001").trust().credential(KeyId(told[-1].split()[1]), NOW)
    except LiuhenFault as fault:
        return [f"it does not go on: {fault}"]
    return [f"{line.split()[0]} is another one" for line in promised if line not in told]


def _as_given(state: Path, promised: list[str]) -> None:
    """Raises a fault for what was told as made and cannot be read before anybody makes it again."""
    said = {line.split()[0] for line in promised}
    for word, folder in (("device", RECORDER), ("person", EDITOR)):
        if word in said:
            _read_list(state / folder)
    if "founded" in said and f" {_pairs(state / 'ca')}" not in promised[0]:
        raise EnvironmentFault("the keys of archives and complaints are not those that were made")


def _write_person(bench: Path) -> None:
    authority = init_authority(bench / "state" / "ca", PLACE, "星河区", NOW)
    write_person_folder(authority, EDITOR, Role.EDITOR, bench / "state" / EDITOR, NOW)


def _replace(bench: Path, promise: Promise, rounds: int) -> None:
    """The certificate is nearly over: the next key and its certificate take the place of those there."""
    authority = Authority(bench / "state" / "ca", "示例-000001")
    insist(lambda: write_person_folder(authority, EDITOR, Role.EDITOR, bench / "state" / EDITOR, ENDING))
    promise(f"replaced {_key(bench / 'state' / EDITOR, 'editor')}")


def _check_replaced(bench: Path, promised: list[str]) -> list[str]:
    """The same command leaves a pair that belongs together and that the list knows, and does not make another."""
    told: list[str] = []
    try:
        _replace(bench, told.append, 1)
        Authority(bench / "state" / "ca", "示例-000001").trust().credential(KeyId(told[-1].split()[1]), ENDING)
    except LiuhenFault as fault:
        return [f"it does not go on: {fault}"]
    left = [place.name for place in (bench / "state" / EDITOR).glob("*-next*")]
    other = ["another key again"] if promised and promised[-1] != told[-1] else []
    return [*other, *(f"{name} is left" for name in left)]


class _NobodyTold:
    """A store that has no events."""

    def of_types(self, *_: object) -> tuple[bytes, ...]:
        return ()


def _write_commander(bench: Path) -> None:
    authority = init_authority(bench / "ca", PLACE, "星河区", NOW)
    device = write_device_folder(authority, ORDER, bench / RECORDER, NOW)
    write_person_folder(authority, COMMANDER, Role.COMMANDER, device.folder.with_name(COMMANDER), NOW)


def _issue(bench: Path, promise: Promise, rounds: int) -> None:
    trust, signer = Authority(bench / "ca", "示例-000001").trust(), load_signer(bench / COMMANDER, "commander")
    book, hour = CommandBook(bench / "state"), timedelta(hours=1)
    made = partial(book.issue, _NobodyTold(), signer, trust, DeviceId(RECORDER), CommandKind.SYNC_TIME, {}, NOW, hour)
    for _ in range(3):
        sent = insist(made)
        promise(f"issued {sent.command.counter} {sent.digest}")
        insist(lambda sent=sent: _close(book, sent))  # type: ignore[misc]
        promise(f"closed {sent.command.counter}")


def _close(book: CommandBook, sent: Sent) -> None:
    if sent.command.counter in {one.command.counter for one in book.waiting()}:
        book.close(sent)


def _check_issued(bench: Path, promised: list[str]) -> list[str]:
    """What was issued is there under its number, and what is closed is not sent again."""
    book, said = CommandBook(bench / "state"), [line.split() for line in promised]
    there = {one.command.counter: one for one in book.sent()}
    lost = [
        it for it in said if it[0] == "issued" and (it[2] != there[int(it[1])].digest if int(it[1]) in there else 1)
    ]
    again = {one.command.counter for one in book.waiting()} & {int(it[1]) for it in said if it[0] == "closed"}
    return [*(f"command {number} is lost" for number in lost), *(f"command {number} is sent again" for number in again)]


def _keep_secrets(bench: Path, promise: Promise, rounds: int) -> None:
    pin, links = PinFile(bench / "state" / "page"), LinkFolder(bench / "state" / "links")
    insist(lambda: pin.set(PIN))
    promise("pin")
    for count in (1, 2):
        insist(lambda count=count: pin.keep_tries(count))  # type: ignore[misc]
        promise(f"tries {count}")
        secret = insist(lambda: links.invite(Visitor("示例-000003", PageRole.AUDITOR), NOW))
        promise(f"invited {secret}")
        if insist(lambda secret=secret: links.redeem(secret, NOW)):  # type: ignore[misc]
            promise(f"redeemed {secret}")


def _check_secrets(bench: Path, promised: list[str]) -> list[str]:
    pin, links = PinFile(bench / "state" / "page"), LinkFolder(bench / "state" / "links")
    said = [line.split() for line in promised]
    broken = ["the PIN is not believed"] if said and not pin.is_right(PIN) else []
    least = int(said[-1][1]) if said and said[-1][0] == "tries" else 0
    used = [it[1] for it in said if it[0] == "redeemed"]
    broken += [f"{least} tries were counted, {pin.tries()} are"] if pin.tries() < least else []
    return [*broken, *(f"link {it} opens again" for it in used if links.redeem(it, NOW) is not None)]


SCENARIOS = [
    Scenario("bench", nothing, _found_and_enrol, _check_founded),
    Scenario("identity", _write_person, _replace, _check_replaced),
    Scenario("commands", _write_commander, _issue, _check_issued),
    Scenario("secrets", nothing, _keep_secrets, _check_secrets),
]
