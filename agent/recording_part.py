"""A recorder's camera side put together: spool, recorder, button. Kiosk hosts have none of it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from agent.adapters.data_keys import DataKeys, read_archive_key
from agent.adapters.glyph_font import PACKAGE, font_file
from agent.adapters.health_courier import HealthCourier
from agent.adapters.orders import ActAsked, BitrateAsked, NoteAsked
from agent.adapters.positions import PositionLog
from agent.adapters.pre_event import PreEventSettings, ring_bytes
from agent.adapters.recorder import Recorder, RecorderSettings
from agent.adapters.reserve_file import NAME as RESERVE
from agent.adapters.reserve_file import ReserveFile
from agent.adapters.signer import PROOF
from agent.adapters.sources import CaptureSettings, source_maker
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import SpoolRecovery
from agent.adapters.watermark import Caption
from agent.clock import Clock, GuidedClock
from agent.config import RECORDINGS, AgentConfig
from agent.control.effects import Indicate, MarkRecording, NoteDuty, NoteHealth, SetBitrate, StartRecording, TakePhoto
from agent.control.messages import Event, RecordingFailed, WorkFailed
from agent.errors import EnvironmentFault
from agent.evidence import gm_sums
from agent.evidence.gm_sums import GmSigner
from agent.evidence.journal import HEALTH, JournalEvent, Reason
from agent.evidence.vsi_profiles import VSI_PROFILES
from agent.hook_part import HookPart, equip_hooks
from agent.key_files import read_private
from agent.wire.identifiers import DeviceId, RecordingId, recording_device
from agent.wire.signing import CertifiedSigner

HEALTH_CLOSE_S = 0.5  # ours: sensors are read in milliseconds
KEYS = "keys"  # beside the recordings
OFFICER = "officer"  # the key of a recording's context with the officer's number, where somebody has signed in

logger = logging.getLogger(__name__)


class CameraPart:
    """Implements `agent.app.RecordingPart` over the real recorder; made by `equip`. `labels` are signed into every
    recording beside what is ordered."""

    def __init__(
        self,
        device: DeviceId,
        spool: Spool,
        clock: Clock,
        recovery: SpoolRecovery,
        recorder: Recorder,
        hooks: HookPart,
        caption: Caption,
        labels: Mapping[str, str] = MappingProxyType({}),
        health: HealthCourier | None = None,
        bits_per_second: int = 4_000_000,
    ) -> None:
        self.labels = labels
        self._device, self._spool, self._clock, self._recovery = device, spool, clock, recovery
        self._recorder, self._hooks, self._caption, self._health = recorder, hooks, caption, health
        self._bits_per_second = bits_per_second

    def recover(self, unreported: tuple[RecordingId, ...], *, store_lost: bool = False) -> list[Event]:
        """Seal what a power cut left open and tell up to where recordings stand. Their ends, and that of each recording
        of `unreported`, are told after `open`, with `store_lost` all that the journals of all recordings say. A bad
        entry on the disk is told and stops nothing."""
        self._spool.room.use_reserve()
        try:
            there = self._spool.recordings()
        except EnvironmentFault as fault:
            return [WorkFailed(f"录像目录无法读取，开机恢复未进行；请检查存储卡后重启：{fault}")]
        own = [recording for recording in there if recording_device(recording) == self._device]
        now = self._clock.read()
        lost = [recording for recording in unreported if recording not in own]
        self._recovery.retells = store_lost
        expected = tuple(own) if store_lost else unreported
        return [
            *self._tidied(unreported),
            *self._recovery.seal(own, expected),
            *(RecordingFailed(it, f"录制 {it} 没有留下任何文件。", now) for it in lost),
            *(WorkFailed(f"录像目录中有别的设备的录制 {it}，未作处理；请移出核查。") for it in there if it not in own),
        ]

    def _tidied(self, unreported: tuple[RecordingId, ...]) -> list[Event]:
        try:
            self._spool.tidy_keys(unreported)
        except EnvironmentFault as fault:
            return [WorkFailed(f"已封存录制的数据密钥未能清除：{fault}")]
        return []

    def open(self) -> None:
        """Fill the pre-event ring, where one is kept, listen to the button, and finish what `recover` began."""
        self._recorder.open()
        self._recovery.start()
        if self._health is not None:
            self._health.start()
        self._hooks.start()

    def start(self, order: StartRecording) -> None:
        """Begin a recording; returns at once. Who records stands in its pictures from here on."""
        self._caption.unit, self._caption.officer = order.unit, str(order.context.get(OFFICER, ""))
        context = {**order.context, **self.labels}
        self._recorder.start(replace(order, context=context))

    def stop(self, reason: str) -> None:
        """End it; returns at once."""
        self._recorder.stop(Reason(reason))

    def mark(self, order: MarkRecording) -> None:
        """Carry out an officer's act in it; returns at once."""
        self._recorder.act(ActAsked(order.act, order.cause, order.at))

    def photograph(self, order: TakePhoto) -> None:
        """Keep the next picture as a photo; returns at once."""
        self._recorder.act(order)

    def obey(self, order: NoteHealth | NoteDuty | SetBitrate | Indicate) -> None:
        """Sign a reading into the recording, code pictures at another rate, or show something; returns at once."""
        match order:
            case NoteHealth(reading, at):
                self._recorder.act(NoteAsked(JournalEvent(HEALTH, at, None, reading)))
            case NoteDuty(kind, note, at):
                self._recorder.act(NoteAsked(JournalEvent(kind, at, None, note)))
            case SetBitrate(percent):
                self._recorder.act(BitrateAsked(self._bits_per_second * percent // 100))
            case Indicate():
                self._hooks.show(order)

    def close(self, timeout_s: float) -> bool:
        """Seal what runs and end the threads; returns whether that was done in time."""
        ends_ns = self._clock.read().monotonic_ns + int(timeout_s * 1e9)
        self._recovery.close(0)
        if self._health is not None:
            self._health.close(min(HEALTH_CLOSE_S, timeout_s))
        self._hooks.close(timeout_s)
        return self._recorder.close(max(0, ends_ns - self._clock.read().monotonic_ns) / 1e9)


def equip(
    config: AgentConfig, signer: CertifiedSigner, clock: GuidedClock, report: Callable[[Event], None]
) -> CameraPart:
    """The camera side that `config` describes; opens nothing yet."""
    capture = config.capture
    settings = CaptureSettings(
        capture.camera,
        capture.width,
        capture.height,
        capture.frames_per_second,
        capture.video_kbps,
        capture.audio,
        capture.fragment_ms,
    )
    storage, (gm, labels) = config.storage_policy, _gm_profile(config)
    reserve = ReserveFile(config.state_dir / RESERVE, config.storage.reserve_mb * 2**20)
    keys = DataKeys(config.state_dir / KEYS, read_archive_key(config.evidence.archive_key))
    spool = Spool(config.state_dir / RECORDINGS, reserve, gm, keys)
    room = ring_bytes(capture.pre_event_s, capture.video_kbps)
    pace = RecorderSettings(
        fragment_ms=capture.fragment_ms,
        segment_minutes=capture.segment_minutes,
        margin_bytes=storage.margin_bytes,
        pre_event=PreEventSettings(capture.pre_event_s, capture.pre_event_sound, room),
        vsi=VSI_PROFILES[config.evidence.vsi_profile],
    )
    if font_file() is None:
        logger.warning("没有中文字体，画面水印只有数字与大写字母。请安装 %s 后重启。", PACKAGE)
    positions = PositionLog()
    caption = Caption(config.device, config.unit)
    recorder = Recorder(spool, signer, clock, source_maker(settings, clock, caption), report, pace, positions)
    recovery = SpoolRecovery(spool, signer, clock, report)
    hooks, rate = equip_hooks(config.hooks, clock, positions, report), capture.video_kbps * 1000
    health = HealthCourier(config.duty.sysfs, spool, clock, report)
    return CameraPart(config.device, spool, clock, recovery, recorder, hooks, caption, labels, health, rate)


def _gm_profile(config: AgentConfig) -> tuple[GmSigner | None, Mapping[str, str]]:
    """The SM2 signer and what recordings are labelled with. A device that cannot do SM2 records all the same."""
    if config.evidence.sm2_key is None:
        return None, {}
    from agent.adapters.libcrypto_sm import load_sm2_signer

    pem = read_private(config.evidence.sm2_key)
    try:
        gm = load_sm2_signer(pem)
        gm.sign(PROOF)
    except EnvironmentFault as fault:
        logger.error("gm profile: %s", fault)  # noqa: TRY400 - a traceback says no more
        return None, gm_sums.labels(None)
    return gm, gm_sums.labels(gm.key_id)
