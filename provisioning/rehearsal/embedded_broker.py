"""A broker in pure Python (amqtt) for a rehearsal on a machine without Mosquitto; never for a real district.

    python -m provisioning.rehearsal.embedded_broker --config broker/embedded.toml

amqtt alone asks for a client certificate only optionally, lets any client take any client id, and checks neither last
wills nor retained messages against its topic rules. `DistrictBroker` closes these four doors; what stays weaker is in
`WEAKER_THAN_MOSQUITTO`.
"""

import argparse
import asyncio
import logging
import signal
import ssl
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import Action, BrokerConfig, ListenerConfig
from amqtt.errors import BrokerError, MQTTError
from amqtt.mqtt.connack import NOT_AUTHORIZED, ConnackPacket
from amqtt.mqtt.connect import ConnectPacket
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from agent.command import run_command
from agent.errors import EnvironmentFault
from agent.log import OneLine
from agent.settings import PORTS, Settings, read_toml
from agent.wire.identifiers import district
from provisioning.center.access import AccessRules, pair_text, parse_pair, permitted

WEAKER_THAN_MOSQUITTO = (
    ("内置消息服务器只供单机演练，弱于 Mosquitto 之处：", "for rehearsals on one computer; weaker than Mosquitto in:"),
    (
        "1. 只有 MQTT 3.1.1：被拒绝的发布也得到 PUBACK，没有原因码；",
        "3.1.1 only: what it refuses gets a PUBACK as well",
    ),
    (
        "2. 重连时在途的 QoS 1 消息可能丢失（amqtt #401），靠设备待发箱按回执重发补齐；",
        "messages under way may be lost on a reconnect; devices send again until the receipt",
    ),
    (
        "3. 不落盘：重启后保留消息与离线队列全部清空，由各方重连时重发；",
        "nothing is on disk: its restart clears retained messages and queues; they are sent again",
    ),
    (
        "4. 不限制单条消息大小、在途条数与离线队列长度，也不限制连接速率；",
        "no limits on message size, messages under way, queues or connection rate",
    ),
    (
        "5. 5 秒内没有 PUBACK 的消息不再重发；吊销名单只在启动时读取。",
        "no second try after 5 s without a PUBACK; revocations are read at its start only",
    ),
)

PLUGIN = "provisioning.rehearsal.embedded_broker.DistrictAccess"
LISTENER = "default"
WHERE = "embedded.toml"
KEYS = ("bind", "port", "district", "receivers", "revoked", "pairs", "log")


@dataclass(frozen=True)
class EmbeddedConfig:
    """`embedded.toml`; certificates are the folder's `root.pem`, `broker.pem` and `broker.key`."""

    folder: Path
    bind: str
    port: int
    rules: AccessRules
    log: Path


class DistrictAccess(BaseAuthPlugin, BaseTopicPlugin):  # type: ignore[misc]
    """amqtt's plugin form of `AccessRules`: who got this far has proven its client id by certificate."""

    @dataclass
    class Config:
        """The rules as amqtt passes them on: names separated by spaces."""

        district: str
        receivers: str
        revoked: str
        pairs: str = ""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.rules = _rules(vars(context.config))

    async def authenticate(self, *, session: Session) -> bool | None:
        """Whether the session's client may connect at all."""
        return bool(self.rules.readable(str(session.client_id)))

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        """Whether the client may publish to, subscribe to or receive from `topic`."""
        if session is None or topic is None:
            return False
        subject = str(session.client_id)
        allowed = self.rules.writable(subject) if action is Action.PUBLISH else self.rules.readable(subject)
        return permitted(allowed, topic)


class DistrictBroker(Broker):  # type: ignore[misc]
    """amqtt with mutual TLS required, client id = certificate, last wills and retained messages under the rules."""

    def __init__(self, config: EmbeddedConfig) -> None:
        super().__init__(_broker_config(config))
        self._rules = config.rules

    @staticmethod
    def _create_ssl_context(listener: ListenerConfig) -> ssl.SSLContext:
        context: ssl.SSLContext = Broker._create_ssl_context(listener)
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> Any:
        # Before amqtt looks the client id up: its own checks come after it has ended the session it names.
        recorder = _RecordingReader(reader)
        connect = await ConnectPacket.from_stream(recorder)
        if not self._admitted(connect, _common_name(writer)):
            await ConnackPacket.build(0, NOT_AUTHORIZED).to_stream(writer)
            await writer.close()
            raise MQTTError(f"client id {connect.client_id!r} or its will is not its certificate's")
        again = _ReplayingReader(bytes(recorder.seen), reader)
        return await super()._initialize_client_session(again, writer, remote_address, remote_port)

    def _admitted(self, connect: ConnectPacket, subject: str) -> bool:
        if not subject or connect.client_id != subject:
            return False
        will = connect.will_topic if connect.will_flag else None
        return will is None or permitted(self._rules.writable(subject), will)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        # amqtt calls this on every connection with everybody's filters, and does not check what they match.
        topic_filter, _ = subscription
        own = any(other.client_id == session.client_id for other, _ in self.subscriptions.get(topic_filter, []))
        if own and permitted(self._rules.readable(str(session.client_id)), topic_filter):
            await super()._publish_retained_messages_for_subscription(subscription, session)


class _RecordingReader(ReaderAdapter):  # type: ignore[misc]
    def __init__(self, reader: ReaderAdapter) -> None:
        self._reader, self.seen = reader, bytearray()

    async def read(self, n: int = -1) -> bytes:
        found: bytes = await self._reader.read(n)
        self.seen += found
        return found

    def feed_eof(self) -> None:
        self._reader.feed_eof()


class _ReplayingReader(ReaderAdapter):  # type: ignore[misc]
    def __init__(self, seen: bytes, reader: ReaderAdapter) -> None:
        self._seen, self._reader = seen, reader

    async def read(self, n: int = -1) -> bytes:
        if not self._seen:
            later: bytes = await self._reader.read(n)
            return later
        found, self._seen = self._seen[:n], self._seen[n:]
        return found

    def feed_eof(self) -> None:
        self._reader.feed_eof()


def read_embedded_config(path: Path) -> EmbeddedConfig:
    """The configuration that `broker-config --for embedded` wrote; raises `OperatorFault`."""
    settings, folder = Settings(WHERE, read_toml(path), KEYS), path.absolute().parent
    return EmbeddedConfig(
        folder,
        settings.text("bind"),
        settings.integer("port", PORTS),
        _rules({name: settings.text(name, "") for name in ("district", "receivers", "revoked", "pairs")}),
        settings.path("log", folder),
    )


async def serve(config: EmbeddedConfig) -> None:
    """Serve until SIGTERM or SIGINT; raises `EnvironmentFault` when the port cannot be had."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    broker = DistrictBroker(config)
    try:
        await broker.start()
    except BrokerError as error:
        raise EnvironmentFault(f"内置消息服务器不能在 {config.bind}:{config.port} 启动（{error}）。") from error
    await stopped.wait()
    await broker.shutdown()


def main() -> None:
    """Entry point of the broker's own process; everything amqtt says goes to the log file."""
    parser = argparse.ArgumentParser(
        description="演练用内置消息服务器",
        epilog=" ".join(f"{chinese} ({english})" for chinese, english in WEAKER_THAN_MOSQUITTO),
    )
    parser.add_argument("--config", type=Path, required=True)
    run_command(lambda: _run(parser.parse_args().config))


def _run(path: Path) -> None:
    config = read_embedded_config(path)
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    lines = logging.FileHandler(config.log, encoding="utf-8")
    lines.setFormatter(OneLine("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[lines], level=logging.INFO)
    asyncio.run(serve(config))


def _rules(values: dict[str, Any]) -> AccessRules:
    receivers, revoked = tuple(values["receivers"].split()), tuple(values["revoked"].split())
    pairs = tuple(parse_pair(text) for text in values.get("pairs", "").split())
    return AccessRules(district(values["district"]), receivers, revoked, pairs)


def _broker_config(config: EmbeddedConfig) -> BrokerConfig:
    listener = ListenerConfig(
        bind=f"{config.bind}:{config.port}",
        ssl=True,
        cafile=config.folder / "root.pem",
        certfile=config.folder / "broker.pem",
        keyfile=config.folder / "broker.key",
    )
    rules = config.rules
    names = {"receivers": " ".join(rules.receivers), "revoked": " ".join(rules.revoked)}
    names |= {"pairs": " ".join(map(pair_text, rules.pairs))}
    return BrokerConfig(listeners={LISTENER: listener}, plugins={PLUGIN: {"district": rules.district, **names}})


def _common_name(writer: WriterAdapter) -> str:
    connection = writer.get_ssl_info()
    certificate = None if connection is None else connection.getpeercert()
    subject: Any = certificate.get("subject", ()) if certificate else ()
    return next((value for part in subject for name, value in part if name == "commonName"), "")


if __name__ == "__main__":
    main()
