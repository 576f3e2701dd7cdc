"""What an earlier run left behind, made whole: first the seals, at once; then sums and reports, beside the work.

A recording is finished when its signed sums stand. Before the device says that it is ready only what is unsealed is
read and sealed, so that the next recording can be linked to the last one; everything is read once more, checked and
summed up by the thread "recovery" while the device may record already.
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from agent.adapters.data_keys import DataKeys
from agent.adapters.given_up import forget_failures, is_given_up, note_failure
from agent.adapters.segment_recovery import Break, Healed, heal, prior_head, read_sealed
from agent.adapters.spool import Spool
from agent.clock import Clock
from agent.control.recording_messages import RecordingFailed, RecordingFound, RecordingReread, RecordingSealed
from agent.errors import EnvironmentFault, SenderFault
from agent.evidence.journal import GAP_OPENED, MARKER, JournalRecord, Reason
from agent.evidence.journal_pack import PackedJournal
from agent.evidence.own_segment import check_row
from agent.evidence.recovery import Examination
from agent.evidence.statements import Seal
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest, RecordingId
from agent.wire.instant import Instant
from agent.wire.signing import CertifiedSigner

logger = logging.getLogger(__name__)

RecoveryEvent = RecordingFound | RecordingReread | RecordingSealed | RecordingFailed


class SpoolRecovery:
    """Call `seal` before the first recording of a start, then `start`; `report` gets one `RecordingSealed` or
    `RecordingFailed` for each recording that `seal` has found whole, in the thread "recovery"; while it `retells`, a
    `RecordingReread` goes before it."""

    def __init__(
        self, spool: Spool, signer: CertifiedSigner, clock: Clock, report: Callable[[RecoveryEvent], None]
    ) -> None:
        self._spool, self._signer, self._clock, self._report = spool, signer, clock, report
        self.retells = False
        self._sealed: list[RecordingId] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recovery", daemon=True)

    def seal(
        self, recordings: Collection[RecordingId], expected: Collection[RecordingId] = ()
    ) -> list[RecordingFound | RecordingFailed]:
        """Seal every segment of `recordings` that a power cut left open, in their order.

        Finished recordings are passed over unless they are `expected` (whose end was never put down elsewhere): those
        are reported again. A recording that cannot be sealed is reported as failed, left as it is, and does not stop
        the others; one whose content was refused at several starts is not read again (`given_up`).
        """
        found = [self._seal(it) for it in recordings if it in expected or not self._is_done(it)]
        self._sealed = [event.recording for event in found if isinstance(event, RecordingFound)]
        return found

    def start(self) -> None:
        """Begin to check and to sum up what `seal` found."""
        if self._sealed:
            self._thread.start()

    def close(self, timeout_s: float) -> bool:
        """Begin no other recording; returns whether the thread has ended. What is left is done at the next start."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def finish(self, recording: RecordingId) -> RecordingSealed | RecordingFailed:
        """Check a recording all of whose segments are sealed, write its sums and say how it ended."""
        try:
            told = self._spool.keys.end(recording)
            if told is not None:  # encrypted, whole, and no longer to be read here
                return told
            found = [read_sealed(it, self._signer, self._spool.keys) for it in self._spool.segments(recording)]
            check_row(found)
            records = [record for segment in found for record in segment.fragments]
            forget_failures(self._spool.folder(recording))
            seals = [it.manifest.seal for it in found if it.manifest is not None and it.manifest.seal is not None]
            closing = [event for seal in seals for event in seal.closing.gaps]
            self._spool.write_sidecars(recording, PackedJournal(records), self._signer, closing=closing)
            if self.retells:
                self._report(_reread(recording, found, records))
            sealed = _ended(recording, found, self._spool.size(recording), self._clock.read())
            self._spool.keys.forget(sealed)
            return sealed
        except (EnvironmentFault, SenderFault) as fault:
            return self._failed(recording, fault)
        except Exception:  # noqa: BLE001 - see _broken
            return self._broken(recording)

    def _seal(self, recording: RecordingId) -> RecordingFound | RecordingFailed:
        keys = self._spool.keys
        try:
            told = keys.end(recording)
            if told is not None:
                return RecordingFound(recording, told.head)
            segments = self._spool.segments(recording)
            healed = [
                heal(it, self._signer, self._clock, Break(next_prior_head=self._prior_head(after)), keys)
                for it, after in zip_longest(segments, segments[1:])
            ]
        except (EnvironmentFault, SenderFault) as fault:
            return self._failed(recording, fault)
        except Exception:  # noqa: BLE001 - see _broken
            return self._broken(recording)
        kept = [it for it in healed if it is not None]
        if kept:
            return RecordingFound(recording, kept[-1].head)
        detail = f"录制 {recording} 中断在第一个片段之前，没有可恢复的画面；残留文件已另存为 .torn。"
        return RecordingFailed(recording, detail, self._clock.read())

    def _prior_head(self, after: Path | None) -> Digest | None:
        return None if after is None else prior_head(after, self._spool.keys)

    def _is_done(self, recording: RecordingId) -> bool:
        try:
            return self._spool.is_finished(recording) or is_given_up(self._spool.folder(recording))
        except EnvironmentFault:  # whoever tries meets the same and says so
            return False

    def _failed(self, recording: RecordingId, fault: Exception) -> RecordingFailed:
        if isinstance(fault, SenderFault):  # the disk works, what it gives back is refused
            logger.warning("recording %s was refused: %s", recording, fault)
            self._put_down(recording)
        return RecordingFailed(recording, f"恢复录制 {recording} 失败：{fault}", self._clock.read())

    def _broken(self, recording: RecordingId) -> RecordingFailed:
        """A defect of ours met by one recording: were it raised, the same file would end every start from now on, and
        a recorder that does not start records nothing. The log has the traceback, the centre has the failure."""
        logger.exception("recording %s could not be recovered", recording)
        self._put_down(recording)
        detail = f"恢复录制 {recording} 时程序出错，文件原样保留，原因见日志。请把录制与日志交技术人员。"
        return RecordingFailed(recording, detail, self._clock.read())

    def _put_down(self, recording: RecordingId) -> None:
        try:
            tries = note_failure(self._spool.folder(recording))
            logger.warning("recording %s could not be made whole at %d starts", recording, tries)
        except EnvironmentFault as disk:
            logger.warning("that recording %s could not be made whole was not put down: %s", recording, disk)

    def _run(self) -> None:
        for recording in self._sealed:
            if self._closed.is_set():
                return
            self._report(self.finish(recording))


def recover(
    spool: Spool, signer: CertifiedSigner, clock: Clock, expected: Collection[RecordingId] = ()
) -> list[RecordingSealed | RecordingFailed]:
    """All of a `SpoolRecovery` at once; one event for each recording that was not finished or is `expected`."""
    spool.tidy_keys(expected)
    work = SpoolRecovery(spool, signer, clock, lambda _: None)
    found = work.seal(spool.recordings(), expected)
    return [work.finish(event.recording) if isinstance(event, RecordingFound) else event for event in found]


def seal_broken(
    broken: Mapping[Path, Break], signer: CertifiedSigner, clock: Clock, keys: DataKeys
) -> tuple[int, list[Path]]:
    """Seal what a failing disk left open in a recording of this very run; returns the bytes set aside, and the segments
    that the disk gives back as something else than was written: those stand as they are or as `.torn`, and the rest of
    the recording is sealed without them. Raises `EnvironmentFault` when the disk still fails."""
    discarded, lost = 0, []
    for place in sorted(broken):
        healed = _healed_if_ours(place, signer, clock, broken[place], keys)
        discarded += (broken[place].durable_bytes or 0) if healed is None else healed.discarded_bytes
        if healed is None and broken[place].durable_bytes:
            lost.append(place)
    return discarded, lost


def _healed_if_ours(place: Path, signer: CertifiedSigner, clock: Clock, broken: Break, keys: DataKeys) -> Healed | None:
    try:
        return heal(place, signer, clock, broken, keys)
    except SenderFault:  # it stays as it is: the archive may read what nobody reads here
        return None


def _ended(recording: RecordingId, found: Sequence[Examination], size: int, at: Instant) -> RecordingSealed:
    seals = [it.manifest.seal for it in found if it.manifest is not None and it.manifest.seal is not None]
    records = [record for it in found for record in it.fragments]
    stopped = seals[-1].closing.reason in {Reason.STOPPED, Reason.SHUTDOWN}
    return RecordingSealed(
        recording,
        len(found),
        len(records),
        found[-1].head,
        sum(record.entry.moment.duration_ms for record in records),
        size,
        seals[-1].closing.reason if stopped else Reason.DEVICE_RESTART,
        not stopped or any(map(_is_recovered, seals)),
        sum(seal.closing.discarded_bytes for seal in seals),
        at,
    )


def _reread(recording: RecordingId, found: Sequence[Examination], records: list[JournalRecord]) -> RecordingReread:
    events = [event for record in records for event in record.entry.moment.events]
    origin = found[0].origin
    return RecordingReread(
        recording,
        GENESIS if origin is None else origin.previous_recording,
        records[0].entry.moment.captured,
        tuple((it.reason.value, it.at) for it in events if it.kind == GAP_OPENED and it.reason is not None),
        tuple(it.at for it in events if it.kind == MARKER),
    )


def _is_recovered(seal: Seal) -> bool:
    return seal.closing.recovered
