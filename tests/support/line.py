"""A line to a server that is slow, is cut, or leads to a server that is not well."""

import contextlib
import socket
import ssl
import threading
import time

CHUNK = 16 * 1024


class Line:
    """Listens on a free port of loopback and leads to `port`. `bits_s` limits what goes up (0: no limit). While
    `answer` is set, that is all that anybody gets; while `cut_after` is set, a connection ends after so many bytes.
    With `tls` it is spoken to in secret."""

    def __init__(self, port: int, bits_s: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.answer: bytes | None = None
        self.cut_after: int | None = None
        self.silent = False
        self.up_bytes = 0
        self._target, self._bits_s, self._tls = port, bits_s, tls
        self._free_s, self._lock = 0.0, threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port = int(self._server.getsockname()[1])
        self._start(self._accept)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def cut(self) -> None:
        """End every connection, now."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _start(self, work, *arguments: object) -> None:  # type: ignore[no-untyped-def]
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._open.append(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._speak(client if self._tls is None else self._tls.wrap_socket(client, server_side=True))
        client.close()

    def _speak(self, client: socket.socket) -> None:
        with client:
            if self.answer is not None:
                client.recv(CHUNK)
                client.sendall(self.answer)
                return
            if self.silent:
                while client.recv(CHUNK):
                    pass
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                self._open.append(server)
                back = threading.Thread(target=self._down, args=(server, client), daemon=True)
                back.start()
                self._up(client, server)
                back.join()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := client.recv(CHUNK):
                self._pace(len(data))
                server.sendall(data)
                passed += len(data)
                self.up_bytes += len(data)
                if self.cut_after is not None and passed > self.cut_after:
                    client.shutdown(socket.SHUT_RDWR)
                    break
            server.shutdown(socket.SHUT_WR)

    def _pace(self, size: int) -> None:
        if not self._bits_s:
            return
        with self._lock:
            now = time.monotonic()
            self._free_s = max(self._free_s, now) + size * 8 / self._bits_s
            wait_s = self._free_s - now
        time.sleep(wait_s)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(CHUNK):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)


def http_answer(status: str, code: str) -> bytes:
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
