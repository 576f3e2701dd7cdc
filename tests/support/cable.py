"""The network between a broker and everybody else: a relay on loopback that can be cut, as often as a test likes."""

import contextlib
import selectors
import socket
import threading
from typing import Self

PIECE = 65_536
WAKE_S = 0.5


class Cable:
    """`with Cable(broker_port) as cable`: clients use `cable.port`; `cut` drops every connection, new ones are let in.

    Bytes are passed on as they are, so TLS goes through. `joined` counts the connections that were made.
    """

    def __init__(self, target: int) -> None:
        self._target, self.joined = target, 0
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run, name="cable")

    def __enter__(self) -> Self:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.cut()
        self._listener.close()
        self._selector.close()

    def cut(self) -> int:
        """Drop what is connected; how many connections that were."""
        with self._lock:
            ends = list(self._pairs)
            for end in ends:
                self._drop(end)
        return len(ends) // 2

    def _run(self) -> None:
        while not self._ended.is_set():
            for key, _ in self._selector.select(WAKE_S):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._join()
                    elif key.fileobj in self._pairs:
                        self._pass_on(key.fileobj)  # type: ignore[arg-type]

    def _join(self) -> None:
        client, _ = self._listener.accept()
        try:
            broker = socket.create_connection(("127.0.0.1", self._target), 5)
        except OSError:
            client.close()
            return
        self.joined += 1
        for one, other in ((client, broker), (broker, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, end: socket.socket) -> None:
        try:
            data = end.recv(PIECE)
            self._pairs[end].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        for one in (end, self._pairs.pop(end, end)):
            self._pairs.pop(one, None)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(one)
            one.close()
