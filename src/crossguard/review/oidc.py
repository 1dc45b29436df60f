"""Logging in through an OpenID provider: authorization code with PKCE, by Authlib; roles come from a claim."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from crossguard.review.errors import NotAllowedError, ReviewError
from crossguard.review.oidc_failures import logged, no_answer
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings

TIMEOUT_S: Final = 10.0
LEEWAY_S: Final = 60
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
_DISCOVERY: Final = "/.well-known/openid-configuration"
_PLACES: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OWN_NAMES: Final = ("preferred_username", "name")
_NAMES: Final = (*_OWN_NAMES, "email", "sub")


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
            token = self._token(published, query.get("code", ""), challenge.verifier)
            claims = self._said_in(token, published, challenge.nonce)
        except (OAuthError, JoseError, KeyError, ValueError, TypeError) as error:
            raise NotAllowedError(f"What the provider said cannot be trusted: {error}") from None
        claims = self._completed(claims, token, published)
        name = next(str(claims[key]) for key in _NAMES if claims.get(key))
        printable = "".join(character for character in name if character.isprintable()).strip()[:60].rstrip()
        return f"{self._settings.oidc_issuer} {claims['sub']}", printable or "somebody", self._role(claims)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _token(self, published: Mapping[str, Any], code: str, verifier: str) -> dict[str, Any]:
        place = published["token_endpoint"]
        try:
            found: dict[str, Any] = self._client.fetch_token(
                place,
                auth=self._authentication(published),
                code=code,
                code_verifier=verifier,
                grant_type="authorization_code",
            )
        except httpx2.HTTPError as error:
            raise no_answer(place, error, "Ask whoever runs the provider.") from None
        except OAuthError as error:
            if error.error != "invalid_client":
                raise
            raise logged(
                "The provider refuses this console's client id or secret. Correct --oidc-client-id or "
                "CROSSGUARD_REVIEW_OIDC_CLIENT_SECRET."
            ) from None
        return found

    def _authentication(self, published: Mapping[str, Any]) -> httpx2.Auth:
        """Returns how this console shows its secret: in a header, or in the form where the provider reads only that."""
        client, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret
        known = published.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if not secret:
            way: httpx2.Auth = self._client.client_auth("none")
        elif "client_secret_post" in known and "client_secret_basic" not in known:
            way = self._client.client_auth("client_secret_post")
        else:
            way = httpx2.BasicAuth(quote_plus(client), quote_plus(secret))  # RFC 6749, section 2.3.1
        return way

    def _said_in(self, token: Mapping[str, Any], published: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """Returns the claims of an ID token that is the provider's, for this console, and new."""
        keys = KeySet.import_key_set({"keys": self._get(published["jwks_uri"])["keys"]})
        claims = jwt.decode(token["id_token"], keys, algorithms=ALGORITHMS).claims
        rules: Any = {
            "iss": {"essential": True, "value": published["issuer"]},
            "aud": {"essential": True, "value": self._settings.oidc_client_id},
            "nonce": {"essential": True, "value": nonce},
            "sub": {"essential": True},
            "exp": {"essential": True},
        }
        jwt.JWTClaimsRegistry(leeway=LEEWAY_S, **rules).validate(claims)
        return claims

    def _completed(
        self, claims: dict[str, Any], token: Mapping[str, Any], published: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Returns the claims with those that many providers give only where one asks for them, OpenID Core 5.4."""
        place, access = published.get("userinfo_endpoint"), token.get("access_token")
        roleless = self._settings.oidc_roles and claims.get(self._settings.oidc_claim) is None
        nameless = not any(claims.get(name) for name in _OWN_NAMES)
        if not (roleless or nameless) or not isinstance(place, str) or not access:
            return claims
        try:
            more = self._get(place, {"authorization": f"Bearer {access}"})
        except ReviewError:
            if roleless:
                raise
            return claims  # a name that is missing keeps nobody out; the log has why
        if more.get("sub") != claims["sub"]:
            raise NotAllowedError(f"What the provider said cannot be trusted: {place} is about somebody else.")
        return more | {name: value for name, value in claims.items() if value is not None}

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
        place = issuer + _DISCOVERY
        found = self._get(place)
        if str(found.get("issuer", "")).rstrip("/") != issuer:
            raise logged(f"{place} is about '{found.get('issuer')}'. Correct --oidc-issuer.")
        if lacking := [name for name in _PLACES if not isinstance(found.get(name), str)]:
            raise logged(f"{place} does not say {', '.join(lacking)}, so nobody can log in by it.")
        return found

    def _get(self, url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            answer = self._client.request("GET", url, withhold_token=True, headers=headers).raise_for_status()
            content = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            discovery = url == self._settings.oidc_issuer + _DISCOVERY
            advice = "Correct --oidc-issuer." if discovery else "Ask whoever runs the provider."
            raise no_answer(url, error, advice) from None
        return content if isinstance(content, dict) else {}
