"""Three nodes of nats-server with JetStream's MQTT (3.1.1) as real processes, and a forwarder that stands for the one
address behind which a district hides them."""

import contextlib
import json
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from provisioning.center.access import AccessRules
from provisioning.fleet.identity_files import write_identity
from tests.provisioning.district import Process, TestDistrict, eventually
from tests.support.broker import free_port

NATS = shutil.which("nats-server", path=str(Path(sys.executable).parent))
NODES = 3
LEADER = "JetStream cluster new metadata leader"


def subject_of(pem: Path) -> str:
    """The name by which nats-server knows the holder of a certificate (RFC 2253)."""
    return x509.load_pem_x509_certificates(pem.read_bytes())[0].subject.rfc4514_string()


def dotted(filters: tuple[str, ...]) -> list[str]:
    """MQTT filters as NATS subjects."""
    return [it.replace("/", ".").replace("+", "*").replace("#", ">") for it in filters]


class Cluster:
    """`members` are folders with `tls.pem` by the subject they belong to."""

    def __init__(self, district: TestDistrict, members: dict[str, Path], rules: AccessRules) -> None:
        self.base = district.base / "nats"
        self.base.mkdir()
        write_identity(
            self.base, "broker", "broker-1",
            lambda request: district.authority.certify_broker(
                request, "broker-1", ("localhost", "127.0.0.1"), district.moment()
            ),
            lambda _: False,
        )  # fmt: skip
        (self.base / "root.pem").write_bytes(district.authority.root_pem)
        self.ports = [free_port() for _ in range(NODES)]
        clients, routes = ([free_port() for _ in range(NODES)] for _ in range(2))
        users = [self._user(subject_of(folder / "tls.pem"), rules, name) for name, folder in members.items()]
        for number in range(NODES):
            config = self._config(number, clients[number], routes, users)
            (self.base / f"n{number}.conf").write_text(json.dumps(config, ensure_ascii=False))
        self.nodes = [
            Process([str(NATS), "-c", str(self.base / f"n{number}.conf")], self.base / f"n{number}.log")
            for number in range(NODES)
        ]

    def _user(self, subject: str, rules: AccessRules, name: str) -> dict[str, object]:
        inner = ["$MQTT.>", "_INBOX.>"]
        return {
            "user": subject,
            "permissions": {
                "publish": [*dotted(rules.writable(name)), *inner],
                "subscribe": [*dotted(rules.readable(name)), *inner],
            },
        }

    def _config(self, number: int, client: int, routes: list[int], users: list[dict[str, object]]) -> dict[str, object]:
        tls = {
            "cert_file": str(self.base / "broker.pem"),
            "key_file": str(self.base / "broker.key"),
            "ca_file": str(self.base / "root.pem"),
            "verify_and_map": True,
        }
        return {
            "server_name": f"n{number}",
            "listen": f"127.0.0.1:{client}",
            "jetstream": {"store_dir": str(self.base / f"js{number}"), "max_mem": 64_000_000, "max_file": 256_000_000},
            "cluster": {
                "name": "liuhen",
                "listen": f"127.0.0.1:{routes[number]}",
                "routes": [f"nats://127.0.0.1:{port}" for port in routes],
            },
            "authorization": {"users": users},
            "mqtt": {"listen": f"127.0.0.1:{self.ports[number]}", "tls": tls, "max_ack_pending": 100},
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        for node in self.nodes:
            node.start()
        try:
            eventually(lambda: all("Server is ready" in node.text for node in self.nodes), "three nodes", 30)
            eventually(
                lambda: any("JetStream cluster new metadata leader" in it.text for it in self.nodes), "leader", 60
            )
            yield
        finally:
            for node in self.nodes:
                if node.child is not None:
                    node.end()


class Forwarder:
    """Listens on `port` and brings every connection to the first of `targets` that takes it."""

    def __init__(self, *targets: int) -> None:
        self._targets = targets
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        for one in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = self._reach()
                if far is None:
                    near.close()
                    continue
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pipe, args=(source, sink), daemon=True).start()

    def _reach(self) -> socket.socket | None:
        for port in self._targets:
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", port), 2)
        return None


def _pipe(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
