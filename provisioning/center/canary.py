"""A canary at the broker: one CONNECT with a certificate, and what the broker does with it. MQTT 5 by hand, for a probe
must not keep a session, retry, or need a thread."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.errors import EnvironmentFault
from agent.tls import client_context

TIMEOUT_S = 10.0  # ours; a broker that reloads answers within a fraction of a second
_CONNACK, _PUBACK = 0x20, 0x40
REFUSED = 0x80  # MQTT 5, section 2.4: reason codes from here on are failures
NOT_AUTHORIZED = 0x87  # MQTT 5, section 3.4.2.1


@dataclass(frozen=True)
class Door:
    """Where the broker is dialled, the name it answers to, and the root it is checked against."""

    host: str
    port: int
    server_name: str
    root: Path


@dataclass(frozen=True)
class Identity:
    """A certificate chain with its key (PEM files); `name` is its common name."""

    name: str
    certificate: Path
    key: Path


def is_there(door: Door) -> bool:
    """Whether anything listens there at all."""
    try:
        socket.create_connection((door.host, door.port), TIMEOUT_S).close()
    except OSError:
        return False
    return True


def is_let_in(door: Door, identity: Identity) -> bool:
    """Whether the broker accepts `identity`; raises `EnvironmentFault` when it cannot be reached."""
    try:
        with _session(door, identity):
            return True
    except _ShutOut:
        return False


def publish_answer(door: Door, identity: Identity, topic: str) -> int:
    """What the broker answers to a message of `identity` on `topic`, a reason code of MQTT 5. The session of the same
    client id, where one lives, ends with this one. Raises `EnvironmentFault` when it is not let in."""
    try:
        with _session(door, identity) as line:
            line.sendall(_packet(0x32, _text(topic) + b"\0\1" + b"\0" + b"canary"))
            kind, body = _receive(line)
            line.sendall(b"\xe0\0")
            if kind != _PUBACK:
                raise EnvironmentFault("消息服务器的答复不是 PUBACK。请检查其版本与配置。")
            return body[2] if len(body) > 2 else 0
    except _ShutOut as error:
        raise EnvironmentFault("消息服务器拒绝了探测证书。请检查其配置与吊销列表。") from error


class _ShutOut(Exception):
    """The broker did not accept the certificate."""


@contextlib.contextmanager
def _session(door: Door, identity: Identity) -> Iterator[ssl.SSLSocket]:
    try:
        plain = socket.create_connection((door.host, door.port), TIMEOUT_S)
    except OSError as error:
        raise EnvironmentFault(f"连不上消息服务器 {door.host}:{door.port}（{error}）。请确认它在运行。") from error
    with plain:
        context = client_context(door.server_name, door.root, identity.certificate, identity.key)
        try:
            line = context.wrap_socket(plain)
        except ssl.SSLCertVerificationError as error:
            raise EnvironmentFault(
                f"消息服务器的证书不对（{error.verify_message}）。请检查 --host 与 broker.pem。"
            ) from error
        except OSError as error:
            raise _ShutOut from error
        with line:
            try:
                line.sendall(_packet(0x10, b"\0\4MQTT\5\2\0\x1e\0" + _text(identity.name)))
                kind, body = _receive(line)
            except OSError as error:  # with TLS 1.3 a refused certificate shows at the first read
                raise _ShutOut from error
            if kind != _CONNACK or len(body) < 2 or body[1]:
                raise _ShutOut
            yield line


def _receive(line: ssl.SSLSocket) -> tuple[int, bytes]:
    kind = _exactly(line, 1)[0] & 0xF0
    size = shift = 0
    while True:
        byte = _exactly(line, 1)[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return kind, _exactly(line, size)


def _exactly(line: ssl.SSLSocket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = line.recv(count - len(data))
        if not piece:
            raise ConnectionResetError("closed")
        data += piece
    return data


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2) + data


def _packet(kind: int, body: bytes) -> bytes:
    size, rest = b"", len(body)
    while True:
        rest, low = divmod(rest, 128)
        size += bytes([low | (0x80 if rest else 0)])
        if not rest:
            return bytes([kind]) + size + body
