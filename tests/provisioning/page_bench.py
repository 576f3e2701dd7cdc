"""The centre's page asked without a network: the application, its sessions, and its book of looks."""

import json
from collections.abc import Mapping
from urllib.parse import urlencode

import anyio
from starlette.types import ASGIApp, Message

from agent.clock import Clock
from agent.web.gate import own_hosts
from agent.web.server import PEER
from provisioning.center.config import CenterConfig
from provisioning.center.page.door import Role, Visitor, sessions
from provisioning.center.page.frame import LOOKS, Frame, Shelves
from provisioning.center.page.server import COOKIE, Desk, application
from provisioning.center.page.serving import STYLE, links_of
from provisioning.center.store import Store

HOST = "127.0.0.1:8490"
HOSTS = own_hosts("127.0.0.1", 8490)
WHO = "示例-000003"


class PageBench:
    """The application over a centre."""

    def __init__(
        self,
        config: CenterConfig,
        store: Store,
        clock: Clock,
        shelves: Shelves | None = None,
        people: Mapping[str, Role] | None = None,
    ) -> None:
        self.config, self.clock, self.sessions, self.links = config, clock, sessions(), links_of(config)
        frame = Frame(config, store, clock, shelves or Shelves())
        desk = Desk(frame, self.links, self.sessions, people or {}, STYLE.read_bytes())
        self.app: ASGIApp = application(desk, HOSTS)
        self.peer: bytes | None = None

    @property
    def looked(self) -> list[dict[str, str]]:
        place = self.config.folder / LOOKS
        return [json.loads(line) for line in place.read_bytes().splitlines()] if place.exists() else []

    def cookie(self, role: Role, name: str = WHO) -> str:
        token = f"token-{role}-{name.encode().hex()}"
        self.sessions.admit(token, Visitor(name, role), self.clock.read().monotonic_ns)
        return f"{COOKIE}={token}"

    async def raw(
        self, path: str, cookie: str = "", form: dict[str, object] | None = None, **more: str
    ) -> tuple[int, bytes]:
        path, _, query = path.partition("?")
        headers = {"host": HOST, "cookie": cookie} | ({} if form is None else {"origin": f"http://{HOST}"}) | more
        sent: list[Message] = []

        bodies = iter([urlencode(form or {}, doseq=True).encode()])

        async def receive() -> Message:
            if (body := next(bodies, None)) is None:
                await anyio.sleep_forever()  # the browser stays
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        method = "GET" if form is None else "POST"
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        state = {} if self.peer is None else {PEER: self.peer}
        scope = {
            "type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": raw,
            "scheme": "http", "state": state,
        }  # fmt: skip
        await self.app(scope, receive, send)
        self.headers = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

    async def ask(
        self, path: str, cookie: str = "", form: dict[str, object] | None = None, **more: str
    ) -> tuple[int, str]:
        status, body = await self.raw(path, cookie, form, **more)
        return status, body.decode()
