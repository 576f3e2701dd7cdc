"""What the centre promises when it takes over a recording: a receipt, on which the device may delete it, never without
every byte on the centre's own disk."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from agent.errors import EnvironmentFault
from agent.wire.device_events import EventType
from agent.wire.envelope import open_archived
from agent.wire.identifiers import Digest, recording_id
from agent.wire.offload_manifest import OffloadManifest, Part, StoredFile, manifest_digest, manifest_key, part_key
from agent.wire.recording_receipts import RECORDING_RECEIPT_TYPE
from agent.wire.signing import load_pem_certificates
from agent.wire.trust import TrustList
from provisioning.authority.authority import Authority
from provisioning.center.grounds import CentreGrounds
from provisioning.center.ingest import Ingest
from provisioning.center.offload_intake import Office, OffloadIntake
from provisioning.center.offloaded import Shelf
from provisioning.center.receipt_folder import ReceiptFolder
from provisioning.center.store import Store, open_store
from tests.agent.evidence.attacks import folder as recording_folder
from tests.agent.evidence.bench import Bench
from tests.faults.explorer import Promise, Scenario, insist
from tests.provisioning.center_bench import A, Keys
from tests.provisioning.district import NOW, PLACE, Chain, SteppedClock, events_topic, load_signer, sealed_batch
from tests.support.objects import MemoryObjects

DISTRICT, BEFORE, RECORDINGS = "district", "before", "recordings"
FIRST = recording_id(A, 1)
LATER = NOW + timedelta(hours=1)


def _record(bench: Path) -> None:
    """A recording as its device keeps it, and the chain that tells of it at the centre."""
    Keys(bench / DISTRICT)
    signer = load_signer(bench / DISTRICT / A, "evidence")
    device, place = Bench(signer), bench / BEFORE
    files = recording_folder(device, device.sealed())
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    (bench / "state" / RECORDINGS).mkdir()
    chain, manifest = Chain(A), manifest_digest(_manifest(files).encode())
    chain._append("sealed", EventType.RECORDING_SEALED, {"recording": FIRST, "head": device.head})
    chain._append("offloaded", EventType.RECORDING_OFFLOADED, {"recording": FIRST, "manifest": manifest})
    with _store(bench) as store:
        clock, key = SteppedClock(), load_signer(bench / DISTRICT / "receiver-1", "receiver")
        made = Ingest(PLACE, "receiver-1", store, _trust(bench), key)
        made.begin()
        made.take([(events_topic(A), sealed_batch(signer, chain.bodies))], clock.wall, clock.monotonic_ms)


def _part(content: bytes) -> Part:
    return Part(0, len(content), Digest(hashlib.sha256(content).hexdigest()))


def _manifest(files: Mapping[str, bytes]) -> OffloadManifest:
    stored = (StoredFile(name, _part(content).sha256, (_part(content),)) for name, content in files.items())
    return OffloadManifest(PLACE, FIRST, tuple(stored))


def _files(folder: Path) -> dict[str, bytes]:
    return {place.name: place.read_bytes() for place in sorted(folder.iterdir())} if folder.is_dir() else {}


def _objects(files: Mapping[str, bytes]) -> MemoryObjects:
    listed = _manifest(files).encode()
    parts = {part_key(PLACE, FIRST, name, _part(content)): content for name, content in files.items()}
    return MemoryObjects({**parts, manifest_key(PLACE, FIRST, manifest_digest(listed)): listed})


def _trust(bench: Path) -> TrustList:
    return Authority(bench / DISTRICT / "authority", "示例-000001").trust()


@contextmanager
def _store(bench: Path) -> Iterator[Store]:
    with closing(open_store("sqlite:///center.db", bench / DISTRICT)) as store:
        yield store


def _look(bench: Path) -> None:
    """As the centre does every while; raises what its disk refused."""
    trust, key = _trust(bench), load_signer(bench / DISTRICT / "receiver-1", "receiver")
    root = load_pem_certificates((bench / DISTRICT / "authority" / "root.pem").read_bytes())[0]
    office = Office("receiver-1", key, root, trust, None, lambda _: "6个月")
    shelf, receipts = Shelf(PLACE, _objects(_files(bench / BEFORE))), ReceiptFolder(bench / "state")
    with _store(bench) as store:
        grounds = CentreGrounds(root, lambda: trust, store.account)
        made = OffloadIntake(office, store, shelf, bench / "state" / RECORDINGS, receipts, grounds)
        for outcome in made.look(LATER):
            if outcome.problem:
                raise EnvironmentFault(outcome.problem) if outcome.again else AssertionError(outcome.problem)


def _take_over(bench: Path, promise: Promise, rounds: int) -> None:
    insist(lambda: _look(bench))
    promise("receipted")


def _check_taken_over(bench: Path, promised: list[str]) -> list[str]:
    found = [*_receipt_faults(bench), *(_lacking(bench) if promised else [])]
    _look(bench)
    left = [name for name in sorted(it.name for it in (bench / "state" / RECORDINGS).iterdir()) if name != FIRST]
    return [*found, *_receipt_faults(bench), *_lacking(bench), *(f"{name} is left for ever" for name in left)]


def _receipt_faults(bench: Path) -> list[str]:
    """A receipt never without every byte."""
    envelope = ReceiptFolder(bench / "state").get(FIRST)
    if envelope is None:
        return []
    open_archived(envelope, RECORDING_RECEIPT_TYPE, _trust(bench))
    here = _files(bench / "state" / RECORDINGS / FIRST)
    return [f"receipted without {name}" for name, held in _files(bench / BEFORE).items() if here.get(name) != held]


def _lacking(bench: Path) -> list[str]:
    receipts = ReceiptFolder(bench / "state")
    lost = [] if receipts.get(FIRST) else ["there is no receipt"]
    sent = [envelope for _, envelope in receipts.due(0)]
    return [*lost, *([] if sent == [receipts.get(FIRST)] else ["the receipt is never sent"])]


SCENARIOS = [Scenario("takeover", _record, _take_over, _check_taken_over)]
