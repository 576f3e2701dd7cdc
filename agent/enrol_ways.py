"""The three ways from a device to the authority: HTTPS, a cable, a USB stick. Each takes the request's bytes and
returns the reply's; none of them is trusted."""

import http.client
import socket
import ssl
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from agent import cable
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.stick import FOLDER, REPLIES, REQUESTS, read_plain, write_plain
from agent.wire.card_bundle import Site
from agent.wire.enrolment import MAX_REPLY_BYTES, Refusal

HTTPS_PORT = 443
TIMEOUT_S = 20.0  # ours: a poor mobile network
CABLE_WAIT_S = 600.0  # ours: the technician has to plug it in
PATH = "/liuhen/enrol"  # where the enrolment server listens unless the card says otherwise


class Way(Protocol):
    """A way to ask."""

    def ask(self, request: bytes) -> bytes:
        """The reply; raises `EnvironmentFault` when nobody could be asked, or has not answered yet."""

    def done(self) -> None:
        """Everything that came is on the disk."""


class HttpsWay:
    """The enrolment server of the card's site, whose certificate must come from the district's own root."""

    def __init__(self, site: Site, root: Path) -> None:
        self._site, self._root = site, root

    def ask(self, request: bytes) -> bytes:
        """As the protocol."""
        if not self._site.enrol:
            raise OperatorFault("卡上没有入网地址。请用 --cable 或 --stick，或在站点设置中写明后重新写卡。")
        url = urlsplit(self._site.enrol)
        connection = _Named(url.hostname or "", url.port or HTTPS_PORT, self._site.enrol_name, self._root)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", url.path or PATH, request, headers)
            answer = connection.getresponse()
            reply = answer.read(MAX_REPLY_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise EnvironmentFault(f"连不上入网服务器（{_cause(error)}）。请检查网络与时钟，稍后自动再试。") from error
        finally:
            connection.close()
        if answer.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == http.HTTPStatus.NOT_FOUND:
            raise EnvironmentFault(f"入网服务器暂时不能答复（{answer.status}）。请稍后再试。")
        return reply

    def done(self) -> None:
        """As the protocol."""


class AnswerAwaited(EnvironmentFault):
    """The request is on its way by hand; the same command takes the answer later."""


class CableWay:
    """A serial cable to the technician's bench, where `liuhen-provision cable` runs."""

    def __init__(self, line: cable.Line) -> None:
        self._line = line

    def ask(self, request: bytes) -> bytes:
        """As the protocol."""
        return cable.ask(self._line, request, CABLE_WAIT_S, MAX_REPLY_BYTES)

    def done(self) -> None:
        """As the protocol."""
        cable.confirm(self._line)


class StickWay:
    """A USB stick that is carried to the bench and back: the request goes out, the reply is there next time."""

    def __init__(self, medium: Path, device: str) -> None:
        self._folder, self._name = medium / FOLDER, f"{device}.json"

    def ask(self, request: bytes) -> bytes:
        """As the protocol."""
        reply = read_plain(self._folder / REPLIES, self._name, MAX_REPLY_BYTES)
        if reply is not None:
            return reply
        place = write_plain(self._folder / REQUESTS, self._name, request)
        raise AnswerAwaited(
            f"申请已写到 {place}，还没有入网。下一步：把 U 盘拿到工作台运行 liuhen-provision usb，再插回本机运行一次。"
        )

    def done(self) -> None:
        """As the protocol."""


def may_come_good(fault: SenderFault) -> bool:
    """Whether asking again later can help."""
    return fault.code == Refusal.BUSY


class _Named(http.client.HTTPSConnection):
    """Dials one address, expects another name in the certificate."""

    def __init__(self, host: str, port: int, name: str, root: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(root)
        super().__init__(host, port, timeout=TIMEOUT_S, context=context)
        self._name, self._tls = name or host, context

    def connect(self) -> None:
        """As the parent, with our name in the place of the address."""
        plain = socket.create_connection((self.host, self.port), self.timeout)
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self._name)
        except OSError:
            plain.close()
            raise


def _cause(error: Exception) -> str:
    return str(error)[:120] or type(error).__name__
