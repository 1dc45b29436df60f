"""One request by one person: who they are, what they sent, and whether it may be done."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from crossguard.listening import network_of
from crossguard.review.console import Console
from crossguard.review.errors import FormError, LoginEndedError, NotAllowedError, NotFoundError
from crossguard.review.pages.templating import fill
from crossguard.review.roles import Right
from crossguard.review.store import people
from crossguard.review.store.people import Person, Session
from crossguard.review.submissions import without_nul

COOKIE: Final = "crossguard_review"
CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "x-csrf-token"
SEE_OTHER: Final = 303
FORM: Final = "application/x-www-form-urlencoded"
MAX_FIELDS: Final = 200
LARGEST: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Visit:
    """A request with what a page needs to answer it."""

    console: Console
    request: Request
    form: Mapping[str, str]  # fields that were sent
    session: Session | None  # the login; None on pages for everybody
    now: float

    @property
    def person(self) -> Person:
        """Who is logged in."""
        assert self.session is not None
        return self.session.person

    @property
    def item(self) -> int:
        """The number in the path."""
        return self.number("item")

    def number(self, name: str) -> int:
        """Returns a number in the path.

        Raises:
            NotFoundError: It is one that nothing can have.
        """
        found = number_in(str(self.request.path_params[name]))
        if found is None:
            raise NotFoundError(f"There is no such {name}.")
        return found

    @property
    def partial(self) -> bool:
        """Whether htmx asks, for a part of a page."""
        return "hx-request" in self.request.headers

    @property
    def address(self) -> str:
        """The address or network where the request comes from."""
        return network_of(self.request.client.host if self.request.client else "")

    def check_queue(self, queue: str) -> None:
        """Raises NotAllowedError where the person may not work in a queue."""
        if not self.person.sees(queue):
            raise NotAllowedError(f"Your account does not include the queue '{queue}'. Ask an admin.")

    def absolute(self, path: str) -> str:
        """Returns the whole address of a path of this console."""
        return (self.console.settings.public_url or str(self.request.base_url).rstrip("/")) + path

    def go(self, path: str) -> Response:
        """Returns the answer that sends the browser on."""
        return RedirectResponse(path, SEE_OTHER)

    def render(self, template: str, status: int = 200, **context: Any) -> Response:
        """Returns the answer that shows a page."""
        known = {"visit": self, "settings": self.console.settings, "Right": Right, "now": self.now}
        return HTMLResponse(fill(template, **known, **context), status)


Handler: TypeAlias = Callable[[Visit], Response]
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def number_in(text: str) -> int | None:
    """Returns the number that a text is; None where it is none, or larger than the number of any row."""
    return int(text) if text.isdecimal() and len(text) <= len(str(LARGEST)) and int(text) <= LARGEST else None


def page(handler: Handler, right: Right | None = None, *, public: bool = False) -> Endpoint:
    """Returns the endpoint of a handler; the handler runs in a thread, as it waits for the database.

    `right` is what the person's role must include; for `public` pages nobody needs to be logged in.
    """

    async def endpoint(request: Request) -> Response:
        body = await request.body() if request.method == "POST" else b""
        return await run_in_threadpool(_answer, handler, request, body, right, public)

    return endpoint


def form_of(body: bytes, content_type: str) -> dict[str, str]:
    """Returns the fields of a form, which anybody may send: one kind of form, read in linear time.

    Raises:
        FormError: It is of another kind, or has too many fields.
    """
    if not body:
        return {}
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise FormError(f"A form is read as {FORM}, and not as anything else.")
    try:
        fields = parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise FormError(f"A form may have {MAX_FIELDS} fields; this one has more.") from None
    return {name: without_nul(text).replace("\r\n", "\n") for name, text in fields}  # as the page counted them


def _answer(handler: Handler, request: Request, body: bytes, right: Right | None, public: bool) -> Response:
    console: Console = request.app.state.console
    now = console.now()
    _refuse_foreign(request)
    form = form_of(body, request.headers.get("content-type", ""))
    session = _session(console, request, now)
    visit = Visit(console, request, form, session, now)
    if session is None and not public:
        if visit.partial:  # else the login page would be put into a page where somebody writes
            raise LoginEndedError("Your login has ended. What you wrote is still here: log in again in another tab.")
        url = request.url
        target = f"{url.path}?{url.query}".removesuffix("?") if request.method == "GET" else "/"
        return visit.go(f"/login?next={quote(target)}")
    if session is not None and request.method == "POST" and not public:
        given = form.get(CSRF_FIELD) or request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(given.encode(), session.csrf.encode()):
            raise LoginEndedError("This form is from an earlier login. Go back, reload that page, and send it again.")
    if right is not None and (session is None or not session.person.may(right)):
        raise NotAllowedError("Your role does not include this. Ask an admin.")
    return handler(visit)


def _session(console: Console, request: Request, now: float) -> Session | None:
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    with console.database.read() as db:
        return people.session_of(db, token, now)


def _refuse_foreign(request: Request) -> None:
    """Refuses forms that another site makes a browser send; this guards the login, which has no token yet."""
    if request.method != "POST":
        return
    origin = request.headers.get("origin")
    public = urlsplit(request.app.state.console.settings.public_url).netloc  # a proxy may pass its own name on
    foreign = origin is not None and origin.partition("://")[2] not in {request.headers.get("host"), public or None}
    if foreign or request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise NotAllowedError("This form was sent from another site.")
