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
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "console", "a secret of this test"


class Provider:
    """Answers as the specification says; `claims` and `forged` are what a test changes."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.claims: dict[str, Any] = {"sub": "s-1", "preferred_username": "Ann", "groups": ["moderators"]}
        self.key = RSAKey.generate_key(2048, parameters={"kid": "one"})
        self.signing = self.key
        self._asked: dict[str, str] = {}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
            ]
        )

    def _configuration(self, _: Request) -> Response:
        places = {name: f"{self.issuer}/{path}" for name, path in PLACES.items()}
        return JSONResponse({"issuer": self.issuer} | places)

    def _authorize(self, request: Request) -> Response:
        self._asked = dict(request.query_params)
        assert self._asked["client_id"] == CLIENT
        answer = urlencode({"code": "the code", "state": self._asked["state"]})
        return RedirectResponse(f"{self._asked['redirect_uri']}?{answer}")

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        wanted = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        right = form["code"] == "the code" and challenge == self._asked["code_challenge"]
        if request.headers.get("authorization") != wanted or not right:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": self._asked["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims | self.claims, self.signing)
        return JSONResponse({"access_token": "unused", "token_type": "Bearer", "id_token": token})

    def _jwks(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})


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
