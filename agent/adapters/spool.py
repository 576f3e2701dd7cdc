"""The recordings on this device's disk: where they stand and how much room is left.

recordings/<RecordingId>/segment-0001.mp4 ...  journal.jsonl  SHA256SUMS  SHA256SUMS.p7s
                        with the gm profile also SM3SUMS  SM3SUMS.sm2  sm2.pub
photo-20261122T020000000Z-0a1b2c3d.jpg   taken during the recording; others are in photos/ beside recordings/
segment-0001.mp4.torn   what a power cut left behind the last whole fragment
segment-0001.mp4.seal   a seal on its way, see `segment_seal`; `.seal.bad` if it was none
segment-0001.mp4.enc    instead of segment-0001.mp4 where recordings are encrypted at rest, see `data_keys`. The sums
                        speak of the files that the archive decrypts; journal.jsonl is one of them, and only there
"""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from agent import durable
from agent.adapters.data_keys import DataKeys, is_encrypted
from agent.adapters.disk_room import DiskRoom
from agent.adapters.own_photos import own_photos
from agent.adapters.reserve_file import NAME as RESERVE
from agent.adapters.reserve_file import ReserveFile
from agent.adapters.sidecar_files import FileSums, sums_of_file, sums_of_pieces, write_gm_files
from agent.errors import EnvironmentFault
from agent.evidence import sidecars
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.gm_sums import GmSigner
from agent.evidence.journal import PHOTO, JournalEvent
from agent.evidence.journal_pack import PackedJournal
from agent.wire.identifiers import RECORDING_PATTERN, RecordingId, recording_number
from agent.wire.signing import CertifiedSigner

PHOTOS = "photos"  # beside the recordings: those taken by themselves
SEGMENT_NAME = re.compile(r"segment-[0-9]{4,}\.mp4(\.enc)?")


class Spool:
    """The folder `root` of all recordings; it is made when the first recording is. `photos` stands beside it, and so
    does `reserve`; `room` is what the disk has. `gm` signs the SM3 sums of the gm profile, where that is chosen. `keys`
    decide whether new recordings are encrypted at rest; by default they are not."""

    def __init__(
        self,
        root: Path,
        reserve: ReserveFile | None = None,
        gm: GmSigner | None = None,
        keys: DataKeys | None = None,
    ) -> None:
        self._root, self.photos, self._gm = root, root.with_name(PHOTOS), gm
        self.room = DiskRoom(root, reserve or ReserveFile(root.with_name(RESERVE), 0))
        self.keys = keys or DataKeys(root.with_name("keys"), None)

    def recordings(self) -> tuple[RecordingId, ...]:
        """Every recording that has a folder, oldest first; raises `EnvironmentFault`."""
        with durable.disk_errors(self._root):
            names = [place.name for place in self._root.iterdir()] if self._root.is_dir() else []
        found = [RecordingId(name) for name in names if RECORDING_PATTERN.fullmatch(name)]
        return tuple(sorted(found, key=recording_number))

    def folder(self, recording: RecordingId) -> Path:
        """Where `recording` stands."""
        return self._root / recording

    def create(self, recording: RecordingId) -> Path:
        """Make its folder; raises `EnvironmentFault` when the disk refuses or it is there already."""
        place = self.folder(recording)
        if os.path.lexists(place):
            raise EnvironmentFault(f"录制 {recording} 的目录已存在，为免覆盖未开始录制。请重新按下录制键。")
        return durable.make_directory(place)

    def segment(self, recording: RecordingId, number: int) -> Path:
        """The file of its `number`-th segment, from 1."""
        return self.folder(recording) / (sidecars.segment_name(number) + (SUFFIX if self.keys.encrypts else ""))

    def segments(self, recording: RecordingId) -> list[Path]:
        """Its segment files in order; raises `EnvironmentFault`."""
        folder = self.folder(recording)
        with durable.disk_errors(folder):
            found = [place for place in folder.iterdir() if SEGMENT_NAME.fullmatch(place.name)]
        return sorted(found, key=lambda place: (len(place.name), place.name))

    def size(self, recording: RecordingId) -> int:
        """The bytes of its segments; raises `EnvironmentFault`."""
        with durable.disk_errors(self.folder(recording)):
            return sum(segment.stat().st_size for segment in self.segments(recording))

    def is_finished(self, recording: RecordingId) -> bool:
        """Whether its signed sums stand; a disk that does not say has none."""
        return os.path.lexists(self.folder(recording) / sidecars.SIGNATURE_NAME)

    def tidy_keys(self, expected: Collection[RecordingId]) -> None:
        """At a start, before anything else: erase data keys that a power cut left to finished recordings, see
        `DataKeys.tidy`. Raises `EnvironmentFault`."""
        there = self.recordings()
        self.keys.tidy(set(there), set(filter(self.is_finished, there)), set(expected))

    def write_sidecars(
        self,
        recording: RecordingId,
        journal: PackedJournal,
        signer: CertifiedSigner,
        known: Mapping[str, FileSums] = MappingProxyType({}),
        closing: Iterable[JournalEvent] = (),
    ) -> None:
        """Write journal, sums (of the photos too) and, last, their signature; raises `EnvironmentFault`. `known` are
        the sums of sealed segments by file name, which are then not read again; `closing` are the events that went into
        seals, behind the last fragment. The journal of an encrypted recording,
        which tells where the officer was, is listed only: the archive writes it out of the segments."""
        folder, segments = self.folder(recording), self.segments(recording)
        if not any(map(is_encrypted, segments)):
            durable.write_stream(folder / sidecars.JOURNAL_NAME, journal.pieces(), durable.SHARED)
        listed = {sidecars.JOURNAL_NAME: sums_of_pieces(journal.pieces(), sm3=self._gm is not None)}
        for place in segments:
            listed[place.name.removesuffix(SUFFIX)] = known.get(place.name) or self.sums_of(place)
        named = journal.photos | {event.note for event in closing if event.kind == PHOTO}
        listed |= own_photos(folder, named, signer, self.sums_of)
        sums = sidecars.sha256sums({name: entry.sha256 for name, entry in listed.items()})
        durable.write_bytes(folder / sidecars.SUMS_NAME, sums, durable.SHARED)
        if self._gm is not None:
            write_gm_files(folder, listed, self._gm)
        durable.write_bytes(folder / sidecars.SIGNATURE_NAME, sidecars.sign_sums(sums, signer), durable.SHARED)

    def sums_of(self, segment: Path) -> FileSums:
        """The sums of a sealed segment that its sidecars will need, of its plaintext if it is encrypted; raises
        `EnvironmentFault`."""
        return sums_of_file(segment, self.keys, sm3=self._gm is not None)
