"""What people are told, and the log of the console, where an OpenID provider cannot be used."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Final

import httpx2

from crossguard.review.errors import ReviewError

_LOG: Final = logging.getLogger("crossguard.review")
_AGAIN: Final = "Try again in a moment."


def logged(told: str) -> ReviewError:
    """Returns an error that nobody at the login page can mend, once the log has it, too."""
    _LOG.warning("in a login by OpenID: %s", told)
    return ReviewError(told)


def no_answer(url: str, error: httpx2.HTTPError | ValueError, advice: str) -> ReviewError:
    """Returns the error of a request to a provider that gave no JSON; `advice` is for what does not pass by itself."""
    if isinstance(error, httpx2.HTTPStatusError):
        answer = error.response
        return logged(f"{url} answered {_status(answer)}. {_AGAIN if _passes(answer) else advice}")
    if isinstance(error, ValueError):
        return logged(f"{url} did not answer with JSON. {advice}")
    if "[SSL" in str(error):
        trust = "If its certificate is of an authority of your own, name that in SSL_CERT_FILE."
        return logged(f"{url} cannot be read through TLS: {error}. {advice} {trust}")
    _LOG.warning("in a login by OpenID: %s: %s", url, error)
    return ReviewError(f"{url} cannot be reached. {_AGAIN}")


def _passes(answer: httpx2.Response) -> bool:
    return answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS


def _status(answer: httpx2.Response) -> str:
    leads = f", a redirect to '{answer.headers['location'][:200]}'" if answer.has_redirect_location else ""
    return f"{answer.status_code}{leads}"
