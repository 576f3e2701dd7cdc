"""The composition root: builds the device's parts, starts them in order and stops them in reverse."""

import logging
import random
from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol

from cryptography.x509.oid import NameOID

from agent.adapters import state_lock
from agent.adapters.asked_folder import AskedFolder
from agent.adapters.bundle_folder import BundleFolder
from agent.adapters.content_folder import ContentFolder
from agent.adapters.data_keys import read_archive_key
from agent.adapters.database import Database, open_database
from agent.adapters.disclosed_folder import DisclosedFolder
from agent.adapters.disk_kind import refuse_lossy
from agent.adapters.folder_watch import FolderWatch
from agent.adapters.hall_folder import HallFolder
from agent.adapters.key_requests import KeyRequests
from agent.adapters.mqtt_link import MqttLink
from agent.adapters.offload_courier import OffloadCourier
from agent.adapters.paper_folder import PaperFolder
from agent.adapters.recording_papers import RecordingPapers
from agent.adapters.signer import open_signer
from agent.adapters.store import DeviceMemory
from agent.adapters.watchdog import Watchdog
from agent.adapters.worker import Worker
from agent.clock import Clock, GuidedClock
from agent.collecting import make_collector
from agent.config import DATABASE, RECORDINGS, AgentConfig
from agent.control.content_messages import BundleSettled
from agent.control.controller import STOP_NS, Controller, Identity
from agent.control.hall_messages import OutgoingSettled
from agent.control.messages import AsksSettled, DeviceStarted, Event, FileSettled, TrustListRead, WorkFailed
from agent.device_keys import finish_swap
from agent.diagnostics import Diagnostics, LogTail
from agent.errors import LiuhenFault, OperatorFault, SenderFault
from agent.key_files import read_certificates
from agent.key_places import KeyFile
from agent.loop import Inbox, Loop, watch_couriers, watch_signals
from agent.offload_part import make_courier, make_removal
from agent.paper_desk import PaperDesk
from agent.performer import Performer
from agent.room import RecorderPort, Room
from agent.systemd_notify import READY, STOPPING, systemd_notify
from agent.version import software_version
from agent.wire.disclosures import DUTY_AUDIENCE
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import DeviceId, RecordingId, recording_id
from agent.wire.signing import CertifiedSigner, load_certificate
from agent.wire.trust import TrustList

DISCLOSED, CONTENT = "disclosed", "content"

logger = logging.getLogger(__name__)


class StopTime:
    """The one limit for the end of everything: each part gets what those before it have left."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_ns: int | None = None

    def ends_at(self, by_ns: int) -> None:
        """Set the limit, a monotonic nanosecond; without it, it is `STOP_NS` after the first part begins to end."""
        self._by_ns = by_ns

    def left_s(self) -> float:
        """Seconds that are left, 0 when there are none."""
        now_ns = self._clock.read().monotonic_ns
        if self._by_ns is None:
            self._by_ns = now_ns + STOP_NS
        return max(0, self._by_ns - now_ns) / 1e9

    def close(self, name: str, close: Callable[[float], bool]) -> None:
        """End one part with what is left; what it could not finish is recovered at the next start."""
        left_s = self.left_s()
        if not close(left_s):
            logger.error("%s has not stopped within %.1f s; what it had is recovered at the next start", name, left_s)


class RecordingPart(RecorderPort, Protocol):
    """The camera side of a recorder, with its recordings on the disk and its button."""

    def recover(self, unreported: tuple[RecordingId, ...], *, store_lost: bool = False) -> list[Event]:
        """Seal the recordings of earlier runs. What their ends were, and those of `unreported`, whose end was never
        stored, is told now or after `open`; with `store_lost` everything that the journals of all recordings say."""

    def open(self) -> None:
        """Start the threads; raises `OperatorFault` or `EnvironmentFault`."""

    def close(self, timeout_s: float) -> bool:
        """Seal what runs and end the threads; returns whether that was done in time."""


Equip = Callable[[AgentConfig, CertifiedSigner, GuidedClock, Callable[[Event], None]], RecordingPart]


def run(config: AgentConfig, system: Clock, equip: Equip) -> int:
    """Be the device until a signal or a fault ends it; returns the exit code. `equip` makes a recorder's camera side.

    Belongs to the main thread of a process: it blocks signals and sets `threading.excepthook`.
    """
    clock = GuidedClock(system)
    inbox, systemd, stop_time = Inbox(), systemd_notify(), StopTime(clock)
    watch_couriers(inbox)
    watch_signals(inbox)
    log = LogTail()
    logging.getLogger("agent").addHandler(log)
    with ExitStack() as stack:
        stack.callback(logging.getLogger("agent").removeHandler, log)
        refuse_lossy(config.state_dir)
        stack.enter_context(state_lock.hold(config.state_dir))
        signer, trust = own_signer(config), read_trust_list(config)
        database, loss = open_database(config.state_dir / DATABASE)
        stack.callback(database.close)
        memory = DeviceMemory(database)
        _check_not_older(trust, memory.trust_version())
        part = equip(config, signer, clock, inbox.put) if config.records else None
        forgotten = loss is not None and loss.forgotten
        told = _recover(part, memory, config.device, store_lost=forgotten)
        first = [DeviceStarted(clock.read(), loss), *told]
        room = _room(config, clock, signer, database, inbox, part, log)
        policy = config.storage_policy if config.records else None
        controller = Controller(room.identity, memory.recall(), trust, random.SystemRandom().random, policy)
        files = room.content.read() if room.content else []
        _log_faults(controller.restore(room.disclosed.read() if room.disclosed else [], clock.read(), files))
        _start(config, room, part, inbox, stack, stop_time)
        systemd.tell(READY)
        logger.info("%s is ready", config.device)
        watchdog = Watchdog(systemd, clock, controller.frames.progresses, database.takes_writes)
        finish = Loop(inbox, controller, Performer(room).perform, clock, watchdog.feed).run(first)
        stop_time.ends_at(finish.by_ns)
        systemd.tell(STOPPING)
    logger.info("%s stopped with exit code %d", config.device, finish.exit_code)
    return finish.exit_code


def equip_camera(
    config: AgentConfig, signer: CertifiedSigner, clock: GuidedClock, report: Callable[[Event], None]
) -> RecordingPart:
    """The real camera side. Loads its libraries, which a kiosk host neither needs nor always has."""
    from agent import recording_part

    return recording_part.equip(config, signer, clock, report)


def read_trust_list(config: AgentConfig) -> TrustList:
    """The trust list of the device folder, verified with the pinned root; raises `OperatorFault` or `SenderFault`."""
    paths = config.identity
    try:
        root = read_certificates(paths.root)[0]
        trust = open_trust_list(paths.trust_list.read_bytes(), root)
    except (OSError, ValueError) as error:
        raise OperatorFault(f"根证书或信任清单无法读取（{error}）。请重新发放设备文件夹。") from error
    except SenderFault as fault:
        raise SenderFault(
            f"信任清单 {paths.trust_list}：{fault}请用 liuhen-provision trust --install 换上。"
        ) from fault
    if trust.district != config.district:
        raise SenderFault(f"信任清单属于区域 {trust.district}，本机属于 {config.district}，已拒绝。")
    return trust


def own_signer(config: AgentConfig) -> CertifiedSigner:
    """The evidence key; raises `OperatorFault` when it is not certified for the configured device."""
    if isinstance(config.identity.evidence_key, KeyFile):
        finish_swap(config.identity.evidence_chain, config.identity.evidence_key.path)
    signer = open_signer(config.identity.evidence_key, config.identity.evidence_chain)
    leaf = load_certificate(signer.chain[0])
    names = [str(attribute.value) for attribute in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [config.device]:
        raise OperatorFault(f"证据证书属于 {'、'.join(names)}，配置的设备是 {config.device}。请换上本机的设备文件夹。")
    return signer


def _room(
    config: AgentConfig,
    clock: Clock,
    signer: CertifiedSigner,
    database: Database,
    inbox: Inbox,
    part: RecordingPart | None,
    log: LogTail,
) -> Room:
    audience = None if config.disclosure is None else config.disclosure.audience
    if config.records:
        audience = DUTY_AUDIENCE
    content = None if config.records or audience is None else ContentFolder(config.state_dir / CONTENT)
    return Room(
        Identity(
            config.district,
            config.device,
            config.unit,
            software_version(),
            audience,
            config.duty.partner_id,
            config.capture.camera == "none",
            config.offload is not None,
        ),
        clock,
        signer,
        database,
        MqttLink(config.device, config.broker, inbox.put),
        Worker(inbox.put),
        part,
        None if audience is None else DisclosedFolder(config.state_dir / DISCLOSED),
        lambda: _trust_again(config),
        AskedFolder(config.state_dir) if config.records else None,
        _paper_desk(config, signer, inbox) if config.records else None,
        make_courier(config, clock, inbox.put),
        make_removal(config),
        KeyRequests(config.state_dir, config.device),
        Diagnostics(config, log).collect,
        content,
        None if content is None else BundleFolder(config.state_dir, content),
        hall=None if config.records else HallFolder(config.state_dir),
    )


def _paper_desk(config: AgentConfig, signer: CertifiedSigner, inbox: Inbox) -> PaperDesk:
    printer = None
    if config.hooks.printer:
        from agent.adapters.hook_printer import SlipPrinter  # nothing that a device without one has to load

        printer = SlipPrinter(config.hooks.printer, config.hooks.printer_encoding)
    archive = read_archive_key(config.evidence.archive_key or config.evidence.papers_key)
    papers = RecordingPapers(config.state_dir / RECORDINGS, archive)
    return PaperDesk(PaperFolder(config.state_dir), papers, signer, printer, inbox.put)


def _start(
    config: AgentConfig, room: Room, part: RecordingPart | None, inbox: Inbox, stack: ExitStack, stop_time: StopTime
) -> None:
    """Start the threads; `stack` ends them in reverse."""
    room.link.open()
    stack.callback(stop_time.close, "link", room.link.close)
    room.worker.start()
    stack.callback(stop_time.close, "worker", room.worker.close)
    if room.papers is not None:
        room.papers.start()
        stack.callback(stop_time.close, "printer", room.papers.close)
    watch = FolderWatch(config.identity.trust_list, inbox.put)
    watch.start()
    stack.callback(stop_time.close, "trust list watch", watch.close)
    # A list that came between our reading and our watching would be heard of by nobody.
    inbox.put(FileSettled(str(config.identity.trust_list)))
    if room.asked is not None:
        room.asked.prepare()
        asks = FolderWatch(room.asked.pattern, lambda _: inbox.put(AsksSettled()))
        asks.start()
        stack.callback(stop_time.close, "asked watch", asks.close)
        inbox.put(AsksSettled())  # likewise
    if room.hall is not None:
        room.hall.prepare()
        left = FolderWatch(room.hall.pattern, lambda _: inbox.put(OutgoingSettled()))
        left.start()
        stack.callback(stop_time.close, "outgoing watch", left.close)
    if room.bundles is not None:
        room.bundles.prepare()
        sticks = FolderWatch(room.bundles.pattern, lambda _: inbox.put(BundleSettled()))
        sticks.start()
        stack.callback(stop_time.close, "bundle watch", sticks.close)
        inbox.put(BundleSettled())  # one that lies there already
    if part is not None:
        stack.callback(stop_time.close, "recorder", part.close)
        part.open()
    if isinstance(room.offload, OffloadCourier):
        stack.callback(stop_time.close, "offload", room.offload.close)
        room.offload.open()
    collector = make_collector(config, room.signer, room.clock, inbox.put, DeviceMemory(room.database).collected())
    if collector is not None:
        stack.callback(stop_time.close, "collector", collector.close)
        collector.open()


def _recover(part: RecordingPart | None, memory: DeviceMemory, device: DeviceId, *, store_lost: bool) -> list[Event]:
    dropped = [WorkFailed(text) for text in memory.drop_impossible()]
    unreported = tuple(recording_id(device, number) for number in memory.open_recordings())
    return [*dropped, *([] if part is None else part.recover(unreported, store_lost=store_lost))]


def _check_not_older(trust: TrustList, seen: int) -> TrustList:
    if trust.version < seen:
        raise OperatorFault(f"信任清单是第 {trust.version} 版，本机已用过第 {seen} 版。请换上最新的 trust.dsse。")
    return trust


def _trust_again(config: AgentConfig) -> Event:
    try:
        return TrustListRead(read_trust_list(config))
    except LiuhenFault as fault:
        return WorkFailed(f"信任清单未更新：{fault}")


def _log_faults(faults: list[str]) -> None:
    for fault in faults:
        logger.warning("a disclosure of an earlier run no longer holds: %s", fault)
