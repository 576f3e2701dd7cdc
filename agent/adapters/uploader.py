"""The work of the process that uploads: the running recording first, then sealed ones, oldest first, a part at a time.

state/offload/REC-0001-R000012.json   the manifest as it stands outside: that recording is there, byte for byte
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent import durable
from agent.adapters.recording_upload import LiveUpload, Outside, files_of, is_sealed, upload_sealed
from agent.control.offload_policy import OffloadOrders, OffloadPolicy
from agent.durable import disk_errors
from agent.errors import SenderFault
from agent.wire.identifiers import RECORDING_PATTERN, Digest, RecordingId, recording_number
from agent.wire.offload_manifest import OffloadManifest, manifest_digest, parse_manifest

SUFFIX = ".json"
LIVE_EVERY_NS = 3 * 10**9  # ours: with its own way over the line and the half second that is being filled, below 10 s
RECHECK_NS = 600 * 10**9  # ours: how often what has no receipt yet is looked for outside
LOOK_NS = 5 * 10**9  # ours: how often the folder is looked through while nothing is to be done


@dataclass(frozen=True)
class Uploaded:
    """`recording` stands outside as the manifest with this hash says."""

    recording: RecordingId
    manifest: Digest
    files: int
    size: int


@dataclass
class Uploader:
    """`recordings` and `kept` are folders of the device; `report` hears of every recording that is outside. Times are
    monotonic nanoseconds. `work` raises `StoreFault` and `EnvironmentFault`; it may be called again."""

    recordings: Path
    kept: Path
    outside: Outside
    policy: OffloadPolicy
    report: Callable[[Uploaded], None]
    receipted: set[RecordingId] = field(default_factory=set)
    _live: LiveUpload | None = None
    _followed: set[RecordingId] = field(default_factory=set)
    _sealed: tuple[RecordingId, Iterator[bytes | None]] | None = None
    _checked_ns: dict[RecordingId, int] = field(default_factory=dict)
    _look_ns: int = 0
    _allowed: bool = False

    def begin(self) -> None:
        """Tell again what earlier runs have brought out: whoever hears it knows what he has heard before."""
        with disk_errors(self.kept):
            places = sorted(self.kept.glob(f"*{SUFFIX}")) if self.kept.is_dir() else []
        for place in places:
            manifest = self._manifest(RecordingId(place.stem))
            if manifest is not None:
                self.report(_uploaded(manifest))

    def work(self, orders: OffloadOrders, now_ns: int, *, wifi: bool) -> bool:
        """Bring one part; whether there may be another at once."""
        if self.policy.may_follow(orders) and self._follow(RecordingId(orders.recording), now_ns):
            return True
        if orders.paused:
            return False
        return self._send(self.policy.may_send(orders, wifi=wifi), orders.recording, now_ns)

    def waiting(self) -> tuple[int, int]:
        """How many sealed recordings are not outside yet, and their bytes."""
        left = [it for it in self._there() if is_sealed(self.recordings / it) and not self._is_outside(it)]
        return len(left), sum(sum(files_of(self.recordings / it).values()) for it in left)

    @property
    def live_sent(self) -> int:
        """Bytes of the running recording that are outside."""
        return 0 if self._live is None else self._live.sent

    def give_up(self) -> None:
        """After a fault: ask again what is outside before anything else goes there."""
        self._live, self._sealed = None, None

    def _follow(self, recording: RecordingId, now_ns: int) -> bool:
        if self._live is None or self._live.recording != recording:
            self._live = LiveUpload(self.outside, self.recordings / recording, recording, LIVE_EVERY_NS)
            self._followed.add(recording)
        return self._live.step(now_ns)

    def _send(self, allowed: bool, running: str, now_ns: int) -> bool:
        if self._sealed is None:
            chosen = self._next(allowed, running, now_ns)
            if chosen is None:
                return False
            self._sealed = chosen, upload_sealed(self.outside, self.recordings / chosen, chosen)
        recording, parts = self._sealed
        if not allowed and recording not in self._followed:
            self._sealed = None
            return False
        data = next(parts)
        if data is not None:
            self._sealed = None
            self._keep(recording, data, now_ns)
        return True

    def _keep(self, recording: RecordingId, data: bytes, now_ns: int) -> None:
        durable.make_directory(self.kept)
        durable.write_bytes(self.kept / f"{recording}{SUFFIX}", data, durable.SHARED)
        self._followed.discard(recording)
        self._checked_ns[recording] = now_ns
        self.report(_uploaded(parse_manifest(data)))

    def _next(self, allowed: bool, running: str, now_ns: int) -> RecordingId | None:
        if now_ns < self._look_ns and allowed is self._allowed:
            return None
        self._allowed = allowed
        for recording in self._there():
            wanted = recording != running and (allowed or recording in self._followed)
            if wanted and is_sealed(self.recordings / recording) and not self._rests(recording, now_ns):
                return recording
        self._look_ns = now_ns + LOOK_NS
        return None

    def _rests(self, recording: RecordingId, now_ns: int) -> bool:
        """Whether nothing is to be done about it. What has no receipt after a while is looked for outside: somebody may
        have taken it away, or the centre may have put aside what was not as it should be."""
        if not self._is_outside(recording):
            return False
        if recording in self.receipted or now_ns - self._checked_ns.setdefault(recording, now_ns) < RECHECK_NS:
            return True
        self._checked_ns[recording] = now_ns
        manifest = self._manifest(recording)
        return manifest is not None and self.outside.holds(manifest, manifest.encode())

    def _is_outside(self, recording: RecordingId) -> bool:
        """Whether what stands here is what a kept manifest says, by names and sizes: sealed files do not change, but
        photos and notes may come."""
        manifest = self._manifest(recording)
        if manifest is None:
            return False
        return {file.name: file.size for file in manifest.files} == files_of(self.recordings / recording)

    def _manifest(self, recording: RecordingId) -> OffloadManifest | None:
        place = self.kept / f"{recording}{SUFFIX}"
        with disk_errors(place):
            data = place.read_bytes() if place.is_file() else b""
        try:
            return parse_manifest(data) if data else None
        except SenderFault:
            return None  # a flipped bit; it is made again

    def _there(self) -> list[RecordingId]:
        with disk_errors(self.recordings):
            names = [place.name for place in self.recordings.iterdir()] if self.recordings.is_dir() else []
        found = [RecordingId(name) for name in names if RECORDING_PATTERN.fullmatch(name)]
        return sorted(found, key=recording_number)


def _uploaded(manifest: OffloadManifest) -> Uploaded:
    return Uploaded(manifest.recording, manifest_digest(manifest.encode()), len(manifest.files), manifest.size)
