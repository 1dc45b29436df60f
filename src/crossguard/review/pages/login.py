"""Logging in and out, and the one-time links by which people join or choose a new password."""

from __future__ import annotations

import contextlib
from dataclasses import astuple
from typing import Final
from urllib.parse import quote, unquote

from starlette.responses import Response

from crossguard.review.errors import FormError, NotAllowedError, NotFoundError, ReviewError, TooManyAttemptsError
from crossguard.review.oidc import Challenge, Provider
from crossguard.review.pages.visit import COOKIE, Visit
from crossguard.review.passwords import hash_password, matches
from crossguard.review.roles import Role
from crossguard.review.store import attempts, log, people
from crossguard.review.store.schema import HOUR

_ASKED: Final = "crossguard_review_oidc"
WRONG = "The name or the password is wrong."


def login(visit: Visit) -> Response:
    """Shows the form, or logs in."""
    target = local_path(visit.request.query_params.get("next", "/"))
    if visit.request.method != "POST":  # HEAD, too, by which monitors ask
        return visit.render("login.html.j2", target=target, problem="")
    name, password = visit.form.get("name", "").strip(), visit.form.get("password", "")
    try:
        person = _check(visit, name, password)
    except (FormError, TooManyAttemptsError) as error:
        return visit.render("login.html.j2", error.status, target=target, problem=str(error))
    return log_in(visit, person.id, target)


def _check(visit: Visit, name: str, password: str) -> people.Person:
    database = visit.console.database
    with database.read() as db:
        attempts.check(db, name, visit.address, visit.now)
        try:
            person, stored = people.by_name(db, name)
        except NotFoundError:
            person, stored = None, None
    if not matches(stored, password, visit.address) or person is None or not person.active:
        with database.write() as tx:
            attempts.note(tx, name, visit.address, visit.now)
        raise FormError(WRONG)
    return person


def log_in(visit: Visit, person: int, target: str = "/") -> Response:
    """Starts a session and goes on."""
    seconds = visit.console.settings.session_hours * HOUR
    with visit.console.database.write(durable=False) as tx:
        token = people.start_session(tx, person, visit.now, seconds)
    response = visit.go(target)
    _set_cookie(visit, response, COOKIE, token, seconds)
    return response


def _set_cookie(visit: Visit, response: Response, name: str, value: str, seconds: float, *, path: str = "/") -> None:
    secure = visit.console.settings.secure
    response.set_cookie(name, value, max_age=int(seconds), path=path, secure=secure, httponly=True, samesite="lax")


def begin_oidc(visit: Visit) -> Response:
    """Sends the browser to the OpenID provider; it keeps what the answer must fit, for as long as one logs in."""
    challenge = Challenge.new()
    with contextlib.closing(_provider(visit)) as provider:
        response = visit.go(provider.address(challenge))
    kept = " ".join((*astuple(challenge), visit.request.query_params.get("next", "/")))
    _set_cookie(visit, response, _ASKED, quote(kept), 600, path="/oidc")
    return response


def end_oidc(visit: Visit) -> Response:
    """Logs in whom the provider sends back."""
    try:
        *asked, target = unquote(visit.request.cookies.get(_ASKED, "")).split(" ", 3)
        challenge = Challenge(*asked)
    except TypeError:
        challenge, target = Challenge.new(), "/"
    with contextlib.closing(_provider(visit)) as provider:
        subject, name, role = provider.identity(visit.request.query_params, challenge)
    with visit.console.database.write() as tx:
        person = people.by_subject(tx, subject, name, role, visit.now)
    if not person.active:
        raise NotAllowedError("This account may not log in any more. Ask an admin.")
    response = log_in(visit, person.id, local_path(target))
    response.delete_cookie(_ASKED, path="/oidc")
    return response


def _provider(visit: Visit) -> Provider:
    if not visit.console.settings.oidc_issuer:
        raise NotFoundError("This console has no OpenID provider. Start it with --oidc-issuer.")
    return Provider(visit.console.settings, visit.absolute("/oidc/callback"))


def logout(visit: Visit) -> Response:
    """Ends the session."""
    assert visit.session is not None
    with visit.console.database.write() as tx:
        people.end_session(tx, visit.session.digest)
    response = visit.go("/login")
    response.delete_cookie(COOKIE, path="/")
    return response


def join(visit: Visit) -> Response:
    """Shows the form of a one-time link, or uses it: somebody new chooses a name, a known person a password."""
    token = str(visit.request.path_params["token"])
    with visit.console.database.read() as db:
        invited = people.invitation(db, token, visit.now)  # before a password is hashed, which costs most
    if visit.request.method != "POST":
        return visit.render("join.html.j2", invited=invited, problem="")
    try:
        hashed = _new_password(visit)
        with visit.console.database.write() as tx:
            people.invitation(tx, token, visit.now)  # again, as somebody may have used it meanwhile
            if invited.name is None:
                person = people.add(tx, visit.form.get("name", ""), Role(invited.role), visit.now, password=hashed)
            else:
                person, _ = people.by_name(tx, invited.name)
                people.change(tx, person.id, password=hashed, active=True)
            people.use_invitation(tx, token, visit.now)
            attempts.forget(tx, person.name, visit.address)
            log.record(tx, visit.now, person.name, "join", role=person.role.value)
    except ReviewError as error:  # what was filled in is shown again
        return visit.render("join.html.j2", error.status, invited=invited, problem=str(error))
    return log_in(visit, person.id)


def _new_password(visit: Visit) -> str:
    password = visit.form.get("password", "")
    if password != visit.form.get("again", ""):
        raise FormError("The two passwords differ.")
    return hash_password(password, visit.address)


def local_path(target: str) -> str:
    """Returns a path on this console; anything that could lead elsewhere becomes the start page."""
    safe = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if safe else "/"
