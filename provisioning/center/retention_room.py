"""How long the centre keeps its recordings: signed acts, and the one place that ever removes a recording's folder."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent import durable
from agent.duty.holds import LEDGER, Deed, Keeping, keep, step, with_listed
from agent.duty.takings import told_term
from agent.errors import OperatorFault, SenderFault
from agent.wire.acts import SignedAct
from agent.wire.canonical import timestamp
from agent.wire.identifiers import RecordingId
from agent.wire.signing import Signer
from provisioning.center.act_folder import ActFolder
from provisioning.center.cases import SEEN, CaseRoom
from provisioning.center.seen_recordings import seen_recordings

ACTS = "retention"
DELETED = ".deleted-"


@dataclass(frozen=True)
class RetentionRoom:
    """Acts and recordings of the centre of `room`."""

    room: CaseRoom

    @property
    def folder(self) -> ActFolder:
        """The acts of retention."""
        return ActFolder(self.room.config.folder / ACTS, LEDGER, self.room.trust)

    def keeping(self, recording: RecordingId) -> Keeping:
        """How `recording` is kept; raises `SenderFault` when its acts were changed."""
        return with_listed(keep(recording, self.folder.acts(recording)), told_term(recording, self.room.told))

    def ended(self, recording: RecordingId) -> datetime:
        """When `recording` ended, by its own signed time; raises `OperatorFault` when it is not here."""
        kept, room = self.room.config.folder / SEEN, self.room
        seen = seen_recordings(room.recordings, [recording], kept, room.grounds, room.now)
        if recording not in seen:
            raise OperatorFault(f"{room.recordings} 中没有可读的 {recording}。请检查 --recordings 与录制编号。")
        return seen[recording].fact.ends

    def act(self, recording: RecordingId, deed: Deed, body: Mapping[str, Any], signer: Signer) -> Keeping:
        """Take in one act, signed by `signer`; raises `SenderFault` when the rules refuse it."""
        if deed is Deed.DELETE:
            raise SenderFault("删除请用 delete，由中心在到期后办理。", "kind")
        return self._add(recording, deed, body, signer)

    def delete(self, recording: RecordingId, signer: Signer) -> Keeping:
        """Remove a recording whose time is over and that nobody holds. The act is on the disk before a file goes: after
        a power cut in between, the next call finishes what it says. Raises `SenderFault` when it may not go."""
        if self.keeping(recording).deleted is None:
            body = {"ended": timestamp(self.ended(recording))}
            self._add(recording, Deed.DELETE, body, signer)
        place, gone = self.room.recordings / recording, self.room.recordings / f"{DELETED}{recording}"
        if place.exists():
            durable.move(place, gone)
        if gone.exists():
            with durable.disk_errors(gone):
                shutil.rmtree(gone)
            durable.sync_directory(self.room.recordings)
        return self.keeping(recording)

    def _add(self, recording: RecordingId, deed: Deed, body: Mapping[str, Any], signer: Signer) -> Keeping:
        if deed in (Deed.CLASSIFY, Deed.DELETE) and (listed := told_term(recording, self.room.told)) is not None:
            body = {**body, "listed": listed.text}

        def admit(before: tuple[SignedAct, ...], signed: SignedAct) -> Keeping:
            return step(keep(recording, before), signed)

        return self.folder.add(recording, deed, body, signer, self.room.now, admit)
