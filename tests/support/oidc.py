"""A small OpenID provider: whoever comes is logged in at once as the person of the test."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote_plus, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "console", "a+secret/of%20this test="


class Provider:
    """Answers as the specification says; the public attributes are what a test changes."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.claims: dict[str, Any] = {"sub": "s-1", "preferred_username": "Ann", "groups": ["moderators"]}
        self.key = RSAKey.generate_key(2048, parameters={"kid": "one"})
        self.signing = self.key
        # What the token lacks and its own endpoint gives, or another answer in its place.
        self.user_info: dict[str, Any] | Response | None = None
        self.published: dict[str, Any] = {}  # beside the addresses
        self.discovery: Response | None = None  # in place of what is published
        self._asked: dict[str, str] = {}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
                Route("/userinfo", self._user_info),
            ]
        )

    def _configuration(self, _: Request) -> Response:
        places = {name: f"{self.issuer}/{path}" for name, path in PLACES.items()}
        if self.user_info is not None:
            places["userinfo_endpoint"] = f"{self.issuer}/userinfo"
        return self.discovery or JSONResponse({"issuer": self.issuer} | places | self.published)

    def _authorize(self, request: Request) -> Response:
        self._asked = dict(request.query_params)
        assert self._asked["client_id"] == CLIENT
        answer = urlencode({"code": "the code", "state": self._asked["state"]})
        return RedirectResponse(f"{self._asked['redirect_uri']}?{answer}")

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        if not self._is_console(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        right = form["code"] == "the code" and challenge == self._asked["code_challenge"]
        if not right:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": self._asked["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims | self.claims, self.signing)
        return JSONResponse({"access_token": ACCESS, "token_type": "Bearer", "expires_in": 30, "id_token": token})

    def _is_console(self, request: Request, form: FormData) -> bool:
        if self.published.get("token_endpoint_auth_methods_supported") == ["client_secret_post"]:
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        basic = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        return [unquote_plus(part) for part in basic.split(":")] == [CLIENT, SECRET]

    def _user_info(self, request: Request) -> Response:
        if isinstance(self.user_info, Response):
            return self.user_info
        right = request.headers.get("authorization") == f"Bearer {ACCESS}"
        return JSONResponse(self.user_info if right else {}, 200 if right else 401)

    def _jwks(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})


ACCESS = "an access token"
PLACES = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Starts a provider on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        provider = Provider(listener.getsockname()[1])
        server = uvicorn.Server(uvicorn.Config(provider.app(), log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield provider
        server.should_exit = True
        thread.join()
