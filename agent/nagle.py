"""TCP without Nagle's algorithm (RFC 896): short messages go at once."""

import socket
from typing import Any


def send_at_once(_client: Any, _userdata: Any, wire: Any) -> None:
    """For a new socket of paho's (`on_socket_open`), which leaves the algorithm on: a short message behind another one
    then waits for the broker's delayed ACK, 40 ms, and whatever waits for its PUBACK with it."""
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
