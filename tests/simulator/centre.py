"""The centre: the real receiver, its store and log, over a simulated link and power."""

from collections import deque
from pathlib import Path

from agent.wire.signing import Signer
from agent.wire.trust import TrustList
from provisioning.center.config import BrokerSettings, CenterConfig
from provisioning.center.event_log import EventLog
from provisioning.center.ingest import Ingest
from provisioning.center.mqtt import Arrived, Connected, Delivered, Disconnected, Message
from provisioning.center.receiver import GROUP, Receiver, receiver_of
from provisioning.center.store import Store, open_store
from provisioning.center.watched import TrustFile
from tests.simulator.broker import Broker, Post, Wire
from tests.simulator.world import PowerCut, SimClock, World
from tests.support.keys import TestAuthority

RECEIVER = "receiver-1"
TICK_S, AGAIN_S = 0.5, (1.0, 30.0)


class SimCenterLink:
    """In the place of `CenterLink`; its session outlives the connection, and what was not acknowledged comes again."""

    def __init__(self, world: World, broker: Broker, filters: tuple[str, ...], inbox: deque[Message]) -> None:
        self._world, self._broker, self._filters, self._inbox = world, broker, filters, inbox
        self.name, self.reachable, self.fuse = RECEIVER, True, -1
        self._wire: Wire | None = None
        self._connection = self._mids = 0
        self._will: Post | None = None
        self._ended = False

    def start(self, will_topic: str, will: bytes) -> None:
        self._will = Post(will_topic, will)
        self._connect()

    def subscribe(self) -> None:
        wire = self._wire
        if wire is not None:
            wire.to_broker(lambda: self._broker.subscribe(self.name, wire, self._filters))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        self._burn()
        self._mids += 1
        wire, mid = self._wire, self._mids
        if wire is not None:
            wire.to_broker(lambda: self._broker.publish(topic, payload, retain=retain, wire=wire, mid=mid))
        return mid

    def acknowledge(self, message: Arrived) -> None:
        self._burn()
        wire = self._wire
        if wire is not None and message.connection == self._connection:
            wire.to_broker(lambda: self._broker.acknowledge(self.name, message.mid))

    def stop(self, topic: str, farewell: bytes, deadline_s: float) -> None:
        """The process ends without a word, here always."""

    def abandon(self) -> None:
        """The process is gone."""
        self._ended = True
        self.cut()

    def cut(self) -> None:
        if self._wire is not None:
            self._wire.cut()

    def came_up(self) -> None:
        self._connection += 1
        self._inbox.append(Connected())

    def went_down(self) -> None:
        if not self._ended and self._wire is not None and not self._wire.whole:
            self._wire = None
            self._inbox.append(Disconnected("cut"))
            self._world.after(self._world.some(*AGAIN_S), self._connect)

    def arrived(self, post: Post) -> None:
        if not self._ended:
            self._inbox.append(Arrived(post.topic, post.payload, self._connection, post.number))

    def answered(self, mid: int) -> None:
        self._inbox.append(Delivered(mid, refused=False))

    def subscribed(self, count: int) -> None:
        """The receiver does not ask."""

    def _connect(self) -> None:
        if self._ended or self._wire is not None:
            return
        if not (self.reachable and self._broker.up):
            self._world.after(self._world.some(*AGAIN_S), self._connect)
            return
        wire = Wire(self._world, self, self._broker)
        self._wire = wire
        wire.to_broker(lambda: self._broker.connect(wire, self, self._will, lasting=True))

    def _burn(self) -> None:
        self.fuse -= 1
        if self.fuse == 0:
            raise PowerCut


class Centre:
    """One receiver's machine. `trust` lies in a file, which the receiver reads again."""

    def __init__(
        self, world: World, broker: Broker, folder: Path, authority: TestAuthority, signer: Signer, trust: TrustList
    ) -> None:
        self._world, self._broker, self._authority, self._signer = world, broker, authority, signer
        self.folder, self.clock = folder, SimClock(world)
        (folder / "released").mkdir(parents=True)
        self.lay_trust(trust)
        nothing = folder / "nothing"
        broker_settings = BrokerSettings("localhost", 8883, "5", "localhost", nothing, nothing, nothing, 30)
        self.config = CenterConfig(
            folder, authority.district, RECEIVER, "sqlite:///center.db", folder / "released",
            nothing, folder / "trust.dsse", nothing, nothing, broker_settings,
        )  # fmt: skip
        self.receiver: Receiver | None = None
        self.link: SimCenterLink
        self._inbox: deque[Message] = deque()
        self._life = 0

    def lay_trust(self, trust: TrustList) -> None:
        """A newer list for the receiver and everybody else."""
        place = self.folder / "trust.dsse"
        draft = place.with_suffix(".new")
        draft.write_bytes(self._authority.seal_trust(trust))
        draft.replace(place)

    def release(self, name: str, envelope: bytes) -> None:
        """The office's file, for the receiver to publish."""
        draft = self.folder / "released" / f".{name}"
        draft.write_bytes(envelope)
        draft.replace(self.folder / "released" / f"{name}.dsse")

    def switch_on(self) -> None:
        """Start the receiver as its command does."""
        if self.receiver is not None:
            return
        self._life += 1
        self._inbox = deque()
        trust_file = TrustFile(self.folder / "trust.dsse", self._authority.root.chain[0])
        trust = trust_file.load()
        district = self._authority.district
        store = open_store(self.config.database, self.folder)
        ingest = Ingest(district, RECEIVER, store, trust, self._signer)
        filters = tuple(f"gov/{district}/v1/+/+/{channel}" for channel in ("evt", "state", "hint"))
        self.link = SimCenterLink(self._world, self._broker, filters, self._inbox)
        self.receiver = receiver_of(self.config, ingest, self.link, None, trust_file, self.clock)  # type: ignore[arg-type]
        with store.transaction() as ledger:
            self.receiver.session = ledger.next_session(RECEIVER)
        ingest.begin()
        self.link.start(self.receiver._state_topic, self.receiver._state(online=False))
        self._tick(self._life)

    def cut_power(self, after_messages: int = 0) -> None:
        """Now, or when it has sent or acknowledged so many messages more: between a commit and its answer."""
        if self.receiver is None:
            return
        if after_messages:
            self.link.fuse = after_messages
            return
        self.link.abandon()
        self.receiver.ingest.store.close()
        self.receiver, self._life = None, self._life + 1

    def look(self) -> None:
        """Look at the watched files now."""
        if self.receiver is not None:
            self.receiver._next_look = 0
            self._tick(self._life, again=False)

    def log_size(self) -> int:
        """How many events the Merkle log has."""
        with self.store.transaction() as ledger:
            return EventLog(ledger.rows, RECEIVER).size()

    @property
    def store(self) -> Store:
        assert self.receiver is not None
        return self.receiver.ingest.store

    def _tick(self, life: int, *, again: bool = True) -> None:
        if life != self._life or self.receiver is None:
            return
        try:
            while True:
                messages = [self._inbox.popleft() for _ in range(min(GROUP, len(self._inbox)))]
                self.receiver._serve(messages)
                self.receiver._send_receipts()
                self.receiver._look()
                if not self._inbox:
                    break
        except PowerCut:
            self.cut_power()
            return
        if again:
            self._world.after(TICK_S, lambda: self._tick(life))
