"""Removing the files of a recording whose deletion is on the chain, so that a power cut leaves all of them or a folder
that is nobody's recording any more, which the next try removes.

The folder is held against the manifest when it has its other name, where nobody puts anything into it any more: what
the manifest does not list brings it back.
"""

import shutil
from pathlib import Path

from agent import durable
from agent.adapters.recording_upload import files_of
from agent.control.messages import Event, WorkFailed
from agent.control.offload_messages import RecordingChanged, RecordingRemoved, RecordingUnchanged
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
            same = self._listed(recording, named) == files_of(self._recordings / recording)
        except (EnvironmentFault, SenderFault):
            return None
        return RecordingUnchanged(recording, named) if same else None

    def remove(self, recording: RecordingId, named: str) -> Event:
        """Remove everything of `recording`, if it is what the manifest with the hash `named` lists; once it is begun it
        may be asked for again and again."""
        place, gone = self._recordings / recording, self._recordings / f"{DELETED}{recording}"
        try:
            if not self._withdraw(place, gone, recording, named):
                return RecordingChanged(recording)
            if gone.exists():
                with durable.disk_errors(gone):
                    shutil.rmtree(gone)
                durable.sync_directory(self._recordings)
            if self._manifest(recording).exists():
                durable.remove(self._manifest(recording))
        except (EnvironmentFault, SenderFault) as fault:
            return WorkFailed(f"{recording} 的文件未能删除，稍后再试：{fault}")
        return RecordingRemoved(recording)

    def _withdraw(self, place: Path, gone: Path, recording: RecordingId, named: str) -> bool:
        """Give the folder its other name, and its own back when it holds what the manifest does not list; whether it
        may be removed. One that has the other name already may lack what an earlier try removed."""
        if place.exists() and gone.exists():
            return False
        if place.exists():
            if self.compare(recording, named) is None:
                return False
            durable.move(place, gone)
        if gone.exists() and not files_of(gone).items() <= self._listed(recording, named).items():
            durable.move(gone, place)
            return False
        return True

    def _listed(self, recording: RecordingId, named: str) -> dict[str, int]:
        """Name and size of every file in the manifest with the hash `named`; raises `SenderFault` when the one that is
        kept is another, `EnvironmentFault` when there is none."""
        with durable.disk_errors(self._manifest(recording)):
            data = self._manifest(recording).read_bytes()
        if manifest_digest(data) != named:
            raise SenderFault(f"{recording} 的上传清单不是中心签收的那一份。")
        return {file.name: file.size for file in parse_manifest(data).files}

    def _manifest(self, recording: RecordingId) -> Path:
        return self._kept / f"{recording}{MANIFEST}"
