"""Tells systemd that the service is ready, alive or stopping (sd_notify(3)); does nothing where systemd is not."""

import os
import socket
from collections.abc import Mapping

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


class SystemdNotify:
    """Sends datagrams to the socket that `$NOTIFY_SOCKET` names, an abstract one if it begins with `@`."""

    def __init__(self, address: str) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def tell(self, state: str) -> None:
        """Send one state; a systemd that does not listen is no reason to stop working."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as wire:
            wire.setblocking(False)
            try:
                wire.sendto(state.encode(), self._address)
            except OSError:
                return


def systemd_notify(environment: Mapping[str, str] = os.environ) -> SystemdNotify:
    """The notifier of this process."""
    return SystemdNotify(environment.get("NOTIFY_SOCKET", ""))
