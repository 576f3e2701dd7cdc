"""The centre's receipts for recordings: one sealed file each, and which of them a device has not said yet that it has.

recording-receipts/REC-0001-R000012.dsse       kept for ever, part of the device's account
recording-receipts/due/REC-0001-R000012.dsse   to be sent, again and again, until the device's chain confirms it
"""

from dataclasses import dataclass, field
from pathlib import Path

from agent import durable
from agent.durable import disk_errors
from agent.wire.identifiers import DeviceId, RecordingId, recording_device

RECEIPTS, DUE, SUFFIX = "recording-receipts", "due", ".dsse"
AGAIN_MS = 60_000  # ours: a receipt is small, and a device may be away for days


@dataclass
class ReceiptFolder:
    """In the `folder` of a centre. `due` belongs to whoever sends; times are monotonic milliseconds."""

    folder: Path
    _sent: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, recording: RecordingId, envelope: bytes) -> None:
        """Keep a receipt, to be sent; a newer one takes the place of an older one. Raises `EnvironmentFault`."""
        durable.make_directory(self._due)
        durable.write_bytes(self._kept / f"{recording}{SUFFIX}", envelope, durable.SHARED)
        durable.write_bytes(self._due / f"{recording}{SUFFIX}", envelope, durable.SHARED)

    def get(self, recording: RecordingId) -> bytes | None:
        """The receipt of `recording`, None without one."""
        place = self._kept / f"{recording}{SUFFIX}"
        with disk_errors(place):
            return place.read_bytes() if place.is_file() else None

    def is_due(self, recording: RecordingId) -> bool:
        """Whether the device has not confirmed it."""
        return (self._due / f"{recording}{SUFFIX}").is_file()

    def confirmed(self, recording: RecordingId) -> None:
        """The device has it."""
        if self.is_due(recording):
            durable.remove(self._due / f"{recording}{SUFFIX}")

    def of(self, device: DeviceId) -> tuple[bytes, ...]:
        """Every receipt for recordings of `device`."""
        with disk_errors(self._kept):
            places = sorted(self._kept.glob(f"{device}-R*{SUFFIX}")) if self._kept.is_dir() else []
            return tuple(place.read_bytes() for place in places)

    def due(self, now_ms: int) -> list[tuple[DeviceId, bytes]]:
        """What is to be sent now: what is new, and what was sent a while ago and not confirmed."""
        with disk_errors(self._due):
            places = sorted(self._due.glob(f"*{SUFFIX}")) if self._due.is_dir() else []
        found = []
        for place in places:
            stamp, again_ms = self._sent.get(place.name, (0, 0))
            try:
                written = place.stat().st_mtime_ns
                if written != stamp or now_ms >= again_ms:
                    found.append((recording_device(RecordingId(place.stem)), place.read_bytes()))
                    self._sent[place.name] = written, now_ms + AGAIN_MS
            except FileNotFoundError:
                continue  # confirmed just now
        return found

    @property
    def _kept(self) -> Path:
        return self.folder / RECEIPTS

    @property
    def _due(self) -> Path:
        return self.folder / RECEIPTS / DUE
