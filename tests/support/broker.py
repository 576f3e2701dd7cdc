"""A real Mosquitto on a free loopback port: mutual TLS, the certificate's CN as user name, an ACL."""

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.keys import TestAuthority

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
START_S = 60.0
BELOW_CLIENTS = range(20_000, 32_000)  # Linux: net.ipv4.ip_local_port_range begins at 32768

ACL = """\
user receiver-1
topic readwrite gov/#

pattern write gov/+/v1/+/%u/evt
pattern write gov/+/v1/+/%u/hint
pattern write gov/+/v1/+/%u/state
pattern read gov/+/v1/+/%u/ack
pattern read gov/+/v1/pub/#
"""


class Broker:
    """Started and stopped by the test; keeps its port over a restart."""

    def __init__(self, folder: Path, authority: TestAuthority) -> None:
        self.folder, self._max_packet = folder, 262_144
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        authority.server().write(folder / "server.key", folder / "server.pem")
        (folder / "root.pem").write_bytes(authority.root_pem)
        self.allow(ACL)

    def limit(self, max_packet: int) -> None:
        """The largest message; takes effect at the next start."""
        self._max_packet = max_packet
        self.allow((self.folder / "acl").read_text())

    def allow(self, acl: str) -> None:
        """Write the access list; takes effect at the next start."""
        (self.folder / "acl").write_text(acl)
        (self.folder / "mosquitto.conf").write_text(
            f"""\
user root
listener {self.port} 127.0.0.1
cafile {self.folder}/root.pem
certfile {self.folder}/server.pem
keyfile {self.folder}/server.key
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {self.folder}/acl
set_tcp_nodelay true
max_packet_size {self._max_packet}
persistence false
log_dest stderr
log_type all
"""
        )

    def start(self) -> None:
        log = (self.folder / "broker.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [str(MOSQUITTO), "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while not self._listening():
            assert self._process.poll() is None, (self.folder / "broker.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_S)
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def log(self) -> str:
        return (self.folder / "broker.log").read_text()

    def _listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextlib.contextmanager
def running_mosquitto(config: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A Mosquitto with a configuration that `broker-config` wrote, listening on loopback at `port`."""
    with (config.parent / "mosquitto.out").open("wb") as out:
        process = subprocess.Popen([str(MOSQUITTO), "-c", str(config)], stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + START_S
        while not _answers(port):
            assert process.poll() is None, (config.parent / "mosquitto.out").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        process.wait(START_S)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A loopback port that nobody has, for a process that will listen there a little later. Not one that the kernel
    gives to clients: a connection of a test beside this one could take it in between."""
    with socket.socket() as probe:
        for port in random.SystemRandom().sample(BELOW_CLIENTS, len(BELOW_CLIENTS)):
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise AssertionError("no port is free")
