"""The addresses of the centre's page. Everything but `/enter` and the style sheet asks first who is there: a session,
or a certificate that TLS has verified. What reads a disk or a database is done beside the loop."""

import re
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from agent.errors import EnvironmentFault, LiuhenFault, OperatorFault
from agent.evidence.bmff import Source
from agent.web.forms import read_fields, read_form
from agent.web.gate import Application, Gate
from agent.web.server import PEER
from agent.web.sessions import Sessions
from agent.wire.identifiers import device_id, parse_recording_id
from provisioning.center.page.door import Page, Role, Visitor, certified, doorway
from provisioning.center.page.films import FilmPages
from provisioning.center.page.fleet import FleetPages
from provisioning.center.page.frame import Frame
from provisioning.center.page.links import LinkFolder
from provisioning.center.page.ranges import Stretch, stretch_of
from provisioning.center.page.reviews import PACKET_STYLE, ReviewPages
from provisioning.center.page.uses import Download, UsePages

COOKIE = "liuhen-center"
MAX_SECRET_BYTES = 1024  # ours; a secret has 43
MAX_DRAFT_BYTES = 128 * 1024  # ours: an opinion of 4 000 characters and eleven notes, percent-encoded
MAX_ACT_BYTES = 256 * 1024  # ours: the same, signed
EVENT_NUMBER = re.compile("[1-9][0-9]{0,15}")  # below 2^63: the largest that canonical JSON spells has 16 digits
USED = "链接已用过或已过期。请在中心运行 liuhen-center invite 重新取得。"
NOT_IN = "请用一次性链接进入：liuhen-center invite。"

Endpoint = Callable[[Request], Awaitable[Response]]
Answer = Callable[[Visitor, Request], Response]


@dataclass(frozen=True)
class Desk:
    """What the addresses are answered with; `people` may come in with a certificate."""

    frame: Frame
    links: LinkFolder
    sessions: Sessions[Visitor]
    people: Mapping[str, Role]
    style: bytes


def application(desk: Desk, hosts: frozenset[str], *, tls: bool = False) -> Application:
    """The ASGI application behind its gate."""
    routes = [
        *_device_routes(desk, FleetPages(desk.frame)),
        *_film_routes(desk, FilmPages(desk.frame)),
        *_review_routes(desk, ReviewPages(desk.frame)),
        *_use_routes(desk, UsePages(desk.frame)),
        Route("/static/center.css", _style(desk)),
        Route("/enter", _enter(desk), methods=["GET", "POST"]),
        Route("/leave", _leave(desk), methods=["POST"]),
    ]
    handlers: Mapping[Any, Any] = {
        404: _told(desk, "没有这个页面。", 404),
        EnvironmentFault: _told(desk, "", 503),
        LiuhenFault: _told(desk, "", 404),
    }
    return Gate(Starlette(routes=routes, exception_handlers=handlers), doorway(hosts, [PACKET_STYLE], tls=tls))


def _device_routes(desk: Desk, pages: FleetPages) -> list[Route]:
    def device(who: Visitor, request: Request) -> Response:
        return HTMLResponse(pages.device(who, device_id(request.path_params["device"])))

    def proof(who: Visitor, request: Request) -> Response:
        name, number = device_id(request.path_params["device"]), _number(request.path_params["number"])
        headers = {"content-disposition": f'attachment; filename="{name}-{number}.proof.json"'}
        return Response(pages.proof(who, name, number), headers=headers, media_type="application/json")

    return [
        Route("/", _inside(desk, Page.FLEET, lambda who, _: HTMLResponse(pages.fleet(who)))),
        Route("/device/{device}", _inside(desk, Page.RECORDINGS, device)),
        Route("/proof/{device}/{number}", _inside(desk, Page.PROOF, proof)),
        Route("/looks", _inside(desk, Page.LOOKS, lambda who, _: HTMLResponse(pages.looks(who)))),
    ]


def _number(text: str) -> int:
    """The number of an event in an address; raises `OperatorFault` for what no device has counted to."""
    if not EVENT_NUMBER.fullmatch(text):
        raise OperatorFault("没有这个编号的事件。请从设备页面打开。")
    return int(text)


def _film_routes(desk: Desk, pages: FilmPages) -> list[Route]:
    def recording(who: Visitor, request: Request) -> Response:
        return HTMLResponse(pages.recording(who, parse_recording_id(request.path_params["recording"])))

    def film(who: Visitor, request: Request) -> Response:
        stack = ExitStack()
        try:
            name = parse_recording_id(request.path_params["recording"])
            source = pages.film(who, name, request.path_params["segment"], stack)
            stretch = stretch_of(request.headers.get("range"), source.size)
        except LiuhenFault:
            stack.close()
            raise
        if stretch is None:
            stack.close()
            return Response(status_code=416, headers={"content-range": f"bytes */{source.size}"})
        status = 200 if stretch.whole else 206
        return StreamingResponse(_pieces(stretch, source, stack), status, stretch.headers, "video/mp4")

    return [
        Route("/recordings", _inside(desk, Page.RECORDINGS, lambda who, _: HTMLResponse(pages.recordings(who)))),
        Route("/recording/{recording}", _inside(desk, Page.RECORDINGS, recording)),
        Route("/film/{recording}/{segment}", _inside(desk, Page.RECORDINGS, film)),
    ]


def _pieces(stretch: Stretch, source: Source, stack: ExitStack) -> Iterator[bytes]:
    with stack:
        yield from stretch.pieces(source)


def _review_routes(desk: Desk, pages: ReviewPages) -> list[Route]:
    def matter(who: Visitor, request: Request) -> Response:
        return HTMLResponse(pages.matter(who, request.path_params["task"]))

    def packet(who: Visitor, request: Request) -> Response:
        return HTMLResponse(pages.packet(who, request.path_params["task"]))

    return [
        Route("/review", _inside(desk, Page.REVIEW, lambda who, _: HTMLResponse(pages.matters(who)))),
        Route("/review/{task}", _inside(desk, Page.REVIEW, matter)),
        Route("/review/{task}/packet", _inside(desk, Page.REVIEW, packet)),
        Route("/review/{task}/draft", _admitted(desk, Page.ACT, _draft(pages)), methods=["POST"]),
        Route("/review/{task}/act", _admitted(desk, Page.ACT, _act(pages)), methods=["POST"]),
    ]


def _draft(pages: ReviewPages) -> Callable[[Visitor, Request], Awaitable[Response]]:
    async def endpoint(who: Visitor, request: Request) -> Response:
        task, given = request.path_params["task"], await read_fields(request.stream(), MAX_DRAFT_BYTES)
        try:
            act = await run_in_threadpool(pages.draft, who, task, given)
        except LiuhenFault as fault:
            return HTMLResponse(await run_in_threadpool(pages.matter, who, task, str(fault)), 409)
        name = quote(f"{task}.{act.number:03d}.{act.kind}.json")
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
        return Response(act.encode(), headers=headers, media_type="application/json")

    return endpoint


def _act(pages: ReviewPages) -> Callable[[Visitor, Request], Awaitable[Response]]:
    async def endpoint(who: Visitor, request: Request) -> Response:
        task, given = request.path_params["task"], await read_form(request.stream(), MAX_ACT_BYTES)
        try:
            await run_in_threadpool(pages.take, who, task, given.get("envelope", ""))
        except LiuhenFault as fault:
            return HTMLResponse(await run_in_threadpool(pages.matter, who, task, str(fault)), 409)
        return RedirectResponse(f"/review/{task}", 303)

    return endpoint


def _use_routes(desk: Desk, pages: UsePages) -> list[Route]:
    def table(make: Callable[[Visitor, str], Download]) -> Answer:
        def answer(who: Visitor, request: Request) -> Response:
            it = make(who, request.path_params["name"])
            return Response(it.content, headers={"content-disposition": it.disposition}, media_type=it.media_type)

        return answer

    return [
        Route("/reports", _inside(desk, Page.REPORTS, lambda who, _: HTMLResponse(pages.reports(who)))),
        Route("/reports/{name}", _inside(desk, Page.REPORTS, table(pages.report))),
        Route("/ledger", _inside(desk, Page.LEDGER, lambda who, _: HTMLResponse(pages.ledger(who)))),
        Route("/ledger/{name}", _inside(desk, Page.LEDGER, table(pages.sheet))),
    ]


def _inside(desk: Desk, page: Page, answer: Answer) -> Endpoint:
    async def beside(who: Visitor, request: Request) -> Response:
        return await run_in_threadpool(answer, who, request)

    return _admitted(desk, page, beside)


def _admitted(desk: Desk, page: Page, answer: Callable[[Visitor, Request], Awaitable[Response]]) -> Endpoint:
    async def guarded(request: Request) -> Response:
        visitor = await run_in_threadpool(_visitor, desk, request)
        if visitor is None:
            return HTMLResponse(_message(desk, NOT_IN), 401)
        if not visitor.may(page):
            return HTMLResponse(_message(desk, f"{visitor.role_words}人员不能看“{page}”。", visitor), 403)
        return await answer(visitor, request)

    return guarded


def _visitor(desk: Desk, request: Request) -> Visitor | None:
    """Who asks: by the certificate of the connection, else by the session of a one-time link."""
    der = request.scope.get("state", {}).get(PEER)
    known = None if der is None else certified(der, desk.people, desk.frame.trust())
    return known or desk.sessions.bearer(request.cookies.get(COOKIE, ""), desk.frame.clock.read().monotonic_ns)


def _enter(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if request.method != "POST":
            return HTMLResponse(_message(desk, "", secret=request.query_params.get("k", "")))
        now, given = desk.frame.clock.read(), await read_form(request.stream(), MAX_SECRET_BYTES)
        visitor = desk.links.redeem(given.get("k", ""), now.wall)
        if visitor is None:
            return HTMLResponse(_message(desk, USED), 403)
        token = secrets.token_urlsafe(32)
        desk.sessions.admit(token, visitor, now.monotonic_ns)
        answer = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, token, path="/", httponly=True, samesite="strict", secure=secure)
        return answer

    return endpoint


def _leave(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        desk.sessions.end(request.cookies.get(COOKIE, ""))
        answer = HTMLResponse(_message(desk, "已退出。"))
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    return endpoint


def _style(desk: Desk) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        return Response(desk.style, media_type="text/css; charset=utf-8")

    return endpoint


def _told(desk: Desk, text: str, status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def endpoint(_: Request, fault: Exception) -> Response:
        return HTMLResponse(_message(desk, text or str(fault)), status)

    return endpoint


def _message(desk: Desk, text: str, visitor: Visitor | None = None, secret: str = "") -> str:
    """One sentence; or the form behind a one-time link: a program that only looks at links must not use it up."""
    shown = {"secret": secret, "refused": text}
    return desk.frame.page("enter.html", "进入" if secret else "中心", visitor, shown)
