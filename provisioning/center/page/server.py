"""The addresses of the centre's page. Everything but `/enter` asks for a session first; two forms, nothing else."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from agent.clock import Clock
from agent.errors import EnvironmentFault, LiuhenFault
from agent.web.forms import read_form
from agent.web.gate import Application, Gate
from agent.web.sessions import Sessions
from agent.wire.identifiers import device_id
from provisioning.center.page.door import Role, Visitor, doorway
from provisioning.center.page.links import LinkFolder
from provisioning.center.page.room import PageRoom

COOKIE = "liuhen-center"
MAX_FORM_BYTES = 1024  # ours; a secret has 43
USED = "链接已用过或已过期。请在中心运行 liuhen-center invite 重新取得。"

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Desk:
    """What the addresses are answered with."""

    room: PageRoom
    links: LinkFolder
    sessions: Sessions[Visitor]
    clock: Clock


def application(desk: Desk, hosts: frozenset[str]) -> Application:
    """The ASGI application behind its gate."""
    routes = [
        Route("/", _inside(desk, Role.OPERATOR, lambda who, _: HTMLResponse(desk.room.fleet(who)))),
        Route("/device/{device}", _inside(desk, Role.REVIEWER, _device(desk))),
        Route("/proof/{device}/{number:int}", _inside(desk, Role.AUDITOR, _proof(desk))),
        Route("/looks", _inside(desk, Role.AUDITOR, lambda who, _: HTMLResponse(desk.room.looks(who)))),
        Route("/enter", _enter(desk), methods=["GET", "POST"]),
        Route("/leave", _leave(desk), methods=["POST"]),
    ]
    handlers: Mapping[Any, Any] = {
        404: _told(desk, "没有这个页面。", 404),
        EnvironmentFault: _told(desk, "", 503),
        LiuhenFault: _told(desk, "", 404),
    }
    return Gate(Starlette(routes=routes, exception_handlers=handlers), doorway(hosts))


def _inside(desk: Desk, needed: Role, endpoint: Callable[[Visitor, Request], Response]) -> Endpoint:
    async def guarded(request: Request) -> Response:
        visitor = desk.sessions.bearer(request.cookies.get(COOKIE, ""), desk.clock.read().monotonic_ns)
        if visitor is None:
            return HTMLResponse(desk.room.message("请用一次性链接进入：liuhen-center invite。"), 401)
        if not visitor.role.may(needed):
            return HTMLResponse(desk.room.message(f"{visitor.role.value} 不能看这一页。"), 403)
        return endpoint(visitor, request)

    return guarded


def _device(desk: Desk) -> Callable[[Visitor, Request], Response]:
    return lambda who, request: HTMLResponse(desk.room.device(who, device_id(request.path_params["device"])))


def _proof(desk: Desk) -> Callable[[Visitor, Request], Response]:
    def endpoint(visitor: Visitor, request: Request) -> Response:
        device, number = device_id(request.path_params["device"]), request.path_params["number"]
        name = {"content-disposition": f'attachment; filename="{device}-{number}.proof.json"'}
        return Response(desk.room.proof(visitor, device, number), headers=name, media_type="application/json")

    return endpoint


def _enter(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if request.method != "POST":
            return HTMLResponse(desk.room.enter(request.query_params.get("k", "")))
        now = desk.clock.read()
        visitor = desk.links.redeem((await read_form(request.stream(), MAX_FORM_BYTES)).get("k", ""), now.wall)
        if visitor is None:
            return HTMLResponse(desk.room.enter("", USED), 403)
        token = secrets.token_urlsafe(32)
        desk.sessions.admit(token, visitor, now.monotonic_ns)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, token, path="/", httponly=True, samesite="strict")
        return answer

    return endpoint


def _leave(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        desk.sessions.end(request.cookies.get(COOKIE, ""))
        answer = HTMLResponse(desk.room.message("已退出。"))
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    return endpoint


def _told(desk: Desk, text: str, status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def endpoint(_: Request, fault: Exception) -> Response:
        return HTMLResponse(desk.room.message(text or str(fault)), status)

    return endpoint
