"""The centre's receiver: verify, store in one transaction, and only then acknowledge and sign receipts.

One thread, one inbox. This loop owns the database; the MQTT link's thread only puts messages into the inbox.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from agent.clock import Clock
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.key_files import read_signer
from agent.wire.envelope import seal
from agent.wire.identifiers import Digest
from agent.wire.signing import Signer, load_pem_certificates
from agent.wire.status import RECEIVER_STATUS_TYPE, ReceiverStatus
from agent.wire.topics import RECEIPT, device_topic, events_filter, hints_filter, receiver_state_topic, states_filter
from agent.wire.trust import Role, TrustList
from provisioning.authority.authority import read_file
from provisioning.center.command_book import CommandBook
from provisioning.center.command_post import CommandPost
from provisioning.center.config import CenterConfig
from provisioning.center.ingest import Ingest, SealedReceipt
from provisioning.center.mqtt import (
    Arrived,
    CenterLink,
    Connected,
    Delivered,
    Disconnected,
    Inbox,
    LinkDied,
    Message,
    StopAsked,
)
from provisioning.center.publications import Publication, open_publication, pieces
from provisioning.center.receipt_folder import ReceiptFolder
from provisioning.center.store import open_store
from provisioning.center.watched import ReleasedFolder, TrustFile

LOOK_INTERVAL_MS = 1_000  # how often watched files are looked at
RELEASED_INTERVAL_MS = 200  # likewise what an office released: a correction is on the screens within half a second
TICK_S = 0.1  # the longest a due receipt waits
GROUP = 100  # messages in one transaction: one fsync, one grown tree serve them; half of what a broker may send ahead
STOP_DEADLINE_S = 2.0  # of the 5 s a service has to stop

log = logging.getLogger("liuhen.center")


@dataclass
class Receiver:
    """A receiver at work; built by `open_receiver`, driven by `run`."""

    config: CenterConfig
    ingest: Ingest
    link: CenterLink
    inbox: Inbox
    signer: Signer
    trust_file: TrustFile
    released: ReleasedFolder
    recording_receipts: ReceiptFolder
    commands: CommandPost
    clock: Clock
    session: int = 1
    connected: bool = False
    _next_look: int = 0
    _next_released: int = 0
    _underway: dict[int, SealedReceipt] = field(default_factory=dict)
    _carried: set[tuple[str, Digest]] = field(default_factory=set)

    def run(self) -> None:
        """Serve until a `StopAsked` arrives; raises `EnvironmentFault` when the link or the database is lost."""
        try:
            with self.ingest.store.transaction() as ledger:
                self.session = ledger.next_session(self.config.receiver)
            self.ingest.begin()
            self.link.start(self._state_topic, self._state(online=False))
            while self._serve(self.inbox.take(GROUP, TICK_S)):
                self._send_receipts()
                self._look()
        finally:
            self.link.stop(self._state_topic, self._state(online=False), STOP_DEADLINE_S)
            self.ingest.store.close()

    def _serve(self, messages: Sequence[Message]) -> bool:
        self._take([message for message in messages if isinstance(message, Arrived)])
        self._settle([message for message in messages if isinstance(message, Delivered)])
        for message in messages:
            match message:
                case Connected():
                    self._greet()
                case Disconnected(reason):
                    self.connected = False
                    log.warning("not connected to the broker: %s", reason)
                case LinkDied(detail):
                    raise EnvironmentFault(f"消息连接线程意外结束（{detail}），接收端退出，请由系统重新启动。")
                case StopAsked():
                    return False
        return True

    def _greet(self) -> None:
        self.connected = True
        log.info("connected to the broker, session %d", self.session)
        self.link.subscribe()
        self.link.publish(self._state_topic, self._state(online=True), retain=True)
        self.ingest.owe_unanswered(self._now_ms())
        self._carried.clear()
        self._forget()
        self._next_look = 0

    def _take(self, arrived: Sequence[Arrived]) -> None:
        if not arrived:
            return
        self.ingest.take([(message.topic, message.payload) for message in arrived], self._now(), self._now_ms())
        for message in arrived:
            self.link.acknowledge(message)
            self.commands.heard(message.topic)

    def _settle(self, answers: Sequence[Delivered]) -> None:
        if any(answer.refused for answer in answers):
            log.warning("the broker refused a message of ours; check its access rules")
        receipts = [(self._underway.pop(answer.mid, None), answer.refused) for answer in answers]
        self.ingest.delivered([receipt for receipt, refused in receipts if receipt is not None and not refused])

    def _send_receipts(self) -> None:
        if not self.connected:
            return
        for answer in self.ingest.receipts(self._now(), self._now_ms()):
            topic = device_topic(self.config.district, answer.receipt.device, RECEIPT)
            self._underway[self.link.publish(topic, answer.envelope)] = answer

    def _look(self) -> None:
        if self.connected and self._now_ms() >= self._next_released:
            self._next_released = self._now_ms() + RELEASED_INTERVAL_MS
            self._publish_released()
        if self._now_ms() < self._next_look:
            return
        self._next_look = self._now_ms() + LOOK_INTERVAL_MS
        try:
            trust = self.trust_file.renew()
        except SenderFault as fault:
            log.warning("trust list refused, version %d stays: %s", self.ingest.trust.version, fault)
            trust = None
        if trust is not None:
            log.info("trust list version %d in force", trust.version)
            self.ingest.renew_trust(trust, self._now(), self._now_ms())
            self._forget()
        if self.connected:
            self._publish()

    def _forget(self) -> None:
        """Take everything as new: the broker may have lost what it held."""
        self.released.forget()
        self.commands.forget()

    def _publish(self) -> None:
        for device, envelope in self.recording_receipts.due(self._now_ms()):
            if self.config.shard.owns(device):
                self.link.publish(device_topic(self.config.district, device, RECEIPT), envelope)
        for sent in self.commands.due(self._now()):
            self.link.publish(sent.topic, sent.envelope)
            log.info("command %d (%s) sent to %s", sent.command.counter, sent.command.kind, sent.command.device)

    def _publish_released(self) -> None:
        for name, data in self.released.changed():
            try:
                publication = open_publication(data, self.ingest.trust, self.config.district, self._now())
                files = self._files(publication)
            except SenderFault as fault:
                log.warning("released file %s not published: %s", name, fault)
                continue
            for topic, piece in files:
                self.link.publish(topic, piece, retain=True)
            self.link.publish(publication.topic, publication.sealed, retain=True)
            log.info("published %s version %d", publication.topic, publication.version)

    def _files(self, publication: Publication) -> list[tuple[str, bytes]]:
        """The pieces of its files that this connection has not brought to the broker yet, all of them checked."""
        fresh = [one for one in publication.attachments if (publication.audience, one.sha256) not in self._carried]
        found: list[tuple[str, bytes]] = []
        for one in fresh:
            found += pieces(one, self.released.content(one), self.config.district, publication.audience)
        self._carried.update((publication.audience, one.sha256) for one in fresh)
        return found

    def _state(self, *, online: bool) -> bytes:
        state = ReceiverStatus(self.config.receiver, online, self.session, self._now())
        return seal(RECEIVER_STATUS_TYPE, state.encode(), [self.signer])

    @property
    def _state_topic(self) -> str:
        return receiver_state_topic(self.config.district, self.config.receiver)

    def _now(self) -> datetime:
        return self.clock.read().wall

    def _now_ms(self) -> int:
        return self.clock.read().monotonic_ns // 1_000_000


def open_receiver(config: CenterConfig, clock: Clock, inbox: Inbox) -> Receiver:
    """A receiver from its configuration; raises `OperatorFault` when a file is missing or does not match, or when the
    trust list does not know our key as this receiver's."""
    trust_file = TrustFile(config.trust_list, root_of(config))
    trust = first_trust(trust_file)
    signer = read_signer(config.key, config.chain)
    own = trust.credentials.get(signer.key_id)
    if own is None or (own.role, own.subject) != (Role.RECEIVER, config.receiver):
        raise OperatorFault(f"信任清单中没有 {config.receiver} 的这把密钥，请运行 add-receiver 并更新 trust.dsse。")
    filters = tuple(each(config.district) for each in (events_filter, states_filter, hints_filter))
    link = CenterLink(config.broker, config.receiver, filters, inbox)
    store = open_store(config.database, config.folder)
    ingest = Ingest(config.district, config.receiver, store, trust, signer, shard=config.shard)
    return receiver_of(config, ingest, link, inbox, trust_file, clock)


def receiver_of(
    config: CenterConfig, ingest: Ingest, link: CenterLink, inbox: Inbox, trust_file: TrustFile, clock: Clock
) -> Receiver:
    """A receiver from its parts, with the folders that its configuration names."""
    folders = ReleasedFolder(config.released, config.receipts), ReceiptFolder(config.folder)
    commands = CommandPost(CommandBook(config.folder), ingest.store)
    return Receiver(config, ingest, link, inbox, ingest.signer, trust_file, *folders, commands, clock)


def root_of(config: CenterConfig) -> x509.Certificate:
    """The pinned root of the configuration; raises `OperatorFault`."""
    try:
        return load_pem_certificates(read_file(config.root))[0]
    except SenderFault as error:
        raise OperatorFault(f"根证书 {config.root} 无法读取，请从机构目录重新复制 root.pem。") from error


def first_trust(trust_file: TrustFile) -> TrustList:
    """The list to begin with; raises `OperatorFault`."""
    try:
        return trust_file.load()
    except SenderFault as fault:
        raise OperatorFault(f"{fault}请检查 trust_list 与 root 是否来自同一机构。") from fault
