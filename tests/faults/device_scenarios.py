"""What a recorder or a kiosk host promises, and what must still hold after its power was cut."""

import shutil
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path

from agent.adapters.content_folder import ContentFolder
from agent.adapters.counter_mirror import BLOCK
from agent.adapters.database import Database, open_database
from agent.adapters.disclosed_folder import DisclosedFolder
from agent.adapters.fake_source import FakeSource
from agent.adapters.recorder import RecorderSettings
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import recover
from agent.adapters.store import DeviceMemory, EventStore
from agent.control.content_messages import ContentKept
from agent.control.effects import EventDraft, TrustSeen
from agent.control.messages import FragmentStored, RecordingFailed, RecordingSealed
from agent.errors import EnvironmentFault
from agent.evidence.journal import Reason
from agent.wire import canonical
from agent.wire.content import CHUNK_BYTES, Attachment, attach
from agent.wire.device_events import EventType, event_hash, parse_event
from agent.wire.identifiers import device_id, district
from provisioning.center.archive import decrypt_recording
from tests.agent.adapters.recording_bench import CLOCK, FIRST, SIGNER, RecordingBench, footage, verdict
from tests.agent.adapters.test_at_rest import ARCHIVE, keys_in, write_keys
from tests.faults.explorer import Promise, Scenario, insist, nothing, taken
from tests.support.clocks import SteppedClock

DEVICE = device_id("REC-0001")
BURSTS, BURST = 6, 5  # events are put in bursts, and receipted but for the last few after every second one
SEALED = "sealed"
FEWEST = 2  # bursts, where each call is to fail once: they are all alike


def _store(database: Database) -> EventStore:
    return EventStore(database, district("xinghe"), DEVICE)


def _event(name: str) -> EventDraft:
    return EventDraft(name, EventType.RECORDING_HEAD_ADVANCED, SteppedClock().read(), {"text": name * 20})


def _put_and_acknowledge(bench: Path, promise: Promise, rounds: int) -> None:
    database, _ = open_database(bench / "state" / "agent.db")
    with closing(database):
        store, memory = _store(database), DeviceMemory(database)
        for number in range(BURSTS * rounds or FEWEST):
            for place in range(BURST):
                name = f"e{number}-{place}"
                promise(f"event {_put(store, name)} {name}")
            insist(partial(memory.reserve_recording, number + 1))
            promise(f"recording {number + 1}")
            insist(partial(memory.remember, TrustSeen(number + 1)))
            promise(f"trust {number + 1}")
            promise(f"session {insist(memory.next_session)}")
            acked = number * BURST - 1
            if number % 2 and acked > database.integer("acked"):
                promise(f"asked {acked}")
                insist(partial(store.acknowledge, acked))
                promise(f"acked {acked}")


def _put(store: EventStore, name: str) -> int:
    return insist(lambda: store.put(_event(name)))


def _check_outbox(bench: Path, promised: list[str]) -> list[str]:
    said = [line.split() for line in promised]
    events = {int(words[1]): words[2] for words in said if words[0] == "event"}
    most = {kind: max((int(words[1]) for words in said if words[0] == kind), default=0) for kind in _KINDS}
    database, loss = open_database(bench / "state" / "agent.db")
    with closing(database):
        return [
            *([f"the store was given up: {loss.detail}"] if loss is not None else []),
            *_lost_events(_store(database), database, events, most),
            *_lower_numbers(database, most),
            *_numbers_without_store(bench, most),
        ]


_KINDS = ("event", "recording", "trust", "session", "acked", "asked")


def _lost_events(store: EventStore, database: Database, events: dict[int, str], most: dict[str, int]) -> list[str]:
    acked = database.integer("acked")
    waiting = [(number, parse_event(canonical.decode(body))) for number, body in store.waiting(acked, 1000, 10**6)]
    found = {number: event.event_id for number, event in waiting}
    broken = [f"event {it} {events[it]} is lost" for it in events if it > acked and found.get(it) != events[it]]
    for (_, before), (number, event) in pairwise(waiting):
        if event.prev != event_hash(before.encode()):
            broken.append(f"the chain breaks at event {number}")
    if acked > most["asked"]:
        broken.append(f"{acked} events have left, only {most['asked']} were receipted")
    return broken


def _lower_numbers(database: Database, most: dict[str, int]) -> list[str]:
    memory, broken = DeviceMemory(database), []
    if memory.trust_version() < most["trust"]:
        broken.append(f"trust list {most['trust']} was forgotten")
    if memory.recall().recordings.last_number < most["recording"]:
        broken.append(f"recording number {most['recording']} may be given twice")
    if database.integer("acked") < most["acked"]:
        broken.append(f"the receipt up to {most['acked']} was forgotten")
    if database.integer("session") < most["session"]:
        broken.append(f"session {most['session']} may be used twice")
    if database.integer("devseq") > most["event"] + BLOCK + 1:
        broken.append("event numbers were skipped without need")
    return broken


def _numbers_without_store(bench: Path, most: dict[str, int]) -> list[str]:
    """A card that loses the database as well: no number that was used comes again."""
    alone = bench / "alone"
    shutil.rmtree(alone, ignore_errors=True)
    alone.mkdir()
    counters = bench / "state" / "counters.json"
    if counters.exists():
        shutil.copy(counters, alone)
    database, _ = open_database(alone / "agent.db")
    with closing(database):
        used = {name: database.integer(name) for name in ("session", "recording")} | {
            "event": database.integer("devseq")
        }
    return [f"without its database {name} {most[name]} may be used twice" for name in used if used[name] < most[name]]


def record(bench: Path, promise: Promise, rounds: int, *, encrypted: bool, seconds: int = 4, cut_s: float = 2) -> None:
    """Seconds of a film, in segments of `cut_s`."""
    place = bench / "state"
    settings = RecorderSettings(retry_s=0.2, margin_bytes=0, segment_minutes=cut_s / 60)
    made = RecordingBench(
        place / "recordings",
        iter([FakeSource(*footage(seconds * rounds))]),
        settings,
        keys=keys_in(place) if encrypted else None,
        events=Told(promise),
    )
    made.start()
    made.wait_for_fragments(2 * seconds * rounds - 1)
    made.recorder.stop(Reason.STOPPED)
    assert isinstance(made.wait_for_end(), RecordingSealed)
    assert made.recorder.close(10)


class Told(list[object]):
    """A list whose every entry that is a promise is one."""

    def __init__(self, promise: Promise) -> None:
        super().__init__()
        self._promise = promise

    def append(self, event: object) -> None:
        super().append(event)
        if isinstance(event, FragmentStored):
            self._promise(f"fragment {event.sequence}")
        elif isinstance(event, RecordingSealed):
            self._promise(SEALED)


def check_recording(bench: Path, promised: list[str], *, encrypted: bool) -> list[str]:
    """What the next start makes of the recording."""
    state = bench / "state"
    last = max((int(line.split()[1]) for line in promised if line.startswith("fragment")), default=0)
    spool = Spool(state / "recordings", keys=keys_in(state) if encrypted else None)
    if SEALED in promised:  # nobody reads it again at the next start
        again = recover(spool, SIGNER, CLOCK)
        judged = verdict(clear(bench) if encrypted else spool.folder(FIRST))
        if again or judged != "complete":
            return [f"told as sealed, and it is not: {again} {judged}"]
    ended = recover(spool, SIGNER, CLOCK, spool.recordings())
    if not last:
        return []
    failed = [event.detail for event in ended if isinstance(event, RecordingFailed)]
    if failed or len(ended) != 1:
        return [f"not recovered: {failed or ended}"]
    (sealed,) = ended
    assert isinstance(sealed, RecordingSealed)
    broken = [f"fragment {last} is lost, {sealed.fragments} are left"] if sealed.fragments < last else []
    if broken:
        return broken
    judged = verdict(clear(bench) if encrypted else spool.folder(FIRST))
    wanted = {"complete"} if SEALED in promised else {"complete", "explained-gap"}
    return [] if judged in wanted else [f"judged {judged}"]


def clear(bench: Path) -> Path:
    out = bench / "clear"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    decrypt_recording(bench / "state" / "recordings" / FIRST, ARCHIVE, out / FIRST)
    return out / FIRST


VERSIONS = 12


def _show(bench: Path, promise: Promise, rounds: int) -> None:
    shown = DisclosedFolder(bench / "state" / "disclosed")
    for version in range(VERSIONS * rounds):
        taken(shown.show("window-board", "hall-1", _document(version)))
        promise(f"shown {version}")
    taken(shown.hide("window-board", "hall-1"))
    promise("hidden")
    taken(shown.show("window-board", "hall-1", _document(VERSIONS * rounds)))
    promise(f"shown {VERSIONS * rounds}")


def _document(version: int) -> bytes:
    return version.to_bytes(2) * (4_000 + 500 * (version % 20))


def _check_shown(bench: Path, promised: list[str]) -> list[str]:
    found = DisclosedFolder(bench / "state" / "disclosed").read()
    versions = [int.from_bytes(envelope[:2]) for envelope in found]
    torn = [f"version {it} is torn" for it, envelope in zip(versions, found, strict=True) if envelope != _document(it)]
    least = max((int(line.split()[1]) for line in promised if line.startswith("shown")), default=-1)
    hiding = least % VERSIONS == VERSIONS - 1  # the last of a round may be on its way out, or out
    if not torn and least >= 0 and not hiding and (len(versions) != 1 or versions[0] < least):
        return [f"version {least} was shown, {versions} is there"]
    return torn


def _file(version: int) -> tuple[Attachment, bytes]:
    content = version.to_bytes(2) * (CHUNK_BYTES // 2 + 3_000 + 700 * version)
    return attach(f"photo-{version + 1}.jpg", content), content


def _keep(bench: Path, promise: Promise, rounds: int) -> None:
    """Files come piece by piece, then the document that names them; those of the version before last go."""
    folder, shown = ContentFolder(bench / "state" / "content"), DisclosedFolder(bench / "state" / "disclosed")
    files: list[Attachment] = []
    for version in range(3 * rounds):
        one, content = _file(version)
        pieces = [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]
        answers = [folder.keep(one, number, piece) for number, piece in enumerate(pieces)]
        if not any(isinstance(answer, ContentKept) for answer in answers):
            raise EnvironmentFault(f"not kept: {answers[-1]}")
        promise(f"kept {version}")
        taken(shown.show("window-board", "hall-1", version.to_bytes(2)))
        files.append(one)
        taken(folder.only(frozenset(each.sha256 for each in files[-2:])))


def _check_kept(bench: Path, promised: list[str]) -> list[str]:
    """What has a name is whole; what a shown document names is there, and so is every file that was said to be kept."""
    folder = ContentFolder(bench / "state" / "content")
    named = {path.name for path in (bench / "state" / "content").glob("[!.]*")}
    held = set(folder.read())
    versions = [int.from_bytes(each) for each in DisclosedFolder(bench / "state" / "disclosed").read()]
    kept = max((int(line.split()[1]) for line in promised), default=-1)
    wanted = {*versions, *([kept] if kept >= 0 else [])}
    lost = [f"the file of version {it} is lost" for it in wanted if _file(it)[0].sha256 not in held]
    return [*lost, *(f"{name[:8]} is torn" for name in named - held)]


SCENARIOS = [
    Scenario("outbox", nothing, _put_and_acknowledge, _check_outbox),
    Scenario(
        "recording",
        nothing,
        partial(record, encrypted=False),
        partial(check_recording, encrypted=False),
    ),
    Scenario(
        "recording-at-rest",
        write_keys,
        partial(record, encrypted=True),
        partial(check_recording, encrypted=True),
    ),
    Scenario("disclosure", nothing, _show, _check_shown),
    Scenario("disclosure-content", nothing, _keep, _check_kept),
]
