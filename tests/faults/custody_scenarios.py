"""What the centre promises of recordings in its keeping: stamped without a loss, handed out with a line in the ledger,
and gone only by a signed act."""

import hashlib
import shutil
from datetime import timedelta
from functools import partial
from pathlib import Path

from agent.duty.holds import Deed
from agent.errors import LiuhenFault, SenderFault
from agent.evidence import manifest
from agent.evidence.export_report import CERTIFICATE_NAME
from agent.evidence.manifest_reading import read_manifest
from agent.evidence.sidecars import SIGNATURE_NAME
from agent.evidence.time_stamps import unstamped
from agent.key_files import read_certificates, read_signer
from agent.wire.envelope import parse_envelope
from agent.wire.identifiers import recording_id
from agent.wire.signing import KeySigner
from provisioning.center.cases import CaseRoom
from provisioning.center.config import read_config
from provisioning.center.export import Office, Wish, export_recording
from provisioning.center.export_certificate import Responsibility
from provisioning.center.export_folder import DRAFT_PREFIX
from provisioning.center.export_ledger import LEDGER_NAME, check_lines
from provisioning.center.retention_room import RetentionRoom
from provisioning.center.time_stamping import RESPONSE, Authority, decoded, stamp_recording
from tests.agent.evidence.attacks import AUTHORITY, recordings
from tests.agent.evidence.bench import DEVICE, NOW
from tests.faults.explorer import Promise, Scenario, insist
from tests.provisioning.district import today
from tests.provisioning.grounds import no_grounds
from tests.provisioning.review_office import HANDLER, LEADER, ReviewOffice
from tests.support.tsa import Tsa, make_tsa

FIRST = recording_id(DEVICE, 1)
TSA, BEFORE = "tsa", "before"
PAST_ITS_TERM = timedelta(days=184)


def _write_recording(place: Path) -> None:
    place.mkdir(parents=True)
    for name, content in recordings()["one segment"].items():
        (place / name).write_bytes(content)


def _prepare_stamping(bench: Path) -> None:
    make_tsa(bench / TSA)
    _write_recording(bench / BEFORE)
    shutil.copytree(bench / BEFORE, bench / "state" / FIRST)


def _stamp(bench: Path, promise: Promise, rounds: int) -> None:
    insist(lambda: _stamped(bench))
    promise("stamped")


def _stamped(bench: Path) -> list[str]:
    """The files that got a stamp now."""
    tsa = Tsa(bench / TSA, read_certificates(bench / TSA / "tsa-root.pem")[0])
    done = stamp_recording(bench / "state" / FIRST, Authority(tsa.answer, [tsa.root]))
    return [outcome.file.name for outcome in done if outcome.at is not None]


def _check_stamped(bench: Path, promised: list[str]) -> list[str]:
    """Nothing but the stamp was changed, the same command ends with one, and never with a later one than was told."""
    place = bench / "state" / FIRST
    try:
        again = _stamped(bench)
        _read_answer(place)
    except LiuhenFault as fault:
        return [f"it cannot be stamped any more: {fault}"]
    changed = [it.name for it in (bench / BEFORE).iterdir() if _as_taken(place / it.name) != it.read_bytes()]
    left = [it.name for it in place.glob("*.stamping")]
    later = [f"{name} was stamped, and is stamped again" for name in again if promised]
    return [*later, *(f"{name} is another file" for name in changed), *(f"{name} is left" for name in left)]


def _read_answer(place: Path) -> bytes:
    """The token beside the sums; raises `SenderFault` for what is none."""
    try:
        return bytes(decoded((place / (SIGNATURE_NAME + RESPONSE)).read_bytes()).time_stamp_token())
    except ValueError as error:
        raise SenderFault(f"the answer beside the sums cannot be read: {error}") from error


def _as_taken(place: Path) -> bytes:
    """A file without its stamp, which a segment must have."""
    content = place.read_bytes()
    if place.suffix != ".mp4":
        return content
    at = int.from_bytes(content[:4])
    box = content[at : at + manifest.RESERVED_BYTES]
    assert read_manifest(box).token is not None
    return content[:at] + unstamped(box) + content[at + len(box) :]


def _prepare_export(bench: Path) -> None:
    _write_recording(bench / FIRST)
    (bench / "state" / "out").mkdir()


def _export(bench: Path, promise: Promise, rounds: int) -> None:
    state, told = bench / "state", Responsibility("示例-000003", "示例区法院调取", "示例-000004")
    office = Office("receiver-1", AUTHORITY.signer("receiver-1"), AUTHORITY.root, state / LEDGER_NAME, no_grounds)
    for _ in range(rounds):
        name = f"export-{1 + len([*(state / 'out').glob('[!.]*')])}"
        insist(partial(export_recording, bench / FIRST, state / "out" / name, Wish(told), office, NOW))
        promise(f"exported {name} {_sum_of(state / 'out' / name)}")


def _sum_of(folder: Path) -> str:
    """Of every file in it, by name."""
    files = sorted(place for place in folder.rglob("*") if place.is_file())
    return hashlib.sha256(b"".join(it.name.encode() + it.read_bytes() for it in files)).hexdigest()


def _check_exported(bench: Path, promised: list[str]) -> list[str]:
    """What was handed out is whole and stands in the ledger; what was not is gone when the next is."""
    state, told = bench / "state", [line.split()[1:] for line in promised]
    broken = [f"{name} is not what was handed out" for name, held in told if _sum_of(state / "out" / name) != held]
    _export(bench, lambda _: None, 1)
    lines = (state / LEDGER_NAME).read_bytes()
    check_lines(lines)
    for place in (state / "out").glob("[!.]*"):
        envelope = (place / CERTIFICATE_NAME).read_bytes()
        if hashlib.sha256(envelope).hexdigest().encode() not in lines:
            broken.append(f"{place.name} has no line in the ledger")
        torn = (it for it in (bench / FIRST).iterdir() if (place / it.name).read_bytes() != it.read_bytes())
        broken += [f"{it.name} of {place.name} is torn" for it in torn]
        parse_envelope(envelope)
    return [*broken, *(f"{left.name} is left" for left in (state / "out").glob(f"{DRAFT_PREFIX}*"))]


def _room(bench: Path, later: timedelta = timedelta()) -> RetentionRoom:
    state = bench / "state"
    config = read_config(state / "receiver-1" / "center.toml")
    return RetentionRoom(CaseRoom(config, state / "recordings", today() + later))


def _person(bench: Path, name: str, role: str) -> KeySigner:
    folder = bench / "state" / name
    return read_signer(folder / f"{role}.key", folder / f"{role}.pem")


def _prepare_retention(bench: Path) -> None:
    ReviewOffice(bench / "state")


def _delete(bench: Path, promise: Promise, rounds: int) -> None:
    filed, proposed = {"term": "6个月"}, _room(bench).keeping(FIRST)
    if proposed.proposal is None and proposed.term is None:
        handler = _person(bench, HANDLER, "handler")
        insist(lambda: _room(bench).act(FIRST, Deed.CLASSIFY, filed, handler))
    promise("acts 1")
    if _room(bench).keeping(FIRST).term is None:
        leader = _person(bench, LEADER, "leader")
        insist(lambda: _room(bench).act(FIRST, Deed.APPROVE, filed, leader))
    promise("acts 2")
    centre = _person(bench, "receiver-1", "receiver")
    insist(lambda: _room(bench, PAST_ITS_TERM).delete(FIRST, centre))
    promise("deleted")


def _check_deleted(bench: Path, promised: list[str]) -> list[str]:
    try:
        kept = _room(bench).keeping(FIRST)
    except SenderFault as fault:
        return [f"the acts were changed: {fault}"]
    folder, said = bench / "state" / "recordings", promised[-1:]
    broken = [f"{said[0]} were kept, {len(kept.acts)} are there"] if said and len(kept.acts) < _least(said[0]) else []
    if kept.deleted is None and not (folder / FIRST / "segment-0001.mp4").is_file():
        broken.append("the recording is gone, and no act says so")
    if said == ["deleted"] and (folder / FIRST).exists():
        broken.append("the recording is there again")
    _delete(bench, lambda _: None, 1)
    return [*broken, *(f"{place.name} is left for ever" for place in folder.iterdir())]


def _least(said: str) -> int:
    return 3 if said == "deleted" else int(said.split()[1])


SCENARIOS = [
    Scenario("stamping", _prepare_stamping, _stamp, _check_stamped),
    Scenario("export", _prepare_export, _export, _check_exported),
    Scenario("retention", _prepare_retention, _delete, _check_deleted),
]
