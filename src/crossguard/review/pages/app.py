"""Puts all pages behind one ASGI application."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossguard.errors import CrossguardError
from crossguard.review.console import Console
from crossguard.review.errors import ReviewError
from crossguard.review.pages import api, images, item, login, people, quality, queues
from crossguard.review.pages.templating import fill
from crossguard.review.pages.visit import Handler, page
from crossguard.review.roles import Right

_LOG: Final = logging.getLogger("crossguard.review")
FORM_BYTES: Final = 128 * 1024
"""Of a form, which anybody may send; the longest comment fits in any script. Bodies of programs are read when their key
is known."""
BODY_S: Final = 60.0
"""How long a body may take to arrive."""
STATIC: Final = Path(__file__).parents[1] / "static"
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # no-referrer would make browsers hide the origin of our own forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
PAGES: Final[tuple[tuple[str, str, Handler, Right | None], ...]] = (
    ("GET", "/", queues.home, None),
    ("GET", "/queues/{queue}", queues.queue, None),
    ("POST", "/queues/{queue}/next", queues.take, Right.DECIDE),
    ("GET", "/items/{item}", item.show, None),
    ("GET", "/items/{item}/explanation", item.explanation, None),
    ("POST", "/items/{item}/claim", item.claim, Right.DECIDE),
    ("POST", "/items/{item}/renew", item.renew, Right.DECIDE),
    ("POST", "/items/{item}/release", item.release, Right.DECIDE),
    ("POST", "/items/{item}/vote", item.vote, Right.DECIDE),
    ("POST", "/items/{item}/skip", item.skip, Right.DECIDE),
    ("POST", "/items/{item}/escalate", item.escalate, Right.DECIDE),
    ("POST", "/items/{item}/reopen", quality.reopen, Right.LEAD),
    ("POST", "/items/{item}/gold", quality.make_golden, Right.LEAD),
    ("POST", "/undo", item.undo, Right.DECIDE),
    ("GET", "/images/{image}", images.image, None),
    ("GET", "/images/{image}/full", images.full, None),
    ("GET", "/me", queues.mine, None),
    ("POST", "/me/switches", queues.switches, None),
    ("POST", "/logout", login.logout, None),
    ("GET", "/quality", quality.show, Right.MEASURE),
    ("GET", "/quality/{name}", quality.download, Right.MEASURE),
    ("POST", "/quality/retry", quality.retry, Right.LEAD),
    ("GET", "/log", quality.read_log, Right.AUDIT),
    ("GET", "/people", people.show, Right.ADMINISTER),
    ("POST", "/people/invite", people.invite, Right.ADMINISTER),
    ("POST", "/people/change", people.change, Right.ADMINISTER),
    ("POST", "/people/keys", people.add_key, Right.ADMINISTER),
    ("POST", "/people/keys/revoke", people.revoke_key, Right.ADMINISTER),
    ("POST", "/people/erase", people.erase, Right.ADMINISTER),
)


def create_app(console: Console) -> Starlette:
    """Returns the application of a console."""
    routes: list[BaseRoute] = [
        Route(path, page(handler, right), methods=[method]) for method, path, handler, right in PAGES
    ]
    routes += [
        Route("/login", page(login.login, public=True), methods=["GET", "POST"]),
        Route("/oidc/login", page(login.begin_oidc, public=True)),
        Route("/oidc/callback", page(login.end_oidc, public=True)),
        Route("/join/{token}", page(login.join, public=True), methods=["GET", "POST"]),
        Route("/api/items", api.call(api.SubmittedPosts, api.receive), methods=["POST"]),
        Route("/api/appeals", api.call(api.Appeal, api.take_appeal), methods=["POST"]),
        Route("/healthz", _alive),
        Route("/readyz", _ready),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Envelope, limit=console.settings.max_body_bytes)],
        exception_handlers={
            CrossguardError: _refused,
            HTTPException: _http,
            DBAPIError: _database,
            PoolTimeoutError: _database,
        },
    )
    app.state.console = console
    app.state.turns = api.Turns()
    return app


class Envelope:
    """Adds the security headers to every answer, and refuses bodies that are too large or too slow."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit if scope["path"].startswith("/api/") else min(FORM_BYTES, self._limit)
        deadline: float | None = asyncio.get_running_loop().time() + BODY_S
        received = 0

        async def limited() -> Message:
            nonlocal received, deadline
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"The body took more than {BODY_S:.0f} s. Send it in smaller parts.") from None
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, f"The body has more than {limit:,} bytes.")
            if not message.get("more_body", False):
                deadline = None  # what comes next is the end of the connection, whenever that is
            return message

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                added = HEADERS if scope["path"].startswith("/static/") else HEADERS | {"cache-control": "no-store"}
                for name, value in added.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, limited, guarded)


def _message(request: Request, title: str, text: str, status: int, code: str = "refused") -> Response:
    if request.url.path.startswith("/api/"):
        return api.error_answer(code, text, status)
    return HTMLResponse(fill("plain.html.j2", title=title, text=text), status)


def _refused(request: Request, error: Exception) -> Response:
    status, code = (error.status, "refused") if isinstance(error, ReviewError) else (422, "invalid")
    return _message(request, "This cannot be done", str(error), status, code)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    titles = {404: "No such page", 405: "Not this way", 408: "Too slow", 413: "Too large"}
    text = "The console has no page at this address." if error.status_code == 404 else str(error.detail)  # noqa: PLR2004
    return _message(request, titles.get(error.status_code, "Not possible"), text, error.status_code)


def _database(request: Request, error: Exception) -> Response:
    if isinstance(error, DataError):
        return _message(request, "This cannot be stored", f"The database does not take this: {error.orig}", 422)
    _LOG.warning("the database cannot be used, or refuses a change: %s", error)
    if isinstance(error, IntegrityError):
        return _message(request, "This has changed", "Somebody did the same in this moment. Look again.", 409)
    text = "The database cannot be reached. Nothing that was recorded is lost; " + (
        "of this call nothing was. Send it again in a moment."
        if request.url.path.startswith("/api/")
        else "an answer that you just sent is kept in your browser. Reload the page in a moment."
    )
    response = _message(request, "The database is away", text, 503)
    response.headers["retry-after"] = "5"
    return response


async def _alive(_: Request) -> Response:
    return PlainTextResponse("ok")


def _ready(request: Request) -> Response:
    with request.app.state.console.database.read() as db:
        db.exec_driver_sql("SELECT 1")
    return PlainTextResponse("ok")
