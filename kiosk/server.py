"""The kiosk's addresses: pages, forms, two static files, the office's files by hash, and one event stream."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from importlib import import_module

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from agent.errors import LiuhenFault, SenderFault
from agent.web.forms import read_form
from agent.web.gate import Application, Gate
from agent.wire.content import FONT
from kiosk import views
from kiosk.asked import Answered, Asked, NotThere
from kiosk.board import Banner
from kiosk.display import Display
from kiosk.furniture import attached, index_file
from kiosk.gate import MAX_BODY_BYTES, doorway
from kiosk.lists import TOPICS
from kiosk.states import Reach

HEARTBEAT_S = 10.0  # a comment this often, so that a dead connection is noticed
RETRY_MS = 2000  # how soon a browser that lost the stream tries again
STATIC_TYPES = {"kiosk.css": "text/css; charset=utf-8", "kiosk.js": "text/javascript; charset=utf-8"}
LARGE = "large"  # a cookie of the browser's session, gone with the idle reset
FONT_FACE = '@font-face {{ font-family: "Liuhen Hall"; src: url("{}") format("woff2"); font-display: swap }}'
WIPED = '"cache", "cookies", "storage"'  # Clear-Site-Data (W3C)

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]
View = Callable[[Display, Asked], Answered]


def later(name: str) -> Callable[..., Answered]:
    """A view of another module, `module.view`: the first board does not wait for what is not asked for yet."""
    module, _, view = name.rpartition(".")
    return lambda *given: getattr(import_module(module), view)(*given)


STANDING: dict[str, View] = {  # depend on nothing but what is published
    "/": views.board_page,
    "/board": views.board_page,
    "/w/{number}": views.window_page,
    "/item/{name}": later("kiosk.inquiries.item_page"),
    **{f"/{topic.path}": partial(later("kiosk.inquiries.lists_page"), topic) for topic in TOPICS},
}
ASKING: dict[str, View] = {
    "/verify": later("kiosk.inquiries.proof_page"),
    "/code": later("kiosk.scanned.scanned"),
    "/receipt": later("kiosk.scanned.scanned"),
    "/search": later("kiosk.inquiries.search_page"),
    "/matter": later("kiosk.inquiries.matter_page"),
}
TAKING: dict[str, View] = {
    "/complain": later("kiosk.forms.complain_page"),
    "/complaint": later("kiosk.forms.complaint_page"),
    "/staff": later("kiosk.forms.staff_page"),
}


def application(display: Display, static: Mapping[str, bytes], hosts: frozenset[str]) -> Application:
    """The ASGI application behind its gate; `static` holds the files of `STATIC_TYPES`."""
    routes = [
        *(Route(path, _page(display, view, standing=True)) for path, view in STANDING.items()),
        *(Route(path, _page(display, view)) for path, view in ASKING.items()),
        *(Route(path, _page(display, view), methods=["GET", "POST"]) for path, view in TAKING.items()),
        Route("/mode", _mode),
        Route("/reset", _reset(display)),
        Route("/painted", _painted(display), methods=["POST"]),
        Route("/looked", _looked(display), methods=["POST"]),
        Route("/healthz", _health(display)),
        Route("/content/{sha256}.css", _font_face(display)),
        Route("/content/{sha256}", _content(display)),
        Route("/events", _events(display)),
        *(Route(f"/static/{name}", _file(static[name], kind)) for name, kind in STATIC_TYPES.items()),
    ]
    return Gate(
        Starlette(routes=routes, exception_handlers={404: _missing(display), Exception: _failed(display)}),
        doorway(hosts),
    )


def _page(display: Display, view: View, *, standing: bool = False) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        asked = await _asked(request)
        shown = views.emergency_page if display.condition.reach is Reach.EVERYTHING else view
        try:
            if standing and not asked.query:
                html = display.kept(request.url.path, asked.large, lambda: shown(display, asked).html)
                return HTMLResponse(html)
            answered = shown(display, asked)
        except NotThere as gone:
            return HTMLResponse(display.missing(asked.large, str(gone)), 404)
        except LiuhenFault as fault:
            return await _failed(display)(request, fault)
        return RedirectResponse(answered.go, 303) if answered.go else HTMLResponse(answered.html, answered.status)

    return endpoint


async def _asked(request: Request) -> Asked:
    posted = request.method == "POST"
    form = await read_form(request.stream(), MAX_BODY_BYTES) if posted else {}
    large = request.cookies.get(LARGE) == "1"
    return Asked(dict(request.query_params), form, dict(request.path_params), large, posted)


async def _mode(request: Request) -> Response:
    """Large type on or off, and back to the page it was asked from."""
    back = request.query_params.get("back", "/board")
    ours = back.startswith("/") and not back.startswith(("//", "/\\"))
    response = RedirectResponse(back if ours else "/board", 303)
    if request.query_params.get(LARGE) == "1":
        response.set_cookie(LARGE, "1", httponly=True, samesite="strict")
    else:
        response.delete_cookie(LARGE)
    return response


def _reset(display: Display) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        response = RedirectResponse(display.hall.home, 303)
        response.delete_cookie(LARGE)
        response.headers["clear-site-data"] = WIPED
        return response

    return endpoint


def _painted(display: Display) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        form = await read_form(request.stream(), MAX_BODY_BYTES)
        known = display.painted.acknowledged(form.get("tag", ""), display.instant())
        return Response(status_code=204 if known else 409)

    return endpoint


def _looked(display: Display) -> Endpoint:
    """What the screen's guard saw: the stamp of `tag` in the pixels or not, or that it restarted the browser."""

    async def endpoint(request: Request) -> Response:
        form = await read_form(request.stream(), MAX_BODY_BYTES)
        if "restarted" in form:
            display.painted.restarted(form["restarted"][:200], display.instant())
        else:
            display.painted.looked(form.get("tag", ""), form.get("match") == "1", display.instant())
        return Response(status_code=204)

    return endpoint


def _health(display: Display) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        now = display.instant()
        age = display.painted.age_ms(now)
        said = {"painted_ms": age, "tag": display.painted.tag, "open": display.hall.hours.is_open(display.now())}
        place = {"hall": display.site.hall, "phone": display.site.complaint_phone}
        return JSONResponse({**said, **place, "trusted": not display.feed.shelf.untrusted})

    return endpoint


def _content(display: Display) -> Endpoint:
    """A file of a document in force, by its hash."""

    async def endpoint(request: Request) -> Response:
        file = attached(display.feed.shelf, display.now(), request.path_params["sha256"])
        try:
            if file is not None:
                return Response(display.hall.content.read(file), media_type=file.media_type)
        except SenderFault as fault:
            log.warning("%s", fault)
        return HTMLResponse(display.missing(), 404)

    return endpoint


def _font_face(display: Display) -> Endpoint:
    """The office's font under the name that `kiosk.css` falls back on: a browser fetches it only for characters that
    no font of this computer has."""

    async def endpoint(request: Request) -> Response:
        font = index_file(display.feed.shelf, display.now(), FONT)
        if font is None or font.sha256 != request.path_params["sha256"]:
            return HTMLResponse(display.missing(), 404)
        return Response(FONT_FACE.format(font.sha256), media_type=STATIC_TYPES["kiosk.css"])

    return endpoint


def _missing(display: Display) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def endpoint(_: Request, __: Exception) -> Response:
        return HTMLResponse(display.missing(), 404)

    return endpoint


def _failed(display: Display) -> Callable[[Request, Exception], Awaitable[Response]]:
    """What could not be done, a disk that takes nothing or a fault of ours: a page that says so, and whom to call."""

    async def endpoint(request: Request, error: Exception) -> Response:
        log.error("%s failed: %s", request.url.path, error)
        ask = f"请咨询工作人员，或拨打 {display.site.complaint_phone}。"
        frame = display.frame("", "本屏暂时无法完成", "/failed")
        view = Banner("warn", f"刚才的操作可能没有完成。{ask}")
        return HTMLResponse(display.page("message.html", frame, view), 500)

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
