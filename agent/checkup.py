"""Looks at a device for its self-check, whether its agent runs or not; opens no camera and changes nothing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cryptography import x509

from agent.accepted import is_accepted
from agent.adapters.health_courier import read_board, read_health
from agent.adapters.picamera2_source import camera_present
from agent.adapters.snapshot import Snapshot, read_snapshot
from agent.adapters.sources import FIRST_CAMERA, SOUND_CARDS
from agent.adapters.spool import Spool
from agent.adapters.state_lock import is_held
from agent.clock import GNSS_ERROR_MS, Clock
from agent.config import DATABASE, RECORDINGS, AgentConfig, CaptureConfig
from agent.control.self_check import Observed, Presence
from agent.errors import OperatorFault, SenderFault
from agent.evidence.health import HealthReading, parse_reading
from agent.wire import canonical
from agent.wire.envelope import open_trust_list
from agent.wire.instant import Instant, TimeState
from agent.wire.signing import certificate_key, key_id_of, load_pem_certificates


def observe(config: AgentConfig, clock: Clock) -> Observed:
    """What `agent.control.self_check` judges. Charge and heat are the kernel's, else the agent's own last reading (a
    battery behind the MCU is seen by the agent alone). Raises `OperatorFault` or `EnvironmentFault`."""
    read = read_health(config.duty.sysfs, Spool(config.state_dir / RECORDINGS), clock)
    told = _snapshot(config)
    last = None if told is None else parse_reading(told.health)
    certificates = _certificates([config.identity.evidence_chain, config.broker.certificate])
    running = last if is_held(config.state_dir) else None
    return Observed(
        agent_moment(read.at, running),
        _measured(read.battery_percent, last, "battery_percent"),
        read.charging if last is None or read.charging is not None else last.charging,
        read.free_bytes,
        _measured(read.temperature_mc, last, "temperature_mc"),
        _camera(config.capture),
        _microphone(config.capture),
        max(it.not_valid_before_utc for it in certificates),
        min(it.not_valid_after_utc for it in certificates),
        _moment(told.acked_at) if told is not None else None,
        0 if told is None else told.waiting,
        config.duty.planned_hours,
        config.duty.battery_hours,
        config.storage_policy,
        read_board(config.duty.sysfs),
        is_accepted(config, read.at.wall),
        _revoked_at(config),
    )


def agent_moment(now: Instant, last: HealthReading | None) -> Instant:
    """`now` with the state of the clock that the running agent stamps with: it may know the time from a GNSS receiver
    of which the kernel's clock knows nothing."""
    if last is None or now.state is not TimeState.UNSET or last.clock is TimeState.NTP:
        return now
    return replace(now, state=last.clock, error_ms=GNSS_ERROR_MS if last.clock is TimeState.GNSS else None)


def _snapshot(config: AgentConfig) -> Snapshot | None:
    store = config.state_dir / DATABASE
    return read_snapshot(store) if store.is_file() else None


def _measured(now: int | None, last: HealthReading | None, name: str) -> int | None:
    found: int | None = now if now is not None or last is None else getattr(last, name)
    return found


def _moment(text: str) -> datetime | None:
    return canonical.parse_timestamp(text) if text else None


def _certificates(chains: Sequence[Path]) -> list[x509.Certificate]:
    try:
        return [it for chain in chains for it in load_pem_certificates(chain.read_bytes())]
    except (OSError, SenderFault) as error:
        raise OperatorFault(f"本机证书无法读取（{error}）。请重新发放设备文件夹。") from error


def _revoked_at(config: AgentConfig) -> datetime | None:
    """What the device's own trust list says of its evidence key; of a list that cannot be read others tell."""
    (own, *_), (root, *_) = _certificates([config.identity.evidence_chain]), _certificates([config.identity.root])
    try:
        trust = open_trust_list(config.identity.trust_list.read_bytes(), root)
    except (OSError, SenderFault):
        return None
    listed = trust.credentials.get(key_id_of(certificate_key(own)))
    return None if listed is None else listed.revoked_at


def _camera(capture: CaptureConfig) -> Presence:
    kind, _, where = capture.camera.partition(":")
    if kind == "none":
        return Presence.UNWANTED
    if kind == "rtsp":
        return Presence.UNKNOWN
    if kind in {"v4l2", "file"}:
        found = Presence.FILE if kind == "file" else Presence.THERE
        return found if Path(where).exists() else Presence.MISSING
    if kind == "picamera2":
        return Presence.THERE if camera_present() else Presence.MISSING
    there = kind == "auto" and (camera_present() or FIRST_CAMERA.exists())
    return Presence.THERE if there else Presence.SYNTHETIC


def _microphone(capture: CaptureConfig) -> Presence:
    kind = capture.audio.partition(":")[0]
    if kind == "none":
        return Presence.UNWANTED
    if kind == "test":
        return Presence.SYNTHETIC
    if kind == "auto" and capture.camera.partition(":")[0] in {"rtsp", "file"}:
        return Presence.UNKNOWN
    return Presence.THERE if SOUND_CARDS.exists() else Presence.MISSING
