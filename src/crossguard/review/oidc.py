"""Logging in through an OpenID provider: authorization code with PKCE, by Authlib; roles come from a claim."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from crossguard.review.errors import NotAllowedError, ReviewError
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings

TIMEOUT_S: Final = 10.0
LEEWAY_S: Final = 60
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
_DISCOVERY: Final = "/.well-known/openid-configuration"
_PLACES: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_NAMES: Final = ("preferred_username", "name", "email", "sub")


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the browser keeps while the person is at the provider."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Challenge:
        """Draws one."""
        return cls(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48))


class Provider:
    """The OpenID provider that the settings name; what it publishes is read for each login, so keys may change."""

    def __init__(self, settings: ReviewSettings, redirect: str) -> None:
        self._settings = settings
        self._client = OAuth2Client(
            settings.oidc_client_id,
            settings.oidc_client_secret or None,
            token_endpoint_auth_method="client_secret_basic" if settings.oidc_client_secret else "none",
            scope=settings.oidc_scope,
            redirect_uri=redirect,
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
            follow_redirects=False,
        )

    def address(self, challenge: Challenge) -> str:
        """Returns where the person logs in."""
        url, _ = self._client.create_authorization_url(
            self._published()["authorization_endpoint"],
            state=challenge.state,
            nonce=challenge.nonce,
            code_verifier=challenge.verifier,
        )
        return str(url)

    def identity(self, query: Mapping[str, str], challenge: Challenge) -> tuple[str, str, Role | None]:
        """Returns who has come back from the provider: key, name, and the role that a rule says; None where none does.

        The key names the provider and its own key of the person; it never changes.

        Raises:
            NotAllowedError: The answer is not to the question that this browser asked, or is not the provider's; or
                the person is in none of the groups that may review.
        """
        if "error" in query:
            said = query.get("error_description") or query["error"]
            raise NotAllowedError(f"The provider did not log you in: {said[:200]}")
        if not secrets.compare_digest(query.get("state", "").encode(), challenge.state.encode()):
            raise NotAllowedError("This login was begun in another window, or has ended. Begin again.")
        published = self._published()
        try:
            token = self._client.fetch_token(
                published["token_endpoint"],
                code=query.get("code", ""),
                code_verifier=challenge.verifier,
                grant_type="authorization_code",
            )
            keys = KeySet.import_key_set({"keys": self._get(published["jwks_uri"])["keys"]})
            claims = jwt.decode(token["id_token"], keys, algorithms=ALGORITHMS).claims
            rules: Any = {
                "iss": {"essential": True, "value": published["issuer"]},
                "aud": {"essential": True, "value": self._settings.oidc_client_id},
                "nonce": {"essential": True, "value": challenge.nonce},
                "sub": {"essential": True},
                "exp": {"essential": True},
            }
            jwt.JWTClaimsRegistry(leeway=LEEWAY_S, **rules).validate(claims)
        except httpx2.HTTPError:
            raise self._unreachable() from None
        except (OAuthError, JoseError, KeyError, ValueError, TypeError) as error:
            raise NotAllowedError(f"What the provider said cannot be trusted: {error}") from None
        name = next(str(claims[key]) for key in _NAMES if claims.get(key))
        printable = "".join(character for character in name if character.isprintable()).strip()[:60].rstrip()
        return f"{self._settings.oidc_issuer} {claims['sub']}", printable or "somebody", self._role(claims)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        given, rules = claims.get(self._settings.oidc_claim), self._settings.role_rules()
        held = {str(value) for value in given} if isinstance(given, list) else {str(given)}
        found = next((Role(role) for value, role in rules if value in held), None)
        if rules and found is None:
            may = ", ".join(value for value, _ in rules)
            raise NotAllowedError(f"You are logged in, but in none of the groups that may review: {may}. Ask an admin.")
        return found

    def _published(self) -> dict[str, Any]:
        issuer = self._settings.oidc_issuer
        found = self._get(issuer + _DISCOVERY)
        if str(found.get("issuer", "")).rstrip("/") != issuer:
            raise ReviewError(f"{issuer}{_DISCOVERY} is about '{found.get('issuer')}'. Correct --oidc-issuer.")
        if lacking := [name for name in _PLACES if not isinstance(found.get(name), str)]:
            raise ReviewError(f"{issuer}{_DISCOVERY} does not say {', '.join(lacking)}, so nobody can log in by it.")
        return found

    def _get(self, url: str) -> dict[str, Any]:
        try:
            answer = self._client.request("GET", url, withhold_token=True).raise_for_status()
            content = answer.json()
        except (httpx2.HTTPError, ValueError):
            raise self._unreachable() from None
        return content if isinstance(content, dict) else {}

    def _unreachable(self) -> ReviewError:
        return ReviewError(f"The provider {self._settings.oidc_issuer} cannot be reached. Try again in a moment.")
