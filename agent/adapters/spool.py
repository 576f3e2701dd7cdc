"""The recordings on this device's disk: where they stand, how much room is left, and how they are made whole at start.

recordings/<RecordingId>/segment-0001.mp4 ...  journal.jsonl  SHA256SUMS  SHA256SUMS.p7s
segment-0001.mp4.torn   what a power cut left behind the last whole fragment
segment-0001.mp4.seal   a seal on its way, see `segment_seal`
segment-0001.mp4.enc    instead of segment-0001.mp4 where recordings are encrypted at rest, see `data_keys`; the
                        sums and the journal then speak of the file that the archive decrypts
"""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from agent import durable
from agent.adapters.data_keys import DataKeys
from agent.adapters.segment_recovery import Healed, heal
from agent.adapters.sidecar_files import write_sidecars
from agent.clock import Clock
from agent.control.messages import RecordingFailed, RecordingSealed
from agent.errors import EnvironmentFault, SenderFault
from agent.evidence import sidecars
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.gm_sums import GmSigner
from agent.evidence.journal import JournalRecord, Reason
from agent.wire.identifiers import RECORDING_PATTERN, RecordingId, recording_number
from agent.wire.instant import Instant
from agent.wire.signing import CertifiedSigner

SEGMENT_NAME = re.compile(r"segment-[0-9]{4,}\.mp4(\.enc)?")


class Spool:
    """The folder `root` of all recordings; it is made when the first recording is. `keys` decide whether new recordings
    are encrypted at rest; by default they are not. `gm` signs the sums of the gm profile, where that is chosen."""

    def __init__(self, root: Path, keys: DataKeys | None = None, gm: GmSigner | None = None) -> None:
        self._root, self._gm = root, gm
        self.keys = keys or DataKeys(root.parent / "keys", None)

    def recordings(self) -> tuple[RecordingId, ...]:
        """Every recording that has a folder, oldest first."""
        names = [place.name for place in self._root.iterdir()] if self._root.is_dir() else []
        found = [RecordingId(name) for name in names if RECORDING_PATTERN.fullmatch(name)]
        return tuple(sorted(found, key=recording_number))

    def folder(self, recording: RecordingId) -> Path:
        """Where `recording` stands."""
        return self._root / recording

    def create(self, recording: RecordingId) -> Path:
        """Make its folder; raises `EnvironmentFault` when the disk refuses or it is there already."""
        place = self.folder(recording)
        if place.exists():
            raise EnvironmentFault(f"录制 {recording} 的目录已存在，为免覆盖未开始录制。请重新按下录制键。")
        return durable.make_directory(place)

    def segment(self, recording: RecordingId, number: int) -> Path:
        """The file of its `number`-th segment, from 1."""
        return self.folder(recording) / (sidecars.segment_name(number) + (SUFFIX if self.keys.encrypts else ""))

    def segments(self, recording: RecordingId) -> list[Path]:
        """Its segment files in order."""
        found = [place for place in self.folder(recording).iterdir() if SEGMENT_NAME.fullmatch(place.name)]
        return sorted(found, key=lambda place: (len(place.name), place.name))

    def size(self, recording: RecordingId) -> int:
        """The bytes of its segments."""
        return sum(segment.stat().st_size for segment in self.segments(recording))

    def free_bytes(self) -> int:
        """Room left for this process on the disk of the recordings; raises `EnvironmentFault`."""
        place = next(place for place in (self._root, *self._root.parents) if place.exists())
        with durable.disk_errors(place):
            found = os.statvfs(place)
        return found.f_bavail * found.f_frsize

    def check_room(self, reserve: int) -> int:
        """`free_bytes`, unless less than `reserve` is left (`EnvironmentFault`)."""
        free = self.free_bytes()
        if free < reserve:
            raise EnvironmentFault(
                f"存储空间不足（剩余 {free // 2**20} MB），录像暂停写入。请导出已回执的录像或更换存储卡。"
            )
        return free

    def recover(
        self, signer: CertifiedSigner, clock: Clock, expected: Collection[RecordingId] = ()
    ) -> list[RecordingSealed | RecordingFailed]:
        """Seal everything a power cut left open, oldest first; to be called before the first recording of a start.

        A recording is finished when its signed sums stand; finished ones are passed over unless they are `expected`
        (whose end was never put down elsewhere): those are reported again. Files without a readable head are kept as
        `.torn`. A recording that cannot be sealed is reported as failed, left as it is, and does not stop the others.
        """
        finished = {it for it in self.recordings() if (self.folder(it) / sidecars.SIGNATURE_NAME).exists()}
        self.keys.tidy(finished, set(expected))
        open_ones = [it for it in self.recordings() if it in expected or it not in finished]
        return [self.keys.end(it) or _recovered(self, it, signer, clock) for it in open_ones]

    def seal_broken(
        self, recording: RecordingId, signer: CertifiedSigner, clock: Clock, durable_bytes: Mapping[Path, int]
    ) -> int:
        """Seal what a failing disk left open in a recording of this very run, `durable_bytes` of each segment; returns
        the bytes set aside. Raises `EnvironmentFault` when the disk still fails."""
        healed = [heal(it, signer, clock, self.keys, durable_bytes.get(it)) for it in self.segments(recording)]
        return sum(it.discarded_bytes for it in healed if it is not None)

    def write_sidecars(self, recording: RecordingId, records: Sequence[JournalRecord], signer: CertifiedSigner) -> None:
        """Write journal, sums and, last, their signature beside the segments; raises `EnvironmentFault`."""
        write_sidecars(self.folder(recording), self.segments(recording), records, signer, self.keys, self._gm)


def _recovered(
    spool: Spool, recording: RecordingId, signer: CertifiedSigner, clock: Clock
) -> RecordingSealed | RecordingFailed:
    try:
        healed = [heal(segment, signer, clock, spool.keys) for segment in spool.segments(recording)]
        kept = [it for it in healed if it is not None]
        if kept:
            records = [record for it in kept for record in it.records]
            spool.write_sidecars(recording, records, signer)
            sealed = _sealed(recording, kept, records, spool.size(recording), clock.read())
            spool.keys.forget(sealed)
            return sealed
    except (EnvironmentFault, SenderFault) as fault:
        return RecordingFailed(recording, f"恢复录制 {recording} 失败：{fault}", clock.read())
    detail = f"录制 {recording} 中断在第一个片段之前，没有可恢复的画面；残留文件已另存为 .torn。"
    return RecordingFailed(recording, detail, clock.read())


def _sealed(
    recording: RecordingId, kept: Sequence[Healed], records: Sequence[JournalRecord], size: int, at: Instant
) -> RecordingSealed:
    ended = kept[-1].reason in {Reason.STOPPED, Reason.SHUTDOWN}
    return RecordingSealed(
        recording,
        len(kept),
        len(records),
        kept[-1].head,
        sum(record.entry.moment.duration_ms for record in records),
        size,
        kept[-1].reason if ended else Reason.DEVICE_RESTART,
        not ended or any(it.recovered for it in kept),
        sum(it.discarded_bytes for it in kept),
        at,
    )
