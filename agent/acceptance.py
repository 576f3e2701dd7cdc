"""The device's acceptance report: the self-check before duty, and what is tried once, before a device is accepted."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from agent import durable
from agent.access_probe import Probed, probe
from agent.adapters.snapshot import read_snapshot
from agent.adapters.state_lock import is_held
from agent.app import own_signer
from agent.checkup import observe
from agent.clock import Clock, system_clock
from agent.config import DATABASE, AgentConfig
from agent.control.self_check import Item, Level, self_check
from agent.errors import LiuhenFault, OperatorFault
from agent.firstboot import FLOOR
from agent.version import software_version
from agent.wire import canonical
from agent.wire.device_events import GENESIS
from agent.wire.disclosures import DISCLOSURE_TYPE
from agent.wire.envelope import open_envelope, open_trust_list, seal
from agent.wire.identifiers import Digest
from agent.wire.life_documents import REPORT_TYPE, AcceptanceReport, CheckItem
from agent.wire.signing import load_pem_certificates
from agent.wire.status import STATUS_TYPE, DeviceStatus
from agent.wire.trust import Role

TRIAL_BYTES, PIECE_BYTES = 8 * 2**20, 256 * 1024  # ours: some ten seconds of video, as it is written
SLOW_MB_S = 2.0  # ours: 4 Mbit/s of video, four times over
CLOCK_SLACK = timedelta(minutes=5)  # ours


def acceptance_report(
    config: AgentConfig, hardware: str, clock: Clock | None = None, monotonic: Callable[[], float] = time.monotonic
) -> AcceptanceReport:
    """Try everything and report it; the agent must not run. Raises `OperatorFault` when it does."""
    if is_held(config.state_dir):
        raise OperatorFault("本机正在运行，不能同时验收。请先执行 systemctl stop liuhen-agent。")
    now = clock or system_clock()
    items = [*(self_check(observe(config, now)) if config.records else ()), *_once(config, now, monotonic)]
    items = [item for item in items if item.name != "acceptance"]  # that is what this report is for
    lines = tuple(CheckItem(item.name, item.level.value, item.text) for item in items)
    return AcceptanceReport(config.device, hardware, software_version(), now.read().wall, lines)


def sealed_report(config: AgentConfig, report: AcceptanceReport) -> bytes:
    """The report, signed with the device's evidence key."""
    return seal(REPORT_TYPE, report.encode(), [own_signer(config)])


def probe_access(config: AgentConfig, clock: Clock | None = None) -> Probed:
    """Connect, report health, try what is forbidden; a fault is a connection that failed."""
    try:
        return probe(config, _status(config, (clock or system_clock())))
    except LiuhenFault as fault:
        return Probed(False, str(fault))


def access_item(found: Probed) -> Item:
    """What the probe says, as a line."""
    if not found.connected:
        return Item("access", Level.FAIL, f"消息服务器：连不上（{found.why[:80]}）。请检查网络、证书与时钟。")
    if found.leaked:
        return Item(
            "access", Level.FAIL, f"消息服务器：收到不属于本机的主题 {found.leaked[0][:80]}。请重新生成 broker-config。"
        )
    if found.foreign_refused is False:
        return Item("access", Level.FAIL, "消息服务器：本机能写别的设备的主题。请重新生成 broker-config。")
    if found.own_taken is False:
        told = "消息服务器：本机不能写自己的主题。刚重新入网的请等半分钟再试"
        return Item("access", Level.FAIL, f"{told}；仍不能的，请在机构运行 broker-config --reload。")
    if found.foreign_refused is None or found.own_taken is None:
        return Item("access", Level.FAIL, "消息服务器：试写没有得到应答。请检查消息服务器。")
    return Item(
        "access", Level.PASS, f"消息服务器：双向认证通过，只能读写自己的主题（收到 {found.heard} 条可读消息）。"
    )


def _once(config: AgentConfig, clock: Clock, monotonic: Callable[[], float]) -> Sequence[Item]:
    return [
        _storage_speed(config.state_dir, monotonic),
        _floor(config, clock),
        _signature(config, clock),
        _disclosure(config, clock),
        access_item(probe_access(config, clock)),
    ]


def _storage_speed(folder: Path, monotonic: Callable[[], float]) -> Item:
    durable.make_directory(folder)
    trial, piece = folder / "write-trial", os.urandom(PIECE_BYTES)
    began = monotonic()
    try:
        durable.write_stream(trial, (piece for _ in range(TRIAL_BYTES // PIECE_BYTES)), durable.PRIVATE, PIECE_BYTES)
        speed = TRIAL_BYTES / 1e6 / max(monotonic() - began, 1e-6)
        kept = (
            hashlib.sha256(trial.read_bytes()).digest() == hashlib.sha256(piece * (TRIAL_BYTES // PIECE_BYTES)).digest()
        )
    finally:
        durable.remove(trial)
    if not kept:
        return Item("storage-speed", Level.FAIL, "存储：读回的与写入的不同，存储卡已坏。请换卡。")
    if speed < SLOW_MB_S:
        return Item(
            "storage-speed", Level.FAIL, f"存储：逐片落盘 {speed:.1f} MB/s，低于 {SLOW_MB_S:.0f} MB/s。请换更快的卡。"
        )
    return Item("storage-speed", Level.PASS, f"存储：逐片落盘 {speed:.1f} MB/s，读回一致。")


def _floor(config: AgentConfig, clock: Clock) -> Item:
    path = config.identity.root.with_name(FLOOR)
    if not path.is_file():
        return Item("clock-floor", Level.ATTENTION, "时钟下限：没有记录（设备不是由卡入网的）。")
    floor, now = canonical.parse_timestamp(path.read_text(encoding="ascii")), clock.read().wall
    if now + CLOCK_SLACK < floor:
        return Item("clock-floor", Level.FAIL, f"时钟：比卡上的时钟下限（{floor:%Y-%m-%d %H:%M} UTC）还早。请校时。")
    return Item("clock-floor", Level.PASS, f"时钟：不早于卡上的时钟下限（{floor:%Y-%m-%d %H:%M} UTC）。")


def _signature(config: AgentConfig, clock: Clock) -> Item:
    try:
        trust = open_trust_list(config.identity.trust_list.read_bytes(), _root(config))
        open_envelope(_status(config, clock), STATUS_TYPE, trust, clock.read().wall)
    except (OSError, LiuhenFault) as fault:
        return Item("signature", Level.FAIL, f"签名：自签自验不通过（{str(fault)[:120]}）。请重新入网。")
    return Item("signature", Level.PASS, f"签名：自签自验通过，信任清单第 {trust.version} 版有本机的密钥。")


def _disclosure(config: AgentConfig, clock: Clock) -> Item:
    """A disclosure that no editor signed must be refused here, as a kiosk would."""
    forged = seal(DISCLOSURE_TYPE, b"{}", [own_signer(config)])
    try:
        trust = open_trust_list(config.identity.trust_list.read_bytes(), _root(config))
        open_envelope(forged, DISCLOSURE_TYPE, trust, clock.read().wall).signer(Role.EDITOR)
    except LiuhenFault:
        return Item("disclosure", Level.PASS, "公示核验：没有拟稿人、审核人签名的公示被拒绝。")
    except OSError as error:
        return Item("disclosure", Level.FAIL, f"公示核验：信任清单无法读取（{error.strerror}）。请重新入网。")
    return Item("disclosure", Level.FAIL, "公示核验：本机接受了无人签名的公示。请重新安装软件。")


def _status(config: AgentConfig, clock: Clock) -> bytes:
    store, now = config.state_dir / DATABASE, clock.read()
    figures = read_snapshot(store) if store.is_file() else None
    # Not online: the probe is gone again at once, and the agent's own birth follows.
    status = DeviceStatus(config.device, False, 1, now.boot, software_version(), 0, 0, Digest(GENESIS), now.wall)
    if figures is not None:
        session = max(1, figures.session)
        status = replace(
            status, session=session, waiting=figures.waiting, acked=figures.acked, head=Digest(figures.head)
        )
    return seal(STATUS_TYPE, status.encode(), [own_signer(config)])


def _root(config: AgentConfig) -> x509.Certificate:
    return load_pem_certificates(config.identity.root.read_bytes())[0]
