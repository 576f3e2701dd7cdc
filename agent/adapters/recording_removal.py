"""Removing the files of a recording whose deletion is on the chain, so that a power cut leaves all of them or a folder
that is nobody's recording any more, which the next try removes."""

import shutil
from pathlib import Path

from agent import durable
from agent.adapters.recording_upload import files_of
from agent.control.messages import Event, WorkFailed
from agent.control.offload_messages import RecordingRemoved, RecordingUnchanged
from agent.errors import EnvironmentFault, SenderFault
from agent.wire.identifiers import RecordingId
from agent.wire.offload_manifest import manifest_digest, parse_manifest

DELETED = ".deleted-"
MANIFEST = ".json"


class RecordingRemoval:
    """`recordings` are the folders, `kept` is where the manifests of what stands outside are."""

    def __init__(self, recordings: Path, kept: Path) -> None:
        self._recordings, self._kept = recordings, kept

    def compare(self, recording: RecordingId, named: str) -> Event | None:
        """`RecordingUnchanged` when nothing has come to the folder since the manifest with the hash `named` was made;
        None otherwise, also when nobody knows."""
        try:
            data = self._manifest(recording).read_bytes()
            listed = {file.name: file.size for file in parse_manifest(data).files}
            same = manifest_digest(data) == named and listed == files_of(self._recordings / recording)
        except (OSError, EnvironmentFault, SenderFault):
            return None
        return RecordingUnchanged(recording, named) if same else None

    def remove(self, recording: RecordingId) -> Event:
        """Remove everything of `recording`; once it is begun it may be asked for again and again."""
        place, gone = self._recordings / recording, self._recordings / f"{DELETED}{recording}"
        try:
            if place.exists():
                durable.move(place, gone)
            if gone.exists():
                with durable.disk_errors(gone):
                    shutil.rmtree(gone)
                durable.sync_directory(self._recordings)
            if self._manifest(recording).exists():
                durable.remove(self._manifest(recording))
        except EnvironmentFault as fault:
            return WorkFailed(f"{recording} 的文件未能删除，稍后再试：{fault}")
        return RecordingRemoved(recording)

    def _manifest(self, recording: RecordingId) -> Path:
        return self._kept / f"{recording}{MANIFEST}"
