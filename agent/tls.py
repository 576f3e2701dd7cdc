"""TLS of a client that dials an address and expects a name (ground floor): RFC 6125 against the configured name.

paho would check the certificate against the address it dials, and forgets the socket of a handshake that failed.
"""

import socket
import ssl
from pathlib import Path
from typing import Any

from agent.errors import OperatorFault
from agent.key_files import read_private


class _TidySocket(ssl.SSLSocket):
    """Closes itself when its handshake fails."""

    def do_handshake(self, block: bool = False) -> None:
        """As the parent."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class _NamedContext(ssl.SSLContext):
    """Checks the server's certificate against `server_name`, whatever address was dialled."""

    server_name: str

    def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        """As the parent, with our name in the place of the address."""
        return super().wrap_socket(sock, *args, **{**options, "server_hostname": self.server_name})


def client_context(server_name: str, ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Mutual TLS 1.2 or later with the broker called `server_name`; raises `OperatorFault` for files of no use."""
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _TidySocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.server_name = server_name
    read_private(key)  # the library below would also take a key that others can read
    try:
        context.load_verify_locations(ca)
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        names = "、".join(path.name for path in (ca, certificate, key))
        raise OperatorFault(
            f"连接证书不能使用（{names}：{error}）。请检查 [broker] 的 ca、certificate、key，或重新发放该文件夹。"
        ) from error
    return context
