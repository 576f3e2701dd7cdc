"""A device's end: on the authority's order, once the centre has receipted everything, it signs its last word and erases
itself. Nobody but the authority can order it: an officer has no way to delete.

While the first of its keys is there, nothing counts as begun: whatever was told or recorded since is asked for again.
Files are overwritten where they stand before they are removed, keys first, so that what was on the medium is gone from
what the medium shows. What the flash behind it may still hold is told in the certificate of the bench, not denied here.
"""

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from agent import durable
from agent.accepted import authorities_of
from agent.adapters.kept_recordings import NAME as KEPT
from agent.adapters.snapshot import Snapshot, read_counters, read_snapshot, read_waiting
from agent.adapters.spool import PHOTOS
from agent.adapters.state_lock import hold, is_held
from agent.app import own_signer
from agent.clock import Clock
from agent.config import COLLECTED, DATABASE, RECORDINGS, AgentConfig
from agent.control.deletion import parse_kept
from agent.errors import OperatorFault, SenderFault
from agent.firstboot import AGENT_TOML, ISSUING
from agent.key_places import KeyFile
from agent.stick import read_plain
from agent.wire import canonical
from agent.wire.authority_seal import open_by_authority
from agent.wire.device_events import GENESIS, EventType, parse_event
from agent.wire.envelope import MAX_ENVELOPE_BYTES, seal
from agent.wire.identifiers import Digest
from agent.wire.life_documents import RETIRE_TYPE, RETIRED_TYPE, Retired, RetireOrder, parse_retire

LAST_WORD = "retired.dsse"
PIECE = 2**20


def retire(config: AgentConfig, order: bytes, hardware: str, clock: Clock) -> bytes:
    """Sign the last word, keep it as `retired.dsse`, erase everything else in the device's folder; returns it. After an
    interruption the same call goes on.

    Raises `SenderFault` for an order that is forged, expired or another device's, `OperatorFault` while the agent runs
    or something has no receipt: then nothing was erased."""
    folder = config.identity.root.parent
    said = read_plain(folder, LAST_WORD, MAX_ENVELOPE_BYTES)
    if said is not None and not config.identity.root.exists():  # the keys went first: there is nothing left to guard
        _erase(config, folder)
        return said
    wanted = _checked(config, order, hardware, clock)
    if is_held(config.state_dir):
        raise OperatorFault("本机正在运行，不能退役。请先执行 systemctl stop liuhen-agent。")
    with hold(config.state_dir):  # nothing is recorded from here on
        if said is None or not has_begun(config):
            said = seal(RETIRED_TYPE, _last_word(config, wanted, clock).encode(), [own_signer(config)])
            durable.write_bytes(folder / LAST_WORD, said)
        _erase(config, folder)
    return said


def has_begun(config: AgentConfig) -> bool:
    """Whether the erasure has begun: there is a last word, and the first of the key files is gone. Such a device does
    not start any more: its configuration names a file that is not there."""
    return (config.identity.root.parent / LAST_WORD).exists() and not _keys(config)[0].exists()


def _checked(config: AgentConfig, order: bytes, hardware: str, clock: Clock) -> RetireOrder:
    root, issuing = authorities_of(config)
    now = clock.read().wall
    wanted = parse_retire(open_by_authority(order, RETIRE_TYPE, issuing, root, now))
    if wanted.device != config.device or wanted.hardware.lower() != hardware.lower():
        raise SenderFault(f"这份退役指令是给 {wanted.device}（{wanted.hardware}）的，不是本机，已拒绝。", "hardware")
    if now > wanted.expires_at:
        raise SenderFault("退役指令已过期，已拒绝。请在工作台重新签发。", "expired")
    return wanted


def _last_word(config: AgentConfig, order: RetireOrder, clock: Clock) -> Retired:
    now, store = clock.read().wall, config.state_dir / DATABASE
    for folder in (COLLECTED, PHOTOS):
        if kept := _names(config.state_dir / folder):
            told = f"{config.state_dir / folder} 中有 {len(kept)} 项没有中心的回执，没有擦除任何内容"
            raise OperatorFault(f"{told}。请先取走保存，再移空这个文件夹。")
    if not store.is_file():
        return _nothing_said(config, order, now)
    figures = read_snapshot(store)
    said = _said(store, figures)
    if said is None or figures.open_recordings:
        left = f"{figures.waiting} 条事件没有回执、{figures.open_recordings} 个录制没有结束"
        raise OperatorFault(f"还有 {left}，没有擦除任何内容。请先联网同步。")
    recordings = _names(config.state_dir / RECORDINGS)
    receipted = _receipted(store)
    if lacking := sorted(set(recordings) - receipted):
        raise OperatorFault(
            f"{lacking[0]} 等 {len(lacking)} 个录像没有中心的文件回执，没有擦除任何内容。请先上传录像。"
        )
    return Retired(config.device, order.number, *said, len(recordings), now)


def _said(store: Path, figures: Snapshot) -> tuple[int, Digest] | None:
    """How many events are receipted and the hash of the last of them; None while any other is not. That the agent
    stopped is told as it goes, when no receipt can come any more: that one event counts for nothing here."""
    if figures.waiting == 0:
        return figures.devseq, Digest(figures.head)
    if figures.waiting == 1:
        with contextlib.suppress(SenderFault):
            for body in read_waiting(store, 1):
                last = parse_event(canonical.decode(body))
                if (last.type, last.devseq) == (EventType.DEVICE_STOPPED, figures.devseq):
                    return figures.acked, last.prev
    return None


def _nothing_said(config: AgentConfig, order: RetireOrder, now: datetime) -> Retired:
    """The last word of a device that never told anything; one whose database was lost is none."""
    recordings = _names(config.state_dir / RECORDINGS)
    if recordings or any(config.state_dir.glob(f"{DATABASE}*")):
        told = f"{config.state_dir} 中没有事件数据库，却有 {len(recordings)} 个录像或数据库的残余"
        raise OperatorFault(f"{told}，没有擦除任何内容。请先启动一次程序，由它恢复并同步。")
    return Retired(config.device, order.number, 0, Digest(GENESIS), 0, now)


def _names(place: Path) -> list[str]:
    return sorted(it.name for it in place.iterdir()) if place.is_dir() else []


def _receipted(store: Path) -> set[str]:
    """The recordings whose files the centre has signed for; what the card has damaged counts for nothing."""
    found = set()
    for value in read_counters(store, KEPT).values():
        with contextlib.suppress(SenderFault):
            kept = parse_kept(value)
            found |= {str(kept.recording)} if kept.receipted else set()
    return found


def _keys(config: AgentConfig) -> list[Path]:
    """The key files, in the order in which they go: without the first, nothing is signed any more."""
    own = [config.identity.evidence_key.path] if isinstance(config.identity.evidence_key, KeyFile) else []
    sm2 = [] if config.evidence.sm2_key is None else [config.evidence.sm2_key]
    return [*own, config.broker.key, *sm2]


def _erase(config: AgentConfig, folder: Path) -> None:
    for key in [it for it in _keys(config) if it.exists()] + sorted(folder.glob("*.key")):
        _wipe(key)
    for place in _deepest_first(config.state_dir):
        _wipe(place)
    public = (config.identity.root.name, ISSUING)  # needed to go on; removed in one step, never half overwritten
    last = (*public, AGENT_TOML)
    for place in sorted(folder.iterdir(), key=lambda it: last.index(it.name) if it.name in last else -1):
        if place.name in public:
            durable.remove(place)
        elif place.name != LAST_WORD:
            for inside in _deepest_first(place):
                _wipe(inside)


def _deepest_first(place: Path) -> Iterator[Path]:
    if place.is_dir() and not place.is_symlink():
        for inside in sorted(place.iterdir()):
            yield from _deepest_first(inside)
    if place.is_symlink() or place.exists():
        yield place


def _wipe(place: Path) -> None:
    with durable.disk_errors(place):
        if place.is_dir() and not place.is_symlink():
            place.rmdir()
            return
        if place.is_file() and not place.is_symlink():
            _overwrite(place)
        place.unlink(missing_ok=True)
    durable.sync_directory(place.parent)


def _overwrite(place: Path) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        left = os.fstat(descriptor).st_size
        while left > 0:
            left -= os.write(descriptor, bytes(min(PIECE, left)))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
