"""Takes over recordings from the store of objects: fetched, every byte checked, verified as anybody would, and only
then receipted. A recording that is already here is held byte by byte against what came, and only added to: what
time-stamps have changed in it stays. What goes wrong with one recording is told, and the next one is looked at."""

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from agent import durable
from agent.errors import EnvironmentFault, SenderFault
from agent.evidence.places import Examined
from agent.evidence.report import Verdict
from agent.evidence.verify import examine_files, judge
from agent.object_store import StoreFault
from agent.wire.envelope import open_archived, seal
from agent.wire.identifiers import Digest, RecordingId, recording_device
from agent.wire.offload_manifest import OffloadManifest
from agent.wire.recording_receipts import RECORDING_RECEIPT_TYPE, RecordingReceipt, parse_recording_receipt
from agent.wire.signing import Signer
from agent.wire.trust import TrustList
from provisioning.center.grounds import CentreGrounds
from provisioning.center.held_copy import check_file, check_held
from provisioning.center.offload_told import OffloadBook, ToldOffload
from provisioning.center.offloaded import BadObject, Shelf
from provisioning.center.receipt_folder import ReceiptFolder
from provisioning.center.recording_files import needs_key, open_segment, open_sidecars, segment_paths
from provisioning.center.store import Store

INCOMING = ".incoming-"
MILLISECOND = timedelta(milliseconds=1)
GOOD = frozenset({Verdict.COMPLETE, Verdict.EXPLAINED_GAP, Verdict.UNEXPLAINED_GAP})
"""What is receipted: a gap is a gap wherever the recording lies. What was altered stays on its device as well."""

log = logging.getLogger("liuhen.center")


@dataclass(frozen=True)
class Outcome:
    """What became of a recording: receipted with `verdict`, or `problem` says in one Chinese line why not; `again`:
    it was our own disk, and may be tried again."""

    recording: RecordingId
    verdict: str
    size: int
    problem: str = ""
    again: bool = False


@dataclass(frozen=True)
class Office:
    """With what recordings are judged and receipted. `archive` opens encrypted ones; without it only their bytes are
    checked. `retention` says how long the centre keeps a recording."""

    receiver: str
    signer: Signer
    root: x509.Certificate
    trust: TrustList
    archive: ec.EllipticCurvePrivateKey | None = None
    retention: Callable[[RecordingId], str] = lambda _: ""


@dataclass
class OffloadIntake:
    """Over one centre's `store` of events, a `shelf` of objects, and the folder `recordings`, judged with `grounds`."""

    office: Office
    store: Store
    shelf: Shelf
    recordings: Path
    receipts: ReceiptFolder
    grounds: CentreGrounds
    _book: OffloadBook = field(default_factory=OffloadBook)
    _read: dict[str, int] = field(default_factory=dict)

    def look(self, now: datetime) -> list[Outcome]:
        """Take over whatever devices have told since the last look; raises `EnvironmentFault` when the database or the
        store of objects cannot be reached."""
        self._read_chains()
        return [it for told in self._book.waiting() for it in self._followed(told, now)]

    def _followed(self, told: ToldOffload, now: datetime) -> list[Outcome]:
        try:
            return [*self._follow(told, now)]
        except StoreFault:
            raise
        except (EnvironmentFault, SenderFault) as fault:
            return [Outcome(told.recording, "", 0, str(fault), isinstance(fault, EnvironmentFault))]

    def _follow(self, told: ToldOffload, now: datetime) -> Iterator[Outcome]:
        receipt = self._receipt(told.recording)
        if receipt is None or receipt.manifest != told.manifest:
            yield self._take(told, now)
        elif receipt.retention != (filed := self.office.retention(told.recording)):
            check_held(self.recordings / told.recording, self.shelf.manifest(told.recording, receipt.manifest))
            self._sign(replace(receipt, retention=filed), now)
        elif told.confirms(receipt):
            self.receipts.confirmed(told.recording)
        elif not self.receipts.is_due(told.recording):  # the device has taken an older one since
            self._sign(receipt, now)

    def _read_chains(self) -> None:
        for row in self.store.summary():
            while bodies := self.store.events(row.device, self._read.get(row.device, 0)):
                self._read[row.device] = self._book.take(bodies)

    def _receipt(self, recording: RecordingId) -> RecordingReceipt | None:
        envelope = self.receipts.get(recording)
        try:
            opened = None if envelope is None else open_archived(envelope, RECORDING_RECEIPT_TYPE, self.office.trust)
            return None if opened is None else parse_recording_receipt(opened.payload)
        except SenderFault:
            return None  # it is signed again

    def _take(self, told: ToldOffload, now: datetime) -> Outcome:
        incoming = self.recordings / f"{INCOMING}{told.recording}"
        shutil.rmtree(incoming, ignore_errors=True)
        try:
            manifest = self.shelf.manifest(told.recording, Digest(told.manifest))
            self.shelf.fetch(manifest, incoming)
            judged = self._judge(incoming, told, now)
            self._keep(manifest, incoming)
            return self._receipted(told, manifest.size, judged, now)
        except BadObject as fault:
            self.shelf.put_aside(fault)
            raise
        finally:
            shutil.rmtree(incoming, ignore_errors=True)

    def _judge(self, folder: Path, told: ToldOffload, now: datetime) -> Verdict | None:
        """The verdict, None for an encrypted recording that cannot be opened here; raises `SenderFault` for one that
        gets no receipt."""
        archive = self.office.archive
        if needs_key(folder) and archive is None:
            return None
        with ExitStack() as stack:
            segments = examine_files([open_segment(path, archive, stack) for path in segment_paths(folder)])
            beside, held = open_sidecars(folder, archive, stack), self.grounds.of(recording_device(told.recording))
            report = judge(segments, [self.office.root], now, beside, held)
        if report.recording != told.recording or report.verdict not in GOOD:
            raise SenderFault(f"{told.recording} 的检验结论是 {report.verdict.value}，未签回执。请人工核查。")
        if _head(segments) != told.head:
            raise SenderFault(f"{told.recording} 的末片段与设备报给中心的不同，未签回执。请人工核查。")
        return report.verdict

    def _keep(self, manifest: OffloadManifest, incoming: Path) -> None:
        target = self.recordings / manifest.recording
        if not target.exists():
            durable.move(incoming, target)
            return
        here = [file for file in manifest.files if (target / file.name).exists()]
        for file in here:
            check_file(target / file.name, file)
        for file in (file for file in manifest.files if file not in here):
            durable.make_directory((target / file.name).parent)
            durable.move(incoming / file.name, target / file.name)
        with durable.disk_errors(incoming):  # before the receipt: behind it, nobody looks here again
            shutil.rmtree(incoming)
        durable.sync_directory(self.recordings)

    def _receipted(self, told: ToldOffload, size: int, verdict: Verdict | None, now: datetime) -> Outcome:
        filed, opened = self.office.retention(told.recording), verdict is not None
        named = Digest(told.manifest), Digest(told.head)
        self._sign(RecordingReceipt(told.recording, *named, size, opened, filed, self.office.receiver, now, now), now)
        return Outcome(told.recording, "encrypted" if verdict is None else verdict.value, size)

    def _sign(self, receipt: RecordingReceipt, now: datetime) -> None:
        """Sign `receipt` as newer than any before it, also when our clock went back."""
        before = self._receipt(receipt.recording)
        at = now if before is None else max(now, before.signed_at + MILLISECOND)
        sealed = seal(RECORDING_RECEIPT_TYPE, replace(receipt, signed_at=at).encode(), [self.office.signer])
        self.receipts.add(receipt.recording, sealed)


def _head(segments: list[Examined]) -> str:
    readable = sorted((it for it in segments if it.number is not None), key=lambda it: it.number or 0)
    return str(readable[-1].found.head) if readable else ""
