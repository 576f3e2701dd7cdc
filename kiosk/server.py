"""The kiosk's addresses: pages, two static files and one event stream. Everything is GET and on loopback."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from agent.web.gate import Application, Gate
from kiosk.display import Display
from kiosk.gate import doorway
from kiosk.lists import TOPICS

HEARTBEAT_S = 10.0  # a comment this often, so that a dead connection is noticed
RETRY_MS = 2000  # how soon a browser that lost the stream tries again
STATIC_TYPES = {"kiosk.css": "text/css; charset=utf-8", "kiosk.js": "text/javascript; charset=utf-8"}

Endpoint = Callable[[Request], Awaitable[Response]]


def application(display: Display, static: Mapping[str, bytes], hosts: frozenset[str]) -> Application:
    """The ASGI application behind its gate; `static` holds the files of `STATIC_TYPES`."""
    pages: dict[str, Callable[[], str]] = {"/": display.board, "/board": display.board, "/verify": display.proof}
    pages |= {f"/{topic.path}": partial(display.lists, topic) for topic in TOPICS}
    routes = [
        *(Route(path, _page(render)) for path, render in pages.items()),
        Route("/w/{number}", _window(display)),
        *(Route(path, _scanned(display.scanned)) for path in ("/code", "/receipt")),
        Route("/events", _events(display)),
        *(Route(f"/static/{name}", _file(static[name], kind)) for name, kind in STATIC_TYPES.items()),
    ]
    return Gate(Starlette(routes=routes, exception_handlers={404: _missing(display)}), doorway(hosts))


def _page(render: Callable[[], str]) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        return HTMLResponse(render())

    return endpoint


def _scanned(render: Callable[[str], str]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return HTMLResponse(render(request.query_params.get("c", "")))

    return endpoint


def _window(display: Display) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        page = display.window(request.path_params["number"])
        if page is None:
            raise HTTPException(404)
        return HTMLResponse(page)

    return endpoint


def _missing(display: Display) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def endpoint(_: Request, __: Exception) -> Response:
        return HTMLResponse(display.missing(), 404)

    return endpoint


def _file(content: bytes, kind: str) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        return Response(content, media_type=kind)

    return endpoint


def _events(display: Display) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        return StreamingResponse(_generations(display), media_type="text/event-stream")

    return endpoint


async def _generations(display: Display) -> AsyncIterator[str]:
    """What is shown now, then every change; the browser fetches its page again when the name differs."""
    sent = ""
    yield f"retry: {RETRY_MS}\n"
    while not display.closed:
        generation = await display.next_generation(sent, HEARTBEAT_S)
        yield f"data: {generation}\n\n" if generation != sent else ": alive\n\n"
        sent = generation
