"""Photos: the next keyframe of whatever camera runs, signed and written beside the segments of the
recording that runs, whose signed sums then list it, or to `photos/` when none does; encrypted where recordings are."""

import hashlib

from agent import durable
from agent.adapters.camera_feed import CameraFeed
from agent.adapters.orders import PhotoAsked
from agent.adapters.packets import Packet
from agent.adapters.segment_row import Bench
from agent.control.recording_messages import PhotoTaken, WorkFailed
from agent.errors import EnvironmentFault
from agent.evidence.photo import PhotoPlace, PhotoStatement, sign_photo
from agent.wire.identifiers import Digest
from agent.wire.instant import Instant


class PhotoDesk:
    """One wish at a time; a second one before the keyframe is the same photo. Belongs to the recorder's thread, which
    decodes one picture and codes one JPEG for it while the camera's packets wait in their queue."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._asked: PhotoAsked | None = None

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for a photo."""
        return self._asked is not None

    def ask(self, asked: PhotoAsked) -> None:
        """Somebody wants a photo."""
        self._asked = self._asked or asked

    def give_up(self, detail: str) -> None:
        """There will be no picture: said once, if anybody waits."""
        if self._asked is not None:
            self._asked = None
            self._bench.report(WorkFailed(f"照片未拍成：{detail}"))

    def offer(self, packet: Packet, feed: CameraFeed, place: PhotoPlace | None) -> Digest | None:
        """Take `packet` as the photo if one is wanted and it is a keyframe; returns the hash of the photo's file.
        `place` is where in a recording that is, None outside of one. A failure is reported and never raised."""
        if self._asked is None or packet.stream != 0 or not packet.keyframe:
            return None
        if not feed.tracks[0].is_video:
            self.give_up("本机正在只录音，没有画面。")
            return None
        try:
            data = self._signed(self._asked, packet, feed, place)
            self._write(data, packet.captured, place)
        except EnvironmentFault as fault:
            self.give_up(str(fault))
            return None
        self._asked = None
        digest = _digest(data)
        recording = None if place is None else place.recording
        self._bench.report(PhotoTaken(digest, len(data), recording, packet.captured))
        return digest

    def _signed(self, asked: PhotoAsked, packet: Packet, feed: CameraFeed, place: PhotoPlace | None) -> bytes:
        from agent.adapters.libav import photo_of  # heavy

        bench, source = self._bench, feed.description
        context: dict[str, str | int | bool] = {"source": source.name, "synthetic": source.synthetic}
        now, position = bench.clock.read(), bench.positions.at(packet.captured)
        statement = PhotoStatement(asked.device, asked.unit, asked.at, packet.captured, now, place, context, position)
        return sign_photo(photo_of(packet.data), statement, bench.signer)

    def _write(self, data: bytes, captured: Instant, place: PhotoPlace | None) -> None:
        self._bench.spool.room.check(self._bench.settings.margin_bytes)
        spool = self._bench.spool
        folder = durable.make_directory(spool.photos) if place is None else spool.folder(place.recording)
        moment = f"{captured.wall:%Y%m%dT%H%M%S}{captured.wall.microsecond // 1000:03d}Z"
        name, content = spool.keys.photo_file(f"photo-{moment}-{_digest(data)[:8]}.jpg", data)
        durable.write_bytes(folder / name, content, durable.SHARED)


def _digest(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest())
