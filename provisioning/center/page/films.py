"""The pages about recordings: which there are, one of them with verdict, receipt and proof, and its films.

A film that is encrypted is opened with the archive's key for the request that plays it, and nothing of it is written
anywhere. Whoever plays one is in the book of looks before the first byte is sent.
"""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.errors import OperatorFault, SenderFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.sidecars import PHOTOS
from agent.wire import canonical
from agent.wire.device_events import DeviceEvent, EventType, parse_event
from agent.wire.envelope import open_archived
from agent.wire.identifiers import DeviceId, RecordingId, recording_device
from agent.wire.recording_receipts import RECORDING_RECEIPT_TYPE, RecordingReceipt, parse_recording_receipt
from provisioning.center.cases import SEEN
from provisioning.center.grounds import open_grounds
from provisioning.center.page import film_view
from provisioning.center.page.door import Page, Visitor
from provisioning.center.page.frame import Frame
from provisioning.center.paper_files import found_papers
from provisioning.center.receipt_folder import ReceiptFolder
from provisioning.center.recording_files import needs_key, open_segment, segment_paths
from provisioning.center.seen_recordings import kept_verdict, seen_recordings

SAME_LOOK_NS = 600 * 10**9  # ours: a player asks for a film in many pieces; they are one look
TOLD = (EventType.RECORDING_STARTED, EventType.RECORDING_SEALED, EventType.RECORDING_RECOVERED,
        EventType.RECORDING_REFUSED, EventType.RECORDING_DELETED, EventType.STEP_MARKED)  # fmt: skip


@dataclass
class FilmPages:
    """`_played` remembers for a while who has been written down for which film."""

    frame: Frame
    _played: dict[tuple[Visitor, str], int] = field(default_factory=dict)

    def recordings(self, visitor: Visitor) -> str:
        """Every recording that a device told of; a look."""
        self.frame.look(visitor, "", "recordings")
        devices = [DeviceId(row.device) for row in self.frame.store.summary()]
        rows = [row for device in devices for row in film_view.rows(self._told(device))]
        rows = [{**row, **self._held(row["录像"])} for row in reversed(rows)]
        return self.frame.page(
            "recordings.html",
            "录像",
            visitor,
            {"here": Page.RECORDINGS, "rows": rows, "columns": film_view.COLUMNS, "folder": self._root},
        )

    def recording(self, visitor: Visitor, recording: RecordingId) -> str:
        """One recording, verified anew unless it was since its files were touched; a look."""
        device = recording_device(recording)
        told = [event for event in self._told(device) if event.data.get("recording") == recording]
        if not told:
            raise OperatorFault(f"没有设备说过录像 {recording}。请核对编号。")
        self.frame.look(visitor, device, f"recording {recording}")
        shown = film_view.one(recording, told, self._verdict(recording), self._receipt(recording))
        return self.frame.page("recording.html", str(recording), visitor, {**shown, **self._files(recording, visitor)})

    def film(self, visitor: Visitor, recording: RecordingId, name: str, stack: ExitStack) -> Source:
        """A segment's plaintext, open until `stack` ends; a look that is written down first. Raises `OperatorFault`."""
        place = next((it for it in segment_paths(self._place(recording)) if _plain(it) == name), None)
        if place is None:
            raise OperatorFault("中心没有这段录像。请在“录像”页面核对。")
        archive = self.frame.shelves.archive() if place.suffix == SUFFIX else None
        opened = open_segment(place, archive, stack)
        self._write_down(visitor, recording, name)
        return opened.source

    def _write_down(self, visitor: Visitor, recording: RecordingId, name: str) -> None:
        now_ns, what = self.frame.clock.read().monotonic_ns, f"film {recording} {name}"
        self._played = {key: at for key, at in self._played.items() if now_ns - at <= SAME_LOOK_NS}
        if (visitor, what) not in self._played:
            self.frame.look(visitor, recording_device(recording), what)
            self._played[visitor, what] = now_ns

    def _told(self, device: DeviceId) -> list[DeviceEvent]:
        return [parse_event(canonical.decode(body)) for body in self.frame.store.of_types(device, TOLD)]

    def _held(self, recording: RecordingId) -> dict[str, Any]:
        place = self._place(recording)
        if not segment_paths(place):
            return {"中心": "没有", "检验": "—", "回执": self._receipted(recording)}
        verdict = kept_verdict(place, self.frame.config.folder / SEEN, open_grounds(self.frame.config))
        kept = "已加密" if needs_key(place) else "明文"
        return {"中心": kept, "检验": film_view.verdict_words(verdict), "回执": self._receipted(recording)}

    def _receipted(self, recording: RecordingId) -> str:
        receipt = self._receipt(recording)
        return "—" if receipt is None else "已签" if receipt.opened else "已签，未打开"

    def _receipt(self, recording: RecordingId) -> RecordingReceipt | None:
        envelope = ReceiptFolder(self.frame.config.folder).get(recording)
        if envelope is None:
            return None
        return parse_recording_receipt(open_archived(envelope, RECORDING_RECEIPT_TYPE, self.frame.trust()).payload)

    def _verdict(self, recording: RecordingId) -> str:
        """Empty where nothing can be verified: not here, or encrypted and no key at hand."""
        frame = self.frame
        try:
            archive = frame.shelves.archive()
            kept = frame.config.folder / SEEN
            grounds = open_grounds(frame.config)
            seen = seen_recordings(self._root, [recording], kept, grounds, frame.now(), archive)
        except SenderFault:
            return ""
        return seen[recording].fact.verdict if recording in seen else ""

    def _files(self, recording: RecordingId, visitor: Visitor) -> dict[str, Any]:
        place, key = self._place(recording), self.frame.shelves.key
        films = [_plain(it) for it in segment_paths(place)]
        closed = bool(films) and needs_key(place) and key is None
        papers = found_papers(self._root, [recording], self.frame.shelves.archive())
        photos = [*place.glob(PHOTOS), *place.glob(PHOTOS + SUFFIX)]
        return {
            "here": Page.RECORDINGS, "closed": closed,
            "films": () if closed else films, "papers": film_view.paper_lines(papers),
            "photos": len(photos), "proofs": visitor.may(Page.PROOF), "device": recording_device(recording),
            "recording": recording,
        }  # fmt: skip

    @property
    def _root(self) -> Path:
        return self.frame.shelves.recordings or self.frame.config.folder / "recordings"

    def _place(self, recording: RecordingId) -> Path:
        return self._root / recording


def _plain(path: Path) -> str:
    return path.name.removesuffix(SUFFIX)
