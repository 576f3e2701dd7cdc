"""Whether the broker lets this device in, and lets it do what is its own and nothing else: judged by what is delivered
and by the reason codes of publications, never by a SUBACK (reference: provisioning, 0.8)."""

import queue
from collections.abc import Callable
from dataclasses import dataclass

from agent.adapters.mqtt_link import LastWill, MqttLink
from agent.config import AgentConfig
from agent.control.messages import Event, LinkDown, LinkUp, MessageArrived, PublishAnswered, SubscriptionAnswered
from agent.wire.identifiers import DeviceId
from agent.wire.topics import CENTRAL, EVENTS, PUBLICATION, ROOT, STATE, VERSION, device_topic

TIMEOUT_S = 15.0  # ours: TLS, subscription and two answers on a poor network
REFUSED = 0x80  # MQTT 5 section 3.4.2.1: from here on a reason code is a refusal
STRANGERS = {"REC": DeviceId("REC-999999"), "KSK": DeviceId("KSK-999999")}


@dataclass(frozen=True)
class Probed:
    """What the broker did. `leaked` are topics that were delivered and are none of this device's business; `heard` how
    many messages were delivered; the others are None when it did not come to that."""

    connected: bool
    why: str = ""
    own_taken: bool | None = None
    foreign_refused: bool | None = None
    heard: int = 0
    leaked: tuple[str, ...] = ()


def probe(config: AgentConfig, status: bytes, timeout_s: float = TIMEOUT_S) -> Probed:
    """Connect with this device's certificate, publish its `status` (retained, sealed), try what is not allowed.

    The agent must not run meanwhile: a second connection under the same name ends the first."""
    said: queue.Queue[Event] = queue.Queue()
    link = MqttLink(config.device, config.broker, said.put)
    link.open()
    own = device_topic(config.district, config.device, STATE)
    try:
        link.connect(1, LastWill(own, status))
        return _tried(link, config, own, status, _Answers(said, timeout_s))
    finally:
        link.close(timeout_s=2.0)


class _Answers:
    """What the link has said so far, in order."""

    def __init__(self, said: "queue.Queue[Event]", timeout_s: float) -> None:
        self._said, self._timeout_s, self.arrived = said, timeout_s, list[str]()
        self.down = ""

    def wait(self, wanted: Callable[[Event], bool]) -> Event | None:
        """The next event that is `wanted`; None when the connection ended or nothing came."""
        while True:
            try:
                event = self._said.get(timeout=self._timeout_s)
            except queue.Empty:
                self.down = "没有应答"
                return None
            if isinstance(event, MessageArrived):
                self.arrived.append(event.topic)
            if isinstance(event, LinkDown):
                self.down = event.detail
                return None
            if wanted(event):
                return event


def _tried(link: MqttLink, config: AgentConfig, own: str, status: bytes, answers: _Answers) -> Probed:
    if answers.wait(lambda event: isinstance(event, LinkUp)) is None:
        return Probed(False, answers.down)
    foreign = device_topic(config.district, _stranger(config.device), EVENTS)
    refused = _refused(link, answers, foreign, b"probe", retain=False)
    link.subscribe(["#"])
    answers.wait(lambda event: isinstance(event, SubscriptionAnswered))
    # Its answer comes behind everything that the subscription has set free: brokers answer in order.
    taken = _refused(link, answers, own, status, retain=True)
    leaked = [topic for topic in answers.arrived if not _mine(config, topic)]
    return Probed(True, answers.down, _not(taken), refused, len(answers.arrived), tuple(sorted(set(leaked))))


def _refused(link: MqttLink, answers: _Answers, topic: str, payload: bytes, *, retain: bool) -> bool | None:
    number = link.publish(topic, payload, retain=retain)
    event = answers.wait(lambda it: isinstance(it, PublishAnswered) and it.mid == number)
    return event.code >= REFUSED if isinstance(event, PublishAnswered) else None


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _mine(config: AgentConfig, topic: str) -> bool:
    """Whether the topic is this device's own, its partner's events, or said to every device."""
    base = f"{ROOT}/{config.district}/{VERSION}"
    own = device_topic(config.district, config.device, STATE).removesuffix(STATE)
    partner = config.duty.partner
    if partner and topic == device_topic(config.district, DeviceId(partner), EVENTS):
        return True
    return topic.startswith((own, f"{base}/{CENTRAL}/", f"{base}/{PUBLICATION}/"))


def _stranger(device: DeviceId) -> DeviceId:
    return STRANGERS[device[:3]]
