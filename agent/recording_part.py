"""A recorder's camera side put together: spool, recorder, button. Kiosk hosts have none of it."""

import logging
from collections.abc import Callable, Mapping

from agent.adapters.data_keys import DataKeys, read_archive_key
from agent.adapters.hook_courier import HookCourier
from agent.adapters.recorder import Recorder, RecorderSettings, RecordingOrder
from agent.adapters.signer import PROOF, read_private
from agent.adapters.sources import CaptureSettings, source_maker
from agent.adapters.spool import Spool
from agent.clock import Clock
from agent.config import AgentConfig
from agent.control.effects import StartRecording
from agent.control.messages import Event, RecordingFailed
from agent.errors import EnvironmentFault
from agent.evidence import gm_sums
from agent.evidence.gm_sums import GmSigner
from agent.evidence.journal import Reason
from agent.wire.identifiers import RecordingId
from agent.wire.signing import CertifiedSigner

RECORDINGS, KEYS = "recordings", "keys"
HOOK_CLOSE_S = 0.5  # ours: the line is read with a short timeout

logger = logging.getLogger(__name__)


class CameraPart:
    """Implements `agent.app.RecordingPart` over the real recorder; made by `equip`. `labels` are signed into every
    recording beside what is ordered."""

    def __init__(
        self,
        spool: Spool,
        signer: CertifiedSigner,
        clock: Clock,
        recorder: Recorder,
        hooks: HookCourier | None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self._spool, self._signer, self._clock, self.labels = spool, signer, clock, labels or {}
        self._recorder, self._hooks = recorder, hooks

    def recover(self, unreported: tuple[RecordingId, ...]) -> list[Event]:
        """Seal what a power cut left open; also tell the end of each recording of `unreported`."""
        ends: list[Event] = [*self._spool.recover(self._signer, self._clock, unreported)]
        there = set(self._spool.recordings())
        now = self._clock.read()
        lost = [recording for recording in unreported if recording not in there]
        return [*ends, *(RecordingFailed(it, f"录制 {it} 没有留下任何文件。", now) for it in lost)]

    def open(self) -> None:
        """Listen to the button."""
        if self._hooks is not None:
            self._hooks.start()

    def start(self, order: StartRecording) -> None:
        """Begin a recording; returns at once."""
        context = {**order.context, **self.labels}
        self._recorder.start(RecordingOrder(order.recording, order.unit, order.previous, context))

    def stop(self, reason: str) -> None:
        """End it; returns at once."""
        self._recorder.stop(Reason(reason))

    def close(self, timeout_s: float) -> bool:
        """Seal what runs and end the threads; returns whether that was done in time."""
        if self._hooks is not None:
            self._hooks.close(HOOK_CLOSE_S)
        return self._recorder.close(timeout_s)


def equip(config: AgentConfig, signer: CertifiedSigner, clock: Clock, report: Callable[[Event], None]) -> CameraPart:
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
    keys = DataKeys(config.state_dir / KEYS, read_archive_key(config.evidence.archive_key))
    gm, labels = _gm_profile(config)
    spool = Spool(config.state_dir / RECORDINGS, keys, gm)
    pace = RecorderSettings(fragment_ms=capture.fragment_ms, segment_minutes=capture.segment_minutes)
    recorder = Recorder(spool, signer, clock, source_maker(settings, clock), report, pace)
    return CameraPart(spool, signer, clock, recorder, _hooks(config, clock, report), labels)


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


def _hooks(config: AgentConfig, clock: Clock, report: Callable[[Event], None]) -> HookCourier | None:
    def died(name: str, error: BaseException | None) -> None:
        # The thread's exception reaches `threading.excepthook` as well, which ends the process.
        logger.error("%s ended: %r", name, error)

    if not config.hooks.mcu:
        return None
    return HookCourier(config.hooks.mcu, clock, report, died, lambda line: logger.warning("button line: %s", line))
