"""The addresses of the officer's page. Everything but `/login` and the style sheet asks for the PIN first; some forms,
nothing that changes or removes a recording."""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from agent.asking import ANSWER_S
from agent.clock import Clock
from agent.duty.asks import What
from agent.errors import LiuhenFault, OperatorFault
from agent.page.background import Background
from agent.page.lockout import Lockout
from agent.page.pages import Pages
from agent.page.paper_pages import PRINT_S, PaperDrawer
from agent.page.pin import PinFile
from agent.web.forms import read_form
from agent.web.gate import Application, Doorway, Gate, policy
from agent.web.sessions import Sessions
from agent.wire.identifiers import RecordingId

COOKIE = "liuhen-page"
FORM_S = 5.0  # ours; a PIN comes in one packet
MAX_FORM_BYTES = 4096  # ours; an explanation of 300 characters has 2 700
NO_PAPER = "没有这份文书。"
POLICY = policy("style-src 'self'", "img-src 'self' data:", "media-src 'self'")
FORMS = re.compile(
    r"/(login|logout|receipt|confirm|met|pick|step|reason|end|identity|serve|explain|print/[a-z-]+-[0-9]+)"
)
REFUSED = "此页面只供本机与 USB 连接的设备访问，请用记录仪上显示的网址打开。"

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Form:
    """What a form asks of the agent: the fields of the request by those of the form; `seen`: the list shows it."""

    what: What
    fields: Mapping[str, str]
    seen: bool = False


ASKING: Mapping[str, Form] = {
    "confirm": Form(What.CONFIRM, {"receipt": "receipt", "served": "served", "name": "party"}),
    "end": Form(What.END, {}),
    "met": Form(What.MEET, {"limit": "limit", "note": "note"}),
    "pick": Form(What.PICK, {"document": "task"}),
    "reason": Form(What.REASON, {"reason": "reason", "note": "note"}),
    "serve": Form(What.SERVE, {"number": "number", "served": "served"}),
    "step": Form(What.STEP, {"step": "step"}, seen=True),
}


@dataclass(frozen=True)
class Desk:
    """What the addresses are answered with; `root` is the folder of recordings. A session's bearer is the mark of the
    PIN that opened it: another PIN ends it."""

    pages: Pages
    background: Background
    pins: PinFile
    lockout: Lockout
    sessions: Sessions[str]
    clock: Clock
    root: Path
    drawer: PaperDrawer


def application(desk: Desk, style: bytes, hosts: frozenset[str]) -> Application:
    """The ASGI application behind its gate."""
    routes = [
        Route("/", _inside(desk, _board)),
        Route("/login", _login(desk), methods=["GET", "POST"]),
        Route("/logout", _logout(desk), methods=["POST"]),
        Route("/r/{recording}", _inside(desk, _recording)),
        Route("/m/{recording}/{segment}", _inside(desk, _media)),
        Route("/p/{recording}.jpg", _inside(desk, _picture)),
        Route("/static/page.css", _file(style)),
        *_paper_routes(desk),
    ]
    handlers: Mapping[Any, Any] = {
        404: _missing(desk),
        LiuhenFault: _fault(desk, 503),
        OperatorFault: _fault(desk, 409),
    }
    return Gate(Starlette(routes=routes, exception_handlers=handlers), doorway(hosts))


def doorway(hosts: frozenset[str]) -> Doorway:
    """What may come in."""
    return Doorway(hosts, POLICY, REFUSED, FORMS)


def _paper_routes(desk: Desk) -> list[Route]:
    """Papers, and the forms: each asks the agent and shows what it says."""
    return [
        Route("/d/{name}.pdf", _admitted(desk, _pdf)),
        Route("/d/{name}", _inside(desk, _paper)),
        Route("/print/{name}", _admitted(desk, _print), methods=["POST"]),
        Route("/receipt", _admitted(desk, _receipt), methods=["POST"]),
        Route("/identity", _admitted(desk, _identity), methods=["POST"]),
        Route("/explain", _admitted(desk, _explain), methods=["POST"]),
        *(Route(f"/{name}", _admitted(desk, _asking(form)), methods=["POST"]) for name, form in ASKING.items()),
    ]


def _inside(desk: Desk, endpoint: Callable[[Desk, Request], Response]) -> Endpoint:
    async def answered(desk: Desk, request: Request) -> Response:
        return endpoint(desk, request)

    return _admitted(desk, answered)


def _admitted(desk: Desk, endpoint: Callable[[Desk, Request], Awaitable[Response]]) -> Endpoint:
    async def guarded(request: Request) -> Response:
        token = request.cookies.get(COOKIE, "")
        if desk.sessions.bearer(token, desk.clock.read().monotonic_ns) != desk.pins.mark():
            return RedirectResponse("/login", 303)
        return await endpoint(desk, request)

    return guarded


def _board(desk: Desk, request: Request) -> Response:
    return HTMLResponse(desk.pages.board(everything="all" in request.query_params))


def _recording(desk: Desk, request: Request) -> Response:
    page = desk.pages.recording(request.path_params["recording"])
    return HTMLResponse(desk.pages.message("没有这次录制。"), 404) if page is None else HTMLResponse(page)


def _media(desk: Desk, request: Request) -> Response:
    recording, segment = request.path_params["recording"], request.path_params["segment"]
    if segment not in desk.pages.segments(recording):
        return HTMLResponse(desk.pages.message("没有这段录像。"), 404)
    return FileResponse(desk.root / recording / segment, media_type="video/mp4")


def _picture(desk: Desk, request: Request) -> Response:
    recording = request.path_params["recording"]
    if not desk.pages.has_picture(recording):
        return HTMLResponse(desk.pages.message("没有画面。"), 404)
    return FileResponse(desk.background.picture(RecordingId(recording)), media_type="image/jpeg")


def _paper(desk: Desk, request: Request) -> Response:
    page = desk.pages.paper(request.path_params["name"])
    return HTMLResponse(desk.pages.message(NO_PAPER), 404) if page is None else HTMLResponse(page)


async def _pdf(desk: Desk, request: Request) -> Response:
    name = request.path_params["name"]
    if desk.drawer.paper(name) is None:
        return HTMLResponse(desk.pages.message(NO_PAPER), 404)
    headers = {"content-disposition": f'attachment; filename="{name}.pdf"'}
    return Response(await desk.drawer.pdf(name), media_type="application/pdf", headers=headers)


async def _print(desk: Desk, request: Request) -> Response:
    paper = desk.drawer.paper(request.path_params["name"])
    if paper is None:
        return HTMLResponse(desk.pages.message(NO_PAPER), 404)
    return HTMLResponse(desk.pages.message(await desk.drawer.asked(What.PRINT, PRINT_S, number=paper.number)))


async def _receipt(desk: Desk, _: Request) -> Response:
    made = await desk.drawer.answered(What.RECEIPT)
    return RedirectResponse(f"/d/{made.get('name', '')}", 303)


async def _identity(desk: Desk, request: Request) -> Response:
    given = await _form(request)
    certificate = given.get("certificate", "")
    if given.get("print"):
        told = await desk.drawer.asked(What.SHOW_IDENTITY, PRINT_S, certificate=certificate, print="yes")
        return HTMLResponse(desk.pages.message(told))
    return HTMLResponse(desk.pages.identity(await desk.drawer.code(certificate)))


async def _explain(desk: Desk, request: Request) -> Response:
    """Explain one interruption in writing, by a reason of the list."""
    given = await _form(request)
    recording, sequence = given.get("recording", ""), given.get("gap", "")
    row = desk.pages.row(recording)
    if row is None or sequence not in {str(gap.sequence) for gap in row.gaps}:
        raise OperatorFault("没有这处待说明的中断，可能已经说明。请返回列表，打开录制重新查看。")
    words = (given.get(name, "").strip() for name in ("reason", "text", "author"))
    return HTMLResponse(desk.pages.message(await desk.background.note(recording, int(sequence), *words)))


def _asking(form: Form) -> Callable[[Desk, Request], Awaitable[Response]]:
    """Asks the agent what the form says; its answer in words, or the list again, where it is seen."""

    async def endpoint(desk: Desk, request: Request) -> Response:
        given = await _form(request)
        values = {name: given.get(field, "") for name, field in form.fields.items()}
        told = await desk.drawer.asked(form.what, ANSWER_S, **values)
        return RedirectResponse("/", 303) if form.seen else HTMLResponse(desk.pages.message(told))

    return endpoint


def _login(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        left_s = desk.lockout.left_s(desk.clock.read().monotonic_ns)
        if request.method != "POST" or left_s:
            return HTMLResponse(desk.pages.login("", left_s), 429 if left_s else 200)
        # Nothing is awaited between the look at the lock and the answer: two requests cannot share one try.
        try:
            async with asyncio.timeout(FORM_S):
                pin = (await _form(request)).get("pin", "")
        except TimeoutError:  # not a try: nobody may use up the officer's
            return HTMLResponse(desk.pages.message("没有收到 PIN，请重新输入。"), 408, {"connection": "close"})
        return _try(desk, pin)

    return endpoint


def _try(desk: Desk, pin: str) -> Response:
    now_ns = desk.clock.read().monotonic_ns
    if desk.lockout.left_s(now_ns):
        return HTMLResponse(desk.pages.login("", desk.lockout.left_s(now_ns)), 429)
    desk.pins.keep_tries(desk.lockout.tried(now_ns))
    if not desk.pins.is_right(pin):
        return HTMLResponse(desk.pages.login("PIN 不对，请重新输入。", desk.lockout.left_s(now_ns)), 403)
    desk.pins.keep_tries(desk.lockout.succeeded(now_ns))
    token = secrets.token_urlsafe(32)
    desk.sessions.admit(token, desk.pins.mark(), now_ns)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(COOKIE, token, path="/", httponly=True, samesite="strict")
    return answer


async def _form(request: Request) -> dict[str, str]:
    return await read_form(request.stream(), MAX_FORM_BYTES)


def _logout(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        desk.sessions.end(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    return endpoint


def _file(content: bytes) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        return Response(content, media_type="text/css; charset=utf-8")

    return endpoint


def _missing(desk: Desk) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def endpoint(_: Request, __: Exception) -> Response:
        return HTMLResponse(desk.pages.message("没有这个页面。"), 404)

    return endpoint


def _fault(desk: Desk, status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def endpoint(_: Request, fault: Exception) -> Response:
        return HTMLResponse(desk.pages.message(str(fault)), status)

    return endpoint
