"""What else a device's folders promise: its next evidence key, files of other makers' recorders, written notes, and the
small folders through which people and the screen speak to the agent."""

from functools import partial
from pathlib import Path

from cryptography import x509

from agent import durable, key_rotation
from agent.adapters.asked_folder import AskedFolder
from agent.adapters.hall_folder import HEARD, HallFolder
from agent.adapters.key_requests import KeyRequests
from agent.adapters.notes_folder import NoteDraft, add_note
from agent.adapters.spool import Spool
from agent.app import own_signer
from agent.config import AgentConfig, read_config
from agent.control.command_messages import OpenCommand
from agent.control.hall_messages import OutgoingRead
from agent.control.messages import AsksRead, WorkFailed
from agent.duty.asks import ASK_SUFFIX, ASKED, Ask, What, parse_ask
from agent.errors import LiuhenFault
from agent.evidence.reasons import Cause
from agent.key_files import read_certificates, read_private_key
from agent.wire.commands import CommandKind
from agent.wire.device_events import GENESIS
from agent.wire.envelope import open_trust_list
from agent.wire.hall_facts import FACT_SUFFIX, OUTGOING, FactKind, HallFact
from agent.wire.identifiers import DeviceId
from agent.wire.notes import note_digest, open_note
from kiosk.outgoing import Outgoing
from provisioning.authority.authority import Authority
from provisioning.fleet.enrolment import enrolment_desk
from provisioning.fleet.rotation import rotate_evidence
from tests.agent.adapters.collecting import Collecting, film
from tests.agent.adapters.recording_bench import CLOCK, FIRST, SIGNER
from tests.agent.evidence.attacks import recordings
from tests.faults.explorer import Promise, Scenario, insist, nothing, taken
from tests.provisioning.bench_room import bench as sit_down
from tests.provisioning.bench_room import serial
from tests.provisioning.district import today
from tests.provisioning.test_rotation import InUse
from tests.support.outgoing_facts import whole_facts


def _write_device(bench: Path) -> None:
    """The authority's disk is cut off with the device's: what it has answered, it knows."""
    with sit_down(bench / "state" / "ca", now=today()) as desk:
        InUse(desk, bench / "state" / "device")


def _config(bench: Path) -> AgentConfig:
    return read_config(bench / "state" / "device" / "agent.toml")


def _rotate(bench: Path, promise: Promise, rounds: int) -> None:
    for _ in range(rounds):
        done = insist(lambda: _rotate_once(bench))
        promise(f"rotated {done.key}")


def _rotate_once(bench: Path) -> key_rotation.Rotated:
    request = key_rotation.rotation_request(_config(bench), serial(1), today())
    with enrolment_desk(Authority(bench / "state" / "ca", "示例-000001")) as desk:
        reply = rotate_evidence(desk, request, today())
    return key_rotation.install(_config(bench), reply, today())


def _check_rotated(bench: Path, promised: list[str]) -> list[str]:
    """A key and the chain that belongs to it, which the list knows; and the next rotation is made at once."""
    root = read_certificates(bench / "state" / "device" / "root.pem")[0]
    try:
        signer = own_signer(_config(bench))
        open_trust_list(_config(bench).identity.trust_list.read_bytes(), root).listed(signer.key_id)
        following = _rotate_once(bench).key
    except LiuhenFault as fault:
        return [f"no key that can be used, or no next one: {fault}"]
    return [] if own_signer(_config(bench)).key_id == following else ["the next key is not the one in use"]


COLLECTED = 3


def _collect(bench: Path, promise: Promise, rounds: int) -> None:
    made = insist(lambda: Collecting(bench))
    for number in range(1, 1 + COLLECTED):
        made.put(f"DCIM/{number}.mp4", film(number))
        insist(made.look)
        insist(made.look)
        promise(f"collected {number}")


def _check_collected(bench: Path, promised: list[str]) -> list[str]:
    """Each file is there once, and every item is whole."""
    made = Collecting(bench)
    made.look()
    judged = {item: made.judge(item).verdict.value for item in made.items() if not item.startswith(".")}
    broken = [f"{item} is judged {word}" for item, word in judged.items() if word != "complete"]
    held = [(made.shelf_root / item / "material.mp4").read_bytes() for item in judged]
    said = sorted({int(line.split()[1]) for line in promised})
    broken += [f"file {number} is lost" for number in said if film(number) not in held]
    left = [item for item in made.items() if item.startswith(".")]
    twice = [] if len(set(held)) == len(held) else ["a file is there twice"]
    return [*broken, *twice, *(f"{item} is left for ever" for item in left)]


def _write_recording(bench: Path) -> None:
    place = bench / "state" / "recordings" / FIRST
    place.mkdir(parents=True)
    for name, content in recordings()["one segment"].items():
        (place / name).write_bytes(content)


def _note(bench: Path, promise: Promise, rounds: int) -> None:
    spool = Spool(bench / "state" / "recordings")
    for number in range(3):
        draft = NoteDraft(Cause.EQUIPMENT_FAILURE.value, f"示例说明 {number}", "示例-000001")
        place = insist(partial(add_note, spool, FIRST, draft, SIGNER, CLOCK.read().wall))
        promise(f"noted {place.name}")


def _check_noted(bench: Path, promised: list[str]) -> list[str]:
    """Each note is there, whole, and chained to the one before it."""
    folder = bench / "state" / "recordings" / FIRST / "notes"
    notes = [place.read_bytes() for place in sorted(folder.glob("[!.]*"))]
    before = [GENESIS, *map(note_digest, notes)]
    broken = [f"note {at} is not behind the one before" for at, data in enumerate(notes, start=1)
              if open_note(data).note.previous != before[at - 1]]  # fmt: skip
    lost = [line for line in promised if not (folder / line.split()[1]).is_file()]
    _note(bench, lambda _: None, 1)
    return [*broken, *(f"{line}, and it is lost" for line in lost)]


def _share(bench: Path, promise: Promise, rounds: int) -> None:
    """A fact of the screen, a request, a state and a key's request each, as the agent takes and gives them."""
    state, device = bench / "state", DeviceId("KSK-0001")
    hall, asked = HallFolder(state), AskedFolder(state)
    insist(hall.prepare)
    insist(asked.prepare)
    for number in range(1, 3):
        head = {"seq": number, "head": "a" * 64, "at": "2026-11-22T02:00:00.000Z", "state": "b" * 16}
        fact = HallFact(f"display-{number}", FactKind.DISPLAY_HEAD, head)
        insist(partial(Outgoing(state / OUTGOING).put, fact))
        promise(f"left {number}")
        name = f"{number:020d}-{number:032x}{ASK_SUFFIX}"
        request = Ask(f"{number:032x}", What.PICK, {"document": "x"}).encode()
        insist(partial(durable.write_bytes, state / ASKED / name, request))
        if isinstance(found := asked.take(), AsksRead):
            promise(f"asked {parse_ask(found.content).ask}")
        command = OpenCommand(number, f"c-{number}", CommandKind.ROTATE_CERTIFICATE)
        done = KeyRequests(state, device).make(command)
        taken(WorkFailed(done.text) if done.code else None)
        promise(f"requested {number}")
        taken(hall.show(b"heard %d" % number))
        promise(f"heard {number}")


def _check_shared(bench: Path, promised: list[str]) -> list[str]:
    state, said = bench / "state", [line.split() for line in promised]
    most = {word: max((it[1] for it in said if it[0] == word), default="") for word in ("requested", "heard")}
    read = HallFolder(state).read()
    held = {name for name, _ in read.files} if isinstance(read, OutgoingRead) else set()
    held &= whole_facts(state / OUTGOING)
    broken = [f"fact {it[1]} is lost" for it in said if it[0] == "left" and f"display-{it[1]}{FACT_SUFFIX}" not in held]
    waiting = {place.stem.partition("-")[2] for place in (state / ASKED).glob("[!.]*")}
    broken += [f"{it[1]} is asked again" for it in said if it[0] == "asked" and it[1] in waiting]
    heard = (state / HEARD).read_bytes() if (state / HEARD).exists() else b""
    if heard.decode() < f"heard {most['heard']}" and most["heard"]:
        broken.append(f"heard {most['heard']} is not there: {heard!r}")
    return [*broken, *(_requests_without_keys(state) if most["requested"] else [])]


def _start_again(bench: Path, promise: Promise, rounds: int) -> None:
    """Each folder was made by a run that was killed before it synced its name; the next run promises what is in it."""
    for number in range(8 * rounds):
        made = bench / "state" / f"made-{number}"
        with durable.disk_errors(made):
            made.mkdir(exist_ok=True)
        folder = insist(partial(durable.make_directory, made / "recordings" if number % 2 else made))
        insist(partial(durable.write_bytes, folder / "kept", b"kept"))
        promise(f"{folder.relative_to(bench)}/kept")


def _check_started(bench: Path, promised: list[str]) -> list[str]:
    return [f"{line} is lost" for line in promised if _content(bench / line) != b"kept"]


def _content(place: Path) -> bytes:
    return place.read_bytes() if place.is_file() else b""


def _requests_without_keys(state: Path) -> list[str]:
    """A request for a certificate stands with its key; only the newest does."""
    asked = sorted((state / "renewal").glob("[0-9]*.csr"))
    return [f"{it.name} is not for the key beside it" for it in asked if not _belong_together(it)]


def _belong_together(request: Path) -> bool:
    key, wanted = request.with_suffix(".key"), x509.load_pem_x509_csr(request.read_bytes()).public_key()
    return key.is_file() and read_private_key(key).public_key() == wanted


SCENARIOS = [
    Scenario("rotation", _write_device, _rotate, _check_rotated),
    Scenario("collected", nothing, _collect, _check_collected),
    Scenario("notes", _write_recording, _note, _check_noted),
    Scenario("shared-folders", nothing, _share, _check_shared),
    Scenario("start-again", nothing, _start_again, _check_started),
]
